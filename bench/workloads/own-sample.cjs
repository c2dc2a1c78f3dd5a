// What one sample costs, found out inside one process: BENCH_LOAD (cpu, json or typescript) in units of some 0.4 ms under a profiler at BENCH_HZ (1 kHz) for BENCH_SECONDS. Which
// unit a sample meets is chance, so units that one met and units that none met differ by the sample alone; a machine that is slower this second is so for both.
//
// Contract: prints JSON, microseconds: `made` and `floor` (lib/sample-cost.cjs), `counted` (what stats().overhead counts a sample: handler and signal), and `rate`
// (samples a ms of work).

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { sampleCost } = require('./lib/sample-cost.cjs');

const HZ = Number(process.env.BENCH_HZ ?? 1000);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 6);

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

/** Between both: some functions, most of them the engine's own. */
function jsonUnit() {
  const text = JSON.stringify(
    Array.from({ length: 300 }, (_, i) => ({ id: (i * 7919) % 1000, name: `item ${i % 37}`, tags: ['a', String(i)], price: i / 7 })),
  );
  return () => {
    const byName = new Map();
    for (const row of JSON.parse(text).sort((a, b) => a.id - b.id)) {
      const known = byName.get(row.name);
      if (known) known.push(row);
      else byName.set(row.name, [row]);
    }
    return JSON.stringify([...byName]).length;
  };
}

const unit = { cpu: cpuUnit, json: jsonUnit, typescript: typescriptUnit }[process.env.BENCH_LOAD]();

for (let i = 0; i < 2000; i++) unit();
const profiler = require(join(__dirname, '..', '..', 'dist', 'index.js')).startProfiler({ frequencyHz: HZ });

// The encoder's own start, its self-test, and its first measure of what a signal costs spread work (2 s after its start).
setTimeout(() => {
  const units = [];
  const samples = [];
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
    // Those that fell on reading the counter itself are in no unit.
    seen = profiler.stats().samples;
  }
  const after = profiler.stats();
  const taken = after.samples - before.samples;
  const counted = ['handlerNs', 'signalNs'].reduce((sum, part) => sum + after.overhead[part] - before.overhead[part], 0) / 1000 / taken;
  const { made, floor } = sampleCost(units, samples, HZ);
  const inUnits = samples.reduce((sum, count) => sum + count, 0);
  const workMs = units.reduce((sum, us) => sum + us, 0) / 1000;
  console.log(JSON.stringify({ made, counted, floor, rate: inUnits / workMs, units: units.length }));
  process.exit(0);
}, 3000);
