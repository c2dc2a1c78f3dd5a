// What a row weighs in the profile: whole nanoseconds, and of large weights the nearest multiple of STEP_NS, whose varint has no random bytes at its end. A weight is the
// time between two readings of a clock: its last digits are noise to a reader, and no compression helps them.
//
// What is rounded away from one row goes to the next large one of the same thread: a thread's sum is exact to the nanosecond, each row within STEP_NS. Small weights,
// where a step could be seen, are whole nanoseconds; a thread that has no other is exact to half a nanosecond a row.

/** Two bytes of seven bits each. */
export const STEP_NS = 2 ** 14;
/** From here on rounding moves a weight by 3 % at most: less than a sample of it says. */
const LARGE_NS = 2 ** 18;

/** Rows' nanoseconds, which may have fractions, rounded. `threads`: each row's, below `threadCount`. */
export function roundWeights(weightNs: Float64Array, threads: Uint32Array, threadCount: number): Float64Array {
  const rows = weightNs.length;
  const rounded = new Float64Array(rows);
  const rest = new Float64Array(threadCount);
  const last = new Float64Array(threadCount).fill(-1);
  for (let row = 0; row < rows; row++) {
    const exact = weightNs[row] as number;
    const thread = threads[row] as number;
    const large = exact >= LARGE_NS;
    const weight = large ? Math.round((exact + (rest[thread] as number)) / STEP_NS) * STEP_NS : Math.round(exact);
    rounded[row] = weight;
    rest[thread] = (rest[thread] as number) + exact - weight;
    if (large) last[thread] = row;
  }
  // The last large row has what is left over: less than a step.
  for (let thread = 0; thread < threadCount; thread++) {
    const row = last[thread] as number;
    if (row >= 0) rounded[row] = Math.round((rounded[row] as number) + (rest[thread] as number));
  }
  return rounded;
}
