// The peers that are packages, set as their makers set them. They live in bench/node_modules (bench/package.json pins them).
//
// Contract: as in profilers.cjs. `own()` counts their rotations and how long each kept the thread (encoding included as far as it runs there).

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { threadId } = require('node:worker_threads');

const MICROS = 1e6;
const clock = () => performance.now();

/** What `dd-trace` asks of @datadog/pprof: wall profiler with contexts and CPU time; lines off, which contexts rule out. */
function options({ variant, windowSeconds }) {
  return {
    intervalMicros: Math.round(MICROS / variant.hz),
    durationMillis: windowSeconds * 1000,
    withContexts: true,
    collectCpuTime: true,
    lineNumbers: false,
    workaroundV8Bug: true,
    useCPED: usesFrame(),
  };
}

/** From 24 on the async context frame is Node's way by itself, and the tracer's. */
const usesFrame = () => Number(process.versions.node.split('.')[0]) >= 24;

/** As the tracer's: a sample's labels are those of its context. */
const generateLabels = ({ context } = {}) => ({ ...(context?.context ?? {}) });

exports.datadog = (run) => {
  const loadBegin = clock();
  const { encode, time } = require('@datadog/pprof');
  const startBegin = clock();
  time.start(options(run));
  const startMs = clock() - startBegin;
  const own = { rotations: 0, rotationMs: 0 };
  const windows = [];
  const rotate = (restart) => {
    const begin = clock();
    // It answers with a promise of gzip, which runs in the thread pool; the encoding before it is done here.
    const bytes = encode(time.stop(restart, generateLabels));
    windows.push(bytes);
    if (!restart) return;
    own.rotations++;
    own.rotationMs += clock() - begin;
  };
  const timer = setInterval(rotate, run.windowSeconds * 1000, true);
  timer.unref();
  return {
    loadMs: startBegin - loadBegin,
    startMs,
    own: () => ({ ...own }),
    end: async () => {
      clearInterval(timer);
      rotate(false);
      for (const [at, bytes] of (await Promise.all(windows)).entries()) {
        writeFileSync(join(run.folder, `datadog-${threadId}-${at}.pb.gz`), bytes);
      }
    },
  };
};

exports.pyroscope = (run) => {
  const loadBegin = clock();
  const { default: sdk, init } = require('@pyroscope/nodejs');
  const startBegin = clock();
  init({
    appName: 'bench',
    serverAddress: run.sink,
    flushIntervalMs: run.windowSeconds * 1000,
    wall: {
      samplingDurationMs: run.windowSeconds * 1000,
      samplingIntervalMicros: Math.round(MICROS / run.variant.hz),
      collectCpuTime: true,
    },
  });
  sdk.startWallProfiling();
  const startMs = clock() - startBegin;
  return { loadMs: startBegin - loadBegin, startMs, own: () => undefined, end: () => sdk.stopWallProfiling() };
};

/** How a program's labels become @datadog/pprof's contexts, as its tracer does it: { label(labels, fn), end() }. */
exports.datadogLabels = (storage) => {
  const { time } = require('@datadog/pprof');
  if (usesFrame()) return { label: (labels, fn) => time.runWithContext(labels, fn), end: () => undefined };
  const { createHook } = require('node:async_hooks');
  const hook = createHook({ before: () => time.setContext(storage.getStore()) }).enable();
  const label = (labels, fn) => {
    time.setContext(labels);
    return fn();
  };
  return { label, end: () => hook.disable() };
};
