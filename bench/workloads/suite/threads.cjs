// Four busy Workers: a unit is one round of lib/computing.cjs in each. In a Worker the profiler joins as a preload would do. Says what CPU the Workers have
// used since they started (`workersCpuMs`), by the kernel's account of each thread, and how long they had work to do (`workersWallMs`).

const { readFileSync } = require('node:fs');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');
const { computing } = require('../lib/computing.cjs');

const WORKERS = 4;

function ask(worker, message) {
  return new Promise((resolve, reject) => {
    const failed = (code) => reject(new Error(`a worker ended with ${code}`));
    worker.once('error', reject).once('exit', failed);
    worker.once('message', (answer) => {
      worker.off('error', reject).off('exit', failed);
      resolve(answer);
    });
    worker.postMessage(message);
  });
}

exports.prepare = async ({ run }) => {
  const workers = Array.from({ length: WORKERS }, (_, i) => new Worker(__filename, { workerData: run, name: `busy-${i}` }));
  return {
    run: async (units) => {
      const said = await Promise.all(workers.map((worker) => ask(worker, { units })));
      const sum = (name) => said.reduce((total, one) => total + one[name], 0);
      return { workersCpuMs: sum('cpuMs'), workersWallMs: sum('wallMs') };
    },
    end: async () => {
      const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
      for (const worker of workers) worker.postMessage({ end: true });
      await Promise.all(ended);
    },
  };
};

function serve() {
  const profiler = require('../../suite/profilers.cjs').joinThread(workerData);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const round = computing();
  const cpuMs = () => {
    // The kernel's figure is up to date after a sleep.
    Atomics.wait(cell, 0, 0, 0.05);
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
  };
  let begin;
  let wallMs = 0;
  const work = (left) => {
    if (left === 0) {
      wallMs += performance.now() - begin;
      return parentPort.postMessage({ cpuMs: cpuMs(), wallMs });
    }
    round();
    setImmediate(work, left - 1);
  };
  parentPort.on('message', async ({ units, end }) => {
    if (!end) {
      begin = performance.now();
      return work(units);
    }
    await profiler.end();
    parentPort.close();
  });
}

if (!isMainThread) serve();
