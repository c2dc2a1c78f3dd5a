// What one signal costs its thread, by depth of the stack: node handler.cjs DEPTH. A recursion of DEPTH JavaScript calls computes at its bottom at 1 kHz.
//
// Prints JSON: nanoseconds a signal in our handler (V8's walk of its stack, the label, the ring), and the kernel's part of a signal, as stats() estimates it.

const { join } = require('node:path');
const { startProfiler } = require(join(__dirname, '..', '..', 'dist', 'index.js'));

const SECONDS = 1.5;
const depth = Number(process.argv[2]);

function burn(ms) {
  const end = performance.now() + ms;
  let x = 1;
  while (performance.now() < end) for (let i = 0; i < 50_000; i++) x = (Math.imul(x, 48271) + i) | 0;
  return x;
}
/** Not a tail of anything: each call keeps its frame. */
function descend(left, ms) {
  return left <= 1 ? burn(ms) : descend(left - 1, ms) + 1;
}

const profiler = startProfiler({ frequencyHz: 1000, exporters: [] });
const read = () => {
  const { samples, lost, overhead } = profiler.stats();
  return { signals: samples + lost, handlerNs: overhead.handlerNs, signalNs: overhead.signalNs };
};

// Compiled, and the encoder's own start over.
setTimeout(() => {
  descend(depth, 300);
  let difference;
  // Read at the bottom, between two spans of work: no sample of another depth lies between.
  (function measure(left) {
    if (left > 1) return measure(left - 1) + 1;
    const before = read();
    burn(SECONDS * 1000);
    const after = read();
    difference = Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
    return 0;
  })(depth);
  const { signals, handlerNs, signalNs } = difference;
  console.log(JSON.stringify({ signals, handlerNs: handlerNs / signals, kernelNs: signalNs / signals }));
  process.exit(0);
}, 800);
