// A loop that watches itself: a small slice of work a turn (lib/chains.cjs), the next turn by setImmediate.
//
// Contract: watch({ seconds, onBegin }) resolves, after a warm-up of 1.2 s and the measured seconds, to { perSecond, turns }: for each second the longest gap between
// the starts of two turns, as the clock saw it (`gapMs`) and without the time that the thread waited for a core (`heldMs`: the kernel's run delay
// subtracted: nothing but this thread, or a lock it waits for, can lengthen it). onBegin is called when the measured time begins; what it takes is no gap.

const { runDelayMs, work } = require('./lib/chains.cjs');

const WARM_UP_MS = 1200;

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
  return new Promise((done) => loop(seconds, onBegin, done));
}

module.exports = { watch };
