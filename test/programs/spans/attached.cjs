// An application with an OpenTelemetry SDK of its own (argument 1: 'sdk-node' or 'provider'; its packages under OTEL_HOME), joined by attachTracing().
// Argument 2: the folder for `cpu.pb.gz`. Prints JSON.
const { writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { attachTracing, startProfiler } = require(process.env.STROBE_INDEX);
const load = createRequire(join(process.env.OTEL_HOME, 'package.json'));
const api = load('@opentelemetry/api');

const { labelsReady, spin } = require('./tools.cjs');

const ended = [];
const processor = {
  onStart() {},
  onEnd: (span) =>
    ended.push({ name: span.name, ...span.spanContext(), parent: span.parentSpanContext?.spanId, attributes: span.attributes }),
  forceFlush: async () => {},
  shutdown: async () => {},
};
const early = attachTracing();

let manager;
const startSdk = {
  'sdk-node'() {
    const { NodeSDK } = load('@opentelemetry/sdk-node');
    new NodeSDK({ spanProcessors: [processor], instrumentations: [], autoDetectResources: false }).start();
  },
  provider() {
    const { NodeTracerProvider } = load('@opentelemetry/sdk-trace-node');
    new NodeTracerProvider({ spanProcessors: [processor] }).register();
  },
};
startSdk[process.argv[2]]();
manager = globalThis[Symbol.for('opentelemetry.js.api.1')].context;
const withBefore = manager.with;
const first = attachTracing();
const second = attachTracing();

const KEY = api.createContextKey('the application');
async function work_attached() {
  for (let i = 0; i < 10; i++) {
    spin(30);
    await new Promise(setImmediate);
  }
}

async function main() {
  const profiler = startProfiler({ frequencyHz: 1000 });
  await labelsReady(profiler);
  const tracer = api.trace.getTracer('attached');
  const own = [];
  await api.context.with(api.context.active().setValue(KEY, 'kept'), () =>
    tracer.startActiveSpan('outer', { attributes: { 'agent.name': 'planner' } }, async (span) => {
      await work_attached();
      own.push(api.context.active().getValue(KEY), api.trace.getActiveSpan() === span);
      await tracer.startActiveSpan('inner', async (inner) => {
        await work_attached();
        inner.end();
      });
      span.end();
    }),
  );
  const bytes = await profiler.snapshot();
  first.detach();
  tracer.startActiveSpan('after', (span) => span.end());
  const restored = manager.with === withBefore && !Object.hasOwn(manager, 'with');
  const again = attachTracing();
  tracer.startActiveSpan('again', (span) => span.end());
  again.detach();
  writeFileSync(join(process.argv[3], 'cpu.pb.gz'), bytes);
  await profiler.stop();
  const shown = ({ contextManager, spanProcessor, reasons }) => ({ contextManager, spanProcessor, reasons });
  console.log(
    JSON.stringify({ early: shown(early), first: shown(first), second: shown(second), again: shown(again), own, ended, restored }),
  );
  process.exit(0);
}
main();
