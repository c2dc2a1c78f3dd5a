// One run of the suite: a workload under one profiler (or none), in this process. BENCH_RUN is the order, JSON:
//
//   { variant: { kind, hz, … }, workload, units, warmUnits, settleMs, windowSeconds, folder, sink, whole }
//
// The profiler starts first, as a preload would; the workload warms up; after `settleMs` the measured part does `units` of it. Prints JSON on the last line of
// stdout: what the part cost the process (all its threads, the profiler's too), what the program's own JavaScript threads used since the start, the
// time that the starting call kept its caller, and what the profiler notes of its rotations. Profiles go to `folder` or to the sink. With `whole` there is no
// warm-up and no settling: the parent measures the process from outside, with its start and its end.

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { startProfiler } = require('./profilers.cjs');
const { programOf } = require('./program.cjs');

const run = JSON.parse(process.env.BENCH_RUN);
/** Of the loop watcher, ms: its timer's own period is no delay. */
const RESOLUTION_MS = 10;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** CPU of this thread, ms. The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function threadCpuMs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
}

function reading() {
  const usage = process.resourceUsage();
  return {
    atMs: performance.now(),
    cpuMs: (usage.userCPUTime + usage.systemCPUTime) / 1000,
    switches: usage.voluntaryContextSwitches + usage.involuntaryContextSwitches,
  };
}

function memory() {
  const status = readFileSync('/proc/self/status', 'latin1');
  const bytes = (name) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024;
  return { peakBytes: bytes('VmHWM'), residentBytes: bytes('VmRSS') };
}

async function measured(work) {
  // An idle process has no timer of ours.
  const loop = run.workload === 'idle' ? undefined : monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loop?.enable();
  const before = reading();
  const said = (await work.run(run.units)) ?? {};
  const after = reading();
  loop?.disable();
  const delay = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    wallMs: after.atMs - before.atMs,
    cpuMs: after.cpuMs - before.cpuMs,
    switches: after.switches - before.switches,
    ...memory(),
    ...(loop && loop.count > 0 ? { loopP99Ms: delay(loop.percentile(99)), loopMaxMs: delay(loop.max) } : {}),
    said,
  };
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
  const part = await measured(work);
  const ownAfter = profiler.own();
  // JavaScript threads of the program: this one and, by their own account, its Workers.
  const programMs = threadCpuMs() - threadBefore + (part.said.workersCpuMs ?? 0);
  await work.end?.();
  program.end();
  await profiler.end();
  const own = ownAfter && Object.fromEntries(Object.entries(ownAfter).map(([name, value]) => [name, value - ownBefore[name]]));
  console.log(`\n${JSON.stringify({ ...part, programMs, own, startMs: profiler.startMs, loadMs: profiler.loadMs })}`);
  // What keeps the loop is the workload's or a peer's; --cpu-prof writes in the exit.
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
