// One program, two who look at it: strobe and somebody else, started and stopped in a given order while `hot` computes.
//   node host.cjs '{ "index": …, "theirs": "inspector", "startFirst": "ours", "stopFirst": "theirs", "seconds": 2, "frequencyHz": 500, "dir": …, "ours": true, … }'
//
// Ends with one line of JSON: { ours: { file, features, clocks: [before the start, after it, before the stop, after it] in ns of the main thread, lost,
// samples } or null, theirs: { hot, all: samples, cpuSeconds: CPU of the main thread in their time, … } }. `hot` is too large to be inlined: every profiler
// can name it. What a way of `theirs` returns beside that is in theirs.cjs.

const { openSync, readSync } = require('node:fs');
const { join } = require('node:path');
const vm = require('node:vm');
const { THEIRS } = require('./theirs.cjs');

const options = JSON.parse(process.argv[2]);
const { startProfiler, fileExporter } = options.ours ? require(options.index) : {};

/** The main thread's CPU, ns. */
const clock = openSync(`/proc/self/task/${process.pid}/schedstat`);
const buffer = Buffer.alloc(100);
const cpuNs = () => Number(buffer.toString('latin1', 0, readSync(clock, buffer, 0, 100, 0)).split(' ')[0]);

const STATEMENTS = 80;
const hot = vm.runInThisContext(
  `(function hot(units) { let x = 0; for (let i = 0; i < units; i++) {${'x += Math.sqrt(i + x);'.repeat(STATEMENTS)}} return x; })`,
  { filename: 'hot.js' },
);
const UNITS = 200; // some ten microseconds
const CALLS = 100;

/** Some milliseconds. Short calls: what V8 compiles while a long loop runs (on-stack replacement) is not announced to a profiler that starts later. */
function burst() {
  for (let i = 0; i < CALLS; i++) hot(UNITS);
}

/** `hot` for so many seconds of CPU, with turns of the event loop in between. */
async function busy(seconds) {
  const end = cpuNs() + seconds * 1e9;
  while (cpuNs() < end) {
    burst();
    await new Promise((done) => setImmediate(done));
  }
}

async function main() {
  const theirs = await THEIRS[options.theirs](options);
  let ours;
  let end;
  const steps = {
    ours: {
      start: async () => {
        if (!options.ours) return;
        const before = cpuNs();
        const profiler = startProfiler({
          frequencyHz: options.frequencyHz,
          exitTimeoutSeconds: 30,
          exporters: [fileExporter({ dir: options.dir, write: 'run', names: 'plain' })],
        });
        ours = { profiler, clocks: [before, cpuNs()] };
      },
      stop: async () => {
        if (!ours) return;
        const before = cpuNs();
        const stopped = ours.profiler.stop();
        ours.clocks.push(before, cpuNs());
        await stopped;
        const { features, samples, lost } = ours.profiler.stats();
        ours = { file: join(options.dir, 'cpu.pb.gz'), clocks: ours.clocks, features, samples, lost };
      },
    },
    theirs: {
      start: async () => {
        end = cpuNs();
        await theirs.start();
      },
      stop: async () => {
        const cpuSeconds = (cpuNs() - end) / 1e9;
        end = { ...(await theirs.stop()), cpuSeconds };
      },
    },
  };
  const other = { ours: 'theirs', theirs: 'ours' };
  await busy(0.2);
  await steps[options.startFirst].start();
  await busy(0.3);
  await steps[other[options.startFirst]].start();
  await busy(options.seconds);
  await steps[options.stopFirst].stop();
  await busy(0.3);
  await steps[other[options.stopFirst]].stop();
  await busy(0.2);
  console.log(JSON.stringify({ ours: ours ?? null, theirs: end }));
}

main();
