// A long-running program for bench/window.mjs: the TypeScript compiler type-checks this repository's src/ again and again, profiled at 1 kHz by BENCH_WAY: `strobe`
// (windows by its own timer, its encoder with a stopwatch: lib/window-encoder.cjs), `datadog` or `datadog-lines` (@datadog/pprof; stopped and begun anew between
// two files when a window's time is over). It runs BENCH_WINDOWS windows of BENCH_SECONDS seconds. Each way's function is called between two files, and says when that is done.
//
// datadog: for each window a line of JSON in BENCH_RESULT: { number, parts: { stop, encode } (CPU of the process, ns), rows, locations, functions, samples, bytes, rawBytes }.

const { appendFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { gunzipSync } = require('node:zlib');
const ts = require('typescript');

const SECONDS = Number(process.env.BENCH_SECONDS);
const WINDOWS = Number(process.env.BENCH_WINDOWS);
const root = join(__dirname, '..', '..');
const dist = join(root, 'dist');

const cpuNs = () => Object.values(process.cpuUsage()).reduce((sum, us) => sum + us * 1000, 0);

function strobe() {
  const threads = require('node:worker_threads');
  const Original = threads.Worker;
  threads.Worker = class extends Original {
    constructor(file, options) {
      super(String(file).endsWith('encoder.js') ? join(root, 'bench', 'lib', 'window-encoder.cjs') : file, options);
    }
  };
  Object.assign(process.env, { STROBE_FREQUENCY_HZ: '1000', STROBE_WINDOW_SECONDS: String(SECONDS), STROBE_DIR: process.env.BENCH_DIR });
  require(join(dist, 'register.js'));
  const until = performance.now() + (WINDOWS * SECONDS + 1.5) * 1000;
  return () => performance.now() > until;
}

function datadog(lineNumbers) {
  const { encode, time } = require('@datadog/pprof');
  time.start({ intervalMicros: 1000, durationMillis: SECONDS * 1000, lineNumbers });
  let begun = performance.now();
  let number = 0;
  return async () => {
    if (performance.now() - begun < SECONDS * 1000) return false;
    const before = cpuNs();
    const profile = time.stop(true);
    const stopped = cpuNs();
    const bytes = await encode(profile);
    const encoded = cpuNs();
    writeFileSync(join(process.env.BENCH_DIR, `cpu-${number + 1}.pb.gz`), bytes);
    const { samples, locations, functions } = require(join(dist, 'pprof', 'decode.js')).decode(bytes, 'the profile');
    const line = {
      number: ++number,
      parts: { stop: stopped - before, encode: encoded - stopped },
      rows: samples.length,
      locations: locations.length,
      functions: functions.length,
      samples: samples.reduce((sum, { values }) => sum + values[0], 0),
      bytes: bytes.length,
      rawBytes: gunzipSync(bytes).length,
    };
    appendFileSync(process.env.BENCH_RESULT, `${JSON.stringify(line)}\n`);
    begun = performance.now();
    return number === WINDOWS;
  };
}

async function main() {
  const way = process.env.BENCH_WAY;
  const betweenFiles = way === 'strobe' ? strobe() : datadog(way === 'datadog-lines');
  const read = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(read.config, ts.sys, root);
  for (;;) {
    const program = ts.createProgram(fileNames, { ...options, noEmit: true, incremental: false, composite: false });
    for (const file of program.getSourceFiles()) {
      program.getSemanticDiagnostics(file);
      if (await betweenFiles()) process.exit(0);
    }
  }
}

main();
