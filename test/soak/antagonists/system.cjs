// What else lives in a process: child processes, native addons with threads and signals of their own, the inspector, libuv's pool, performance hooks.

const { execFile, fork, spawn, spawnSync } = require('node:child_process');
const { pbkdf2 } = require('node:crypto');
const { copyFileSync, readFileSync } = require('node:fs');
const inspector = require('node:inspector');
const { join } = require('node:path');
const { monitorEventLoopDelay, PerformanceObserver, performance } = require('node:perf_hooks');
const { promisify } = require('node:util');
const { Session } = require('node:inspector/promises');
const zlib = require('node:zlib');
const { workIn } = require('../work.cjs');

const CHILD = join(__dirname, '..', 'child.cjs');
const ADDON_WORKER = join(__dirname, '..', 'addon-worker.cjs');

const children = {
  every: 3000,
  make: ({ random, count, fail, pause }) => {
    const ended = (child) => new Promise((done) => child.once('close', (code, signal) => done(signal ?? code)));
    const ways = {
      async fork() {
        const child = fork(CHILD, ['reply'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
        const end = ended(child);
        let reply;
        child.once('message', (message) => {
          reply = message;
        });
        child.send('ping');
        if ((await end) !== 0 || reply !== 'pong') fail(`a forked child said ${reply}`);
      },
      async execFile() {
        const { stdout } = await promisify(execFile)(process.execPath, [CHILD, 'print']);
        if (stdout !== 'printed\n') fail(`a child printed ${JSON.stringify(stdout)}`);
      },
      async shell() {
        const end = await ended(spawn('sh', ['-c', 'exit 3'], { stdio: 'ignore' }));
        if (end !== 3) fail(`a shell ended with ${end}`);
      },
      async sync() {
        const { status } = spawnSync('sh', ['-c', 'exit 4'], { stdio: 'ignore' });
        if (status !== 4) fail(`a shell that was waited for ended with ${status}`);
      },
      async killed() {
        const child = spawn(process.execPath, [CHILD, 'hang'], { stdio: 'ignore' });
        const end = ended(child);
        await pause(random.int(0, 200));
        child.kill('SIGKILL');
        if ((await end) !== 'SIGKILL') fail('a killed child ended otherwise');
      },
    };
    return async () => {
      const way = random.among(Object.keys(ways));
      await ways[way]();
      count(way);
    };
  },
};

const addons = {
  every: 1500,
  make: ({ random, count, fail, dir, options }) => {
    const addon = require(options.addon);
    let made = 0;
    const ways = {
      threads() {
        const [threads, rounds] = [random.int(1, 12), random.int(1, 20)];
        const done = addon.storm(options.plugin, threads, rounds);
        if (done !== (threads + 1) * rounds) fail(`${done} rounds of ${(threads + 1) * rounds}`);
      },
      forkOnly() {
        const status = addon.forkChild();
        if (status !== 5 << 8) fail(`a child without exec ended with status ${status}`);
      },
      signals() {
        const n = random.int(1, 200);
        const got = addon.signals(9, n);
        if (got !== n) fail(`${got} of ${n} real-time signals arrived`);
      },
      // A copy, so that it is another library; its Worker is its only loader, and Node unmaps it at that Worker's end.
      async unloaded() {
        const file = join(dir, `addon-${made++ % 4}.node`);
        copyFileSync(options.addon, file);
        const { Worker } = require('node:worker_threads');
        const worker = new Worker(ADDON_WORKER, { workerData: { file, plugin: options.plugin, threads: random.int(1, 4), rounds: 5 } });
        worker.on('error', (error) => fail(error.stack ?? error));
        await new Promise((done) => worker.once('exit', done));
      },
    };
    return async () => {
      const way = random.among(Object.keys(ways));
      await ways[way]();
      count(way);
    };
  },
};

const inspectors = {
  every: 4000,
  make:
    ({ random, count, fail, pause }) =>
    async () => {
      const session = new Session();
      session.connect();
      try {
        const what = random.among(['cpu', 'heap', 'debugger', 'coverage', 'evaluate']);
        if (what === 'cpu') {
          await session.post('Profiler.enable');
          await session.post('Profiler.start');
          workIn(random.int(5, 30));
          await pause(random.int(0, 300));
          const { profile } = await session.post('Profiler.stop');
          if (!(profile.nodes.length > 0)) fail('an empty profile of the inspector');
        } else if (what === 'heap') {
          await session.post('HeapProfiler.startSampling', { samplingInterval: 16_384 });
          const kept = Array.from({ length: 20_000 }, (_, i) => ({ i, list: [i] }));
          await pause(random.int(0, 300));
          const { profile } = await session.post('HeapProfiler.stopSampling');
          if (!profile.head || kept.length === 0) fail('an empty heap profile of the inspector');
        } else if (what === 'debugger') {
          await session.post('Debugger.enable');
          await pause(random.int(0, 100));
          await session.post('Debugger.disable');
        } else if (what === 'coverage') {
          await session.post('Profiler.enable');
          await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
          workIn(5);
          await session.post('Profiler.takePreciseCoverage');
          await session.post('Profiler.stopPreciseCoverage');
        } else {
          const { result } = await session.post('Runtime.evaluate', { expression: '1 + 2' });
          if (result.value !== 3) fail('Runtime.evaluate can not add');
        }
        count(what);
      } finally {
        session.disconnect();
      }
      if (random.next() < 0.2) {
        inspector.open(0, '127.0.0.1');
        await pause(20);
        inspector.close();
        count('opened');
      }
    },
};

const pool = {
  every: 300,
  make: ({ random, count, fail }) => {
    const text = Buffer.from('some text that can be packed '.repeat(2000));
    const [derive, gzip, gunzip] = [pbkdf2, zlib.gzip, zlib.gunzip].map((call) => promisify(call));
    return async () => {
      const [packed] = await Promise.all([gzip(text), derive('secret', 'salt', random.int(100, 2000), 32, 'sha256')]);
      if (!(await gunzip(packed)).equals(text)) fail('gzip lost something');
      readFileSync(__filename);
      count('jobs', 3);
    };
  },
};

const hooks = {
  every: 1000,
  make:
    ({ random, count, pause }) =>
    async () => {
      const delay = monitorEventLoopDelay({ resolution: random.int(1, 20) });
      delay.enable();
      let entries = 0;
      const observer = new PerformanceObserver((list) => {
        entries += list.getEntries().length;
      });
      observer.observe({ entryTypes: ['gc', 'function', 'mark', 'measure'] });
      const timed = performance.timerify(() => workIn(1));
      for (let i = 0; i < 5; i++) timed();
      performance.measure('soak', { start: 0, end: 1 });
      performance.clearMeasures('soak');
      await pause(random.int(20, 200));
      observer.disconnect();
      delay.disable();
      count('rounds');
      count('entries', entries);
    },
};

module.exports = { children, addons, inspectors, pool, hooks };
