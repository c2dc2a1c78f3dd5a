// From an interval to a verdict. Three answers, because a noisy machine often knows neither: pass, fail, not enough data.
//
// Contract: each function takes what estimate() gives (median, low, high, n) and returns { verdict, why }. Fewer than MIN measurements never pass or fail.

const MIN = 5;
const WIDEST_FLOOR = 0.06;

export const PASS = 'pass';
export const FAIL = 'fail';
export const UNKNOWN = 'not enough data';

const few = ({ n }) => (n < MIN ? { verdict: UNKNOWN, why: `${n} measurements, ${MIN} are the least` } : undefined);

/** The whole interval under the limit: pass; the whole interval above it: fail. `show` makes a number readable. */
export function under(interval, limit, show) {
  const { low, high } = interval;
  const text = `${show(low)} to ${show(high)}, limit ${show(limit)}`;
  const verdict = high < limit ? PASS : low >= limit ? FAIL : UNKNOWN;
  return few(interval) ?? { verdict, why: text };
}

/** A difference that must not be there: the interval holds 0 (or is better than 0) and ends under the limit. */
export function noDifference(interval, limit, show) {
  const { low, high } = interval;
  const text = `${show(low)} to ${show(high)}; must reach down to 0 and end under ${show(limit)}`;
  const verdict = low > 0 ? FAIL : high < limit ? PASS : UNKNOWN;
  return few(interval) ?? { verdict, why: text };
}

/** What is left of two accounts of one thing (`rest`) against what is seen where nothing differs (`floor`), both shares. Floors wider than 6 % say nothing. */
export function insideFloor(rest, floor) {
  const percent = (share) => `${(100 * share).toFixed(2)} %`;
  const why = `not counted ${percent(rest.low)} to ${percent(rest.high)}, noise floor ${percent(floor.low)} to ${percent(floor.high)}`;
  if (floor.high - floor.low > WIDEST_FLOOR) return few(floor) ?? { verdict: UNKNOWN, why };
  const meets = rest.low <= Math.max(0, floor.high) && rest.high >= Math.min(0, floor.low);
  return few(floor) ?? { verdict: meets ? PASS : FAIL, why };
}

/** The worst of several. */
export function worst(verdicts) {
  return [FAIL, UNKNOWN].find((kind) => verdicts.some(({ verdict }) => verdict === kind)) ?? PASS;
}
