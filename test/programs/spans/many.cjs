// A million spans one after the other, and a hundred thousand that live at once. Prints JSON: resident memory around both, bytes, and counters.
const { startProfiler, StrobeContextManager, StrobeSpanProcessor } = require(process.env.STROBE_INDEX);
const api = require('@opentelemetry/api');
const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');

const [sequence, live] = [Number(process.argv[2]), Number(process.argv[3])];
const processor = new StrobeSpanProcessor();
api.context.setGlobalContextManager(new StrobeContextManager());
const tracer = new BasicTracerProvider({ spanProcessors: [processor] }).getTracer('many');
const heaps = [];
const rss = () => {
  for (let i = 0; i < 3; i++) globalThis.gc();
  heaps.push(Math.round(process.memoryUsage().heapUsed / 1e5) / 10);
  return process.memoryUsage.rss();
};

async function main() {
  const profiler = startProfiler({ frequencyHz: 100 });
  const run = (from, to) => {
    for (let i = from; i < to; i++) tracer.startActiveSpan('s', { attributes: { 'agent.name': `a${i % 10}` } }, (span) => span.end());
  };
  run(0, sequence / 10);
  await new Promise(setImmediate);
  const before = rss();
  const start = process.hrtime.bigint();
  run(sequence / 10, sequence);
  const nsPerSpan = Number(process.hrtime.bigint() - start) / (sequence * 0.9);
  await new Promise(setImmediate);
  const afterSequence = rss();
  const slotsAfterSequence = processor.stats().slots;
  // A chain: each started by the one before, which has ended meanwhile.
  let previous = tracer.startSpan('chain');
  for (let i = 0; i < sequence / 10; i++) {
    const next = tracer.startSpan('chain', {}, api.trace.setSpan(api.ROOT_CONTEXT, previous));
    previous.end();
    previous = next;
  }
  previous.end();
  const afterChain = rss();
  const round = () => {
    let spans = [];
    for (let i = 0; i < live; i++) spans.push(tracer.startSpan('live'));
    const slots = processor.stats().slots;
    for (const span of spans) span.end();
    spans = undefined;
    return slots;
  };
  const slotsLive = round();
  await new Promise(setImmediate);
  const afterFirst = rss();
  round();
  round();
  await new Promise(setImmediate);
  const afterLive = rss();
  const { slots, withoutSlot } = processor.stats();
  await profiler.stop();
  console.log(
    JSON.stringify({
      before,
      afterSequence,
      afterChain,
      afterFirst,
      afterLive,
      slotsAfterSequence,
      slotsLive,
      slots,
      withoutSlot,
      nsPerSpan,
      heaps,
    }),
  );
}
main();
