// Robust statistics for few, noisy measurements: medians and bootstrap intervals. No means: one preempted run would own them.
//
// Contract: plain arrays of numbers in, numbers out; the empty array gives NaN. The bootstrap's random numbers are seeded, so that the same
// measurements always print the same interval.

export function quantile(values, q) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

export const median = (values) => quantile(values, 0.5);

function seededRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const ROUNDS = 4000;

/** The median of `values` with its 95 % percentile bootstrap interval: { median, low, high, n }. */
export function estimate(values) {
  const random = seededRandom(20240607);
  const medians = [];
  for (let round = 0; values.length > 0 && round < ROUNDS; round++) {
    medians.push(median(values.map(() => values[Math.floor(random() * values.length)])));
  }
  return { median: median(values), low: quantile(medians, 0.025), high: quantile(medians, 0.975), n: values.length };
}

/** A copy in random order (not seeded: the order of runs must not repeat). */
export function shuffled(values) {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}
