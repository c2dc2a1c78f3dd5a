// For bench/request.mjs: the server of the suite's http workload, in one process that labels its requests now in this way and now in that, a block of requests at a time.
//
// Contract: runs BENCH_SECONDS behind a warm-up; prints JSON: { way: [µs of the thread's CPU a request, …] }, a number a round of all ways in random order. A profiler
// at 100 Hz runs all the time, so that its samples are in every way alike.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync, writeSync } = require('node:fs');
const { AsyncLocalStorage } = require('node:async_hooks');
const { join } = require('node:path');
const api = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');
const { serverFor } = require('./suite/http.cjs');

const dist = join(__dirname, '..', '..', 'dist');
const strobe = require(join(dist, 'index.js'));
const { labelMemory } = require(join(dist, 'labels', 'engine.js'));

const SECONDS = Number(process.env.BENCH_SECONDS);
const BLOCK = 48;
const WARM_BLOCKS = 120;

const tracerOf = (processor) => new BasicTracerProvider({ spanProcessors: [processor] }).getTracer('bench');
const sdk = {
  manager: new AsyncLocalStorageContextManager().enable(),
  tracer: tracerOf({ onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} }),
};
const ours = { manager: new strobe.StrobeContextManager(), tracer: tracerOf(new strobe.StrobeSpanProcessor()) };
const another = new AsyncLocalStorage();

/** From nothing of ours to all of it; `counts` false: as while no profiler counts (labels and ids all the same). */
const WAYS = {
  off: { ...sdk, label: (_labels, fn) => fn() },
  'off again': { ...sdk, label: (_labels, fn) => fn() },
  'another AsyncLocalStorage': { ...sdk, label: (labels, fn) => another.run(labels, fn) },
  withLabels: { ...sdk, label: strobe.withLabels },
  'and the context manager': { ...sdk, manager: ours.manager, label: strobe.withLabels },
  'and the span processor': { ...ours, label: strobe.withLabels },
  'all of it, nothing counted': { ...ours, label: strobe.withLabels, counts: false },
};

const cell = new Int32Array(new SharedArrayBuffer(4));
/** The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function threadCpuUs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e3;
}

let way = WAYS.off;
const own = new AsyncLocalStorage();
const program = {
  span: (name, labels, fn) => {
    const attributes = Object.fromEntries(Object.entries(labels).map(([key, value]) => [`bench.${key}`, value]));
    const traced = () =>
      way.tracer.startActiveSpan(name, { attributes }, (span) =>
        fn().then((result) => {
          span.end();
          return result;
        }),
      );
    return own.run(labels, () => way.label(labels, traced));
  },
};

function use(chosen) {
  way = chosen;
  api.context.disable();
  api.context.setGlobalContextManager(way.manager);
  const memory = labelMemory();
  if (memory) memory.running[0] = way.counts === false ? 0 : 1;
}

async function main() {
  const profiler = strobe.startProfiler({ exporters: [] });
  const server = await serverFor(program);
  const clients = fork(join(__dirname, 'lib', 'request-client.cjs'), [String(server.address().port)], {
    execArgv: [],
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(clients, 'message');
  const block = async () => {
    const answered = once(clients, 'message');
    clients.send({ amount: BLOCK });
    const [{ failed }] = await answered;
    if (failed > 0) throw new Error(`${failed} requests failed`);
  };
  const names = Object.keys(WAYS);
  for (let i = 0; i < WARM_BLOCKS; i++) {
    for (const name of names) {
      use(WAYS[name]);
      await block();
    }
  }
  const found = Object.fromEntries(names.map((name) => [name, []]));
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end) {
    for (const name of [...names].sort(() => Math.random() - 0.5)) {
      use(WAYS[name]);
      const before = threadCpuUs();
      await block();
      found[name].push(Math.round((100 * (threadCpuUs() - before)) / BLOCK) / 100);
    }
  }
  use(WAYS.off);
  clients.disconnect();
  await profiler.stop();
  // Whole before the exit, however long.
  writeSync(1, `${JSON.stringify(found)}\n`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
