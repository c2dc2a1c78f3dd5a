// Spans on samples: their ids on the right stacks through timers and promises, their CPU at their end, which of them are labels, what a million of them leave
// behind, and the context manager's own behaviour.
//
// SPAN_RUNS=20 runs the nine spans twenty times in a row.

import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST, folder, INDEX, runNode } from './helpers.mjs';
import { PROGRAMS, samplesOf } from './span-helpers.mjs';

const require = createRequire(import.meta.url);
const api = require('@opentelemetry/api');
const strobe = require(INDEX);
const { StrobeContextManager, StrobeSpanProcessor, currentLabels, withLabels } = strobe;

const RUNS = Number(process.env.SPAN_RUNS ?? 2);
const FLAGS = process.execArgv.filter((flag) => flag.startsWith('--experimental'));

/** Runs a program of test/programs/spans and returns what it printed last, parsed. */
async function runProgram(file, args = [], { flags = [], env = {} } = {}) {
  const end = await runNode([...FLAGS, ...flags, join(PROGRAMS, file), ...args.map(String)], {
    env: { STROBE_INDEX: INDEX, ...env },
    limitSeconds: 200,
  });
  assert.is(end.code, 0, `${file} ${args.join(' ')}: ${end.signal ?? end.code}\n${end.stderr}`);
  return JSON.parse(end.stdout.trim().split('\n').at(-1));
}

const near = (value, expected, share, what) =>
  assert.ok(Math.abs(value - expected) <= share * expected, `${what}: ${value}, expected ${expected} within ${100 * share} %`);

// (a)
/** What is wrong with the samples of nine spans, one text a fault. A span with too few samples is a fault, too: more data may mend it. */
function faultsOf(spans, samples) {
  const faults = [];
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const counted = new Map(spans.map((span) => [span.fn, 0]));
  const wrong = { foreign: 0, trace: 0, root: 0, stack: 0, bare: 0 };
  for (const { labels, value, names } of samples) {
    const fn = names.find((name) => counted.has(name));
    if (labels.span_id === undefined) {
      if (fn !== undefined) wrong.bare += value;
      continue;
    }
    const span = byId.get(labels.span_id);
    if (span === undefined) {
      wrong.foreign++;
      continue;
    }
    if (labels.trace_id !== span.traceId) wrong.trace++;
    if (labels.local_root_span_id !== span.rootId) wrong.root++;
    if (fn !== undefined && fn !== span.fn) wrong.stack++;
    if (fn === span.fn) counted.set(fn, counted.get(fn) + value);
  }
  for (const name of ['foreign', 'trace', 'root', 'stack']) if (wrong[name] > 0) faults.push(`${wrong[name]} samples: wrong ${name}`);
  if (wrong.bare > 0) faults.push(`${(wrong.bare / 1e6).toFixed(1)} ms of the spans' functions have no span`);
  for (const [fn, value] of counted) if (value < 0) faults.push(`${fn}: no samples`);
  return { faults, counted };
}

test(`nine spans at 1 kHz over setImmediate, setTimeout and promises, ${RUNS} times in a row`, async () => {
  for (let round = 1; round <= RUNS; round++) {
    let found = '';
    for (let attempt = 0; attempt < 3; attempt++) {
      const ms = 100 * 2 ** attempt;
      const dir = folder();
      const spans = await runProgram('nine.cjs', [dir], { env: { SPAN_MS: ms } });
      assert.is(spans.length, 9);
      assert.is(new Set(spans.map(({ spanId }) => spanId)).size, 9);
      assert.is(new Set(spans.map(({ rootId }) => rootId)).size, 3);
      assert.is(new Set(spans.map(({ traceId }) => traceId)).size, 3);
      const { faults, counted } = faultsOf(spans, samplesOf(readFileSync(join(dir, 'cpu.pb.gz'))));
      // Ids are right or wrong: only how much there is of each may need more data.
      assert.is(faults.join('; '), '', `run ${round}`);
      found = [...counted].map(([fn, value]) => `${fn} ${(value / 1e6).toFixed(0)} ms`).join(', ');
      if ([...counted.values()].every((value) => Math.abs(value / 1e6 / ms - 1) <= 0.25)) {
        found = '';
        break;
      }
    }
    assert.is(found, '', `run ${round}: each span's function has its CPU within 25 %`);
  }
});

// (b)
test('CPU of a span at its end: its own, with its children, across awaits', async () => {
  let fault = '';
  for (let attempt = 0; attempt < 3; attempt++) {
    const { own, attributes } = await runProgram('basics.cjs', ['cpu', 100 * 2 ** attempt]);
    try {
      const self = (name) => attributes[name]['resource.cpu.self_micros'] / 1000;
      const all = (name) => attributes[name]['resource.cpu.micros'] / 1000;
      for (const name of Object.keys(attributes)) {
        assert.ok(Number.isInteger(attributes[name]['resource.cpu.micros']), `${name}: an integer`);
        assert.ok(Number.isInteger(attributes[name]['resource.cpu.self_micros']), `${name}: an integer`);
        assert.ok(all(name) >= self(name), `${name}: with children no less than without`);
      }
      near(self('sync'), own.sync, 0.05, 'sync, self');
      near(self('sync child'), own['sync child'], 0.05, 'sync child, self');
      near(all('sync'), own.sync + own['sync child'], 0.05, 'sync, with its child');
      near(self('async'), own.async, 0.15, 'async, self');
      near(self('async child'), own['async child'], 0.15, 'async child, self');
      near(all('async'), own.async + own['async child'], 0.15, 'async, with its child');
      assert.ok(all('sync') >= all('sync child') && all('async') >= all('async child'), 'a parent has no less than its child');
      near(self('orphan'), own.orphan, 0.1, 'orphan, self');
      assert.is(attributes.parent['resource.cpu.micros'] < 5000, true, 'a parent that ended before its child has none of it');
      near(all('grandparent'), own.orphan, 0.1, 'the nearest living ancestor has it');
      fault = '';
    } catch (error) {
      fault = error.message;
      continue;
    }
    const roots = Object.keys(attributes).filter((name) => 'pyroscope.profile.id' in attributes[name]);
    assert.equal(roots.sort(), ['async', 'grandparent', 'sync'], 'pyroscope.profile.id on local roots only');
    break;
  }
  assert.is(fault, '');
});

test('without a profiler: ids and the link to the profile, no CPU', async () => {
  const { root, child, id } = await runProgram('basics.cjs', ['idle']);
  assert.match(id, /^[0-9a-f]{16}$/);
  assert.equal(Object.keys(root), ['pyroscope.profile.id']);
  assert.equal(child, {});
});

// (c)
test('unsampled spans label nothing', async () => {
  const { spans, seen, agents } = await runProgram('basics.cjs', ['unsampled']);
  assert.ok(seen, 'their context is there all the same');
  assert.equal(Object.keys(spans), ['']);
  assert.equal(Object.keys(agents), [''], 'nor do their attributes');
  const alone = await runProgram('basics.cjs', ['contexts']);
  assert.ok(alone.seen);
  assert.match(alone.before, /not used yet/, 'contexts alone switch nothing on');
  assert.not.match(alone.after, /not used yet/);
  assert.equal(await runProgram('basics.cjs', ['parentBased']), { recording: false });
});

test('labelUnsampledSpans labels them', async () => {
  const { ids, spans } = await runProgram('basics.cjs', ['unsampled', 'too']);
  assert.equal(Object.keys(spans).filter(Boolean), [ids.spanId]);
  assert.ok(spans[ids.spanId] > (spans[''] ?? 0), JSON.stringify(spans));
});

// (d)
test('attributes on the list are labels, over the user’s and under them', async () => {
  const { seen, tools, agents, secrets } = await runProgram('basics.cjs', ['labels']);
  const base = { tenant: 't1', 'agent.name': 'planner', session_id: 's-1', 'http.route': '/a/:b' };
  const later = { ...base, 'gen_ai.request.model': 'm-1' };
  assert.equal(seen.inside, base);
  assert.equal(seen.later, later, 'an attribute that was set later');
  assert.equal(seen.child, { ...later, 'gen_ai.tool.name': 'search', invocation_id: '7' }, 'a child has its parent’s');
  assert.equal(seen.user, { ...base, 'agent.name': 'user', extra: '1' }, 'withLabels inside stands over the span');
  assert.ok(seen.context, 'and keeps the context');
  assert.equal(seen.again, seen.user, 'entered again: the user’s stay');
  assert.equal(seen.under, { ...seen.user, session_id: 's-2' }, 'a span under it brings its own');
  assert.equal(seen.root, { tenant: 't1' }, 'no span, no labels of one');
  assert.equal(seen.after, {});
  assert.equal(Object.keys(secrets), ['']);
  assert.ok(tools.search > 0 && agents.planner > tools.search, JSON.stringify({ tools, agents }));
});

// (e)
test('a million spans in sequence and a hundred thousand at once leave nothing', async () => {
  // A young generation of one size: how far V8 lets it grow meanwhile differs by major, and is not ours.
  const flags = ['--expose-gc', '--min-semi-space-size=16', '--max-semi-space-size=16'];
  const found = await runProgram('many.cjs', [1_000_000, 100_000], { flags });
  console.log(`  ${JSON.stringify(found)}`);
  assert.is(found.slotsAfterSequence, 0, 'slots are free after the sequence');
  assert.is(found.slotsLive, 100_000);
  assert.is(found.slots, 0, 'slots are free after those that lived at once');
  assert.is(found.withoutSlot, 0);
  // What is kept shows in the heap, to the byte; resident memory also has the pages that V8 holds back after 100,000 spans of the SDK at once.
  assert.ok(Math.max(...found.heaps) - found.heaps[0] < 4, `heap: ${found.heaps.join(', ')} MB`);
  const MiB = 2 ** 20;
  // AddressSanitizer holds freed memory back.
  if (process.env.LD_PRELOAD?.includes('asan')) return;
  assert.ok(found.afterSequence - found.before < 64 * MiB, `sequence: ${(found.afterSequence - found.before) / MiB} MiB`);
  assert.ok(found.afterLive - found.before < 384 * MiB, `at once: ${(found.afterLive - found.before) / MiB} MiB`);
});

// (f)
const manager = new StrobeContextManager();
const KEY = api.createContextKey('test');
const contextOf = (value) => api.ROOT_CONTEXT.setValue(KEY, value);
const value = () => manager.active().getValue(KEY);

test('with: nests, passes this and arguments, restores on throw and through awaits', async () => {
  assert.is(manager.active(), api.ROOT_CONTEXT);
  const self = { name: 'self' };
  const got = manager.with(
    contextOf(1),
    function (a, b) {
      assert.is(this, self);
      assert.is(value(), 1);
      manager.with(contextOf(2), () => assert.is(value(), 2));
      assert.is(value(), 1);
      assert.throws(
        () =>
          manager.with(contextOf(3), () => {
            throw new Error('thrown');
          }),
        'thrown',
      );
      assert.is(value(), 1);
      return a + b;
    },
    self,
    2,
    3,
  );
  assert.is(got, 5);
  assert.is(value(), undefined);
  const parts = await Promise.all(
    ['a', 'b'].map((name) =>
      manager.with(contextOf(name), async () => {
        await new Promise((done) => setTimeout(done, 2));
        await new Promise(setImmediate);
        const before = value();
        await manager.with(contextOf(`${name}${name}`), async () => {
          await null;
          assert.is(value(), name + name);
        });
        return before + value();
      }),
    ),
  );
  assert.equal(parts, ['aa', 'bb']);
  assert.is(
    manager.with(undefined, () => manager.active()),
    api.ROOT_CONTEXT,
  );
});

test('labels and context do not disturb each other', () => {
  withLabels({ a: 1 }, () => {
    manager.with(contextOf(1), () => {
      assert.equal({ ...currentLabels() }, { a: '1' });
      withLabels({ b: 2 }, () => {
        assert.is(value(), 1);
        manager.with(contextOf(2), () => assert.equal({ ...currentLabels() }, { a: '1', b: '2' }));
      });
      assert.equal({ ...currentLabels() }, { a: '1' });
    });
  });
  assert.equal({ ...currentLabels() }, {});
});

test('bind: functions keep context, labels, this, arguments and length', () => {
  const bound = withLabels({ at: 'bind' }, () =>
    manager.bind(contextOf(1), function (a, _b) {
      return [this, a, value(), currentLabels().at];
    }),
  );
  assert.is(bound.length, 2);
  const self = {};
  const got = withLabels({ at: 'call' }, () => bound.call(self, 'x'));
  assert.is(got[0], self);
  assert.equal(got.slice(1), ['x', 1, 'bind']);
  const thing = { no: 'function' };
  assert.is(manager.bind(contextOf(1), thing), thing);
});

test('bind: emitters', () => {
  const emitter = new EventEmitter();
  assert.is(
    withLabels({ at: 'bind' }, () => manager.bind(contextOf(1), emitter)),
    emitter,
  );
  const { on } = emitter;
  assert.is(manager.bind(contextOf(2), emitter), emitter);
  assert.is(emitter.on, on, 'once is enough');
  const seen = [];
  const listener = (what) => seen.push([what, value(), currentLabels().at]);
  const emit = (what) => withLabels({ at: 'emit' }, () => manager.with(contextOf(9), () => emitter.emit('event', what)));

  emitter.on('event', listener);
  emitter.once('event', listener);
  emit('both');
  emit('one');
  assert.equal(seen.splice(0), [
    ['both', 1, 'bind'],
    ['both', 1, 'bind'],
    ['one', 1, 'bind'],
  ]);
  emitter.off('event', listener);
  assert.is(emitter.listenerCount('event'), 0);
  for (const [add, remove] of [
    ['addListener', 'removeListener'],
    ['prependListener', 'off'],
    ['once', 'off'],
    ['prependOnceListener', 'removeListener'],
  ]) {
    emitter[add]('event', listener);
    assert.is(emitter.listenerCount('event'), 1, add);
    emitter[remove]('event', listener);
    assert.is(emitter.listenerCount('event'), 0, remove);
  }
  emitter.on('event', listener);
  emitter.on('event', listener);
  emitter.off('event', listener);
  assert.is(emitter.listenerCount('event'), 1, 'added twice, removed once');
  emitter.on('other', listener);
  emitter.removeAllListeners('event');
  assert.is(emitter.listenerCount('event'), 0);
  assert.is(emitter.listenerCount('other'), 1);
  emitter.removeAllListeners();
  assert.is(emitter.listenerCount('other'), 0);
  assert.throws(() => emitter.on('event', 'no function'), /listener/);
});

test('attach and its token, disable and enable', async () => {
  await new Promise((done) =>
    setImmediate(() => {
      const token = manager.attach(contextOf('attached'));
      assert.is(value(), 'attached');
      setImmediate(() => {
        assert.is(value(), 'attached');
        done();
      });
      token.dispose();
      token.dispose();
      assert.is(value(), undefined);
    }),
  );
  manager.with(contextOf(1), () => {
    manager.disable();
    assert.is(manager.active(), api.ROOT_CONTEXT);
    manager.with(contextOf(2), () => assert.is(value(), 2));
  });
  assert.is(manager.enable(), manager);
});

test('a span’s record: ids as integers, chains let go', () => {
  const { SpanRecord } = require(join(DIST, 'labels', 'spans.js'));
  const ids = { traceId: 'ffffffff00000001800000007fffffff', spanId: '89abcdefFEDCBA98', traceFlags: 1 };
  const record = new SpanRecord(ids, undefined, [], undefined);
  assert.equal([record.trace0, record.trace1, record.trace2, record.trace3], [-1, 1, -(2 ** 31), 2 ** 31 - 1]);
  assert.equal([record.span0 >>> 0, record.span1 >>> 0], [0x89abcdef, 0xfedcba98]);
  assert.equal([record.root0, record.root1], [record.span0, record.span1]);
  let last = record;
  for (let i = 0; i < 1000; i++) {
    const next = new SpanRecord(ids, last, [], undefined);
    last.end();
    last = next;
  }
  let length = 0;
  for (let at = last; at.parent; at = at.parent) length++;
  assert.ok(length <= 2, `${length} records behind the last`);
});

test('wrong options are refused, nothing of OpenTelemetry is loaded by the import', async () => {
  for (const make of [
    () => new StrobeContextManager({ labelUnsampledSpans: 'yes' }),
    () => new StrobeContextManager(null),
    () => new StrobeSpanProcessor({ spanLabels: 'agent.name' }),
    () => new StrobeSpanProcessor({ spanLabels: [''] }),
    () => strobe.attachTracing({ labelUnsampledSpans: 1 }),
  ]) {
    assert.throws(make, (error) => error instanceof strobe.StrobeError && error.code === 'ERR_INVALID_OPTION');
  }
  const source = `require(process.env.STROBE_INDEX); console.log(JSON.stringify(Object.keys(require.cache).filter((file) => file.includes('opentelemetry'))));`;
  const end = await runNode(['-e', source], { env: { STROBE_INDEX: INDEX } });
  assert.equal(JSON.parse(end.stdout), [], end.stderr);
  const missing = `
    const { Module } = require('node:module');
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.startsWith('@opentelemetry/')) throw new Error('Cannot find module ' + name);
      return resolve(name, ...rest);
    };
    const { StrobeContextManager, startTracing } = require(process.env.STROBE_INDEX);
    for (const make of [() => new StrobeContextManager(), () => startTracing()]) try { make(); } catch (error) { console.log(error.code, error.message); }`;
  const without = await runNode(['-e', missing], { env: { STROBE_INDEX: INDEX } });
  assert.match(without.stdout, /ERR_INVALID_OPTION StrobeContextManager needs .*npm install @opentelemetry\/api\n/);
  assert.match(without.stdout, /ERR_INVALID_OPTION startTracing needs .*npm install @opentelemetry\/api/);
});

test.run();
