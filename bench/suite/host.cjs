// One run of the suite: a workload under one profiler (or none), in this process. BENCH_RUN is the order, JSON:
//
//   { variant: { kind, hz, … }, workload, units, warmUnits, settleMs, windowSeconds, folder, sink, whole, turns }
//
// The profiler starts first, as a preload would; the workload warms up; after `settleMs` the measured part does `units` of it. With `turns` the parent says when and
// how much: 'ready' goes to it by IPC, each { units } of its messages is a turn that is measured and answered (with `trial` it is in no sum), { end } ends it; between turns the process waits while
// other variants have theirs. Prints JSON on the last line of stdout: what the part (all turns together) cost the process (all its threads, the profiler's too), what
// the program's own JavaScript threads used since the start, the time that the starting call kept its caller, and what the profiler says of itself: `own` from the
// first turn to the end, `ownInside` within turns (with `whole` since the start, as `threads`). Profiles go to `folder` or to the sink. With `whole` there is no warm-up and no settling: the parent measures the
// process from outside, with its start and its end.

const { once } = require('node:events');
const { readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { atRest, cpuMs } = require('./at-rest.cjs');
const { startProfiler } = require('./profilers.cjs');
const { programOf } = require('./program.cjs');

const run = JSON.parse(process.env.BENCH_RUN);
/** Of the loop watcher, ms: its timer's own period is no delay. */
const RESOLUTION_MS = 10;
/** A profiler's threads are through with the last turn's samples after this. */
const DRAIN_MS = 300;
/** An idle process is left alone for so long before its wake-ups are counted. */
const UNDISTURBED_MS = 1000;

const cell = new Int32Array(new SharedArrayBuffer(4));

const cpuMsOf = (task) => Number(readFileSync(`/proc/${task}/schedstat`, 'latin1').split(' ')[0]) / 1e6;

/** CPU of this thread, ms. The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function threadCpuMs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return cpuMsOf('thread-self');
}

/** strobe's threads, and the one of V8's own profiler. */
const OWN = /^strobe-|^v8:ProfEvntProc/;

/** CPU of this thread and of the profiler's own, ms; the process's less both is V8's threads, the thread pool, Workers. */
function threadsCpuMs() {
  const sum = { main: threadCpuMs(), own: 0 };
  for (const id of readdirSync('/proc/self/task')) {
    try {
      if (OWN.test(readFileSync(`/proc/self/task/${id}/comm`, 'latin1'))) sum.own += cpuMsOf(`self/task/${id}`);
    } catch (error) {
      // A thread that has ended meanwhile.
      if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
    }
  }
  return sum;
}

function reading() {
  const usage = process.resourceUsage();
  return {
    wallMs: performance.now(),
    cpuMs: cpuMs(usage),
    switches: usage.voluntaryContextSwitches + usage.involuntaryContextSwitches,
  };
}

function memory() {
  const status = readFileSync('/proc/self/status', 'latin1');
  const bytes = (name) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024;
  return { peakBytes: bytes('VmHWM'), residentBytes: bytes('VmRSS') };
}

/** Adds what grew between two readings. */
function addGrowth(sum, before, after) {
  for (const [name, value] of Object.entries(after ?? {})) sum[name] = (sum[name] ?? 0) + value - before[name];
}

function loopDelays(delays) {
  if (delays.length === 0) return {};
  const sorted = delays.map((ms) => Math.max(0, ms)).sort((a, b) => a - b);
  return { loopP99Ms: sorted[Math.ceil(0.99 * sorted.length) - 1], loopMaxMs: sorted.at(-1) };
}

/** Measures what `turn` is asked for; `result()` has the sum of all turns. */
function measuring(work, profiler) {
  // An idle process has no timer of ours.
  const watched = run.workload !== 'idle';
  const delays = [];
  const sum = {};
  const ownInside = {};
  const threads = {};
  let said = {};
  return {
    turn: async (units) => {
      const ownBefore = profiler.own();
      const threadsBefore = threadsCpuMs();
      // One a turn: it would take the time between two for a delay.
      const loop = watched ? monitorEventLoopDelay({ resolution: RESOLUTION_MS }) : undefined;
      loop?.enable();
      // To read all this is work, the first time some milliseconds of it, and a profiler that sleeps while nobody works wakes up for it.
      if (!watched) {
        reading();
        await sleep(UNDISTURBED_MS);
      }
      const before = reading();
      said = (await work.run(units)) ?? {};
      const after = reading();
      loop?.disable();
      // What the turn has set going is its own: while another variant has its turn it would be in nobody's figure, and a disturbance in the other's.
      await atRest();
      after.cpuMs = cpuMs();
      for (let at = 1; at <= (loop?.count ?? 0); at++) delays.push(loop.percentile((100 * at) / loop.count) / 1e6 - RESOLUTION_MS);
      addGrowth(threads, threadsBefore, threadsCpuMs());
      addGrowth(sum, before, after);
      addGrowth(ownInside, ownBefore, profiler.own());
      return { failed: said.failed, cpuMs: after.cpuMs - before.cpuMs };
    },
    result: () => ({
      ...sum,
      threads,
      ...memory(),
      ...loopDelays(delays),
      said,
      ownInside,
    }),
  };
}

async function takeTurns(turn, trial) {
  process.send('ready');
  for (;;) {
    const [message] = await once(process, 'message');
    if (message.end) return;
    process.send(await (message.trial ? trial : turn)(message.units));
  }
}

/** Of a whole process, which is measured from its start to its end: its main thread so far, the profiler's threads, and its own account. */
function wholeAccount(profiler, { threads }) {
  const own = profiler.own();
  // Those that have ended are only known by it.
  const ownMs = own?.encoderNs === undefined ? 0 : (own.samplerNs + own.collectorNs + own.encoderNs) / 1e6;
  return { threads: { main: threadCpuMs(), own: Math.max(threads.own, ownMs) }, ...(own && { ownInside: own }) };
}

async function main() {
  const profiler = startProfiler(run);
  const threadBefore = threadCpuMs();
  const program = programOf(run);
  const { prepare } = require(join(__dirname, '..', 'workloads', 'suite', `${run.workload}.cjs`));
  const work = await prepare({ program, variant: run.variant, run });
  if (!run.whole) {
    await work.run(run.warmUnits);
    await sleep(run.settleMs);
  }
  const ownBefore = profiler.own();
  const { turn, result } = measuring(work, profiler);
  if (run.turns) {
    await takeTurns(turn, measuring(work, profiler).turn);
    await sleep(DRAIN_MS);
  } else await turn(run.units);
  const part = result();
  const own = {};
  addGrowth(own, ownBefore, profiler.own());
  // JavaScript threads of the program: this one and, by their own account, its Workers.
  const programMs = threadCpuMs() - threadBefore + (part.said.workersCpuMs ?? 0);
  await work.end?.();
  program.end();
  await profiler.end();
  const whole = run.whole ? wholeAccount(profiler, part) : {};
  console.log(`\n${JSON.stringify({ ...part, ...whole, programMs, own, startMs: profiler.startMs, loadMs: profiler.loadMs })}`);
  // What keeps the loop is the workload's or a peer's; --cpu-prof writes in the exit.
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
