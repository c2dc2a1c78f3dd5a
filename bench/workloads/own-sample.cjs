// What one sample costs, found out inside one process: BENCH_LOAD (cpu or typescript) in units of some 0.4 ms under a profiler at 1 kHz for BENCH_SECONDS. Which
// unit a sample meets is chance, so units that one met and units that none met differ by the sample alone; a machine that is slower this second is so for both.
//
// Contract: prints JSON, microseconds: `made` (mean of the units with one sample less that of those with none, means without the highest 5 %), `counted` (what
// stats().overhead counts a sample: handler and signal), `floor` (the same difference for ticks that nobody sent), and `rate` (samples a ms of work).
// Longer units meet more ticks: what that makes is found out with ticks that nobody sent, too, and taken off.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const HZ = 1000;
const SECONDS = Number(process.env.BENCH_SECONDS ?? 6);
const TRIM = 0.95;

function cpuUnit() {
  let x = 0;
  return () => {
    for (let i = 0; i < 40_000; i++) x += Math.sqrt(i ^ x);
    return x;
  };
}

function typescriptUnit() {
  const ts = require('typescript');
  const text = readFileSync(join(require.resolve('typescript'), '..', 'lib.es5.d.ts'), 'utf8').slice(0, 6000);
  return () => ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true).statements.length;
}

const unit = { cpu: cpuUnit, typescript: typescriptUnit }[process.env.BENCH_LOAD]();

/** Ticks of a clock like the profiler's that sends nothing. */
function silentClock() {
  const gap = () => -Math.log(1 - Math.random()) * (1000 / HZ);
  let next = gap();
  let now = 0;
  /** How many ticks fall into the next `ms` of work. */
  return (ms) => {
    now += ms;
    let ticks = 0;
    for (; next <= now; next += gap()) ticks++;
    return ticks;
  };
}

function trimmedMean(values) {
  const kept = values.sort((a, b) => a - b).slice(0, Math.ceil(values.length * TRIM));
  return kept.reduce((sum, value) => sum + value, 0) / kept.length;
}

/** Mean of the units that one tick met, less that of those that none met. */
const difference = (units, ticks) =>
  trimmedMean(units.filter((_, at) => ticks[at] === 1)) - trimmedMean(units.filter((_, at) => ticks[at] === 0));

for (let i = 0; i < 2000; i++) unit();
const profiler = require(join(__dirname, '..', '..', 'dist', 'index.js')).startProfiler({ frequencyHz: HZ });

// The encoder's own start, and its self-test.
setTimeout(() => {
  const units = [];
  const samples = [];
  const silent = [[], []];
  const clocks = [silentClock(), silentClock()];
  for (const until = performance.now() + 500; performance.now() < until; ) unit();
  const before = profiler.stats();
  let seen = before.samples;
  for (const until = performance.now() + SECONDS * 1000; performance.now() < until; ) {
    const begin = performance.now();
    unit();
    const ms = performance.now() - begin;
    const now = profiler.stats().samples;
    units.push(ms * 1000);
    samples.push(now - seen);
    for (const at of [0, 1]) silent[at].push(clocks[at](ms));
    // Those that fell on reading the counter itself are in no unit.
    seen = profiler.stats().samples;
  }
  const after = profiler.stats();
  const taken = after.samples - before.samples;
  const counted = ['handlerNs', 'signalNs'].reduce((sum, part) => sum + after.overhead[part] - before.overhead[part], 0) / 1000 / taken;
  // Among units that no sample met: the silent ticks are not to carry what samples make.
  const quiet = units.filter((_, at) => samples[at] === 0);
  const [a, b] = silent.map((ticks) =>
    difference(
      quiet,
      ticks.filter((_, at) => samples[at] === 0),
    ),
  );
  const inUnits = samples.reduce((sum, count) => sum + count, 0);
  const workMs = units.reduce((sum, us) => sum + us, 0) / 1000;
  console.log(
    JSON.stringify({ made: difference(units, samples) - (a + b) / 2, counted, floor: a - b, rate: inUnits / workMs, units: units.length }),
  );
  process.exit(0);
}, 1500);
