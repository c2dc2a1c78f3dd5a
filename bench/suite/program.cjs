// What a program of the suite uses to say whose work something is: programOf(run) gives { label(labels, fn), span(name, labels, fn), use(), end() }.
//
// Contract: the program is the same under every variant: it has an AsyncLocalStorage of its own (a service that follows its requests has one), and, in
// the workloads that serve requests, the OpenTelemetry SDK with a recording tracer. A variant with labels adds what strobe (or @datadog/pprof) does with them
// on top of that; so the difference between arms is the profiler's, not the tracing's. `fn` may return a promise; a span ends when it settles.
// The context manager is the one of the program that was made last, or whose use() was called last.

const { AsyncLocalStorage } = require('node:async_hooks');
const { join } = require('node:path');
const { datadogLabels } = require('./peers.cjs');

const dist = join(__dirname, '..', '..', 'dist');
const WITH_SPANS = new Set(['http', 'agent']);
const PREFIX = 'bench.';

function tracerOf(processor, ContextManager) {
  const api = require('@opentelemetry/api');
  const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');
  const manager = new ContextManager().enable();
  const use = () => {
    api.context.disable();
    api.context.setGlobalContextManager(manager);
  };
  use();
  return { tracer: new BasicTracerProvider({ spanProcessors: [processor] }).getTracer('bench'), use };
}

const noProcessor = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} };

function tracerFor(labelled) {
  if (labelled) {
    const { StrobeContextManager, StrobeSpanProcessor } = require(join(dist, 'index.js'));
    return tracerOf(new StrobeSpanProcessor(), StrobeContextManager);
  }
  return tracerOf(noProcessor, require('@opentelemetry/context-async-hooks').AsyncLocalStorageContextManager);
}

function follow(value, done) {
  if (typeof value?.then !== 'function') {
    done();
    return value;
  }
  return value.then(
    (result) => {
      done();
      return result;
    },
    (error) => {
      done();
      throw error;
    },
  );
}

/** What a variant does with labels: nothing, or its own way. */
function labelsOf(variant, storage) {
  if (variant.kind === 'datadog') return datadogLabels(storage);
  const end = () => undefined;
  if (isLabelled(variant)) return { label: require(join(dist, 'index.js')).withLabels, end };
  return { label: (_labels, fn) => fn(), end };
}

const isLabelled = ({ kind, labels }) => kind === 'strobe' && labels;

exports.programOf = ({ variant, workload }) => {
  const storage = new AsyncLocalStorage();
  const more = labelsOf(variant, storage);
  const label = (labels, fn) => storage.run(labels, () => more.label(labels, fn));
  const { end } = more;
  if (!WITH_SPANS.has(workload)) return { label, span: (_name, labels, fn) => label(labels, fn), use: () => undefined, end };
  const { tracer, use } = tracerFor(isLabelled(variant));
  const span = (name, labels, fn) => {
    const attributes = Object.fromEntries(Object.entries(labels).map(([key, value]) => [PREFIX + key, value]));
    return label(labels, () => tracer.startActiveSpan(name, { attributes }, (span) => follow(fn(), () => span.end())));
  };
  return { label, span, use, end };
};
