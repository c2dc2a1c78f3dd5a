// strobe beside others that look at, or meddle with, the same process: V8's own profiler through the inspector and --cpu-prof, sampled allocations,
// @datadog/pprof, performance hooks, real-time signals, addons with threads, child processes. Both orders of starting and of stopping. Ours has at least 98 % of
// its thread's CPU in samples; theirs sees about what it sees without us. Programs: test/programs/coexistence.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shows } from './exact-helpers.mjs';
import { decode, folder, INDEX, program, REGISTER, ROOT, runNode, selfByFunction } from './helpers.mjs';
import { buildNative } from './soak/run.mjs';

const require = createRequire(import.meta.url);
const HOST = join(ROOT, 'test', 'programs', 'coexistence', 'host.cjs');
const DATADOG = join(ROOT, 'bench', 'node_modules', '@datadog', 'pprof');
const HZ = 500;
const SECONDS = 1;
/** Ours loses less than this; clocks are read a little before and after the profiler's own cut. */
const MOST_LOST = 0.02;
const SLACK_NS = 5e6;
/** Theirs sees at least and at most so much of what it sees alone. V8's clock is the wall's, and its rate depends on what else the machine does. */
const [LEAST_OF_THEIRS, MOST_OF_THEIRS] = [0.7, 1.4];
const NOT_SAMPLED = ['(lost)', '(unsampled)'];

let native;
try {
  native = buildNative(join(folder(), 'native'), require('node-api-headers').include_dir);
} catch (error) {
  console.log(`skipped: what needs an addon, there is no C compiler (${error.message.split('\n')[1]})`);
}

/** Why a way can't be tried here; '' when it can. */
async function missing(theirs) {
  if (!native && ['real-time signal', 'threads and dlopen', 'child processes'].includes(theirs)) return 'no C compiler';
  if (theirs !== 'datadog') return '';
  if (!existsSync(DATADOG)) return 'not installed (npm run bench:exact installs it)';
  const end = await runNode(['-e', `require(${JSON.stringify(DATADOG)})`]);
  return end.code === 0 ? '' : `does not load: ${end.stderr.split('\n').find((line) => /Error/.test(line))}`;
}

async function host(options, flags = []) {
  const dir = folder();
  const asked = { index: INDEX, datadog: DATADOG, dir, seconds: SECONDS, frequencyHz: HZ, ours: true, ...native, ...options };
  const end = await runNode([...flags, HOST, JSON.stringify(asked)], { cwd: dir, limitSeconds: 120 });
  assert.equal([end.code, end.signal], [0, null], `${JSON.stringify(options)}\n${end.stderr}`);
  return { dir, ...JSON.parse(end.stdout.trim().split('\n').at(-1)) };
}

/** What is wrong with our profile of the host's main thread, and the figures. */
function judgeOurs({ file, clocks, features, samples, lost }) {
  const [before, started, stopping, after] = clocks;
  const { self, total } = selfByFunction(decode(readFileSync(file), file), ({ thread_name: name }) => name === 'main');
  const sampled = NOT_SAMPLED.reduce((sum, name) => sum - (self.get(name) ?? 0), total);
  const [least, most] = [stopping - started - SLACK_NS, after - before + SLACK_NS];
  const misses = [];
  const share = sampled / (stopping - started);
  if (share < 1 - MOST_LOST) misses.push(`our samples hold ${(100 * share).toFixed(2)} % of the CPU`);
  if (total < (1 - MOST_LOST) * least || total > (1 + MOST_LOST) * most)
    misses.push(`our profile has ${total / 1e6} ms, the clock ${least / 1e6} to ${most / 1e6}`);
  if (lost > MOST_LOST * (samples + lost)) misses.push(`${lost} of ${samples + lost} samples were lost`);
  const rate = samples / ((stopping - started) / 1e9);
  // What the others do on the thread is theirs; of the host's own, `hot` is nearly all.
  const [hot, callers] = [self.get('hot') ?? 0, ['burst', 'busy'].reduce((sum, name) => sum + (self.get(name) ?? 0), 0)];
  const ofHot = hot / (hot + callers);
  if (!(hot > 0.3 * total && ofHot > 0.9)) misses.push(`hot has ${hot / 1e6} ms, its callers ${callers / 1e6} ms of ${total / 1e6}`);
  if (features.clock !== 'on') misses.push(`features.clock: ${features.clock}`);
  return {
    misses,
    rate,
    text: `ours ${(100 * share).toFixed(2)} % of the CPU, ${rate.toFixed(0)} samples a CPU second, ${lost} lost, ${(100 * ofHot).toFixed(1)} % of hot's in hot`,
  };
}

/** What is wrong with our rate: where the machine has no core for the sampler, it is low without theirs, too. */
async function judgeRate(rate, options) {
  if (rate >= 0.9 * HZ) return [];
  const { rate: alone } = judgeOurs((await host({ ...options, theirs: 'nothing' })).ours);
  return rate >= 0.8 * alone ? [] : [`${rate.toFixed(0)} samples a CPU second, without theirs ${alone.toFixed(0)}, asked were ${HZ}`];
}

/** Samples of the hot function in a second of CPU, or a round. */
const rateOf = ({ hot, rounds, cpuSeconds }) => hot / (rounds ?? cpuSeconds);

const SAMPLING = ['inspector', 'inspector on and off', 'datadog'];
const OTHERS = ['heap sampling', 'performance hooks', 'real-time signal', 'threads and dlopen', 'child processes'];
const ALL_ORDERS = ['ours', 'theirs'].flatMap((startFirst) => ['ours', 'theirs'].map((stopFirst) => ({ startFirst, stopFirst })));
/** CI has 20 minutes for everything: there each is nested in the other once. */
const ORDERS = process.env.CI === 'true' ? ALL_ORDERS.filter(({ startFirst, stopFirst }) => startFirst !== stopFirst) : ALL_ORDERS;

for (const theirs of [...SAMPLING, ...OTHERS]) {
  const reason = await missing(theirs);
  if (reason) {
    test.skip(`${theirs}: ${reason}`);
    continue;
  }
  for (const order of ORDERS) {
    test(`${theirs}: ${order.startFirst} start first, ${order.stopFirst} stop first`, () =>
      shows(SECONDS, async (seconds) => {
        // The signal that we would take first, when they come first: we pass over it. Another one when it is ours.
        const options = { theirs, seconds, ...order, offset: order.startFirst === 'theirs' ? 5 : 6 };
        const beside = await host(options);
        const { misses, rate, text } = judgeOurs(beside.ours);
        misses.push(...(await judgeRate(rate, options)));
        if (!SAMPLING.includes(theirs)) {
          misses.push(...beside.theirs.wrong.map((wrong) => `theirs: ${wrong}`));
          return { misses, text: `${theirs}, ${JSON.stringify(order)}: ${text}` };
        }
        const alone = await host({ ...options, ours: false });
        const ratio = rateOf(beside.theirs) / rateOf(alone.theirs);
        if (!(ratio >= LEAST_OF_THEIRS && ratio <= MOST_OF_THEIRS)) misses.push(`theirs saw ${ratio.toFixed(2)} of what it sees alone`);
        if (!(beside.theirs.hot > 0.7 * beside.theirs.all)) misses.push(`theirs: hot has ${beside.theirs.hot} of ${beside.theirs.all}`);
        return { misses, text: `${theirs}, ${JSON.stringify(order)}: ${text}; theirs ${ratio.toFixed(2)} of what it sees alone` };
      }));
  }
}

/** Samples whose leaf is `name`, of a file that --cpu-prof left. */
function cpuprofile(dir, name) {
  const files = readdirSync(dir).filter((file) => file.endsWith('.cpuprofile'));
  assert.ok(files.length > 0, `--cpu-prof left a file in ${readdirSync(dir)}`);
  return files.map((file) => {
    const { nodes, samples } = JSON.parse(readFileSync(join(dir, file), 'utf8'));
    const ids = new Set(nodes.filter(({ callFrame }) => name.includes(callFrame.functionName)).map(({ id }) => id));
    return { hot: samples.filter((id) => ids.has(id)).length, all: samples.length };
  });
}

test('--cpu-prof around ours: it starts before and stops behind us', () =>
  shows(SECONDS, async (seconds) => {
    const options = { theirs: 'nothing', startFirst: 'theirs', stopFirst: 'ours', seconds };
    const flags = ['--cpu-prof', '--cpu-prof-interval', '1000'];
    const beside = await host(options, flags);
    const alone = await host({ ...options, ours: false }, flags);
    const { misses, rate, text } = judgeOurs(beside.ours);
    misses.push(...(await judgeRate(rate, options)));
    // The whole host is in it.
    const hotRate = ({ dir, theirs: { cpuSeconds } }) => cpuprofile(dir, ['hot', 'burst', 'busy'])[0].hot / cpuSeconds;
    const ratio = hotRate(beside) / hotRate(alone);
    if (!(ratio >= LEAST_OF_THEIRS && ratio <= MOST_OF_THEIRS)) misses.push(`--cpu-prof saw ${ratio.toFixed(2)} of what it sees alone`);
    return { misses, text: `--cpu-prof: ${text}; theirs ${ratio.toFixed(2)} of what it sees alone` };
  }));

const SPIN = `function spin(ms) { const end = performance.now() + ms; let x = 0; while (performance.now() < end) for (let i = 0; i < 1e4; i++) x += Math.sqrt(i); return x; }`;

for (const ending of ['', 'process.exit(3);', 'throw new Error("on purpose");']) {
  test(`--cpu-prof and the preload, both from the first line to the end (${ending || 'the loop is empty'}), with a Worker`, async () => {
    const dir = folder();
    const worker = program(`${SPIN} spin(500);`);
    const source = `${SPIN} new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { name: 'beside' }).on('exit', () => { spin(300); ${ending} }); spin(300);`;
    const flags = ['--cpu-prof', '--cpu-prof-interval', '1000', '--require', REGISTER];
    const end = await runNode([...flags, program(source)], {
      cwd: dir,
      env: { STROBE_DIR: join(dir, 'ours'), STROBE_FREQUENCY_HZ: '200' },
    });
    assert.equal([end.code, end.signal], [ending === '' ? 0 : ending.startsWith('throw') ? 1 : 3, null], end.stderr);
    const theirs = cpuprofile(dir, ['spin']);
    // One a thread; ours has no JavaScript in the profile of its own thread's file.
    assert.ok(theirs.filter(({ hot }) => hot > 100).length >= 2, `main and the Worker: ${JSON.stringify(theirs)}`);
    const [file] = readdirSync(join(dir, 'ours'));
    const profile = decode(readFileSync(join(dir, 'ours', file)), file);
    for (const [thread, least] of [
      ['main', 100e6],
      ['[worker 2] beside', 50e6],
    ]) {
      const { self } = selfByFunction(profile, ({ thread_name: name }) => (thread === 'main' ? name === 'main' : name.endsWith(' beside')));
      assert.ok((self.get('spin') ?? 0) > least, `${thread}: ${JSON.stringify([...self])}`);
    }
  });
}

const started = (
  more,
) => `const addon = require(${JSON.stringify(native?.addon)}); const { startProfiler } = require(${JSON.stringify(INDEX)}); ${SPIN}
  const say = (object) => console.log(JSON.stringify(object));
  (async () => { ${more} })();`;

if (native) {
  test('every real-time signal but one is taken: we take that one; when it is taken too, the start says so', async () => {
    const free = await runNode([
      program(
        started(`for (let k = 0; k <= 30; k++) if (k !== 17) addon.takeSignal(k);
        const profiler = startProfiler({ frequencyHz: 1000 }); spin(300); const { samples, features } = profiler.stats();
        await profiler.stop(); say({ samples, clock: features.clock, taken: addon.taken() });`),
      ),
    ]);
    const said = JSON.parse(free.stdout);
    assert.ok(said.samples > 20, free.stdout);
    assert.equal([free.code, said.clock, said.taken], [0, 'on', 0]);

    const none = await runNode([
      program(
        started(`for (let k = 0; k <= 30; k++) addon.takeSignal(k);
        try { startProfiler(); say('started'); } catch ({ code, message }) { say({ code, message }); } spin(50);`),
      ),
    ]);
    const error = JSON.parse(none.stdout);
    assert.equal([none.code, error.code], [0, 'ERR_UNSUPPORTED_RUNTIME']);
    assert.match(error.message, /every real-time signal is in use/);
  });

  test('our signal is taken while we run: sampling stops and says so, nothing dies, the next start takes another', async () => {
    const end = await runNode([
      program(
        started(`let profiler = startProfiler({ frequencyHz: 1000 }); spin(200);
        for (let k = 0; k <= 30; k++) if (k !== 20) addon.takeSignal(k);
        spin(200); const taken = addon.taken(); spin(200);
        const before = profiler.stats(); await profiler.stop();
        profiler = startProfiler({ frequencyHz: 1000 }); spin(300); const after = profiler.stats(); await profiler.stop();
        say({ first: before.samples, clock: before.features.clock, more: addon.taken() - taken, samples: after.samples - before.samples, again: after.features.clock });`),
      ),
    ]);
    assert.equal([end.code, end.signal], [0, null], end.stderr);
    const { first, clock, more, samples, again } = JSON.parse(end.stdout);
    assert.ok(first > 20 && samples > 20, end.stdout);
    assert.not.equal(clock, 'on');
    assert.equal([more, again], [0, 'on']);
  });
}

test.run();
