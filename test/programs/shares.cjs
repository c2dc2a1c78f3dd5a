// Work of known shares: three functions that take 60, 30 and 10 % of each cycle, steady or in bursts, on the main thread and in Workers.
//   node shares.cjs STEADY|BURSTY CYCLE_MS SECONDS THREADS
// Ends with one line of JSON: what each function took, nanoseconds, over all threads. The three functions have bodies of their own, so that
// no engine can share code between them; the caller switches inlining off (what is inlined is another test's matter).

const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const [kind, cycleMs, seconds, threads, givenUnit] = isMainThread
  ? [process.argv[2], Number(process.argv[3]), Number(process.argv[4]), Number(process.argv[5] ?? 1)]
  : workerData;

// A unit of work is about 10 us. The parts do units, not time: a loop that runs until a clock says so would do less when other processes take the core.
function partSixty(units) {
  let x = 0;
  for (let u = 0; u < units; u++) for (let i = 0; i < unitLength; i++) x += Math.sqrt(i + x);
  return x;
}
function partThirty(units) {
  let x = 1;
  for (let u = 0; u < units; u++) for (let i = 0; i < unitLength; i++) x += Math.sqrt(i + x);
  return x;
}
function partTen(units) {
  let x = 2;
  for (let u = 0; u < units; u++) for (let i = 0; i < unitLength; i++) x += Math.sqrt(i + x);
  return x;
}

let unitLength = 1000;
// All three compiled before they are timed, so that a unit costs the same in each.
for (let i = 0; i < 200; i++) for (const part of [partSixty, partThirty, partTen]) part(10);
// Measured once, alone: many threads that measure at the same time would find themselves slow, and do too little.
const before = process.hrtime.bigint();
for (let i = 0; i < 30; i++) for (const part of [partSixty, partThirty, partTen]) part(10);
unitLength = givenUnit ?? Math.max(50, Math.round((unitLength * 10_000 * 900) / Number(process.hrtime.bigint() - before)));
const UNITS_PER_MS = 100;

// The truth is what each part took by this thread's wall clock while it did its units: the same units do not always cost the same (caches, the neighbouring core).
const took = [0, 0, 0];
function cycle(ms) {
  const units = Math.round(ms * UNITS_PER_MS);
  const start = process.hrtime.bigint();
  partSixty(units * 0.6);
  const sixty = process.hrtime.bigint();
  partThirty(units * 0.3);
  const thirty = process.hrtime.bigint();
  partTen(units * 0.1);
  const ten = process.hrtime.bigint();
  took[0] += Number(sixty - start);
  took[1] += Number(thirty - sixty);
  took[2] += Number(ten - thirty);
}

const end = Date.now() + seconds * 1000;
let random = 12345;
function pauseMs() {
  // A burst of one cycle at 5 % utilisation: pauses of 0 to 38 cycles, 19 on average.
  random = (random * 1103515245 + 12345) % 2147483648;
  return (random / 2147483648) * 38 * cycleMs;
}

function finish(done) {
  if (!isMainThread) {
    parentPort.postMessage(done);
    return;
  }
  console.log(JSON.stringify({ partSixty: done[0], partThirty: done[1], partTen: done[2] }));
}

const others = isMainThread
  ? Array.from({ length: threads - 1 }, () => {
      const worker = new Worker(__filename, { workerData: [kind, cycleMs, seconds, threads, unitLength] });
      return new Promise((resolve) => worker.on('message', resolve));
    })
  : [];

function over() {
  Promise.all(others).then((all) => {
    for (const one of all) for (let i = 0; i < 3; i++) took[i] += one[i];
    finish(took);
  });
}

function steady() {
  // Some cycles a turn, so that the loop turns now and then as a program's does.
  for (let i = 0; i < 5; i++) cycle(cycleMs);
  if (Date.now() < end) setImmediate(steady);
  else over();
}
function bursty() {
  cycle(cycleMs);
  if (Date.now() < end) setTimeout(bursty, pauseMs());
  else over();
}
(kind === 'STEADY' ? steady : bursty)();
