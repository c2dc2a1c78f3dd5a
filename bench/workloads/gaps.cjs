// The loop that watches itself (gaps-loop.cjs) under strobe: the profiler runs from the start, with (BENCH_WINDOWS=1) a file exporter and a window each second, or with
// none; BENCH_HZ=0 is no profiler at all.
//
// Prints JSON: the longest gap of each second (gaps-loop.cjs says how it is measured), and what the profiler's counters say about the same time.

const { watch } = require('./gaps-loop.cjs');

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

async function main() {
  const profiler = startProfiler();
  let before;
  const onBegin = () => {
    before = read(profiler);
  };
  const { perSecond, turns } = await watch({ seconds, onBegin });
  const after = read(profiler);
  const counters = after && Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
  await profiler?.stop();
  console.log(JSON.stringify({ perSecond, turns, counters }));
}

main();
