// Load that makes the collector work: short-lived objects, and some that live long.
//   node garbage.cjs objects|strings SECONDS

const [kind, seconds] = process.argv.slice(2);

const kept = [];
function allocateObjects(n) {
  let last = null;
  for (let i = 0; i < n; i++) {
    last = { i, pair: [i, i + 1], previous: (i & 1023) === 0 ? null : last };
    if ((i & 63) === 0) kept[(kept.length < 200_000 ? kept.length : i) % 200_000] = last;
  }
  return last;
}

function allocateStrings(n) {
  const parts = [];
  for (let i = 0; i < n; i++) parts.push(`part ${i} of ${n}`);
  return JSON.parse(JSON.stringify(parts)).join(' ');
}

function work() {
  return kind === 'objects' ? allocateObjects(100_000) : allocateStrings(20_000).length;
}

const end = Date.now() + Number(seconds) * 1000;
function turn() {
  // Collections that V8 runs as tasks of the event loop have no stack and are nobody's allocation: turns are long, so that those are few.
  for (const turnEnd = Date.now() + 250; Date.now() < turnEnd; ) work();
  if (Date.now() < end) setImmediate(turn);
  else require('node:fs').writeFileSync(process.env.EXACT_RESULT, '{}');
}
turn();
