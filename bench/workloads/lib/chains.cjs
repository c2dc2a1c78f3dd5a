// 3,000 generated functions and random call chains of them, 25 deep: nearly each sample is a stack of its own. work() is a small slice of that (some 3 ms);
// runDelayMs() is the time that this thread stood ready and had no core.

const { openSync, readSync } = require('node:fs');
const { join } = require('node:path');
const { runInThisContext } = require('node:vm');

const FUNCTIONS = 3000;
const DEPTH = 25;
const CHAINS_A_TURN = 90;

/** Each function does a little arithmetic of its own and calls another one, whichever the seed says. */
function source() {
  const one = (i) => `function g${i}(depth, seed) {
  let x = seed;
  for (let i = 0; i < 12; i++) x = (Math.imul(x, 48271) + ${i}) | 0;
  return depth === 0 ? x : table[(x >>> 8) % ${FUNCTIONS}](depth - 1, x) + ${i % 7};
}`;
  const all = Array.from({ length: FUNCTIONS }, (_, i) => one(i)).join('\n');
  return `(function (table) {\n${all}\n${Array.from({ length: FUNCTIONS }, (_, i) => `table.push(g${i});`).join('\n')}\n})`;
}

const functions = [];
runInThisContext(source(), { filename: join(__dirname, 'generated.js') })(functions);

const scheduler = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
const bytes = Buffer.alloc(96);

/** Time that this thread stood ready and had no core, ms since its start: the second field of schedstat. */
exports.runDelayMs = function runDelayMs() {
  const length = readSync(scheduler, bytes, 0, bytes.length, 0);
  let at = 0;
  while (bytes[at] !== 32) at++;
  let ns = 0;
  for (at++; at < length && bytes[at] !== 32; at++) ns = ns * 10 + bytes[at] - 48;
  return ns / 1e6;
};

let seed = 12345;
exports.work = function work() {
  for (let chain = 0; chain < CHAINS_A_TURN; chain++) {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    seed ^= functions[(seed >>> 9) % FUNCTIONS](DEPTH - 1, seed);
  }
};
