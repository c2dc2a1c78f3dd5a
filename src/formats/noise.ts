// Could a difference be nothing but sampling? The rule, in full in docs/reports.md:
//
// - A share is taken as a binomial proportion of as many samples as the profile is worth: the effective number, (sum of weights)^2 / (sum of squared weights), which is
//   the number of samples when all weigh the same and less when some weigh more. Its uncertainty is Wilson's interval; that of a difference is Newcombe's
//   (Statistics in Medicine 17, 1998, method 10), which holds for small counts and for shares of nothing and all, where the textbook's formula does not.
// - An absolute value is a sum of independent weights: its variance is the sum of their squares, and one mean weight more for what was not seen.
// - A table of hundreds of functions finds something at 95 % by chance alone. The level is 5 % for the whole table: 5 % / number of functions for each (Bonferroni).

/** The chance that a table without any real difference marks one. */
const FAMILY_LEVEL = 0.05;

/** One side of a comparison. */
export interface Measured {
  value: number;
  /** Sum of the squared weights of its samples. */
  squares: number;
}

/** The z that a difference must pass when `comparisons` are made at once. */
export function zFor(comparisons: number): number {
  const tail = FAMILY_LEVEL / Math.max(1, comparisons) / 2;
  // The normal tail is below exp(-z^2 / 2) / (z sqrt(2 pi)): the z at which that is `tail` errs to the careful side, by less than 8 %.
  let z = 2;
  for (let i = 0; i < 50; i++) z = Math.sqrt(Math.max(1, -2 * Math.log(tail * z * Math.sqrt(2 * Math.PI))));
  return z;
}

/** How many equal samples carry as much information; 0 for none. */
export function effectiveSamples({ value, squares }: Measured): number {
  return squares > 0 ? (value * value) / squares : 0;
}

function wilson(share: number, samples: number, z: number): [low: number, high: number] {
  const z2 = z * z;
  const centre = share + z2 / (2 * samples);
  const spread = z * Math.sqrt((share * (1 - share)) / samples + z2 / (4 * samples * samples));
  const scale = 1 + z2 / samples;
  return [(centre - spread) / scale, (centre + spread) / scale];
}

/** Interval of `after - before`, both shares of their wholes (0 to 1). Without samples it is everything. */
export function shareInterval(
  before: number,
  beforeSamples: number,
  after: number,
  afterSamples: number,
  z: number,
): [low: number, high: number] {
  if (beforeSamples < 1 || afterSamples < 1) return [-1, 1];
  const [lowA, highA] = wilson(before, beforeSamples, z);
  const [lowB, highB] = wilson(after, afterSamples, z);
  const difference = after - before;
  return [
    difference - Math.sqrt((after - lowB) ** 2 + (highA - before) ** 2),
    difference + Math.sqrt((highB - after) ** 2 + (before - lowA) ** 2),
  ];
}

/** Interval of `after - before` as values; `weight` is what one sample weighs. */
export function valueInterval(before: Measured, after: Measured, weight: number, z: number): [low: number, high: number] {
  const spread = z * Math.sqrt(before.squares + after.squares + weight * weight);
  const difference = after.value - before.value;
  return [difference - spread, difference + spread];
}
