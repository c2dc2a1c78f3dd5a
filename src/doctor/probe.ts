// Runs in a child process of `strobe doctor`: a real, short start of the engine over a function whose share and source position are known, and what came of it as one
// line of JSON on stdout. A crash of the engine ends this process, and the doctor says so.

import { runInThisContext } from 'node:vm';
import type { StrobeError } from '../errors';
import { loadNative } from '../native';
import { decode } from '../pprof/decode';
import { startProfiler } from '../profiler/profiler';

/** What `probe` reports; `error` alone when it did not start. */
export interface ProbeResult {
  error?: { code: string; message: string };
  /** The loaded binary's path. */
  binary: string;
  features: Record<string, string>;
  samples: number;
  lost: number;
  askedHz: number;
  /** Samples by second of CPU. */
  reachedHz: number;
  /** CPU of the main thread while it was profiled, and what the profile has, nanoseconds. */
  cpuNs: number;
  profileNs: number;
  /** Share of the known function. */
  hotShare: number;
  /** Where the profile says that it is: `file:line`. */
  hotPlace: string;
  /** Smallest step that a thread's CPU clock was seen to take, nanoseconds; 0: none was seen. */
  clockStepNs: number;
}

export const PROBE_FUNCTION = 'strobeDoctorBurn';
/** Line 42 of original.ts, by an inline source map with one mapping. */
export const PROBE_PLACE = 'original.ts:42';

const HZ = 500;
const BURN_NS = 400e6;
const MOST_MS = 5000;
/** Some milliseconds: reading the clock costs a tenth of one. */
const LOOP = 3_000_000;
const CLOCK_READS = 2000;

const CODE = `(function ${PROBE_FUNCTION}(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i); return s; })`;
const MAP = { version: 3, sources: ['original.ts'], names: [], mappings: 'AAyCA' };

async function probe(): Promise<ProbeResult> {
  const url = `data:application/json;base64,${Buffer.from(JSON.stringify(MAP)).toString('base64')}`;
  const burn = runInThisContext(`${CODE}\n//# sourceMappingURL=${url}`, { filename: '/strobe-doctor/generated.js' }) as (
    n: number,
  ) => number;
  const native = loadNative();
  const profiler = startProfiler({ frequencyHz: HZ });
  const ownCpu = () => native.processStats().threads.find(({ tid }) => tid === process.pid)?.cpuNs ?? 0;
  const before = ownCpu();
  // By CPU, not by time: on a busy machine there are as many samples.
  for (const end = performance.now() + MOST_MS; performance.now() < end && ownCpu() - before < BURN_NS; ) burn(LOOP);
  const cpuNs = ownCpu() - before;
  const profile = decode(await profiler.snapshot('cpu'), 'the probe');
  const clockStepNs = clockStep(ownCpu, burn);
  const { features, lost } = profiler.stats();
  await profiler.stop();

  let samples = 0;
  let profileNs = 0;
  let hotNs = 0;
  let hotPlace = '';
  for (const sample of profile.samples) {
    const value = sample.values[1] ?? 0;
    samples += sample.values[0] ?? 0;
    profileNs += value;
    for (const index of sample.locations) {
      const line = profile.locations[index]?.lines.find(({ function: func }) => profile.functions[func]?.name === PROBE_FUNCTION);
      if (!line) continue;
      const func = profile.functions[line.function];
      hotPlace = `${func?.filename}:${line.line}`;
      hotNs += value;
      break;
    }
  }
  return {
    binary: Object.keys(require.cache).find((path) => path.endsWith('.node')) ?? process.env.STROBE_BINARY ?? '',
    features,
    samples,
    lost,
    askedHz: HZ,
    reachedHz: cpuNs > 0 ? (samples * 1e9) / cpuNs : 0,
    cpuNs,
    profileNs,
    hotShare: profileNs > 0 ? hotNs / profileNs : 0,
    hotPlace,
    clockStepNs,
  };
}

function clockStep(read: () => number, burn: (n: number) => number): number {
  let step = Number.POSITIVE_INFINITY;
  let last = read();
  const end = performance.now() + 100;
  for (let i = 0; i < CLOCK_READS && performance.now() < end; i++) {
    burn(100);
    const now = read();
    if (now > last) step = Math.min(step, now - last);
    last = now;
  }
  return Number.isFinite(step) ? step : 0;
}

function tell(result: Partial<ProbeResult>): void {
  process.stdout.write(`\n${JSON.stringify(result)}\n`);
}

if (require.main === module) {
  probe().then(tell, (error: StrobeError) => {
    tell({ error: { code: error.code ?? '', message: error.message ?? String(error) } });
  });
}
