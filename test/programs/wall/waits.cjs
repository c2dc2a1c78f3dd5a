// A program whose waiting is known: in turn it computes, blocks in Atomics.wait, and lets the event loop wait, until `seconds` are over; on the main thread and
// in `workers` Workers at once. Each part draws its length at random around its share, so that no clock can be in step with it. Prints per thread what each part
// took of wall time by its own clock, and the profile's file is written by whoever started strobe (`strobe run`).
//
// node waits.cjs SECONDS CYCLE_MS WORKERS BUSY BLOCKED IDLE      (shares, percent)

const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const [seconds, cycleMs, workers, ...shares] = (isMainThread ? process.argv.slice(2) : workerData.args).map(Number);
const cell = new Int32Array(new SharedArrayBuffer(4));

function partBusy(ms) {
  const end = performance.now() + ms;
  let x = 0;
  while (performance.now() < end) for (let i = 0; i < 2000; i++) x += Math.sqrt(i);
  return x;
}
function partBlocked(ms) {
  Atomics.wait(cell, 0, 0, ms);
}

const took = { partBusy: 0, partBlocked: 0, idle: 0 };
const start = performance.now();

function length(part) {
  return (cycleMs * shares[part] * (0.5 + Math.random())) / 100;
}

function cycle() {
  let before = performance.now();
  for (const [part, run] of [partBusy, partBlocked].entries()) {
    if (shares[part] > 0) run(length(part));
    const now = performance.now();
    took[run.name] += now - before;
    before = now;
  }
  if (before - start > seconds * 1000) done(before);
  else setTimeout(wake, length(2), before);
}
function wake(before) {
  took.idle += performance.now() - before;
  cycle();
}

function done(end) {
  const result = { thread: isMainThread ? 'main' : workerData.name, ...took, all: end - start };
  if (isMainThread) report(result);
  else parentPort.postMessage(result);
}

const results = [];
function report(result) {
  results.push(result);
  if (results.length === workers + 1) console.log(JSON.stringify(results));
}

if (isMainThread) {
  for (let i = 0; i < workers; i++)
    new Worker(__filename, { workerData: { args: process.argv.slice(2), name: `waits ${i}` }, name: `waits ${i}` }).on('message', report);
}
cycle();
