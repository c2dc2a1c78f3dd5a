// The encoder with a stopwatch: the entry point of strobe's Worker in `bench/window.mjs`. It wraps the steps of a window (taking slices, source maps, building,
// encoding, gzip) to note their CPU, then loads the product's own encoder, which knows nothing of it.
//
// For each window that is delivered one line of JSON is appended to BENCH_RESULT: { number, parts: { name: ns }, totalNs (all of the encoder's CPU since the
// window before), slices, rows, locations, functions, samples, bytes, rawBytes }; the window itself stands in BENCH_RESULT.NUMBER.pb.gz.
// A part's time is without the parts inside it. BENCH_SLICES: each window's slices go to a file of that name and its number, too (v8.serialize), for work on
// the encoder alone.

const { appendFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { serialize } = require('node:v8');
const zlib = require('node:zlib');

const dist = join(__dirname, '..', '..', 'dist');
const native = require(join(dist, 'native.js')).loadNative();
const pprof = require(join(dist, 'pprof', 'encode.js'));

/** CPU of this thread. */
const cpuNs = () => native.stats().overhead.encoderNs;

let parts = {};
let inner = 0;
function timed(part, work) {
  return function (...args) {
    const outer = inner;
    inner = 0;
    const before = cpuNs();
    try {
      return Reflect.apply(work, this, args);
    } finally {
      const all = cpuNs() - before;
      parts[part] = (parts[part] ?? 0) + all - inner;
      inner = outer + all;
    }
  };
}

function wrap(object, name, part) {
  object[name] = timed(part, object[name]);
}

let slices = [];
let sliceCount = 0;
wrap(native, 'takeSlices', 'slices');
const take = native.takeSlices;
native.takeSlices = (limitMs) => {
  const taken = take(limitMs);
  sliceCount += taken.slices.length;
  if (process.env.BENCH_SLICES) slices.push(...taken.slices);
  return taken;
};
const { ProfileBuilder } = require(join(dist, 'pprof', 'builder.js'));
wrap(ProfileBuilder.prototype, 'add', 'build');
wrap(ProfileBuilder.prototype, 'take', 'build');
wrap(require(join(dist, 'profiler', 'maps.js')).EncoderMaps.prototype, 'apply', 'maps');
wrap(pprof, 'encodeGzip', 'encode');
let rawBytes = 0;
const gzip = zlib.gzipSync;
zlib.gzipSync = timed('gzip', (bytes, options) => {
  rawBytes = bytes.length;
  return gzip(bytes, options);
});

const { Delivery } = require(join(dist, 'export', 'delivery.js'));
const push = Delivery.prototype.push;
let latestNs = 0;
Delivery.prototype.push = function (finished) {
  push.call(this, finished);
  const now = cpuNs();
  const { number, profile, bytes } = finished;
  const line = {
    number,
    parts,
    totalNs: now - latestNs,
    slices: sliceCount,
    rows: profile.samples.length,
    locations: profile.locations.length,
    functions: profile.functions.length,
    samples: profile.samples.reduce((sum, { values }) => sum + values[0], 0),
    bytes: bytes.length,
    rawBytes,
  };
  appendFileSync(process.env.BENCH_RESULT, `${JSON.stringify(line)}\n`);
  writeFileSync(`${process.env.BENCH_RESULT}.${number}.pb.gz`, bytes);
  if (process.env.BENCH_SLICES) writeFileSync(`${process.env.BENCH_SLICES}.${number}`, serialize(slices));
  slices = [];
  sliceCount = 0;
  parts = {};
  latestNs = cpuNs();
};

require(join(dist, 'profiler', 'encoder.js'));
