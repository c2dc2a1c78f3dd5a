// The engine by trial: what the probe (probe.ts) in a child process found.

import { execFile } from 'node:child_process';
import { join, relative } from 'node:path';
import { broken, degraded, type Finding, ok } from './finding';
import { PROBE_PLACE, type ProbeResult } from './probe';

const PROBE_LIMIT_MS = 30_000;
/** Of the asked rate, over the CPU that was used; less means coarse timers or a machine without a free moment. */
const LEAST_RATE = 0.6;
/** The profile's CPU against the thread's; the start and the end of so short a run are outside. */
const CPU_BAND: [number, number] = [0.7, 1.3];
/** A CPU clock that moves in steps of a scheduler tick cannot weigh samples. */
const MOST_CLOCK_STEP_NS = 1e6;

export async function checkEngine(): Promise<Finding[]> {
  const { result, output } = await runProbe();
  if (!result)
    return [
      broken(
        'engine',
        `the self-test ended without a result: ${output}`,
        'report it with this line and the output of node -p process.versions',
      ),
    ];
  if (result.error) {
    const { code, message } = result.error;
    const check = code.startsWith('ERR_BINARY') ? 'binary' : 'engine';
    return [broken(check, `it does not start (${code || 'an error of no kind'})`, message)];
  }
  // Without samples there is nothing to say about the rest.
  if (result.samples === 0) return [binary(result), noSamples(result)];
  return [binary(result), samples(result), ...features(result), clock(result), cpu(result), sourceMaps(result)];
}

async function runProbe(): Promise<{ result: ProbeResult | undefined; output: string }> {
  // The application's conditions: the same flags and NODE_OPTIONS. Our own preload in them would be a second start, and an inspector's port is taken.
  const flags = process.execArgv.filter((flag) => !/^--(inspect|cpu-prof|heap-prof)/.test(flag));
  const env = { ...process.env, STROBE_ENABLED: '0', STROBE_RUN: '' };
  return new Promise((done) => {
    execFile(
      process.execPath,
      [...flags, join(__dirname, 'probe.js')],
      { env, timeout: PROBE_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 20 },
      (error, stdout, stderr) => {
        const line = stdout.split('\n').find((text) => text.startsWith('{'));
        const result = line === undefined ? undefined : (JSON.parse(line) as ProbeResult);
        const failure = error as (Error & { signal?: string; code?: unknown; killed?: boolean }) | null;
        const ending = failure?.killed
          ? `it did not end within ${PROBE_LIMIT_MS / 1000} s`
          : failure?.signal
            ? `killed by ${failure.signal}`
            : `exit code ${String(failure?.code ?? 0)}`;
        const said = stderr.trim().split('\n').filter(Boolean).slice(0, 6).join(' | ');
        // A crash behind the result (while ending) is one, too.
        done({ result: failure?.signal ? undefined : result, output: `${ending}${said === '' ? '' : `: ${said}`}` });
      },
    );
  });
}

function binary({ binary }: ProbeResult): Finding {
  return binary === '' ? ok('binary', 'loaded') : ok('binary', `loaded: ${shorter(binary)}`);
}

function shorter(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}

function noSamples({ features }: ProbeResult): Finding {
  const { clock = 'on' } = features;
  const why = clock.startsWith('on') ? 'signals do not reach the thread' : `clock ${clock}`;
  return broken(
    'engine',
    `it starts, and no sample comes: ${why}`,
    'look at limit:signals below, for a seccomp filter that refuses rt_tgsigqueueinfo or timer_create, and for a debugger on the process',
  );
}

function samples({ samples, lost, hotShare }: ProbeResult): Finding {
  const share = `${(100 * hotShare).toFixed(0)}% in the function that ran`;
  if (hotShare < 0.5)
    return degraded(
      'engine',
      `${samples} samples, only ${share}`,
      'names are incomplete here: see the features below, and report it with the Node version',
    );
  if (lost > 0)
    return degraded(
      'engine',
      `${samples} samples, ${lost} lost, ${share}`,
      'the collector got no CPU: the machine is overloaded, or its quota too small',
    );
  return ok('engine', `${samples} samples, none lost, ${share}`);
}

function features({ features }: ProbeResult): Finding[] {
  const off = Object.entries(features).filter(([, value]) => !/^on\b/.test(value));
  if (off.length === 0) return [ok('features', `all on: ${Object.keys(features).join(', ')}`)];
  return off.map(([name, value]) => degraded(`feature:${name}`, `${name}: ${value}`, ''));
}

function clock({ askedHz, reachedHz, clockStepNs }: ProbeResult): Finding {
  const reached = `${reachedHz.toFixed(0)} of ${askedHz} Hz reached`;
  if (clockStepNs === 0) return broken('clock', "a thread's CPU clock is not readable", 'allow clock_gettime and reading /proc/self/task');
  if (clockStepNs > MOST_CLOCK_STEP_NS)
    return degraded(
      'clock',
      `the CPU clock moves in steps of ${(clockStepNs / 1e6).toFixed(1)} ms`,
      'samples are weighed by ticks here; use a kernel with precise CPU accounting',
    );
  if (reachedHz < LEAST_RATE * askedHz)
    return degraded(
      'clock',
      reached,
      'the sampler is not woken in time: the machine is busy, its CPU quota small, or its timers coarse; rates up to the reached one are true',
    );
  return ok(
    'clock',
    `${reached}; the CPU clock has steps of ${clockStepNs < 1000 ? `${clockStepNs} ns` : `${(clockStepNs / 1000).toFixed(0)} µs`} or less`,
  );
}

function cpu({ cpuNs, profileNs }: ProbeResult): Finding {
  const ratio = cpuNs > 0 ? profileNs / cpuNs : 0;
  const seen = `the profile has ${(profileNs / 1e6).toFixed(0)} ms of the ${(cpuNs / 1e6).toFixed(0)} ms of CPU that the thread used`;
  if (ratio < CPU_BAND[0] || ratio > CPU_BAND[1])
    return degraded('cpu', seen, 'totals are not to be trusted here; report it with the Node and kernel version');
  return ok('cpu', seen);
}

function sourceMaps({ hotPlace, features }: ProbeResult): Finding {
  if (hotPlace.endsWith(PROBE_PLACE)) return ok('source-maps', 'read: positions are those of the source');
  if (hotPlace === '') return degraded('source-maps', 'not seen: the samples have no position', 'see engine');
  return degraded(
    'source-maps',
    `not followed: a position came out as ${hotPlace} instead of ${PROBE_PLACE} (source maps: ${features.sourceMaps ?? 'unknown'})`,
    '',
  );
}
