// What a Worker of the endurance suite does; workerData.how says which. Endless ones go on until they are terminated.

const { parentPort, Worker, workerData } = require('node:worker_threads');
const { stream } = require('./random.cjs');
const { sum, wasmBytes, workIn } = require('./work.cjs');

const random = stream(workerData.seed, 'worker');
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function fresh(n) {
  return new Function('a', `const k = ${n}; let x = a; for (let i = 0; i < 50; i++) x += k * i; return x; // ${workerData.seed}`);
}

function batch(n) {
  const kept = [];
  for (let i = 0; i < 5000; i++) kept.push({ n, text: `item ${i}`, list: new Array(50).fill(i) });
  return kept.length;
}

const BODIES = {
  spin() {
    for (;;) sum(10_000);
  },
  functions() {
    for (let n = 0; ; n++) fresh(n)(n);
  },
  allocate() {
    // In batches: Node 24 and 26 never end an endless loop around `new Array(50).fill(n)`, terminate() or not (docs/endurance.md).
    for (let n = 0; ; n++) batch(n);
  },
  async await() {
    for (;;) {
      await Promise.all([sleep(random.int(0, 3)), null]);
      sum(5000);
    }
  },
  async nested() {
    for (;;) {
      const inner = new Worker(__filename, { workerData: { how: 'spin', seed: random.int(1, 1e9) } });
      await sleep(random.int(0, 60));
      await inner.terminate();
    }
  },
  wasm() {
    for (let n = 0; ; n++) {
      const instance = new WebAssembly.Instance(new WebAssembly.Module(wasmBytes(n)));
      for (let i = 0; i < 50; i++) instance.exports.f(2000);
    }
  },
  async labels() {
    const { withLabels } = workerData.index ? require(workerData.index) : { withLabels: (_, body) => body() };
    for (let n = 0; ; n++) {
      await withLabels({ agent: `churn ${n % 7}` }, async () => {
        await sleep(random.int(0, 2));
        sum(3000);
      });
    }
  },
  end() {
    workIn(random.int(0, 30));
  },
  exit() {
    setTimeout(() => process.exit(7), random.int(0, 30));
    workIn(random.int(0, 30));
  },
  throw() {
    workIn(random.int(0, 30));
    throw new Error('thrown on purpose');
  },
  reject() {
    Promise.reject(new Error('rejected on purpose'));
  },
  stress() {
    const v8 = require('node:v8');
    v8.setFlagsFromString('--stress-compaction');
    try {
      const end = performance.now() + workerData.ms;
      while (performance.now() < end) {
        const kept = Array.from({ length: 200 }, (_, n) => fresh(n));
        for (const f of kept) f(1);
      }
    } finally {
      v8.setFlagsFromString('--no-stress-compaction');
    }
  },
};

BODIES[workerData.how]();
// Endless asynchronous ones keep their Worker alive by their timers; a parent that listens is of no use to the others.
parentPort.unref();
