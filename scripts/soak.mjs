// `npm run test:soak -- [--minutes N] [--node MAJOR|PATH] [--seed N] [--asan] [--quick] …`: the endurance suite. Everything that breaks profilers, at once, in one
// program, beside the same program without strobe.
//
// Contract: builds what is missing, prints a line for each minute, a table of what the antagonists did, one line for each verdict, and last `N passed, N failed[, N
// skipped]`; exit code 1 on a failure, 2 on a usage error. What is shown: no crash, no hang, the process ends by itself; each session's profile is within 2 % of
// its threads' CPU clocks; every sample is in the profile or counted as lost, and at most 2 % are lost (under ASan any number: only our code is slower there,
// and the collector may not keep up); labels are right wherever they arrive; the resident size grows by less than 1 MiB a minute more than in the twin (not under
// ASan, whose quarantine grows, and not in runs under ten minutes, which can't tell).
// An antagonist that did nothing is a failure. The seed is printed; `--seed` repeats the choices, not the timing.

import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../bench/lib/table.mjs';
import { tally } from '../test/run.mjs';
import { growth, growthAbove, idle, judgeSession, TOLERANCE } from '../test/soak/judge.mjs';
import { buildNative, soak, takeFiles } from '../test/soak/run.mjs';
import { asanEnv, SANITIZED } from './asan.mjs';
import { buildAddon, isMain, requireDependencies, root, run } from './build-native.mjs';
import { ensureNodes, MAJORS, nodeBinary } from './nodes.mjs';

const require = createRequire(import.meta.url);

const QUICK_MINUTES = 0.5;
/** Growth is judged from here on: shorter runs see the heap find its size. */
const LEAST_GROWTH_MINUTES = 10;
const GROWTH_LIMIT = 1; // MiB a minute above the twin
const HANG_SECONDS = 120;

const usage = `usage: npm run test:soak -- [options]
  --minutes N     how long (default 5)          --quick       half a minute, without the twin
  --node M        ${MAJORS.join(', ')}, or the path of a Node binary (default: this one)
  --asan          the addon built with AddressSanitizer, without the twin
  --seed N        the choices of an earlier run (default: random)
  --only a,b      these antagonists only         --without a,b all but these
  --load X        so many times as busy (default 1)
  --no-twin       not beside the unprofiled twin  --nice N      priority of the programs (default 0)
  --out DIR       where logs and stacks go (default: a new folder, named at the end)`;

const list = (text) => (text === undefined ? [] : text.split(',').filter(Boolean));

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      node: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      without: { type: 'string' },
      load: { type: 'string', default: '1' },
      nice: { type: 'string', default: '0' },
      out: { type: 'string' },
      asan: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      'no-twin': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const number = (name, text, least, most) => {
    const value = Number(text);
    if (text === '' || !(value >= least && value <= most))
      throw new Error(`--${name} takes a number from ${least} to ${most}, not '${text}'`);
    return value;
  };
  const minutes = number('minutes', values.minutes ?? (values.quick ? QUICK_MINUTES : 5), 0.1, 100_000);
  let node = process.execPath;
  if (values.node !== undefined) {
    const major = MAJORS.find((known) => String(known) === values.node);
    if (major !== undefined) {
      ensureNodes([major]);
      node = nodeBinary(major);
    } else node = resolve(values.node);
  }
  const version = run(node, ['--version']);
  if (!version.ok) throw new Error(`--node: '${values.node}' is not a Node binary that starts`);
  return {
    node,
    version: version.log.trim(),
    minutes,
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : number('seed', values.seed, 0, 2 ** 32),
    only: list(values.only),
    without: list(values.without),
    load: number('load', values.load, 0.01, 100),
    nice: number('nice', values.nice, 0, 19),
    asan: values.asan,
    twin: !values['no-twin'] && !values.quick && !values.asan,
    out: values.out && resolve(values.out),
  };
}

/** { binary env }, or a failure's text. */
function prepare(asked) {
  if (!existsSync(join(root, 'dist', 'index.js'))) {
    const compiled = run('npm', ['run', '--silent', 'build:ts']);
    if (!compiled.ok) return { failure: 'build:ts did not compile', log: compiled.log };
  }
  if (!asked.asan) {
    const built = process.env.STROBE_BINARY ? { ok: true } : run('npm', ['run', '--silent', 'build:native']);
    return built.ok ? { env: {} } : { failure: 'the addon did not build', log: built.log };
  }
  const addon = buildAddon({ out: 'build-asan', defines: SANITIZED, env: { CXX: 'g++' } });
  if (!addon.ok) return { failure: 'the addon with ASan did not build', log: addon.log };
  const env = asanEnv(addon.binary);
  return env ? { env } : { failure: 'g++ with libasan and libubsan is missing (Debian: g++; Fedora: gcc-c++ libasan libubsan)' };
}

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** What grows shows where. */
function engineText(parts) {
  if (!parts) return '';
  const bytes = Object.values(parts).reduce((sum, part) => sum + part, 0);
  const large = Object.entries(parts).filter(([, part]) => part >= 2 ** 20);
  return `, engine ${mib(bytes)} (${large.map(([name, part]) => `${name} ${mib(part)}`).join(', ')})`;
}

const perMinute = ({ slope, low, high }) => `${slope.toFixed(2)} [${low.toFixed(2)} to ${high.toFixed(2)}] MiB/min`;

function judgeGrowth(results, asked, profiled, twin) {
  const name = 'resident size';
  const one = growth(profiled.beats);
  const text = `grows by ${perMinute(one)}`;
  if (!twin) return results.skip(name, `${text}; no twin to compare with`);
  const other = growth(twin.beats);
  const above = growthAbove(one, other);
  const both = `${text}, the twin by ${perMinute(other)}: ${perMinute(above)} more`;
  if (asked.minutes < LEAST_GROWTH_MINUTES) return results.skip(name, `${both}; judged from ${LEAST_GROWTH_MINUTES} minutes on`);
  if (above.slope < GROWTH_LIMIT) results.pass(name, both);
  else results.fail(name, both);
}

function countsTable(profiled, twin) {
  const rows = [];
  for (const [name, counters] of Object.entries(profiled.done ?? {})) {
    for (const what of new Set([...Object.keys(counters), ...Object.keys(twin?.done?.[name] ?? {})])) {
      rows.push([`${name}: ${what}`, String(counters[what] ?? 0), twin ? String(twin.done?.[name]?.[what] ?? '-') : '']);
    }
  }
  return table('what the antagonists did', ['', 'profiled', twin ? 'twin' : ''], rows);
}

async function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(`soak: ${error.message}\n${usage}`);
    return 2;
  }
  if (!asked) {
    console.log(usage);
    return 0;
  }
  const results = tally();
  const dir = asked.out ?? mkdtempSync(join(tmpdir(), 'strobe-soak-'));
  mkdirSync(dir, { recursive: true });
  console.log(`soak: Node ${asked.version}, ${asked.minutes} minutes, seed ${asked.seed}${asked.asan ? ', ASan' : ''}, logs in ${dir}`);
  const made = prepare(asked);
  if (made.failure) {
    results.fail('soak', made.failure, made.log);
    return results.end();
  }
  const { decode } = require(join(root, 'dist', 'pprof', 'decode.js'));
  const { totalsFromComments } = require(join(root, 'dist', 'pprof', 'totals.js'));
  const totals = (profile) => totalsFromComments(profile.comments).totals;
  const native = buildNative(join(dir, 'native'), require('node-api-headers').include_dir);

  const program = {
    seed: asked.seed,
    seconds: asked.minutes * 60,
    // Without these two there is nothing to be profiled, and nothing that profiles.
    only: asked.only.length > 0 ? [...new Set([...asked.only, 'control', 'steady'])] : [],
    without: asked.without,
    load: asked.load,
    index: join(root, 'dist', 'index.js'),
    ...native,
  };
  const mostLost = asked.asan ? 1 : TOLERANCE;
  const sessions = { judged: 0, worst: 0, cpuNs: 0, samples: 0, lost: 0, misses: [] };
  const onLine = (object, all) => {
    if (object.session) {
      try {
        const verdict = judgeSession(object.session, { ...takeFiles(object.session, decode), totals, mostLost });
        sessions.judged++;
        for (const sum of ['cpuNs', 'samples', 'lost']) sessions[sum] += verdict[sum];
        if (Math.abs(verdict.worst) > Math.abs(sessions.worst)) sessions.worst = verdict.worst;
        for (const miss of verdict.misses) {
          console.log(`  session ${sessions.judged}: ${miss}`);
          sessions.misses.push(miss);
        }
      } catch (error) {
        sessions.misses.push(error.stack);
      }
    }
    if (object.failure) console.log(`  ${object.failure}`);
    if (object.beat !== undefined && Math.floor(object.beat / 60) > Math.floor((all.beats.at(-2)?.beat ?? 0) / 60)) {
      console.log(
        `  ${all.name}: ${(object.beat / 60).toFixed(0)} min, resident ${mib(object.rss)}, heap ${mib(object.heap)}${engineText(object.engine)}, ${sessions.judged} sessions`,
      );
    }
  };
  const common = { node: asked.node, dir, hangSeconds: HANG_SECONDS, nice: asked.nice, onLine };
  const [profiled, twin] = await Promise.all([
    soak({ ...common, name: 'profiled', env: made.env, program: { ...program, profiled: true } }),
    asked.twin ? soak({ ...common, name: 'twin', program: { ...program, profiled: false } }) : undefined,
  ]);

  console.log(countsTable(profiled, twin));
  for (const end of [profiled, twin]) {
    if (!end) continue;
    const name = `${end.name}: no crash, no hang, nothing wrong`;
    if (end.failures.length === 0) results.pass(name, `${end.seconds.toFixed(0)} s`);
    else results.fail(name, `${end.failures.length} failures`, end.failures.join('\n'));
    const names = Object.keys(end.done ?? {});
    const lazy = names.length > 0 ? idle(end.done, names) : ['any antagonist'];
    if (lazy.length === 0) results.pass(`${end.name}: every antagonist worked`);
    else results.fail(`${end.name}: every antagonist worked`, `nothing was done by ${lazy.join(', ')}`);
  }
  const what = `${sessions.judged} sessions, ${(sessions.cpuNs / 1e9).toFixed(1)} s of CPU on steady threads, ${sessions.samples} samples, ${sessions.lost} lost`;
  const name = `CPU conserved within ${100 * TOLERANCE} %, loss counted`;
  if (sessions.misses.length === 0 && sessions.judged > 0) {
    results.pass(name, `${what}, at worst ${(100 * sessions.worst).toFixed(2)} % beside the clock`);
  } else results.fail(name, what, sessions.misses.slice(0, 50).join('\n'));
  judgeGrowth(results, asked, profiled, twin);
  return results.end();
}

if (isMain(import.meta.url)) {
  requireDependencies('soak');
  process.exitCode = await main();
}
