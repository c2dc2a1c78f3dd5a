// Micro-benchmarks of the JavaScript parts, with tinybench: labels, and what the encoder does with a profile.
//
// Prints JSON: for each the median nanoseconds an operation. Operations of nanoseconds are done BATCH at a time, so that reading the clock does not count.

import { createRequire } from 'node:module';
import { Bench } from 'tinybench';

const require = createRequire(import.meta.url);
const { startProfiler, withLabels, currentLabels, bindLabels } = require('../../dist/index.js');
const { decode } = require('../../dist/pprof/decode.js');
const { encode, encodeGzip } = require('../../dist/pprof/encode.js');

const BATCH = 1000;
const TIME_MS = 400;
const nothing = () => undefined;
const outer = { agent: 'researcher' };
const inner = { tool: 'fetchPage' };

/** A real profile: the TypeScript compiler at work on this repository's sources for a second or so. */
async function realProfile(profiler) {
  const ts = require('typescript');
  const files = ['src/index.ts', 'src/cli/main.ts'].map((file) => new URL(`../../${file}`, import.meta.url).pathname);
  ts.getPreEmitDiagnostics(ts.createProgram(files, { noEmit: true, target: ts.ScriptTarget.ES2022, types: [] }));
  return decode(await profiler.snapshot('cpu'), 'the profile');
}

const profiler = startProfiler({ frequencyHz: 1000, exporters: [] });
const profile = await realProfile(profiler);
profiler.setFrequency(100);

/** Results are kept, so that V8 can't find the work useless. */
globalThis.kept = undefined;
const batched = (fn) => () => {
  for (let i = 0; i < BATCH; i++) globalThis.kept = fn();
};
const small = {
  'a plain call': nothing,
  'withLabels, 1 label': () => withLabels(outer, nothing),
  currentLabels: () => currentLabels(),
};
// In a label: what is nested there.
const nested = {
  'withLabels, nested': () => withLabels(inner, nothing),
  'currentLabels, in two labels': () => currentLabels(),
  bindLabels: () => bindLabels(nothing),
};

const results = {};
async function run(tasks, operations) {
  const bench = new Bench({ time: TIME_MS, warmupTime: TIME_MS / 4, throws: true });
  for (const [name, fn] of Object.entries(tasks)) bench.add(name, operations > 1 ? batched(fn) : fn);
  await bench.run();
  for (const { name, result } of bench.tasks) results[name] = (result.latency.p50 * 1e6) / operations;
}

await run(small, BATCH);
await withLabels(outer, () => withLabels({ session: 's-1' }, () => run(nested, BATCH)));
const rows = profile.samples.length;
await run({ 'pprof encode': () => encode(profile), 'pprof encode and gzip': () => encodeGzip(profile) }, 1);
await profiler.stop();
console.log(JSON.stringify({ results, rows }));
