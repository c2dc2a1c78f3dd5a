// The labels' public functions: merging, values and limits, what is restored, what is bound, what a Worker inherits, a table that stays bounded.

import { spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import timers from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decode, INDEX, program, run } from './helpers.mjs';
import { WAYS } from './labels-helpers.mjs';

const require = createRequire(import.meta.url);
const strobe = require(INDEX);
const { withLabels, currentLabels, bindLabels, bindIterable, attribution } = strobe;
const plain = (labels) => ({ ...labels });

test('labels merge, the inner one wins; what fn returns comes back', () => {
  assert.equal(plain(currentLabels()), {});
  const answer = withLabels({ agent: 'a', session: 1 }, () => {
    assert.equal(plain(currentLabels()), { agent: 'a', session: '1' });
    withLabels({ agent: 'b', deep: true }, () => assert.equal(plain(currentLabels()), { agent: 'b', session: '1', deep: 'true' }));
    assert.equal(plain(currentLabels()), { agent: 'a', session: '1' });
    return 42;
  });
  assert.is(answer, 42);
  assert.equal(plain(currentLabels()), {});
  assert.throws(() => {
    currentLabels().x = 'y';
  });
});

test('labels that look like those of the call before are not taken for them', () => {
  const seen = (labels) => withLabels(labels, () => plain(currentLabels()));
  // Literals again and again: what was merged before is used, and says the same.
  for (let i = 0; i < 3; i++) {
    assert.equal(seen({ a: 1 }), { a: '1' });
    assert.equal(seen({ a: '1' }), { a: '1' });
    assert.equal(seen({ a: true }), { a: 'true' });
    assert.equal(seen({ b: 1 }), { b: '1' });
    assert.equal(seen({ a: 1, b: 2 }), { a: '1', b: '2' });
    assert.equal(seen({ b: 2, a: 1 }), { a: '1', b: '2' });
    assert.equal(seen({ a: Number.NaN }), { a: 'NaN' });
    for (const outer of ['x', 'y']) withLabels({ outer }, () => assert.equal(seen({ a: 1 }), { outer, a: '1' }));
    assert.throws(() => seen({ a: null }), /'a'/);
    assert.throws(() => seen({ a: Symbol('1') }), /'a'/);
  }
  const changing = { a: 'first' };
  assert.equal(seen(changing), { a: 'first' });
  changing.a = 'other';
  assert.equal(seen(changing), { a: 'other' });
  let calls = 0;
  const counting = {
    get a() {
      return `v${calls++}`;
    },
  };
  const texts = new Set(Array.from({ length: 5 }, () => seen(counting).a));
  assert.is(texts.size, 5);
  // More sets than anything remembers.
  for (let round = 0; round < 2; round++) for (let i = 0; i < 5000; i++) assert.is(seen({ session: `s-${i}` }).session, `s-${i}`);
});

test('a throw and a rejection restore', async () => {
  assert.throws(
    () =>
      withLabels({ agent: 'a' }, () => {
        throw new Error('on purpose');
      }),
    'on purpose',
  );
  assert.equal(plain(currentLabels()), {});
  let rejected;
  await withLabels({ agent: 'a' }, async () => {
    await null;
    throw new Error('later');
  }).catch((error) => {
    rejected = error.message;
  });
  assert.is(rejected, 'later');
  assert.equal(plain(currentLabels()), {});
});

test('bad labels are refused by name, fn is not called', () => {
  const never = () => assert.unreachable('called');
  const refused = (labels, what, fn = never, options) => {
    try {
      withLabels(labels, fn, options);
    } catch (error) {
      assert.is(error.code, 'ERR_INVALID_OPTION', error.stack);
      assert.match(error.message, what);
      return;
    }
    assert.unreachable(`${what} was taken`);
  };
  for (const value of [undefined, null, {}, [], 1n, Symbol('x'), () => {}]) refused({ fine: 'x', agent: value }, /'agent'/);
  refused({ agent: 'x'.repeat(1025) }, /'agent'.*1024 bytes/);
  refused({ agent: 'ä'.repeat(513) }, /'agent'.*1024 bytes/);
  refused({ ['n'.repeat(129)]: 'x' }, /128 bytes/);
  refused({ '': 'x' }, /empty/);
  refused({ thread_name: 'x' }, /'thread_name'/);
  refused({ trace_id: 'x' }, /'trace_id'/);
  refused(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, i])), /64/);
  for (const labels of [undefined, null, 'agent', 7, ['a']]) refused(labels, /object/);
  for (const fn of [null, 'fn', {}]) refused({ agent: 'a' }, /function/, fn);
  refused({ agent: 'a' }, /options/, () => {}, 'exact');
  // Each by itself may be fine; what would be current counts.
  const half = (from) => Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`l${from + i}`, i]));
  withLabels(half(0), () => refused(half(40), /80/));
  withLabels({ agent: 'x'.repeat(1024), ä: 'ä'.repeat(512) }, () => assert.is(currentLabels().ä.length, 512));
  for (const by of [undefined, '', 7])
    assert.throws(
      () => attribution({ by }),
      (error) => error.code === 'ERR_INVALID_OPTION',
    );
});

test('bindLabels: this, arguments, result, from anywhere', () => {
  const emitter = new EventEmitter();
  const seen = [];
  withLabels({ agent: 'bound' }, () => {
    emitter.on(
      'go',
      bindLabels(function (...args) {
        seen.push(this === emitter, args, plain(currentLabels()));
      }),
    );
  });
  withLabels({ agent: 'emitter' }, () => emitter.emit('go', 1, 2));
  assert.equal(seen, [true, [1, 2], { agent: 'bound' }]);
  const outside = bindLabels(() => plain(currentLabels()));
  withLabels({ agent: 'x' }, () => assert.equal(outside(), {}));
  assert.throws(
    () => bindLabels('no'),
    (error) => error.code === 'ERR_INVALID_OPTION',
  );
});

test('bindIterable: generators, arrays, streams; break, throw and return reach the original', async () => {
  const seen = [];
  const look = () => seen.push(currentLabels().agent);
  function* steps() {
    try {
      look();
      const given = yield 1;
      look();
      yield given;
    } finally {
      look();
    }
  }
  const made = withLabels({ agent: 'g' }, () => bindIterable(steps()));
  assert.equal(made.next(), { value: 1, done: false });
  assert.equal(made.next('back'), { value: 'back', done: false });
  assert.equal(made.return('end'), { value: 'end', done: true });
  assert.equal(seen.splice(0), ['g', 'g', 'g']);

  const thrown = withLabels({ agent: 'g' }, () => bindIterable(steps()));
  thrown.next();
  assert.throws(() => thrown.throw(new Error('inside')), 'inside');
  assert.equal(seen.splice(0), ['g', 'g']);

  async function* later() {
    try {
      for (let i = 0; ; i++) {
        await timers.setImmediate();
        look();
        yield i;
      }
    } finally {
      look();
    }
  }
  for await (const i of withLabels({ agent: 'a' }, () => bindIterable(later()))) {
    assert.is(currentLabels().agent, undefined);
    if (i === 2) break;
  }
  assert.equal(seen.splice(0), ['a', 'a', 'a', 'a']);

  assert.equal([...withLabels({ agent: 'l' }, () => bindIterable([1, 2, 3]))], [1, 2, 3]);
  const chunks = [];
  for await (const chunk of withLabels({ agent: 's' }, () => bindIterable(Readable.from(['a', 'b'])))) chunks.push(chunk);
  assert.equal(chunks, ['a', 'b']);
  for (const what of [undefined, null, 7, {}])
    assert.throws(
      () => bindIterable(what),
      (error) => error.code === 'ERR_INVALID_OPTION',
    );
});

// V8 grows its young generation by and by: not what is measured here.
const YOUNG = ['--max-semi-space-size=4', '--min-semi-space-size=4'];

const MILLION = `
  const { startProfiler, withLabels, attribution } = require(${JSON.stringify(INDEX)});
  const profiler = startProfiler({ frequencyHz: 200 });
  const rss = () => process.memoryUsage().rss / 2 ** 20;
  const burn = () => { let x = 1; for (let i = 0; i < 200; i++) x = (x * 48271) % 2147483647; return x; };
  const pass = (count, from) => { for (let i = 0; i < count; i++) withLabels({ agent: 'a', request: from + i }, burn); };
  const turn = () => new Promise((next) => setImmediate(next));
  (async () => {
    let release;
    const held = withLabels({ agent: 'held' }, () => new Promise((next) => { release = next; }).then(() => { const end = Date.now() + 300; while (Date.now() < end) burn(); }));
    for (let i = 0; i < 60; i++) { pass(10_000, i * 10_000); await turn(); }
    const before = rss();
    for (let i = 60; i < 160; i++) { pass(10_000, i * 10_000); await turn(); }
    const after = rss();
    release();
    await held;
    await new Promise((next) => setTimeout(next, 400));
    const { labels } = profiler.stats();
    const rows = attribution({ by: 'agent' }).rows.map(({ value, cpuMicros }) => [value, cpuMicros]);
    require('node:fs').writeFileSync(process.argv[2], await profiler.snapshot());
    await profiler.stop();
    console.log(JSON.stringify({ before, after, labels, rows }));
  })();
`;

for (const { flags } of WAYS) {
  test(`a million sets: bounded, evicted ones are counted and never another's ${flags.join(' ')}`, async () => {
    const path = program(MILLION);
    const file = `${path}.pb.gz`;
    const { code, stdout, stderr } = await run(process.execPath, [...flags, ...YOUNG, path, file], { limitSeconds: 120 });
    assert.is(code, 0, stderr);
    const { before, after, labels, rows } = JSON.parse(stdout);
    assert.ok(after - before < 40, `resident memory ${before.toFixed(0)} -> ${after.toFixed(0)} MiB`);
    assert.ok(labels.sets <= 65_536 && labels.evictedSets > 1_000_000, JSON.stringify(labels));
    assert.ok(labels.evictedSamples > 0, 'the set that was held all the time lost its place');
    const { readFileSync } = await import('node:fs');
    const profile = decode(readFileSync(file), 'million');
    const names = new Set();
    let evicted = 0;
    for (const { labels: own, values } of profile.samples) {
      const label = Object.fromEntries(own.map(({ key, str, num }) => [key, str || num]));
      if (label.strobe_labels === '(evicted)') {
        evicted += values[0];
        assert.is(label.agent, undefined, 'nothing else is said of it');
      }
      if (label.agent) names.add(label.agent);
    }
    assert.is(evicted, labels.evictedSamples);
    assert.equal(
      [...names].filter((name) => name !== 'a' && name !== 'held'),
      [],
    );
    const cpu = Object.fromEntries(rows);
    assert.ok(cpu['(evicted)'] > 0 && cpu.a > 0, stdout);
  });
}

test('without an engine labels follow work all the same', () => {
  const source = `
    Object.defineProperty(process, 'platform', { value: 'plan9' });
    const { withLabels, currentLabels } = require(${JSON.stringify(INDEX)});
    withLabels({ agent: 'a' }, () => setTimeout(() => console.log(JSON.stringify(currentLabels())), 1));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' });
  assert.is(stdout, '{"agent":"a"}\n', stderr);
});

test('a Worker has the labels of where it was made, in every callback', async () => {
  const source = `
    const { startProfiler, withLabels, currentLabels } = require(${JSON.stringify(INDEX)});
    const { Worker, isMainThread, parentPort } = require('node:worker_threads');
    if (isMainThread) {
      const profiler = startProfiler();
      const worker = withLabels({ agent: 'maker' }, () => new Worker(__filename));
      worker.on('message', async (said) => { console.log(JSON.stringify(said)); await worker.terminate(); await profiler.stop(); });
      worker.postMessage('go');
    } else {
      parentPort.on('message', () => {
        const inner = withLabels({ tool: 't' }, () => ({ ...currentLabels() }));
        parentPort.postMessage([{ ...currentLabels() }, inner]);
      });
    }
  `;
  const { stdout, stderr, code } = await run(process.execPath, [program(source)]);
  assert.is(code, 0, stderr);
  assert.equal(JSON.parse(stdout), [{ agent: 'maker' }, { agent: 'maker', tool: 't' }]);
});

test.run();
