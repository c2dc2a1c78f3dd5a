// A service with startTracing() in a few lines: argument 1 is the endpoint. Prints the ids of its spans as JSON.
const { attachTracing, startProfiler, startTracing, StrobeError } = require(process.env.STROBE_INDEX);
const { trace } = require('@opentelemetry/api');
const { labelsReady, spin } = require('./tools.cjs');

async function main() {
  const profiler = startProfiler({ frequencyHz: 1000 });
  const tracing = startTracing({
    endpoint: process.argv[2],
    headers: { 'x-tenant': 'strobe-tests' },
    serviceName: 'traced',
    resourceAttributes: { 'deployment.environment.name': 'test' },
  });
  await labelsReady(profiler);
  const tracer = trace.getTracer('traced');
  const spans = {};
  await tracer.startActiveSpan('root', async (root) => {
    spin(50);
    await tracer.startActiveSpan('child', async (child) => {
      spin(50);
      await new Promise(setImmediate);
      child.end();
      spans.child = child.spanContext();
    });
    root.end();
    spans.root = root.spanContext();
  });
  let refused;
  try {
    startTracing({ endpoint: process.argv[2] });
  } catch (error) {
    refused = error instanceof StrobeError && `${error.code} ${error.message}`;
  }
  const joined = attachTracing();
  // The last batch leaves by itself when there is nothing left to do.
  if (process.argv[3] !== 'beforeExit') {
    await tracing.shutdown();
    await tracing.shutdown();
    await startTracing({ endpoint: process.argv[2] }).shutdown();
  }
  await profiler.stop();
  console.log(JSON.stringify({ spans, refused, joined: [joined.contextManager, joined.spanProcessor] }));
}
main();
