// The encoder, and each second what it and the engine say of their memory, in BENCH_RESULT (bench/memory.mjs). V8's account is asked for on the encoder's own thread.

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { getHeapStatistics } = require('node:v8');

const dist = join(__dirname, '..', '..', 'dist');
const native = require(join(dist, 'native.js')).loadNative();
setInterval(() => {
  const { total_physical_size, malloced_memory, external_memory } = getHeapStatistics();
  const line = { heapBytes: total_physical_size, mallocBytes: malloced_memory + external_memory, native: native.stats().memory };
  writeFileSync(process.env.BENCH_RESULT, JSON.stringify(line));
}, 1000).unref();
require(join(dist, 'profiler', 'encoder.js'));
