// What a span costs: `node bench/spans.mjs`, after a build. Prints nanoseconds a span of the plain SDK and with strobe, best of five rounds each, in processes of
// their own. Machines differ and a busy one tells nothing: the differences count, not the numbers.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const ROUNDS = 5;
const SPANS = 100_000;
const require = createRequire(import.meta.url);

/** One configuration, in this process. */
async function measure({ strobe, profiler, unsampled, attributes }) {
  const api = require('@opentelemetry/api');
  const { AlwaysOffSampler, BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');
  const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
  const { startProfiler, StrobeContextManager, StrobeSpanProcessor } = require('../dist/index.js');
  const none = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} };
  api.context.setGlobalContextManager(strobe ? new StrobeContextManager() : new AsyncLocalStorageContextManager());
  const running = profiler ? startProfiler() : undefined;
  const tracer = new BasicTracerProvider({
    spanProcessors: [strobe ? new StrobeSpanProcessor() : none],
    ...(unsampled ? { sampler: new AlwaysOffSampler() } : {}),
  }).getTracer('bench');
  const run = () => {
    for (let i = 0; i < SPANS; i++) {
      tracer.startActiveSpan('span', attributes ? { attributes: { 'agent.name': `agent ${i % 10}` } } : {}, (span) => span.end());
    }
  };
  await new Promise((done) => setTimeout(done, 300));
  run();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / SPANS);
  }
  await running?.stop();
  return Math.round(best);
}

const CASES = [
  ['the SDK alone', {}],
  ['strobe, no profiler', { strobe: true }],
  ['strobe, profiler at 100 Hz', { strobe: true, profiler: true }],
  ['the SDK alone, an attribute', { attributes: true }],
  ['strobe, profiler, the attribute is a label', { strobe: true, profiler: true, attributes: true }],
  ['the SDK alone, unsampled', { unsampled: true }],
  ['strobe, profiler, unsampled', { strobe: true, profiler: true, unsampled: true }],
];

if (process.argv[2]) {
  console.log(await measure(JSON.parse(process.argv[2])));
} else {
  for (const [name, what] of CASES) {
    const { stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(what)], { encoding: 'utf8' });
    console.log(`${name.padEnd(44)} ${stdout.trim().padStart(6)} ns a span`);
  }
}
