// What a profiler adds while code is compiled: the TypeScript compiler's start. BENCH_WAY says who listens: `none`, `strobe` (one sample a second:
// what is left is the code events, with lines and inlined functions), `inspector` (V8's own profiler through node:inspector, one sample a second).
//
// Prints JSON: CPU of this thread from before the profiler's start to the end of the work, ms; for strobe also how many events, what they carried and
// what its own callback used.

const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const way = process.env.BENCH_WAY;
const cell = new Int32Array(new SharedArrayBuffer(4));

/** CPU of this thread, ms. The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function cpuMs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
}

const WAYS = {
  none: () => () => ({}),
  strobe: () => {
    const { startProfiler } = require(join(__dirname, '..', '..', 'dist', 'index.js'));
    const profiler = startProfiler({ frequencyHz: 1 });
    return () => {
      const { codeEvents, codeDetails, codeDetailsRefused, overhead } = profiler.stats();
      profiler.stop();
      return { codeEvents, codeDetails, codeDetailsRefused, codeEventMs: overhead.codeEventNs / 1e6 };
    };
  },
  inspector: () => {
    const { Session } = require('node:inspector');
    const session = new Session();
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: 1_000_000 });
    session.post('Profiler.start');
    return () => ({});
  },
};

const before = cpuMs();
const end = WAYS[way]();
const started = cpuMs();
const ts = require('typescript');
const config = join(__dirname, '..', '..', 'tsconfig.json');
const read = ts.readConfigFile(config, ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(read.config, ts.sys, dirname(config));
ts.getPreEmitDiagnostics(ts.createProgram(fileNames, { ...options, noEmit: true, incremental: false, composite: false }));
const done = cpuMs();
console.log(JSON.stringify({ startMs: started - before, workMs: done - started, totalMs: done - before, ...end() }));
