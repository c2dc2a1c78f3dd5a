// A program under one profiler: node exact-host.cjs ARGS… runs BENCH_PROGRAM, which sees ARGS as its own, in the profiler that BENCH_WAY names from the
// first line to the end of the loop: `strobe` (BENCH_HZ), `inspector` (V8's own profiler through node:inspector, 1 ms) or `datadog` (@datadog/pprof, 1 ms).
//
// Writes the profile to BENCH_RESULT as JSON, in one form for all: { stacks: [{ names, count, value, lines }] }: names from the leaf on, the samples,
// their weight (CPU for strobe, samples for the others), and of that weight how much fell on which line of the leaf ({ line: weight }).

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');

const INTERVAL_US = 1000;
const dist = join(__dirname, '..', '..', 'dist');

function fromPprof(bytes, valueAt) {
  const { decode } = require(join(dist, 'pprof', 'decode.js'));
  const profile = decode(bytes, 'the profile');
  const frames = profile.locations.map(({ lines }) =>
    lines.map((line) => ({ name: profile.functions[line.function].name, line: line.line })),
  );
  return profile.samples.map(({ values, locations }) => {
    const stack = locations.flatMap((location) => frames[location]);
    return { names: stack.map(({ name }) => name), count: values[0], value: values[valueAt], lines: { [stack[0].line]: values[valueAt] } };
  });
}

function fromInspector({ nodes }) {
  const parent = new Map(nodes.flatMap((node) => (node.children ?? []).map((id) => [id, node])));
  return nodes
    .filter(({ hitCount }) => hitCount > 0)
    .map((node) => {
      const names = [];
      for (let at = node; at; at = parent.get(at.id)) names.push(at.callFrame.functionName);
      const lines = {};
      for (const { line, ticks } of node.positionTicks ?? []) lines[line] = (lines[line] ?? 0) + ticks;
      return { names, count: node.hitCount, value: node.hitCount, lines };
    });
}

const WAYS = {
  strobe: () => {
    const { startProfiler } = require(join(dist, 'index.js'));
    const profiler = startProfiler({ frequencyHz: Number(process.env.BENCH_HZ), exporters: [] });
    return async () => {
      const bytes = await profiler.snapshot('cpu');
      await profiler.stop();
      return fromPprof(bytes, 1);
    };
  },
  inspector: () => {
    const { Session } = require('node:inspector');
    const session = new Session();
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
    session.post('Profiler.start');
    return () =>
      new Promise((resolve, reject) => {
        session.post('Profiler.stop', (error, result) => (error ? reject(error) : resolve(fromInspector(result.profile))));
      });
  },
  datadog: () => {
    const { encode, time } = require('@datadog/pprof');
    time.start({ intervalMicros: INTERVAL_US, durationMillis: 600_000, lineNumbers: true });
    return async () => fromPprof(await encode(time.stop()), 0);
  },
};

const end = WAYS[process.env.BENCH_WAY]();
process.once('beforeExit', async () => writeFileSync(process.env.BENCH_RESULT, JSON.stringify({ stacks: await end() })));
require(process.env.BENCH_PROGRAM);
