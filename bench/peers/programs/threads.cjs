// Four busy threads (this one and three Workers), each 60/30/10 over three functions in cycles of 10 ms. Each has its own profiler where that is how the profiler
// sees a thread; strobe's is the main thread's.
//
// Truth: { cpuNs, wallNs }, of the measured time, summed over the threads. What counts stands under `measured`: nothing of a start or an end.

const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { cpuNs, turns, workers, UNIT_US } = require('./work.cjs');

const THREADS = 4;
const CYCLE_UNITS = 10_000 / UNIT_US;
const CYCLES_A_TURN = 5;

const PARTS = ['partSixty', 'partThirty', 'partTen'];

let parts;

function measured() {
  const [sixty, thirty, ten] = parts;
  for (let i = 0; i < CYCLES_A_TURN; i++) {
    sixty(CYCLE_UNITS * 0.6);
    thirty(CYCLE_UNITS * 0.3);
    ten(CYCLE_UNITS * 0.1);
  }
}

function prepare() {
  parts = workers(PARTS);
}

function untilAllAreReady(gate) {
  if (Atomics.add(gate, 0, 1) === THREADS - 1) {
    Atomics.store(gate, 1, 1);
    Atomics.notify(gate, 1);
  } else Atomics.wait(gate, 1, 0);
}

async function busy(seconds, gate) {
  untilAllAreReady(gate);
  const before = cpuNs();
  const start = performance.now();
  while (performance.now() < start + seconds * 1000) {
    measured();
    await new Promise(setImmediate);
  }
  return { wallNs: (performance.now() - start) * 1e6, cpuNs: cpuNs() - before };
}

async function run({ way, hz, seconds }) {
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const others = Array.from({ length: THREADS - 1 }, () => {
    const thread = new Worker(__filename, { workerData: { way, hz, seconds, gate, unit: turns() } });
    return new Promise((resolve, reject) => {
      thread.on('message', resolve);
      thread.on('error', reject);
    });
  });
  const own = await busy(seconds, gate);
  const all = await Promise.all(others);
  const sum = (name) => all.reduce((total, other) => total + other[name], own[name]);
  return { cpuNs: sum('cpuNs'), wallNs: sum('wallNs'), samples: all.flatMap(({ samples }) => samples) };
}

async function asWorker({ way, hz, seconds, gate, unit }) {
  const peer = require('../adapters.cjs').start(way === 'strobe' ? 'none' : way, { hz });
  parts = workers(PARTS, unit);
  const used = await busy(seconds, gate);
  parentPort.postMessage({ ...used, samples: (await peer.end()) ?? [] });
}

if (isMainThread) module.exports = { prepare, run };
else asWorker(workerData);
