// Four busy Workers on however few cores: each thread's CPU in the profile is its own clock's within 2 %, and each gets at least 0.9 x Hz samples per
// second of its CPU, at 100 Hz and at 1 kHz.

import { createRequire } from 'node:module';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decode, INDEX, program } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { startProfiler, processStats } = require(INDEX);
const { Worker } = require('node:worker_threads'); // after the package: see src/profiler/threads.ts

const WORKERS = 4;
const busy = program(`
  function spin() { let x = 0; for (let i = 0; i < 1e5; i++) x += Math.sqrt(i); return x; }
  require('node:worker_threads').parentPort.postMessage('up');
  for (;;) spin();
`);

const cpuByTid = () =>
  new Map(
    processStats()
      .threads.filter(({ kind }) => kind === 'worker')
      .map(({ tid, cpuNs }) => [tid, cpuNs]),
  );

/** A snapshot and each thread's CPU at its cut: between the reading before and the one after, for on busy cores a snapshot takes its time. */
async function snapshotAndClocks(profiler) {
  const before = cpuByTid();
  const bytes = await profiler.snapshot();
  const after = cpuByTid();
  return { bytes, cpu: new Map([...after].map(([tid, cpuNs]) => [tid, (cpuNs + (before.get(tid) ?? cpuNs)) / 2])) };
}

async function measure(frequencyHz, seconds) {
  const profiler = startProfiler({ frequencyHz });
  const workers = Array.from({ length: WORKERS }, () => new Worker(busy));
  try {
    await Promise.all(workers.map((worker) => new Promise((up) => worker.once('message', up))));
    const { cpu: before } = await snapshotAndClocks(profiler);
    await new Promise((done) => setTimeout(done, seconds * 1000));
    const { cpu: after, bytes } = await snapshotAndClocks(profiler);
    const profile = decode(bytes, 'snapshot');
    return [...after].map(([tid, cpuNs]) => {
      const own = profile.samples.filter(({ labels }) => labels.some(({ key, num }) => key === 'thread_id' && Number(num) === tid));
      const clock = cpuNs - (before.get(tid) ?? 0);
      return {
        tid,
        ratio: own.reduce((sum, { values }) => sum + values[1], 0) / clock,
        perCpuSecond: own.reduce((sum, { values }) => sum + values[0], 0) / (clock / 1e9),
      };
    });
  } finally {
    await profiler.stop();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

// A Worker that ended and was not drained yet was counted nowhere: at a stop the engine's count missed samples that the profile had.
test('samples of Workers that end are counted all the time', async () => {
  const profiler = startProfiler({ frequencyHz: 1000 });
  const brief = program('const end = performance.now() + 30; while (performance.now() < end);');
  let last = 0;
  let fell = 0;
  let reads = 0;
  try {
    for (let round = 0; round < 10; round++) {
      let ended = 0;
      const workers = Array.from({ length: 4 }, () => new Worker(brief).on('exit', () => ended++));
      while (ended < workers.length) {
        for (let i = 0; i < 50; i++) {
          const { samples } = profiler.stats();
          if (samples < last) fell++;
          last = samples;
          reads++;
        }
        await new Promise((done) => setImmediate(done));
      }
    }
  } finally {
    await profiler.stop();
  }
  assert.ok(last > 100, `${last} samples`);
  assert.is(fell, 0, `the count fell ${fell} times in ${reads} readings`);
});

for (const hz of [100, 1000]) {
  test(`4 busy Workers at ${hz} Hz`, async () => {
    let found = '';
    for (let attempt = 0; attempt < 3; attempt++) {
      const threads = await measure(hz, (hz === 100 ? 12 : 6) * 2 ** attempt);
      found = threads
        .map(({ ratio, perCpuSecond }) => `${(100 * ratio).toFixed(2)} % of its clock, ${perCpuSecond.toFixed(0)} samples a CPU second`)
        .join('; ');
      const good =
        threads.length === WORKERS && threads.every(({ ratio, perCpuSecond }) => Math.abs(ratio - 1) <= 0.02 && perCpuSecond >= 0.9 * hz);
      if (good) {
        console.log(`  ${hz} Hz: ${found}`);
        return;
      }
    }
    assert.unreachable(found);
  });
}

test.run();
