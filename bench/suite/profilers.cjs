// What starts, rotates and ends each profiler of the suite, inside the measured process.
//
// Contract: startProfiler(run) returns { startMs, loadMs, own(), end() }: how long the starting call and the loading of the package kept this thread; the
// profiler's own account so far (numbers that grow), or undefined; and a promise that what it found is delivered. joinThread(run) is for a
// Worker of the program: what a preload does in each Worker; the promise of its `end` is the same for that thread. A window ends every `windowSeconds` for all.

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { isMainThread, threadId } = require('node:worker_threads');
const { datadog, pyroscope } = require('./peers.cjs');

const dist = join(__dirname, '..', '..', 'dist');
const MICROS = 1e6;

function timed(fn) {
  const begin = performance.now();
  const value = fn();
  return { value, ms: performance.now() - begin };
}

const nothing = () => ({ startMs: 0, loadMs: 0, own: () => undefined, end: async () => undefined });

function strobe({ variant, windowSeconds, folder, sink }) {
  // A Worker is sampled without a call.
  if (!isMainThread) return nothing();
  const { value: package_, ms: loadMs } = timed(() => require(join(dist, 'index.js')));
  const exporters = [
    variant.export
      ? package_.pyroscopeExporter({ endpoint: sink, spool: { dir: join(folder, 'spool') } })
      : package_.fileExporter({ dir: folder }),
  ];
  const options = { mode: variant.modes ?? ['cpu'], frequencyHz: variant.hz, windowSeconds, appName: 'bench', exporters };
  const { value: profiler, ms: startMs } = timed(() => package_.startProfiler(options));
  const own = () => {
    const { overhead, samples, lost, wakeups } = profiler.stats();
    const { cpuShare: _, ...parts } = overhead;
    return { ...parts, samples, lost, samplerWakeups: wakeups.sampler, collectorWakeups: wakeups.collector };
  };
  return { startMs, loadMs, own, end: () => profiler.stop() };
}

/** V8's own profiler through node:inspector: a window is a stop and a start, and its text is what is delivered. */
function inspector({ variant, windowSeconds, folder }) {
  const { Session } = require('node:inspector');
  const session = new Session();
  const own = { rotations: 0, rotationMs: 0 };
  let timer;
  const stopAndWrite = () => {
    session.post('Profiler.stop', (error, { profile } = {}) => {
      if (error) throw new Error(error.message);
      writeFileSync(join(folder, `inspector-${threadId}-${own.rotations}.cpuprofile`), JSON.stringify(profile));
    });
  };
  const { ms: startMs } = timed(() => {
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: MICROS / variant.hz });
    session.post('Profiler.start');
  });
  timer = setInterval(() => {
    const { ms } = timed(() => {
      stopAndWrite();
      session.post('Profiler.start');
    });
    own.rotations++;
    own.rotationMs += ms;
  }, windowSeconds * 1000);
  timer.unref();
  return {
    startMs,
    loadMs: 0,
    own: () => ({ ...own }),
    end: async () => {
      clearInterval(timer);
      stopAndWrite();
    },
  };
}

const KINDS = { off: nothing, strobe, inspector, datadog, pyroscope, 'cpu-prof': nothing };

exports.startProfiler = (run) => KINDS[run.variant.kind](run);
exports.joinThread = (run) => KINDS[run.variant.kind](run);
