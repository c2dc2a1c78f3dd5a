// One busy thread for 3 s at BENCH_HZ; prints what strobe's own threads did a second, by its own counters (JSON).

const { join } = require('node:path');
const { startProfiler } = require(join(__dirname, '..', '..', 'dist', 'index.js'));

const SECONDS = 3;

function spin(ms) {
  const end = performance.now() + ms;
  let x = 1;
  while (performance.now() < end) for (let i = 0; i < 10_000; i++) x = (x * 48271) % 2147483647;
  return x;
}

const profiler = startProfiler({ frequencyHz: Number(process.env.BENCH_HZ) });
spin(500);
const before = profiler.stats();
const begin = performance.now();
spin(SECONDS * 1000);
const after = profiler.stats();
const seconds = (performance.now() - begin) / 1000;
const rate = (now, then) => (now - then) / seconds;
const cpuMs = (part) => rate(after.overhead[part], before.overhead[part]) / 1e6;
console.log(
  JSON.stringify({
    samples: rate(after.samples, before.samples),
    samplerWakeups: rate(after.wakeups.sampler, before.wakeups.sampler),
    collectorWakeups: rate(after.wakeups.collector, before.wakeups.collector),
    handlerMs: cpuMs('handlerNs'),
    samplerMs: cpuMs('samplerNs'),
    collectorMs: cpuMs('collectorNs'),
  }),
);
profiler.stop();
