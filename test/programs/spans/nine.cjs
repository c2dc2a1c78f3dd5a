// Nine spans: three concurrent requests, each of three nested spans whose work goes on over setImmediate, setTimeout and a promise. Argument: the folder for
// `cpu.pb.gz`. Prints the spans as JSON: [{ fn, traceId, spanId, rootId, cpuMs, attributes }].
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { startProfiler, StrobeContextManager, StrobeSpanProcessor } = require(process.env.STROBE_INDEX);
const api = require('@opentelemetry/api');
const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');

const MS = Number(process.env.SPAN_MS ?? 100);
api.context.setGlobalContextManager(new StrobeContextManager());
const provider = new BasicTracerProvider({ spanProcessors: [new StrobeSpanProcessor()] });
const tracer = provider.getTracer('nine');

const { labelsReady, spin } = require('./tools.cjs');

const HOPS = [(then) => setImmediate(then), (then) => setTimeout(then, 1), (then) => Promise.resolve().then(then)];
/** Each span's work is in functions of its own name: a stack tells whose it is. In pieces of a tenth, each after a hop. */
const work = {};
for (const letter of 'abc') {
  for (const depth of [0, 1, 2]) {
    const fn = `work_${letter}${depth}`;
    work[fn] = new Function(
      'spin',
      'hop',
      'MS',
      `return async function ${fn}() { for (let i = 0; i < 10; i++) { spin(MS / 10); await new Promise((then) => hop(i, then)); } }`,
    )(spin, (i, then) => HOPS[(i + depth) % HOPS.length](then), MS);
  }
}

const spans = [];
async function request(letter, depth, rootId) {
  const fn = `work_${letter}${depth}`;
  await tracer.startActiveSpan(`${letter}${depth}`, async (span) => {
    const { traceId, spanId } = span.spanContext();
    const root = rootId ?? spanId;
    await work[fn]();
    if (depth < 2) await request(letter, depth + 1, root);
    span.end();
    spans.push({ fn, traceId, spanId, rootId: root, attributes: span.attributes });
  });
}

async function main() {
  const profiler = startProfiler({ frequencyHz: 1000 });
  await labelsReady(profiler);
  await Promise.all(['a', 'b', 'c'].map((letter) => request(letter, 0)));
  writeFileSync(join(process.argv[2], 'cpu.pb.gz'), await profiler.snapshot());
  await profiler.stop();
  console.log(JSON.stringify(spans));
}
main();
