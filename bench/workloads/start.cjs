// One start of the profiler in a fresh process, by part. BENCH_HEAP says what the heap holds before: `bare` nothing, `typescript` the module loaded,
// `used` also a small program type-checked with it (code is compiled and partly optimised).
//
// Prints JSON, ms: wall time of loading the package, the addon (`loadMs`) and of startProfiler() (`wallMs`), the part of the latter that the thread held
// (`heldMs`: without waiting for a core) and its CPU (`cpuMs`), the parts by stats().start, and the thread's CPU in the 200 ms after.
// With BENCH_PROFILER=datadog the same of @datadog/pprof, set as Datadog's tracer sets it: `loadMs` is then loading all of it, and there are no parts.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { TRACER_OPTIONS } = require('./lib/datadog.cjs');

const heap = process.env.BENCH_HEAP;
const dist = join(__dirname, '..', '..', 'dist');

function prepare() {
  if (heap === 'bare') return;
  const ts = require('typescript');
  if (heap !== 'used') return;
  const program = ts.createProgram([join(__dirname, '..', '..', 'src', 'errors.ts')], { noEmit: true, types: [] });
  ts.getPreEmitDiagnostics(program);
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** CPU of this thread and its waiting for a core, ms. The kernel brings the figures up to date when the thread sleeps: so it does, for a moment. */
function account() {
  Atomics.wait(cell, 0, 0, 0.05);
  const [cpu, delay] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ').map(Number);
  return { cpuMs: cpu / 1e6, delayMs: delay / 1e6 };
}

function other() {
  const loadStart = performance.now();
  const { time } = require('@datadog/pprof');
  const loadMs = performance.now() - loadStart;
  const before = account();
  const startMs = performance.now();
  time.start({ ...TRACER_OPTIONS, workaroundV8Bug: true });
  const wallMs = performance.now() - startMs;
  const after = account();
  console.log(JSON.stringify({ loadMs, wallMs, heldMs: wallMs - (after.delayMs - before.delayMs), cpuMs: after.cpuMs - before.cpuMs }));
  process.exit(0);
}

prepare();
account();
if (process.env.BENCH_PROFILER === 'datadog') other();
const packageStart = performance.now();
const { startProfiler, fileExporter } = require(join(dist, 'index.js'));
const loadStart = performance.now();
require(join(dist, 'native.js')).loadNative();
const loadEnd = performance.now();
const exporters = [fileExporter({ dir: process.env.BENCH_DIR })];

const before = account();
const startMs = performance.now();
const profiler = startProfiler({ frequencyHz: 100, exporters });
const endMs = performance.now();
const after = account();

setTimeout(async () => {
  const later = account();
  const { start } = profiler.stats();
  await profiler.stop();
  const wallMs = endMs - startMs;
  const parts = Object.fromEntries(Object.entries(start).map(([name, ns]) => [name.replace(/Ns$/, 'Ms'), ns / 1e6]));
  console.log(
    JSON.stringify({
      packageMs: loadStart - packageStart,
      loadMs: loadEnd - loadStart,
      wallMs,
      heldMs: wallMs - (after.delayMs - before.delayMs),
      cpuMs: after.cpuMs - before.cpuMs,
      ...parts,
      restMs: wallMs - parts.totalMs - parts.encoderMs,
      afterMs: later.cpuMs - after.cpuMs,
    }),
  );
}, 200);
