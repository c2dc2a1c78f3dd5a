// Labels (in the twin: an AsyncLocalStorage of its own) that hop through every way on which work goes on later. Wherever they arrive they must be those that
// were set: one that is not is a failure.

const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const { EventEmitter } = require('node:events');
const { PassThrough, Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { setImmediate: immediate, setTimeout: sleep } = require('node:timers/promises');
const { sum } = require('../work.cjs');

const FILL = 66_000; // more sets than the table holds

const HOPS = {
  await: async () => await null,
  timer: () => sleep(1),
  immediate: () => immediate(),
  nextTick: () => new Promise((done) => process.nextTick(done)),
  microtask: () => new Promise((done) => queueMicrotask(done)),
  resource: () =>
    new Promise((done) => {
      const emitter = new EventEmitter();
      emitter.once('go', AsyncResource.bind(done));
      setImmediate(() => emitter.emit('go'));
    }),
  stream: () =>
    pipeline(Readable.from(['a', 'b', 'c']), new PassThrough(), async (source) => {
      for await (const _ of source) sum(100);
    }),
};

const labels = {
  every: 60,
  make: ({ random, count, fail, strobe }) => {
    const storage = new AsyncLocalStorage();
    const within = strobe
      ? (set, body) => strobe.withLabels(set, body)
      : (set, body) => storage.run({ ...storage.getStore(), ...set }, body);
    const current = strobe ? () => strobe.currentLabels() : () => storage.getStore();
    let made = 0;
    // The table is bounded and this program fills it: before its size is measured, and so that sets are evicted all the time.
    while (made < FILL) within({ agent: 'filling', request: `${made++}` }, () => undefined);
    const walk = async (agent, depth) => {
      for (let i = 0; i < 4; i++) {
        const hop = random.among(Object.keys(HOPS));
        await HOPS[hop]();
        sum(2000);
        if (current()?.agent !== agent) fail(`after '${hop}' the label is ${JSON.stringify(current())}, not ${agent}`);
        count('hops');
      }
      if (depth > 0) {
        // Many sets, so that the table evicts.
        await within({ agent: `${agent}.${depth}`, request: `${made++}` }, () => walk(`${agent}.${depth}`, depth - 1));
        if (current()?.agent !== agent) fail(`behind an inner set the label is ${JSON.stringify(current())}, not ${agent}`);
      }
    };
    return () => Promise.all(Array.from({ length: 5 }, (_, n) => within({ agent: `a${n}` }, () => walk(`a${n}`, 2))));
  },
};

module.exports = { labels };
