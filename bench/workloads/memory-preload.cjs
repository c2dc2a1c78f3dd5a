// Preloaded into the demo service by bench/memory.mjs: starts the profiler that BENCH_WAY names at 100 Hz with windows of BENCH_WINDOW seconds. `none`: nothing;
// `worker`: a Worker that does nothing.
//
// Every thread of the program writes each second what V8 says of its heap to BENCH_HEAPS.THREAD: { physical, used } in bytes, `live` too once, behind a collection of
// everything at BENCH_LIVE_AT (ms since 1970; needs --expose-gc).
//
// strobe: each second a line of JSON in BENCH_RESULT: { encoder (V8's account of the encoder's heap, lib/memory-encoder.cjs writes it), native (stats().memory) }.

const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { getHeapStatistics } = require('node:v8');
const { isMainThread, threadId } = require('node:worker_threads');

const root = join(__dirname, '..', '..');
const seconds = Number(process.env.BENCH_WINDOW);

const WAYS = {
  none: () => undefined,
  worker: () => {
    if (!isMainThread) return;
    const { Worker } = require('node:worker_threads');
    new Worker('setInterval(() => undefined, 1e6)', { eval: true, stdout: true, stderr: true, execArgv: [] }).unref();
  },
  strobe: () => {
    if (isMainThread && process.env.BENCH_RESULT) {
      const threads = require('node:worker_threads');
      const Original = threads.Worker;
      threads.Worker = class extends Original {
        constructor(file, options) {
          super(String(file).endsWith('encoder.js') ? join(root, 'bench', 'lib', 'memory-encoder.cjs') : file, options);
        }
      };
      require(join(root, 'dist', 'register.js'));
      threads.Worker = Original;
    } else {
      require(join(root, 'dist', 'register.js'));
    }
  },
  datadog: () => {
    if (!isMainThread) return;
    const { encode, time } = require('@datadog/pprof');
    time.start({ intervalMicros: 10_000, durationMillis: seconds * 1000, lineNumbers: true });
    setInterval(
      async () => writeFileSync(join(process.env.STROBE_DIR, 'cpu.pb.gz'), await encode(time.stop(true))),
      seconds * 1000,
    ).unref();
  },
  pyroscope: () => {
    if (!isMainThread) return;
    const Pyroscope = require('@pyroscope/nodejs');
    Pyroscope.init({
      serverAddress: process.env.BENCH_SERVER,
      appName: 'agent',
      flushIntervalMs: seconds * 1000,
      wall: { samplingDurationMs: seconds * 1000, samplingIntervalMicros: 10_000 },
    });
    Pyroscope.start();
  },
};
WAYS[process.env.BENCH_WAY]();

const file = `${process.env.BENCH_HEAPS}.${threadId}`;
let live;
function writeHeap() {
  const { total_physical_size: physical, used_heap_size: used } = getHeapStatistics();
  // Whole at any moment: the process is killed from outside.
  writeFileSync(`${file}.new`, JSON.stringify({ physical, used, live }));
  renameSync(`${file}.new`, file);
}
setInterval(writeHeap, 1000).unref();
setTimeout(() => {
  globalThis.gc();
  live = getHeapStatistics().used_heap_size;
  writeHeap();
}, Number(process.env.BENCH_LIVE_AT) - Date.now()).unref();
