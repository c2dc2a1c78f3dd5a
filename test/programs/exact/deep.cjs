// A recursion deeper than the profiler looks. Starts the profiler itself, to read its stats.
//   EXACT_INDEX=…/dist/index.js node deep.cjs MAX_DEPTH DEPTH SECONDS

const { writeFileSync } = require('node:fs');
const { startProfiler } = require(process.env.EXACT_INDEX);

const [maxDepth, depth, seconds] = process.argv.slice(2).map(Number);

function bottom(n) {
  let x = 1;
  for (let i = 0; i < n; i++) x = (x * 31 + i) | 0;
  return x;
}
function recurse(left) {
  return left === 0 ? bottom(100_000) : recurse(left - 1) + 1;
}

const profiler = startProfiler({ frequencyHz: 1000, maxDepth, exporters: [] });
const end = Date.now() + seconds * 1000;
async function turn() {
  while (Date.now() < end) {
    recurse(depth);
    await new Promise(setImmediate);
  }
  const profile = await profiler.snapshot('cpu');
  await profiler.stop();
  // After the end: the collector counts when it reads a sample, which is a little after it was taken.
  const { truncated, samples } = profiler.stats();
  writeFileSync(process.env.EXACT_PROFILE, profile);
  writeFileSync(process.env.EXACT_RESULT, JSON.stringify({ truncated, samples }));
}
turn();
