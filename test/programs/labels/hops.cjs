// Labelled work that hops over every kind of asynchronous boundary, beside unlabelled work and work that throws; it counts what each did itself.
//
// Every label has a function of its own (burn_<label>, made by name), so that a sample's stack says whose it is and its labels must agree. STROBE_INDEX: the
// package; argv: seconds, a file for the profile, a file for what was done (JSON).

const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const { EventEmitter } = require('node:events');
const { createServer, connect } = require('node:net');
const { pipeline, Readable, Transform, Writable } = require('node:stream');
const { pipeline: pipelined } = require('node:stream/promises');
const { isMainThread, parentPort } = require('node:worker_threads');
const crypto = require('node:crypto');
const dns = require('node:dns');
const fs = require('node:fs');
const timers = require('node:timers/promises');
const zlib = require('node:zlib');

// The same work a unit everywhere, so that units are shares of CPU; one in eight also leaves garbage to collect.
const unit = (name) =>
  new Function(
    `return function burn_${name}(units) {
       let x = 1;
       for (let u = 0; u < units; u++) {
         for (let i = 0; i < 60000; i++) x = (x * 48271) % 2147483647;
         if (u % 8 === 0) { const list = []; for (let i = 0; i < 400; i++) list.push({ i, text: 'a' + i }); x += list.length; }
       }
       return x;
     }`,
  )();

if (!isMainThread) {
  // What it does in messages is labelled by whoever made this Worker.
  const burn = unit('worker');
  parentPort.on('message', (units) => {
    burn(units);
    parentPort.postMessage(units);
  });
} else {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

async function main() {
  const { startProfiler, withLabels, bindLabels, bindIterable, currentLabels } = require(process.env.STROBE_INDEX);
  const { Worker } = require('node:worker_threads');
  const [seconds, profileFile, saidFile] = process.argv.slice(2);
  const done = {};
  const wrong = [];
  const burns = {};
  // `agent` undefined: unlabelled.
  const burn = (name, agent, units = 6) => {
    burns[name] ??= unit(name);
    if (currentLabels().agent !== agent) wrong.push(`${name}: ${currentLabels().agent}`);
    burns[name](units);
    done[name] = (done[name] ?? 0) + units;
  };

  const profiler = startProfiler({ frequencyHz: 1000 });

  // A server and an emitter that are older than every label: their callbacks come from outside.
  const server = createServer((socket) => {
    socket.on('data', () => {
      burn('outside', undefined, 2);
      socket.end('x');
    });
  });
  await new Promise((up) => server.listen(0, '127.0.0.1', up));
  const { port } = server.address();
  const pool = new EventEmitter();
  // A resource of one job that another's callback enters, as connection pools do.
  let lastResource = new AsyncResource('Pooled');
  const worker = withLabels({ agent: 'worker' }, () => new Worker(__filename));
  worker.unref();

  const callback = (start) => new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value))));
  const kinds = {
    await: async (work) => {
      await null;
      work();
    },
    // biome-ignore lint/suspicious/noThenProperty: the kinds have the names of what is called
    then: (work) => Promise.resolve().then(work),
    timeout: (work) => new Promise((next) => setTimeout(() => next(work()), 1)),
    interval: (work) =>
      new Promise((next) => {
        const timer = setInterval(() => {
          clearInterval(timer);
          next(work());
        }, 1);
      }),
    immediate: (work) => new Promise((next) => setImmediate(() => next(work()))),
    nextTick: (work) => new Promise((next) => process.nextTick(() => next(work()))),
    microtask: (work) => new Promise((next) => queueMicrotask(() => next(work()))),
    timersPromises: async (work) => {
      await timers.setTimeout(1);
      work();
    },
    fs: (work) => callback((next) => fs.readFile(__filename, next)).then(work),
    fsCallback: (work) => new Promise((next) => fs.stat(__filename, () => next(work()))),
    fsPromises: async (work) => {
      await fs.promises.readFile(__filename);
      work();
    },
    net: (work) =>
      new Promise((next, failed) => {
        const socket = connect(port, '127.0.0.1', () => {
          work();
          socket.write('x');
        });
        socket.on('data', () => {});
        socket.on('close', () => next(work()));
        socket.on('error', failed);
      }),
    dns: (work) => new Promise((next) => dns.lookup('localhost', () => next(work()))),
    crypto: (work) => new Promise((next) => crypto.randomBytes(64, () => next(work()))),
    zlib: (work) => new Promise((next) => zlib.deflate('x'.repeat(1000), () => next(work()))),
    streams: (work) =>
      new Promise((next, failed) => {
        const upper = new Transform({
          transform(chunk, _, pass) {
            work();
            pass(null, chunk);
          },
        });
        const sink = new Writable({
          write(_, __, pass) {
            setImmediate(pass);
          },
        });
        pipeline(Readable.from(['a', 'b']), upper, zlib.createGzip(), sink, (error) => (error ? failed(error) : next(work())));
      }),
    pipelinePromise: (work) =>
      pipelined(
        Readable.from(['a']),
        async function* (source) {
          for await (const chunk of source) {
            work();
            yield chunk;
          }
        },
        new Writable({ write: (_, __, pass) => pass() }),
      ),
    asyncGenerator: async (work) => {
      async function* steps() {
        for (let i = 0; i < 2; i++) {
          await null;
          work();
          yield i;
        }
      }
      for await (const _ of steps()) work();
    },
    asyncResource: (work) =>
      new Promise((next) => {
        const resource = new AsyncResource('Job');
        const other = lastResource;
        lastResource = resource;
        // Within it another job's scope runs, and ends: what follows is this one's again.
        setImmediate(() => resource.runInAsyncScope(() => other.runInAsyncScope(() => {}) ?? next(work())));
      }),
    bound: (work) =>
      new Promise((next) => {
        pool.once(
          'go',
          bindLabels(() => next(work())),
        );
        outside(() => pool.emit('go'));
      }),
    boundGenerator: (work) => {
      const made = bindIterable(
        (async function* () {
          for (let i = 0; i < 2; i++) {
            await timers.setImmediate();
            work();
            yield i;
          }
        })(),
      );
      return outside(async () => {
        for await (const _ of made) burn('outside', undefined, 1);
      });
    },
  };

  // Timers that are always due again starve the event loop's other phases on Node 20.
  const pause = (ms) => timers.setTimeout(ms).then(() => timers.setImmediate());
  // Runs `fn` where no label is, whoever asks.
  const queue = [];
  const outside = (fn) => new Promise((next, failed) => queue.push(() => Promise.resolve().then(fn).then(next, failed)));
  let working = true;
  const idle = (async () => {
    while (working || queue.length > 0) {
      burn('plain', undefined, 6);
      for (const job of queue.splice(0)) await job();
      await pause(1);
    }
  })();

  const storages = Array.from({ length: 300 }, () => new AsyncLocalStorage());
  const inStorages = (fn, at = 0) => (at === storages.length ? fn() : storages[at].run(at, () => inStorages(fn, at + 1)));

  process.on('uncaughtException', (error) => {
    if (error.message !== 'on purpose') throw error;
    burn('handler', 'thrower', 2);
  });
  const thrower = async () => {
    while (working) {
      try {
        withLabels({ agent: 'thrower' }, () => {
          burn('thrower', 'thrower', 3);
          throw new Error('caught');
        });
      } catch {
        burn('aftercatch', undefined, 3);
      }
      withLabels({ agent: 'thrower' }, () =>
        setImmediate(() => {
          throw new Error('on purpose');
        }),
      );
      await pause(5);
      burn('afterthrow', undefined, 3);
    }
  };

  const end = Date.now() + Number(seconds) * 1000;
  const job = async (agent) => {
    while (Date.now() < end) {
      for (const name of Object.keys(kinds)) await kinds[name](() => burn(`${agent}_${name}`, agent));
      worker.postMessage(4);
    }
  };
  const messages = { count: 0 };
  worker.on('message', (units) => {
    messages.count += units;
  });
  const jobs = ['a', 'b', 'c', 'd'].map((agent, i) =>
    withLabels({ agent, shared: 'yes' }, () => (i === 0 ? inStorages(() => job(agent)) : job(agent))),
  );
  const throwing = thrower();
  await Promise.all(jobs);
  working = false;
  await throwing;
  await idle;
  await timers.setTimeout(300);
  if (Object.keys(currentLabels()).length > 0) wrong.push('labels at the end');
  const stats = profiler.stats();
  fs.writeFileSync(profileFile, await profiler.snapshot());
  await profiler.stop();
  done.worker = messages.count;
  await worker.terminate();
  server.close();
  fs.writeFileSync(saidFile, JSON.stringify({ done, wrong, feature: stats.features.labels, labels: stats.labels }));
  process.exit(0);
}
