// What following labels costs work that does nothing but hop over promises: BENCH_HOPS awaits in a label, on this thread's clock. BENCH_WAY:
//
//   none     nothing is loaded                    unused   strobe samples, nobody sets a label
//   als      a plain AsyncLocalStorage is entered; strobe samples at the same rate, so that only the label differs from:
//   labels   withLabels
//   alsBare, datadog   the same beside @datadog/pprof with contexts, in the way its tracer uses it: from the async context frame where Node has it, else by
//            AsyncLocalStorage and a `before` hook that sets the context
//
// Prints JSON: CPU of the thread, ms, for the hops alone.

const { AsyncLocalStorage, createHook } = require('node:async_hooks');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { TRACER_OPTIONS } = require('./lib/datadog.cjs');

const cell = new Int32Array(new SharedArrayBuffer(4));
const hops = Number(process.env.BENCH_HOPS);
const storage = new AsyncLocalStorage();

/** CPU of this thread, ms. The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function cpuMs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
}

const strobe = () => {
  const package_ = require(join(__dirname, '..', '..', 'dist', 'index.js'));
  package_.startProfiler({ frequencyHz: 100, exporters: [] });
  return package_;
};

const inStorage = (fn) => storage.run({ agent: 'a' }, fn);

const WAYS = {
  none: () => (fn) => fn(),
  unused: () => {
    strobe();
    return (fn) => fn();
  },
  als: () => {
    strobe();
    return inStorage;
  },
  labels: () => {
    const { withLabels } = strobe();
    return (fn) => withLabels({ agent: 'a' }, fn);
  },
  alsBare: () => inStorage,
  datadog: () => {
    const { time } = require(join(__dirname, '..', 'node_modules', '@datadog', 'pprof'));
    const frame = process.env.BENCH_FRAME === '1';
    time.start({ ...TRACER_OPTIONS, useCPED: frame });
    if (frame) return (fn) => time.runWithContext({ agent: 'a' }, fn);
    createHook({ before: () => time.setContext(storage.getStore()) }).enable();
    return (fn) => inStorage(fn);
  },
};

async function hop(count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += await i;
  return sum;
}

async function main() {
  const run = WAYS[process.env.BENCH_WAY]();
  // Compiled, and the profiler's own start over.
  await run(() => hop(hops / 4));
  await new Promise((later) => setTimeout(later, 100));
  const before = cpuMs();
  await run(() => hop(hops));
  console.log(JSON.stringify({ hopMs: cpuMs() - before }));
  process.exit(0);
}

main();
