// One face for all profilers, each set up the way its vendor sets it up: start(way, options) -> { withLabels(labels, fn), end() }.
//
// Contract: `options.hz` is the rate, `options.windowMs` rotates windows meanwhile (by the vendor's own timer where it has one, else as its product does it: stop
// and start again, encode). end() resolves to the profile in one form for all: [{ names (leaf first), count (samples), value, labels }]; `value` is nanoseconds
// of CPU where the profiler records them, else samples x period (the inspector). @pyroscope/nodejs gives its profile to nobody but its server: its samples are
// undefined here, and the receiver that `options.sink` names has them.
//
//   datadog    as dd-trace 5 does: contexts and CPU time on, line numbers off; labels from the async context frame where Node has it, else from an AsyncLocalStorage
//              and a `before` hook that point the profiler's one holder at the labels of now (a new holder after each sample)
//   pyroscope  init() with collectCpuTime; the CPU profiler only, without the heap's; labels by wrapWithLabels
//   inspector  one Session in each thread; it has no labels

const { AsyncLocalStorage, createHook } = require('node:async_hooks');
const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist');
const NODE_MAJOR = Number(process.versions.node.split('.')[0]);
const HAS_CONTEXT_FRAME = NODE_MAJOR >= 24;
/** Longer than any run: windows are cut by `windowMs` only. */
const LONGEST_MS = 60_000;

/** A decoded pprof profile in the common form; its first value is samples, and CPU stands under the type named cpu. */
function fromPprof(profile) {
  const cpuAt = profile.sampleTypes.findIndex(({ type }) => type === 'cpu');
  const frames = profile.locations.map(({ lines }) => lines.map((line) => profile.functions[line.function].name));
  return profile.samples.map(({ values, locations, labels }) => ({
    names: locations.flatMap((location) => frames[location]),
    count: values[0],
    value: cpuAt < 0 ? values[0] : values[cpuAt],
    labels: Object.fromEntries(labels.map(({ key, str, num }) => [key, str || num])),
  }));
}

const decode = (bytes) => fromPprof(require(join(dist, 'pprof', 'decode.js')).decode(bytes, 'the profile'));

function fromInspector({ nodes }, periodNs) {
  const parent = new Map(nodes.flatMap((node) => (node.children ?? []).map((id) => [id, node])));
  return nodes
    .filter(({ hitCount }) => hitCount > 0)
    .map((node) => {
      const names = [];
      for (let at = node; at; at = parent.get(at.id)) names.push(at.callFrame.functionName);
      return { names, count: node.hitCount, value: node.hitCount * periodNs, labels: {} };
    });
}

function strobe({ hz, windowMs, folder }) {
  const { startProfiler, fileExporter, withLabels } = require(join(dist, 'index.js'));
  const windows = windowMs ? { windowSeconds: windowMs / 1000, exporters: [fileExporter({ dir: folder })] } : { exporters: [] };
  const profiler = startProfiler({ frequencyHz: hz, ...windows });
  return {
    withLabels,
    rotations: () => profiler.stats().delivery.windows,
    async end() {
      const bytes = windowMs ? undefined : await profiler.snapshot('cpu');
      await profiler.stop();
      return bytes && decode(bytes);
    },
  };
}

function inspector({ hz, windowMs }) {
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 1e6 / hz });
  session.post('Profiler.start');
  let rotations = 0;
  const rotate = () => {
    session.post('Profiler.stop');
    session.post('Profiler.start');
    rotations++;
  };
  const timer = windowMs && setInterval(rotate, windowMs);
  return {
    withLabels: (_, fn) => fn(),
    rotations: () => rotations,
    end() {
      clearInterval(timer);
      return new Promise((resolve, reject) => {
        session.post('Profiler.stop', (error, result) => (error ? reject(error) : resolve(fromInspector(result.profile, 1e9 / hz))));
      });
    },
  };
}

function datadogLabels(time) {
  if (HAS_CONTEXT_FRAME) {
    return { withLabels: (labels, fn) => time.runWithContext(labels, fn), ofContext: (context) => context, disable: () => undefined };
  }
  const storage = new AsyncLocalStorage();
  const state = time.getState();
  let holder;
  let seen = -1;
  const point = () => {
    const samples = state[time.constants.kSampleCount];
    if (samples !== seen) {
      seen = samples;
      holder = { ref: {} };
      time.setContext(holder);
    }
    holder.ref = storage.getStore() ?? {};
  };
  point();
  const hook = createHook({ before: point }).enable();
  const withLabels = (labels, fn) => {
    const result = storage.run(labels, () => {
      point();
      return fn();
    });
    point();
    return result;
  };
  return { withLabels, ofContext: (context) => context?.ref, disable: () => hook.disable() };
}

function datadog({ hz, windowMs }) {
  const { encode, time } = require('@datadog/pprof');
  time.start({
    intervalMicros: 1e6 / hz,
    durationMillis: LONGEST_MS,
    withContexts: true,
    collectCpuTime: true,
    lineNumbers: false,
    workaroundV8Bug: true,
    useCPED: HAS_CONTEXT_FRAME,
  });
  const { withLabels, ofContext, disable } = datadogLabels(time);
  const generateLabels = ({ context }) => ({ ...ofContext(context?.context) });
  let rotations = 0;
  const rotate = async () => {
    await encode(time.stop(true, generateLabels));
    rotations++;
  };
  const timer = windowMs && setInterval(rotate, windowMs);
  return {
    withLabels,
    rotations: () => rotations,
    async end() {
      clearInterval(timer);
      disable();
      return decode(await encode(time.stop(false, generateLabels)));
    },
  };
}

function pyroscope({ hz, windowMs, sink }) {
  const { default: Pyroscope } = require('@pyroscope/nodejs');
  Pyroscope.init({
    appName: 'bench',
    serverAddress: sink,
    flushIntervalMs: windowMs || LONGEST_MS,
    wall: { samplingIntervalMicros: 1e6 / hz, samplingDurationMs: windowMs || LONGEST_MS, collectCpuTime: true },
  });
  Pyroscope.startWallProfiling();
  return {
    withLabels(labels, fn) {
      // wrapWithLabels returns nothing.
      let result;
      Pyroscope.wrapWithLabels(labels, () => {
        result = fn();
      });
      return result;
    },
    rotations: () => undefined,
    async end() {
      await Pyroscope.stopWallProfiling();
      return undefined;
    },
  };
}

const none = () => ({ withLabels: (_, fn) => fn(), rotations: () => undefined, end: async () => undefined });

const WAYS = { none, strobe, inspector, datadog, pyroscope };

module.exports = { start: (way, options) => WAYS[way](options), decode };
