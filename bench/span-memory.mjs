// What spans leave in memory: `node bench/span-memory.mjs [--node PATH]`, after a build. A million active spans one after the other, then a hundred thousand that
// are active at once and wait; for the plain SDK, strobe, and @datadog/pprof with a context a span (as its tracer gives it one), each in a process of its own.
//
// Prints resident memory, MiB: what the sequence added, what each live span took, what is left when they are over. The size of V8's young generation is fixed:
// Node grows it by and by, which would be counted as the profiler's. @datadog/pprof is left out when it can't be had.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { root } from './lib/child.mjs';
import { peerMissing } from './lib/peers.mjs';
import { table } from './lib/table.mjs';

const SEQUENCE = 1_000_000;
const LIVE = 100_000;
const require = createRequire(import.meta.url);
/** The first major whose AsyncLocalStorage is the async context frame by itself. */
const frame = Number(process.versions.node.split('.')[0]) >= 24;

/** How a span is entered, once the profiler runs: (span, fn) => fn(). */
const WAYS = {
  sdk: () => (_span, fn) => fn(),
  strobe: () => (_span, fn) => fn(),
  datadog: () => {
    const { time } = require('@datadog/pprof');
    const { AsyncLocalStorage, createHook } = require('node:async_hooks');
    time.start({ intervalMicros: 10_000, durationMillis: 60_000, withContexts: true, collectCpuTime: true, useCPED: frame });
    const context = (span) => ({ spanId: span.spanContext().spanId, rootSpanId: span.spanContext().spanId });
    if (frame) return (span, fn) => time.runWithContext(context(span), fn);
    const storage = new AsyncLocalStorage();
    createHook({ before: () => time.setContext(storage.getStore()) }).enable();
    return (span, fn) =>
      storage.run(context(span), () => {
        time.setContext(storage.getStore());
        return fn();
      });
  },
};

async function measure(way) {
  const api = require('@opentelemetry/api');
  const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');
  const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
  const { startProfiler, StrobeContextManager, StrobeSpanProcessor } = require('../dist/index.js');
  const ours = way === 'strobe';
  api.context.setGlobalContextManager(ours ? new StrobeContextManager() : new AsyncLocalStorageContextManager());
  const tracer = new BasicTracerProvider({ spanProcessors: ours ? [new StrobeSpanProcessor()] : [] }).getTracer('bench');
  if (ours) startProfiler({ frequencyHz: 100 });
  const enter = WAYS[way]();
  const turn = () => new Promise((next) => setImmediate(next));
  const mib = async () => {
    for (let i = 0; i < 3; i++) {
      globalThis.gc();
      await turn();
    }
    return process.memoryUsage.rss() / 2 ** 20;
  };
  const sequence = async (count) => {
    for (let i = 0; i < count; i++) {
      tracer.startActiveSpan('span', (span) => enter(span, () => span.end()));
      if (i % 10_000 === 0) await turn();
    }
  };
  const live = async () => {
    let release;
    const gate = new Promise((open) => {
      release = open;
    });
    const before = await mib();
    const all = Array.from({ length: LIVE }, () =>
      tracer.startActiveSpan('span', (span) =>
        enter(span, async () => {
          await gate;
          span.end();
        }),
      ),
    );
    const during = await mib();
    release();
    await Promise.all(all);
    return during - before;
  };
  await sequence(SEQUENCE / 5);
  const start = await mib();
  await sequence(SEQUENCE);
  const afterSequence = await mib();
  const held = await live();
  const afterFirst = await mib();
  await live();
  const afterSecond = await mib();
  console.log(JSON.stringify({ sequence: afterSequence - start, heldKib: (held * 1024) / LIVE, again: afterSecond - afterFirst }));
  process.exit(0);
}

function main() {
  const { values } = parseArgs({ options: { node: { type: 'string', default: process.execPath } } });
  const node = values.node.includes('/') ? resolve(values.node) : values.node;
  const missing = peerMissing('@datadog/pprof', node);
  const rows = [];
  for (const way of missing ? ['sdk', 'strobe'] : Object.keys(WAYS)) {
    const flags = ['--expose-gc', '--max-semi-space-size=16', '--min-semi-space-size=16'];
    const { stdout, stderr, status } = spawnSync(node, [...flags, fileURLToPath(import.meta.url), '--way', way], {
      encoding: 'utf8',
      cwd: root,
    });
    if (status !== 0) throw new Error(`${way}: ended with ${status}\n${stderr}`);
    const { sequence, heldKib, again } = JSON.parse(stdout.trim().split('\n').at(-1));
    rows.push([
      { sdk: 'the SDK alone', strobe: 'strobe', datadog: '@datadog/pprof' }[way],
      sequence.toFixed(1),
      heldKib.toFixed(2),
      again.toFixed(1),
    ]);
  }
  console.log(
    table(
      `spans, resident memory (${SEQUENCE} in sequence, ${LIVE} at once)`,
      ['', 'sequence, MiB', 'a live span, KiB', 'again, MiB'],
      rows,
    ),
  );
  if (missing) console.log(missing);
}

if (process.argv[2] === '--way') await measure(process.argv[3]);
else main();
