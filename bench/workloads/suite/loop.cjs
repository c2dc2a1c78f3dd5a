// A loop of short turns that watches itself: a unit is one second of turns (lib/chains.cjs). Says how many there were (`work`: this machine's own figure, so time and
// not their number is what is fixed), and the longest gap between two turns in each whole second: as the clock saw it, and `held`, without the time that the thread
// waited for a core. Every such second has the end of a window in it.

const { runDelayMs, work } = require('../lib/chains.cjs');

exports.prepare = async () => ({
  run: (units) =>
    new Promise((resolve) => {
      const begin = performance.now();
      const gaps = [];
      const held = [];
      let lastMs = begin;
      let lastDelayMs = runDelayMs();
      let turns = 0;
      const turn = () => {
        const nowMs = performance.now();
        const delayMs = runDelayMs();
        const second = Math.floor((nowMs - begin) / 1000);
        const gap = nowMs - lastMs;
        gaps[second] = Math.max(gaps[second] ?? 0, gap);
        held[second] = Math.max(held[second] ?? 0, gap - (delayMs - lastDelayMs));
        lastMs = nowMs;
        lastDelayMs = delayMs;
        if (second >= units)
          return resolve({
            work: turns,
            gaps: gaps.filter(Number.isFinite).slice(0, units),
            held: held.filter(Number.isFinite).slice(0, units),
          });
        turns++;
        work();
        setImmediate(turn);
      };
      setImmediate(turn);
    }),
});
