// The encoder, and each second what it and the engine say of their memory, in BENCH_RESULT (bench/memory.mjs). V8's account is asked for on the encoder's own thread.

const { renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { getHeapStatistics } = require('node:v8');

const dist = join(__dirname, '..', '..', 'dist');
const native = require(join(dist, 'native.js')).loadNative();
setInterval(() => {
  const { total_physical_size, malloced_memory, external_memory } = getHeapStatistics();
  const line = { heapBytes: total_physical_size, mallocBytes: malloced_memory + external_memory, native: native.stats().memory };
  // Whole at any moment: the process is killed from outside.
  writeFileSync(`${process.env.BENCH_RESULT}.new`, JSON.stringify(line));
  renameSync(`${process.env.BENCH_RESULT}.new`, process.env.BENCH_RESULT);
}, 1000).unref();
require(join(dist, 'profiler', 'encoder.js'));
