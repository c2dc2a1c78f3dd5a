// A loop that watches itself: 3,000 generated functions, random call chains 25 deep, a small slice of work a turn, the next turn by setImmediate. The profiler
// runs from the start, with (BENCH_WINDOWS=1) a file exporter and a window each second, or with none; BENCH_HZ=0 is no profiler at all.
//
// Prints JSON: for each second of the measured time the longest gap between the starts of two turns, as the clock saw it (`gapMs`) and without the time
// that the thread waited for a core (`heldMs`: the kernel's run delay subtracted: nothing but this thread, or a lock it waits for, can lengthen it); and
// what the profiler's counters say about the same time.

const { runDelayMs, work } = require('./lib/chains.cjs');

const WARM_UP_MS = 1200;
const hz = Number(process.env.BENCH_HZ);
const seconds = Number(process.env.BENCH_SECONDS ?? 4);

function startProfiler() {
  if (hz === 0) return undefined;
  const { startProfiler: start, fileExporter } = require('../../dist/index.js');
  const exporters = process.env.BENCH_WINDOWS === '1' ? [fileExporter({ dir: process.env.BENCH_DIR })] : [];
  return start({ frequencyHz: hz, windowSeconds: 1, exporters });
}

function read(profiler) {
  if (!profiler) return undefined;
  const { samples, lost, overhead, delivery } = profiler.stats();
  return { samples, lost, windows: delivery.windows, ...overhead };
}

function run(profiler) {
  const perSecond = [];
  const begin = performance.now() + WARM_UP_MS;
  const end = begin + seconds * 1000;
  let before;
  let turns = 0;
  let lastMs = performance.now();
  let lastDelayMs = runDelayMs();
  function turn() {
    const nowMs = performance.now();
    const delayMs = runDelayMs();
    if (nowMs >= begin) {
      if (before === undefined && profiler) before = read(profiler);
      else if (nowMs < end) {
        const second = Math.floor((nowMs - begin) / 1000);
        perSecond[second] ??= { gapMs: 0, heldMs: 0 };
        const gapMs = nowMs - lastMs;
        const heldMs = gapMs - (delayMs - lastDelayMs);
        if (gapMs > perSecond[second].gapMs) perSecond[second].gapMs = gapMs;
        if (heldMs > perSecond[second].heldMs) perSecond[second].heldMs = heldMs;
        turns++;
      }
      if (nowMs >= end) return finish(profiler, before, perSecond, turns);
      // What the bookkeeping itself took is not a turn's gap.
      if (turns === 0) {
        lastMs = performance.now();
        lastDelayMs = runDelayMs();
        work();
        setImmediate(turn);
        return;
      }
    }
    lastMs = nowMs;
    lastDelayMs = delayMs;
    work();
    setImmediate(turn);
  }
  turn();
}

async function finish(profiler, before, perSecond, turns) {
  const after = read(profiler);
  const counters = after && Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
  await profiler?.stop();
  console.log(JSON.stringify({ perSecond: perSecond.filter(Boolean), turns, counters }));
}

run(startProfiler());
