// A hot leaf that V8 inlines in mid, in outer, in drive, beside other work: SECONDS of CPU of both, in turns.
//
// Writes what the thread's own CPU clock says of the two to EXACT_RESULT, as JSON: { cpu: { drive, beside } (ms), loop: the lines of the leaf's loop }.
// The leaf is all that `drive` does, but for two calls in each 2,000 iterations. Both run in `work`, between two readings of the clock.

const { readFileSync, writeFileSync } = require('node:fs');

const ITERATIONS = 2000;
const TIMES = 60;
const REPEATS = 120;

const source = readFileSync(__filename, 'utf8').split('\n');
const loop = source.flatMap((line, at) => (line.endsWith('// loop') ? [at + 1] : []));

function leaf(n, x) {
  let y = x;
  // biome-ignore format: each line stands with its mark
  for (let i = 0; i < n; i++) { // loop
    y = (y * 31 + (i ^ y)) | 0; // loop
  } // loop
  return y;
}
function mid(n, x) {
  const y = x + 1;
  return leaf(n, y);
}
function outer(n, x) {
  const y = x ^ 5;
  return mid(n, y) + 1;
}
function drive(times, n) {
  let x = 1;
  for (let t = 0; t < times; t++) x = (x + outer(n, x)) | 0;
  return x;
}
function beside(times, n) {
  let x = 1;
  for (let t = 0; t < times; t++) for (let i = 0; i < n; i += 4) x += Math.sqrt(i + x);
  return x;
}
function work(run) {
  let x = 0;
  for (let i = 0; i < REPEATS; i++) x += run(TIMES, ITERATIONS);
  return x;
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** CPU of this thread, ms. The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function cpuMs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
}

const seconds = Number(process.argv[2]);
const cpu = { drive: 0, beside: 0 };
function turn() {
  const start = cpuMs();
  work(drive);
  const middle = cpuMs();
  work(beside);
  cpu.drive += middle - start;
  cpu.beside += cpuMs() - middle;
  if (cpu.drive + cpu.beside < seconds * 1000) setImmediate(turn);
  else writeFileSync(process.env.EXACT_RESULT, JSON.stringify({ cpu, loop }));
}
turn();
