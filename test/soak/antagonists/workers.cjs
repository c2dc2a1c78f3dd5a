// Workers that come and go: terminated at random moments of whatever they do, ended by themselves, by process.exit(), by an error; Workers of Workers;
// collections that move everything. And two that stay, whose CPU must be found in every profile.

const { join } = require('node:path');

const BODY = join(__dirname, '..', 'worker.cjs');
const STEADY = join(__dirname, '..', 'steady.cjs');

/** Read when it is used: under strobe the class is a proxy. */
const makeWorker = (...args) => new (require('node:worker_threads').Worker)(...args);
const exited = (worker) => new Promise((done) => worker.once('exit', done));

const ENDLESS = ['spin', 'functions', 'allocate', 'await', 'nested', 'wasm', 'labels'];
const ENDING = ['end', 'exit', 'throw', 'reject'];

const churn = {
  every: 1000,
  make: ({ random, count, fail, pause, options }) => {
    const one = async () => {
      const ends = random.next() < 0.3;
      const how = random.among(ends ? ENDING : ENDLESS);
      const afterMs = random.int(0, 300);
      const worker = makeWorker(BODY, {
        workerData: { how, seed: random.int(1, 1e9), index: options.profiled ? options.index : undefined },
        ...(random.next() < 0.5 ? { name: `churn ${how}` } : {}),
      });
      let error;
      worker.on('error', (thrown) => {
        error = thrown;
      });
      const end = exited(worker);
      if (ends) {
        const code = await end;
        const expected = { end: 0, exit: 7, throw: 1, reject: 1 }[how];
        if (code !== expected) fail(`a Worker that was to end by '${how}' ended with ${code}: ${error?.stack ?? 'no error'}`);
      } else {
        await pause(afterMs);
        await worker.terminate();
        await end;
        // One that was terminated while it started has no error; nothing in the endless ones throws.
        if (error !== undefined) fail(`a Worker doing '${how}' failed: ${error.stack ?? error}`);
      }
      count(ends ? 'ended by themselves' : 'terminated');
    };
    return () => Promise.all(Array.from({ length: random.int(1, 3) }, one));
  },
};

const stress = {
  every: 8000,
  make: ({ random, count, fail }) => {
    const v8 = require('node:v8');
    return async () => {
      const worker = makeWorker(BODY, { workerData: { how: 'stress', seed: random.int(1, 1e9), ms: random.int(50, 150) } });
      let error;
      worker.on('error', (thrown) => {
        error = thrown;
      });
      try {
        await exited(worker);
      } finally {
        // The flag is the process's, and the Worker may have failed in the middle.
        v8.setFlagsFromString('--no-stress-compaction');
      }
      if (error) fail(error.stack ?? error);
      count('bursts of --stress-compaction');
    };
  },
};

/** Two Workers that live as long as the run and compute now and then. They start within the first session of the profiler, so that they join. */
const steady = {
  every: 500,
  make: ({ random, count, fail, shared }) => {
    const { workIn } = require('../work.cjs');
    let workers;
    const step = async () => {
      if (!shared.following) return;
      workers ??= [1, 2].map((n) => {
        const worker = makeWorker(STEADY, { workerData: { seed: random.int(1, 1e9) }, name: `steady ${n}` });
        worker.on('error', (error) => fail(`a steady Worker failed: ${error.stack ?? error}`));
        count('Workers that stay');
        return worker;
      });
      // The main thread's own share of steady work.
      workIn(random.int(2, 20));
      count('bursts on main');
    };
    step.end = async () => {
      for (const worker of workers ?? []) {
        const end = exited(worker);
        worker.postMessage('end');
        const code = await end;
        if (code !== 0) fail(`a steady Worker ended with ${code}`);
      }
    };
    return step;
  },
};

module.exports = { churn, stress, steady };
