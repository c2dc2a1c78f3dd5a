// A loop of short turns that watches itself: a unit is one turn (lib/chains.cjs). Says the longest gap between two turns in each whole second: as the clock saw
// it, and `held`, without the time that the thread waited for a core. Every such second has the end of a window in it.

const { runDelayMs, work } = require('../lib/chains.cjs');

exports.prepare = async () => ({
  run: (units) =>
    new Promise((resolve) => {
      const begin = performance.now();
      const gaps = [];
      const held = [];
      let lastMs = begin;
      let lastDelayMs = runDelayMs();
      let left = units;
      const turn = () => {
        const nowMs = performance.now();
        const delayMs = runDelayMs();
        const second = Math.floor((nowMs - begin) / 1000);
        const gap = nowMs - lastMs;
        gaps[second] = Math.max(gaps[second] ?? 0, gap);
        held[second] = Math.max(held[second] ?? 0, gap - (delayMs - lastDelayMs));
        lastMs = nowMs;
        lastDelayMs = delayMs;
        // The last second is not whole.
        if (left-- === 0)
          return resolve({ gaps: gaps.filter(Number.isFinite).slice(0, -1), held: held.filter(Number.isFinite).slice(0, -1) });
        work();
        setImmediate(turn);
      };
      setImmediate(turn);
    }),
});
