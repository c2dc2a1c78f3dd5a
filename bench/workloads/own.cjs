// A load beside what strobe says of its own cost: BENCH_LOAD (cpu or typescript) runs once, when the profiler (BENCH_HZ; 0: none) has long started. Prints JSON:
// CPU of the process during the load, ms; the part of it that strobe counts as its own; and that by part.

const { join } = require('node:path');

const hz = Number(process.env.BENCH_HZ);
const profiler = hz > 0 ? require(join(__dirname, '..', '..', 'dist', 'index.js')).startProfiler({ frequencyHz: hz }) : undefined;

const cpuMs = () => Object.values(process.cpuUsage()).reduce((sum, us) => sum + us / 1000, 0);
function own() {
  const { cpuShare: _, ...parts } = profiler?.stats().overhead ?? {};
  return parts;
}

// The encoder's own start, and its self-test.
setTimeout(() => {
  const log = console.log;
  console.log = () => undefined;
  const [before, cpuBefore] = [own(), cpuMs()];
  require(`./${process.env.BENCH_LOAD}.cjs`);
  const cpu = cpuMs() - cpuBefore;
  const after = own();
  const parts = Object.fromEntries(Object.keys(after).map((part) => [part, (after[part] - before[part]) / 1e6]));
  log(JSON.stringify({ cpuMs: cpu, ownMs: Object.values(parts).reduce((sum, part) => sum + part, 0), parts }));
  process.exit(0);
}, 1500);
