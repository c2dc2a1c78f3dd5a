// The bench suite: its verdicts on made-up measurements, its page, its JSON; and a smoke run that shows that each of our variants delivers samples.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { figuresOf } from '../bench/suite/figures.mjs';
import { piecesFrom } from '../bench/suite/pieces.mjs';
import { htmlReport } from '../bench/suite/report-html.mjs';
import { markdownReport } from '../bench/suite/report-markdown.mjs';
import { workloadText } from '../bench/suite/report-text.mjs';
import { VARIANTS } from '../bench/suite/variants.mjs';
import { costVerdict, exitCode, verdictsOf } from '../bench/suite/verdicts.mjs';
import { whereOf } from '../bench/suite/where.mjs';
import { SIZES, turnsOf, workloadsInTurn } from '../bench/suite/workloads.mjs';
import { ROOT } from './helpers.mjs';

const ROUNDS = 9;
/** Repeatable noise of at most `size` around 1. */
const noise = (at, size) => 1 + size * Math.sin(at * 12.9898);

const run = (cpuMs, more = {}) => ({
  cpuMs,
  wallMs: 1000,
  switches: 100,
  peakBytes: 1e8,
  residentBytes: 1e8,
  programMs: 1000,
  said: {},
  startMs: 5,
  ...more,
});

/** Rounds in which each variant costs what `costs` says, ratio to off, with some noise. */
function roundsOf(costs, size = 0.003, more = {}) {
  return Array.from({ length: ROUNDS }, (_, round) => {
    const one = {};
    for (const [at, [name, cost]] of Object.entries({ 'off-a': 1, 'off-b': 1, ...costs }).entries()) {
      one[name] = run(1000 * cost * noise(round * 31 + at * 7, size), more[name]);
    }
    return one;
  });
}

const measured = (workload, rounds) => ({ [workload]: { rounds, figures: figuresOf(rounds, 2), windowSeconds: 2, failed: {} } });
const verdictOf = (verdicts, claim) => verdicts.find((verdict) => verdict.claim.startsWith(claim))?.verdict;
const ofCost = (cost, size) => verdictOf(verdictsOf(measured('cpu', roundsOf({ 'strobe-plus': cost }, size))), 'cost at defaults');

test('a cost under the limit passes, one above it fails, one that noise hides is neither', () => {
  assert.is(ofCost(1.01), 'pass');
  assert.is(ofCost(1.12), 'fail');
  assert.is(ofCost(1.05, 0.03), 'not enough data');
  // As clear a cost on a machine whose own noise is as large as the limit.
  assert.is(ofCost(1.12, 0.15), 'not enough data');
});

test('a fail stands clear of the noise floor', () => {
  const cost = { median: 1.06, low: 1.055, high: 1.07, n: 9 };
  assert.is(costVerdict(cost, { median: 1, low: 0.999, high: 1.001, n: 9 }).verdict, 'fail');
  assert.is(costVerdict(cost, { median: 1, low: 0.98, high: 1.02, n: 9 }).verdict, 'not enough data');
  // Noise is no excuse for what it can't explain.
  assert.is(costVerdict({ median: 2, low: 1.6, high: 2.9, n: 9 }, { median: 1, low: 0.8, high: 1.2, n: 9 }).verdict, 'fail');
  // Off ran only once: the figure's own noise.
  const none = { median: Number.NaN, low: Number.NaN, high: Number.NaN, n: 0 };
  assert.is(costVerdict({ median: 1.2, low: 1.18, high: 1.22, n: 9 }, none).verdict, 'fail');
  assert.is(costVerdict({ median: 1.2, low: 1.06, high: 1.4, n: 9 }, none).verdict, 'not enough data');
  assert.is(costVerdict({ ...cost, n: 4 }, { median: 1, low: 1, high: 1, n: 4 }).verdict, 'not enough data');
});

test('the aim is a median, the rival a ratio within rounds with its window at its own length', () => {
  const rotating = { datadog: { own: { rotations: 1, rotationMs: 60 } } };
  const verdicts = verdictsOf(measured('cpu', roundsOf({ 'strobe-plus': 1.02, 'strobe-1k': 1.06, datadog: 1.06 }, 0.001, rotating)));
  assert.is(verdictOf(verdicts, 'aim: median at defaults'), 'not reached');
  assert.is(verdictOf(verdicts, 'aim: median at 1 kHz'), 'not reached');
  // 60 ms of rotations in windows of 2 s would be 2 ms at 60 s: of the 1.06 there remains 1.002.
  assert.is(verdictOf(verdicts, 'costs less than'), 'fail');
  // The same for ours: 30 ms of the encoder in windows of 2 s are 1 ms at 60 s.
  const encoding = { 'strobe-plus': { own: { encoderNs: 30e6 } } };
  assert.is(
    verdictOf(verdictsOf(measured('cpu', roundsOf({ 'strobe-plus': 1.03 }, 0.001, encoding))), 'aim: median at defaults'),
    'reached',
  );
  assert.is(
    verdictOf(verdictsOf(measured('cpu', roundsOf({ 'strobe-plus': 1.05 }, 0.001, encoding))), 'aim: median at defaults'),
    'not reached',
  );
  const plain = verdictsOf(measured('cpu', roundsOf({ 'strobe-plus': 1.005, 'strobe-1k': 1.03, datadog: 1.06 }, 0.001)));
  assert.is(verdictOf(plain, 'aim: median at defaults'), 'reached');
  assert.is(verdictOf(plain, 'aim: median at 1 kHz'), 'reached');
  assert.is(verdictOf(plain, 'costs less than'), 'pass');
});

test('with turns: the encoder counts wherever it worked, by its share of a long window; the collector when it was behind', () => {
  const cost = (more) => figuresOf(roundsOf({ 'strobe-plus': 1 }, 0, { 'strobe-plus': more }), 2).variants['strobe-plus'].cost.median;
  const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9, `${value}, not ${expected}`);
  // 30 ms in all, 20 of them in turns: these come off, a thirtieth of 30 comes on.
  near(cost({ own: { encoderNs: 30e6 }, ownInside: { encoderNs: 20e6 } }), 0.981);
  near(cost({ own: { encoderNs: 30e6 }, ownInside: { encoderNs: 0 } }), 1.001);
  // Rotations of a peer likewise.
  near(cost({ own: { rotationMs: 30 }, ownInside: { rotationMs: 0 } }), 1.001);
  near(cost({ own: { collectorNs: 12e6 }, ownInside: { collectorNs: 2e6 } }), 1.01);
  // Where time is fixed: CPU for as much work.
  const rounds = roundsOf({ 'strobe-plus': 1 }, 0, {
    'strobe-plus': { said: { work: 50 } },
    'off-a': { said: { work: 100 } },
    'off-b': { said: { work: 100 } },
  });
  near(figuresOf(rounds, 1).variants['strobe-plus'].cost.median, 2);
});

test('by thread: what differs from off, as shares of its CPU; what a profiler counts of itself', () => {
  const inside = { handlerNs: 2e6, signalNs: 1e6, gcNs: 0, codeEventNs: 1e6, samplerNs: 8e6 };
  const rounds = Array.from({ length: 5 }, () => ({
    'off-a': run(1000, { threads: { main: 940, own: 0 } }),
    'off-b': run(1000, { threads: { main: 960, own: 0 } }),
    'strobe-plus': run(1040, { threads: { main: 965, own: 10 }, ownInside: inside }),
    datadog: run(990, { threads: { main: 950, own: 12 }, ownInside: { rotations: 0 } }),
  }));
  const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-9, `${value}, not ${expected}`);
  const { 'strobe-plus': ours, datadog } = whereOf(rounds);
  near(ours.main, 0.015);
  near(ours.counted, 0.004);
  near(ours.own, 0.01);
  near(ours.others, 0.015);
  near(datadog.others, -0.022);
  assert.ok(Number.isNaN(datadog.counted), 'it says nothing of itself');
  // For as much work where time is fixed.
  const half = rounds.map((round) => ({ ...round, 'strobe-plus': { ...round['strobe-plus'], said: { work: 0.5 } } }));
  near(whereOf(half)['strobe-plus'].own, 0.02);
  assert.is(whereOf(roundsOf({ 'strobe-plus': 1 })), undefined);
  const text = workloadText('cpu', { rounds, figures: figuresOf(rounds, 2), windowSeconds: 2 });
  assert.match(text, /cpu, by thread[\s\S]*labels \+ export +\+1\.50 % +\+0\.40 % +\+1\.00 % +\+1\.50 %/);
});

test('a turn is as much work as 60 ms of this machine, or one unit that is longer; a part is twenty turns at scale 1', () => {
  const turns = (unitMs, scale = 1, workload = {}) => turnsOf(workload, scale, unitMs);
  assert.equal(turns(0.15), { units: 400, count: 20 });
  assert.equal(turns(60), { units: 1, count: 20 });
  assert.equal(turns(0.15, 0.6), { units: 400, count: 12 });
  assert.equal(turns(180), { units: 1, count: 7 });
  assert.equal(turns(3000), { units: 1, count: 1 });
  assert.equal(turns(30, 1, { ms: 3000 }), { units: 2, count: 50 });
  assert.equal(turns(0.15, 0.01), { units: 400, count: 1 });
});

test('a peer that pauses less wins, and that ends the bench with 1', () => {
  const gaps = (ours, theirs) => ({
    'strobe-plus': { said: { held: [ours, ours], gaps: [ours, ours] } },
    datadog: { said: { held: [theirs, theirs], gaps: [theirs, theirs] } },
    'off-a': { said: { held: [1, 1], gaps: [1, 1] } },
    'off-b': { said: { held: [1, 1], gaps: [1, 1] } },
  });
  const verdicts = (ours, theirs) => verdictsOf(measured('loop', roundsOf({ 'strobe-plus': 1, datadog: 1 }, 0.001, gaps(ours, theirs))));
  assert.is(verdictOf(verdicts(1, 50), 'pause'), 'pass');
  assert.is(verdictOf(verdicts(50, 1), 'pause'), 'fail');
  assert.is(verdictOf(verdicts(50, 1), 'no pause'), 'fail');
  assert.is(exitCode(verdicts(1, 50), true), 0);
  assert.is(exitCode(verdicts(50, 1), false), 1);
});

test('differences that lie above 0 by chance are no pause; a pause is one', () => {
  const rounds = (differences) =>
    differences.map((ms) => ({
      'off-a': run(1000, { said: { held: [4, 4] } }),
      'strobe-plus': run(1000, { said: { held: [4 + ms, 4 + ms] } }),
    }));
  const verdict = (differences) => verdictOf(verdictsOf(measured('loop', rounds(differences))), 'no pause');
  assert.is(verdict([0.05, 0.4, 0.8, 1.2, 1.6]), 'not enough data');
  assert.is(verdict([-0.2, 0.4, 0.8, 1.2, 1.6]), 'pass');
  assert.is(verdict([2.5, 2.6, 2.8, 3, 3.2]), 'fail');
});

test('idle: wake-ups against off and against the peers', () => {
  const switches = (ours, theirs) => ({ 'strobe-plus': { switches: ours }, datadog: { switches: theirs } });
  const verdicts = (ours, theirs) => verdictsOf(measured('idle', roundsOf({ 'strobe-plus': 1, datadog: 1 }, 0, switches(ours, theirs))));
  assert.is(verdictOf(verdicts(100.5, 300), 'idle: less'), 'pass');
  assert.is(verdictOf(verdicts(130, 100), 'idle: less'), 'fail');
  assert.is(verdictOf(verdicts(130, 100), 'idle wake-ups'), 'fail');
});

test('delivery: samples against those asked for, each by its own clock; CPU against the truth', () => {
  const said = { workersCpuMs: 4000, workersWallMs: 8000 };
  const found = (samples, cpuMs) => ({ samples, cpuNs: cpuMs * 1e6, bytes: 1, files: 1 });
  const more = (ours, theirs) => ({
    'strobe-1k': { said, found: ours, hz: 1000, clock: 'cpu', programMs: 4000 },
    'datadog-1k': { said, found: theirs, hz: 1000, clock: 'wall', programMs: 4000 },
  });
  const verdicts = (ours, theirs) => verdictsOf(measured('threads', roundsOf({ 'strobe-1k': 1, 'datadog-1k': 1 }, 0, more(ours, theirs))));
  const good = verdicts(found(3960, 4010), found(4800, 3300));
  assert.is(verdictOf(good, 'samples lost'), 'pass');
  assert.is(verdictOf(good, 'CPU missed'), 'pass');
  assert.is(verdictOf(good, 'the CPU of four'), 'pass');
  const bad = verdicts(found(2000, 3000), found(7900, 3990));
  assert.is(verdictOf(bad, 'samples lost'), 'fail');
  assert.is(verdictOf(bad, 'CPU missed'), 'fail');
  assert.is(verdictOf(bad, 'the CPU of four'), 'fail');
});

test('exit code: an open gate counts only when everything was asked for', () => {
  const open = [{ gate: true, verdict: 'not enough data', open: true }];
  assert.is(exitCode(open, false), 0);
  assert.is(exitCode(open, true), 1);
  assert.is(exitCode([{ verdict: 'fail' }], true), 0);
  assert.is(exitCode([{ gate: true, verdict: 'fail' }], false), 1);
});

test('hostile names and messages are text in the page and in the tables', () => {
  const hostile = '<img src=x onerror=alert(1)>|"\'&';
  const workloads = measured('cpu', roundsOf({ 'strobe-plus': 1.01 }));
  workloads.cpu.failed = { datadog: hostile };
  const machine = { node: hostile, model: hostile, cores: 2, kernel: hostile, memoryBytes: 1e9, loadavg: [1, 1, 1], date: hostile };
  const verdicts = [{ workload: hostile, claim: hostile, verdict: hostile, why: hostile, gate: true }];
  const record = { machine, size: hostile, pairs: 9, seconds: 1, loadavgAfter: [1], verdicts, workloads, leftOut: [hostile] };
  const page = htmlReport(record);
  assert.not.match(page, '<img');
  assert.not.match(page, /<script/i);
  assert.not.match(page, /(?:src|href)="(?!#)/);
  assert.match(page, '&lt;img src=x onerror=alert(1)&gt;|&quot;&#39;&amp;');
  assert.match(page, `id="cpu"`);
  const markdown = markdownReport(record);
  assert.not.match(markdown, '<img');
  assert.match(markdown, '\\|');
});

test('the page says which command makes it', () => {
  const machine = { node: 'v24', model: 'one', cores: 2, kernel: 'Linux', memoryBytes: 1e9, loadavg: [1, 1, 1], date: '2026-01-02' };
  const workloads = measured('cpu', roundsOf({ 'off-a': 1, 'off-b': 1, datadog: 1.02 }));
  const written = (size, file) =>
    /Written by `(.*?)`/.exec(markdownReport({ machine, size, pairs: 9, scale: 1, verdicts: [], workloads }, file))[1];
  assert.is(written('full', 'all.md'), 'npm run bench -- --full --pairs 9 --scale 1 --variant datadog --workload cpu --markdown all.md');
  assert.is(written('normal'), 'npm run bench -- --pairs 9 --scale 1 --variant datadog --workload cpu');
});

test('every variant shows in the table, also one that has nothing to say', () => {
  const costs = Object.fromEntries(Object.keys(VARIANTS).map((name) => [name, 1.02]));
  const one = measured('cpu', roundsOf(costs)).cpu;
  const text = workloadText('cpu', one);
  for (const { label } of Object.values(VARIANTS)) assert.match(text, label);
  assert.not.match(text, 'NaN');
});

const onLinux = process.platform === 'linux' ? test : test.skip;
onLinux('a smoke run: our variants deliver samples and find the CPU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strobe-suite-'));
  try {
    const json = join(folder, 'out.json');
    const html = join(folder, 'out.html');
    // CPU, wall, labels, export: each once. All variants take minutes.
    const ours = ['strobe-wall', 'strobe-plus'];
    const args = ['--workload', 'cpu', '--variant', ours.join(','), '--pairs', '1', '--scale', '0.1', '--json', json, '--html', html];
    const done = spawnSync(process.execPath, [join(ROOT, 'bench', 'suite.mjs'), ...args], { encoding: 'utf8', timeout: 400_000 });
    assert.is(done.status, 0, done.stdout + done.stderr);
    const record = JSON.parse(readFileSync(json, 'utf8'));
    assert.is(record.schema, 3);
    assert.is(typeof record.machine.model, 'string');
    const [round] = record.workloads.cpu.rounds;
    assert.equal(new Set(Object.keys(round)), new Set(['off-a', 'off-b', ...ours]));
    for (const name of ours) {
      const { found, programMs, cpuMs, sent } = round[name];
      assert.ok(cpuMs > 0, name);
      assert.ok(found.samples > 20, `${name}: ${found.samples} samples`);
      assert.ok(
        found.cpuNs / 1e6 / programMs > 0.8 && found.cpuNs / 1e6 / programMs < 1.3,
        `${name}: ${found.cpuNs / 1e6} of ${programMs} ms`,
      );
      assert.is(sent !== undefined, VARIANTS[name].export === true, name);
      if (sent) assert.ok(sent.bodies > 0 && sent.bytes >= found.bytes, name);
    }
    assert.is(record.verdicts.find(({ claim }) => claim.startsWith('cost at defaults')).verdict, 'not enough data');
    assert.match(readFileSync(html, 'utf8'), '<svg');
    assert.match(done.stdout, 'noise floor');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

onLinux('a profiler is switched on and off in one process: pairs of the same work, with the noise floor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strobe-switch-'));
  try {
    const json = join(folder, 'out.json');
    const args = ['--workload', 'http', '--variant', 'strobe-plus', '--pairs', '2', '--processes', '1', '--phase', '50', '--json', json];
    const done = spawnSync(process.execPath, [join(ROOT, 'bench', 'switch.mjs'), ...args], { encoding: 'utf8', timeout: 200_000 });
    assert.is(done.status, 0, done.stdout + done.stderr);
    const { found } = JSON.parse(readFileSync(json, 'utf8'));
    assert.equal(Object.keys(found.http), ['off-a', 'strobe-plus']);
    for (const pairs of Object.values(found.http)) {
      assert.is(pairs.length, 2);
      for (const { on, off } of pairs) for (const { cpuMs, wallMs } of [on, off]) assert.ok(cpuMs > 0 && wallMs > 0);
    }
    assert.match(done.stdout, 'not enough data  http, running cost at defaults');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('agree: runs that give a claim both pass and fail do not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strobe-agree-test-'));
  try {
    const runs = { cheap: 1.01, dear: 1.2, unclear: 1.05 };
    for (const [name, cost] of Object.entries(runs)) {
      const workloads = measured('cpu', roundsOf({ 'strobe-plus': cost }));
      writeFileSync(join(folder, `${name}.json`), JSON.stringify({ workloads }));
    }
    const agree = (...names) => {
      const files = names.map((name) => join(folder, `${name}.json`)).join(',');
      return spawnSync(process.execPath, [join(ROOT, 'bench', 'agree.mjs'), '--from', files], { encoding: 'utf8' });
    };
    const same = agree('cheap', 'cheap', 'unclear');
    assert.is(same.status, 0, same.stderr);
    assert.match(same.stdout, /cpu, cost at defaults under 5 % +2 +0 +1/);
    const both = agree('cheap', 'unclear', 'dear');
    assert.is(both.status, 1, both.stderr);
    assert.match(both.stdout, 'both pass and fail: cpu, cost at defaults');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a run takes over what earlier ones measured with the same conditions, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strobe-pieces-test-'));
  try {
    const machine = { node: 'v24.1.0', model: 'a processor', cores: 2, date: '2026-01-02T03:04:05.000Z', loadavg: [0.5, 0, 0] };
    const asked = { build: 'b1', size: 'full', pairs: 9, scale: 1, windowSeconds: 2, machine, workloads: ['cpu', 'http'] };
    const wanted = () => ['off-a', 'off-b', 'strobe-plus', 'datadog'];
    const at = { date: '2026-01-02T04:00:00.000Z', seconds: 120, loadavg: [0.1, 0, 0], loadavgAfter: [1, 0, 0] };
    const write = (name, cost, more = {}, workload = { failed: { datadog: 'broke' } }) => {
      const [one] = Object.values(measured('cpu', roundsOf({ 'strobe-plus': cost })));
      // What the file says of figures counts for nothing: rounds do.
      const workloads = { cpu: { ...one, figures: {}, ...workload }, heap: one };
      const record = { schema: 3, ...asked, seconds: 60, loadavgAfter: [2, 0, 0], workloads, ...more };
      writeFileSync(join(folder, name), JSON.stringify(record));
      return join(folder, name);
    };
    const old = write('old.json', 1.01);
    const pieces = piecesFrom([old], asked, wanted);
    assert.equal(Object.keys(pieces), ['cpu']);
    assert.equal(pieces.cpu.at, { date: machine.date, seconds: 60, loadavg: [0.5, 0, 0], loadavgAfter: [2, 0, 0] });
    assert.ok(Math.abs(pieces.cpu.figures.variants['strobe-plus'].cost.median - 1.01) < 0.005);
    const later = piecesFrom([old, write('later.json', 1.2, {}, { at, failed: { datadog: 'broke' } })], asked, wanted);
    assert.is(verdictOf(verdictsOf(later), 'cost at defaults'), 'fail');
    const record = { machine, pairs: 9, size: 'full', scale: 1, verdicts: verdictsOf(later), workloads: later };
    assert.match(markdownReport(record), 'Measured 2026-01-02 04:00 UTC in 2 min; load average 0.1 before, 1.0 after');

    assert.throws(() => piecesFrom([old], { ...asked, build: 'b2' }, wanted), /build b1, this run has b2/);
    assert.throws(() => piecesFrom([old], { ...asked, pairs: 15 }, wanted), /old\.json was measured with pairs 9, this run has 15/);
    assert.throws(() => piecesFrom([old], { ...asked, machine: { ...machine, node: 'v26.0.0' } }, wanted), /node v24\.1\.0/);
    assert.throws(() => piecesFrom([old], asked, () => [...wanted(), 'strobe-1k']), /no strobe-1k in cpu/);
    assert.throws(() => piecesFrom([old], asked, () => ['off-a', 'off-b']), /has strobe-plus in cpu/);
    assert.throws(() => piecesFrom([write('no.json', 1, { schema: 1 })], asked, wanted), /no record of this bench/);
    assert.throws(() => piecesFrom([join(folder, 'none.json')], asked, wanted), /can't be read/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a workload runs beside another only where both are asked for', () => {
  const beside = { idle: 'threads' };
  assert.equal(workloadsInTurn(['cpu', 'threads', 'loop', 'idle'], beside), [['cpu'], ['threads', 'idle'], ['loop']]);
  assert.equal(workloadsInTurn(['cpu', 'idle'], beside), [['cpu'], ['idle']]);
  assert.equal(workloadsInTurn(['threads', 'idle']), [['threads'], ['idle']]);
  for (const { workloads, beside: pairs } of Object.values(SIZES)) {
    assert.equal(workloadsInTurn(workloads, pairs).flat().sort(), [...workloads].sort());
  }
});

test('usage errors name what is wrong and end with 2', () => {
  const ask = (...args) => spawnSync(process.execPath, [join(ROOT, 'bench', 'suite.mjs'), ...args], { encoding: 'utf8' });
  const askSwitch = (...args) => spawnSync(process.execPath, [join(ROOT, 'bench', 'switch.mjs'), ...args], { encoding: 'utf8' });
  for (const args of [
    ['--workload', 'idle'],
    ['--variant', 'cpu-prof'],
    ['--phase', '0'],
    ['--node', '/nowhere/node'],
  ]) {
    const done = askSwitch(...args);
    assert.is(done.status, 2, args.join(' '));
    assert.match(done.stderr, args[0]);
  }
  for (const args of [
    ['--quick', '--full'],
    ['--workload', 'nothing'],
    ['--pairs', '0'],
    ['--variant', 'strobe-2k'],
    ['--markdown', '/nowhere/page.md'],
    ['--json', ''],
    ['--scale', 'x'],
    ['--from', '/nowhere.json'],
  ]) {
    const done = ask(...args);
    assert.is(done.status, 2, args.join(' '));
    assert.match(done.stderr, args[0]);
  }
});

test.run();
