// A loop that watches itself: 3,000 generated functions, random call chains 25 deep, a small slice of work a turn, the next turn by setImmediate.
//
// Contract: watch({ seconds, onBegin }) resolves, after a warm-up of 1.2 s and the measured seconds, to { perSecond, turns }: for each second the longest gap between
// the starts of two turns, as the clock saw it (`gapMs`) and without the time that the thread waited for a core (`heldMs`: the kernel's run delay
// subtracted: nothing but this thread, or a lock it waits for, can lengthen it). onBegin is called when the measured time begins; what it takes is no gap.

const { closeSync, openSync, readSync } = require('node:fs');
const { join } = require('node:path');
const { runInThisContext } = require('node:vm');

const FUNCTIONS = 3000;
const DEPTH = 25;
const CHAINS_A_TURN = 90;
const WARM_UP_MS = 1200;

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
function runDelayMs() {
  const length = readSync(scheduler, bytes, 0, bytes.length, 0);
  let at = 0;
  while (bytes[at] !== 32) at++;
  let ns = 0;
  for (at++; at < length && bytes[at] !== 32; at++) ns = ns * 10 + bytes[at] - 48;
  return ns / 1e6;
}

let seed = 12345;
function work() {
  for (let chain = 0; chain < CHAINS_A_TURN; chain++) {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    seed ^= functions[(seed >>> 9) % FUNCTIONS](DEPTH - 1, seed);
  }
}

function loop(seconds, onBegin, done) {
  const perSecond = [];
  const begin = performance.now() + WARM_UP_MS;
  const end = begin + seconds * 1000;
  let begun = false;
  let turns = 0;
  let lastMs = performance.now();
  let lastDelayMs = runDelayMs();
  function turn() {
    const nowMs = performance.now();
    const delayMs = runDelayMs();
    if (nowMs >= begin) {
      if (!begun) {
        begun = true;
        onBegin();
      } else if (nowMs < end) {
        const second = Math.floor((nowMs - begin) / 1000);
        perSecond[second] ??= { gapMs: 0, heldMs: 0 };
        const gapMs = nowMs - lastMs;
        const heldMs = gapMs - (delayMs - lastDelayMs);
        if (gapMs > perSecond[second].gapMs) perSecond[second].gapMs = gapMs;
        if (heldMs > perSecond[second].heldMs) perSecond[second].heldMs = heldMs;
        turns++;
      }
      if (nowMs >= end) return done({ perSecond: perSecond.filter(Boolean), turns });
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

/** @param {{ seconds: number, onBegin?: () => void }} options */
function watch({ seconds, onBegin = () => undefined }) {
  return new Promise((done) => loop(seconds, onBegin, done)).finally(() => closeSync(scheduler));
}

module.exports = { watch };
