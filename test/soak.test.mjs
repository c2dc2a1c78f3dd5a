// The endurance suite's short form: half a minute of every antagonist at once. And that the suite finds what it is there to find: its judge, its watchdog and
// its dumps, tried on programs that hang, crash, fail and leak. The long form: npm run test:soak (docs/endurance.md).

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decode, folder, INDEX, program, totalsFromComments } from './helpers.mjs';
import { growth, growthAbove, idle, judgeSession, theilSen } from './soak/judge.mjs';
import { buildNative, soak, takeFiles } from './soak/run.mjs';

const require = createRequire(import.meta.url);
const { stream } = require('./soak/random.cjs');
const SECONDS = Number(process.env.STROBE_TEST_SECONDS ?? (process.env.CI === 'true' ? 15 : 30));
const ASAN = /libasan/.test(process.env.LD_PRELOAD ?? '');
const totals = (profile) => totalsFromComments(profile.comments).totals;

test('Theil-Sen: a slope through noise and outliers, and an interval that holds it', () => {
  const random = stream(1, 'points');
  const points = Array.from({ length: 80 }, (_, t) => ({ t, value: 3 * t + 20 * random.next() + (t % 9 === 0 ? 1000 : 0) }));
  const { slope, low, high } = theilSen(points);
  assert.ok(Math.abs(slope - 3) < 0.3, `${slope}`);
  assert.ok(low < 3 && high > 3 && high - low < 1, `${low} to ${high}`);
  assert.ok(Number.isNaN(theilSen(points.slice(0, 2)).slope));
  const flat = theilSen(points.map(({ t }) => ({ t, value: 7 })));
  assert.equal([flat.slope, flat.low, flat.high], [0, 0, 0]);
});

test('growth: a leak of 3 MiB a minute beside none, under a heap that breathes', () => {
  const beats = (leak, name) => {
    const random = stream(2, name);
    return Array.from({ length: 1800 }, (_, s) => ({
      beat: s,
      rss: 2 ** 20 * (200 + (leak * s) / 60 + 40 * random.next() - (s < 200 ? 100 : 0)),
    }));
  };
  const [leaking, tight] = [growth(beats(3, 'a')), growth(beats(0, 'b'))];
  assert.ok(Math.abs(leaking.slope - 3) < 0.3, JSON.stringify(leaking));
  assert.ok(Math.abs(tight.slope) < 0.3, JSON.stringify(tight));
  const above = growthAbove(leaking, tight);
  assert.ok(above.slope > 2.5 && above.low > 1 && above.high < 5, JSON.stringify(above));
});

const MAIN = 100;
/** A session of one thread with `cpu` ns by its clock, and its profile: `samples` rows of one sample each. */
function session({ cpuNs = 1e9, samples = 100, profileNs = cpuNs, lost = 0, taken = samples, feature = 'on', more = {} } = {}) {
  const clock = (value) => ({ [MAIN]: value });
  const labels = [
    { key: 'thread_name', str: 'main' },
    { key: 'thread_id', num: MAIN },
  ];
  const row = (count, value) => ({ values: [count, value], locations: [], labels });
  return [
    {
      clocks: [clock(0), clock(1e6), clock(cpuNs), clock(cpuNs + 1e6)],
      steady: [MAIN],
      before: { samples: 5, lost: 1, droppedSlices: 0, refusedLabels: 0 },
      after: { samples: 5 + taken, lost: 1 + lost, droppedSlices: 0, refusedLabels: 0, features: { clock: feature } },
      ...more,
    },
    {
      profile: { samples: [row(samples, profileNs), row(lost, 0)], comments: [`strobe: samples=${samples} lost=${lost}`] },
      snapshots: [],
      totals,
    },
  ];
}

test('the judge of a session sees CPU that is missing or too much, samples that do not add up, features that went off', () => {
  const misses = (given) => judgeSession(...session(given)).misses.join('; ');
  assert.is(misses(), '');
  assert.is(misses({ lost: 1, samples: 100 }), '');
  assert.match(misses({ profileNs: 0.95e9 }), /thread 100: 950 ms in the profile/);
  assert.match(misses({ profileNs: 1.05e9 }), /thread 100/);
  assert.match(misses({ taken: 101 }), /the engine took 101 samples, the profile has 100/);
  assert.match(misses({ lost: 10 }), /10 of 110 samples were lost/);
  assert.match(misses({ feature: 'off: somebody took the signal' }), /feature clock: off/);
  assert.match(
    misses({ more: { steady: [MAIN, 101], clocks: [0, 1, 2, 3].map((n) => ({ [MAIN]: n * 1e9, 101: n * 1e9 })) } }),
    /thread 101 is not/,
  );
  const [given, files] = session();
  assert.match(judgeSession(given, { ...files, snapshots: [files.profile, files.profile] }).misses.join(), /200 samples in the snapshots/);
  const lossy = session({ lost: 10 });
  assert.equal(judgeSession(lossy[0], { ...lossy[1], mostLost: 1 }).misses, [], 'counted, and that is all that is asked for');
  assert.equal(idle({ a: { done: 3 }, b: {}, c: { done: 0 } }, ['a', 'b', 'c', 'd']), ['b', 'c', 'd']);
});

/** A program in place of the suite's own, watched by it. */
async function watched(source, { hangSeconds = 3, seconds = 1 } = {}) {
  const dir = folder();
  const beat = `console.log(JSON.stringify({ beat: 0, rss: 1, heap: 1, external: 1, busy: ['the one'] }));`;
  const end = await soak({
    name: 'tried',
    node: process.execPath,
    dir,
    hangSeconds,
    file: program(`${beat} ${source}`),
    program: { seconds },
  });
  const stacks = join(dir, 'tried.stacks.txt');
  return { failures: end.failures.join('\n'), stacks: existsSync(stacks) ? readFileSync(stacks, 'utf8') : '' };
}

const hasGdb = spawnSync('gdb', ['--version']).status === 0;

test('the watchdog: a hung loop, a process that does not end, an early end, a failure that was said', async () => {
  const hung = await watched('for (;;) Math.sqrt(2);');
  assert.match(hung.failures, /no heartbeat for \d+ s; stacks in tried.stacks.txt; stuck in the one/);
  assert.match(hung.stacks, hasGdb ? /Thread \d+/ : /no stacks/);
  const endless = await watched(`console.log('{"done":{}}'); setInterval(() => console.log('{"beat":1,"busy":[]}'), 500);`, {
    hangSeconds: 2,
  });
  assert.match(endless.failures, /still there \d+ s after its time/);
  assert.match((await watched('')).failures, /ended before its time/);
  assert.match((await watched(`console.log('{"failure":"label: wrong"}'); console.log('{"done":{}}');`)).failures, /^label: wrong$/);
  assert.match((await watched(`console.log('not JSON'); console.log('{"done":{}}');`)).failures, /said no JSON: not JSON/);
  assert.match((await watched('process.exit(4);')).failures, /ended by exit code 4/);
});

test('a crash: its signal, and its stacks where the system leaves a core file', async () => {
  const crash = await watched('process.abort();');
  assert.match(crash.failures, /ended by SIGABRT/);
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  if (/^core(\.%p)?$/.test(pattern) && hasGdb && !ASAN) assert.match(crash.stacks, /Abort|raise|pthread_kill/, crash.failures);
  else assert.match(crash.failures, /no core file was left|stacks in/);
});

test(`${SECONDS} seconds of everything at once`, async () => {
  let native;
  const dir = folder();
  try {
    native = buildNative(join(dir, 'native'), require('node-api-headers').include_dir);
  } catch (error) {
    return console.log(`skipped: no C compiler (${error.message})`);
  }
  const seed = Math.floor(Math.random() * 2 ** 31);
  const judged = [];
  const onLine = ({ session: one }) => {
    if (one) judged.push(judgeSession(one, { ...takeFiles(one, decode), totals }));
  };
  const given = { seed, seconds: SECONDS, profiled: true, index: INDEX, load: 1, ...native };
  const { failures, done } = await soak({ name: 'soak', node: process.execPath, dir, hangSeconds: 90, program: given, onLine });
  assert.equal(failures, [], `seed ${seed}`);
  assert.equal(
    judged.flatMap(({ misses }) => misses),
    [],
    `seed ${seed}`,
  );
  assert.ok(judged.length > 0 && judged.some(({ cpuNs }) => cpuNs > 0.2e9), 'sessions with CPU');
  assert.ok(Object.keys(done).length >= 17, Object.keys(done).join());
  assert.equal(idle(done, Object.keys(done)), [], `seed ${seed}: antagonists that did nothing`);
});

test.run();
