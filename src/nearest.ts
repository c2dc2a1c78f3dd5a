// "Did you mean …?" for options, keys and variables: the known name that a typing mistake probably meant.

/** The nearest of `known` by edit distance (letters' case counts for nothing), or undefined when none is near enough to be meant. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least && distance <= Math.max(2, Math.floor(candidate.length / 3))) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** ` did you mean 'x'?`, with what leads to it, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const meant = nearest(name, known);
  return meant === undefined ? '' : `; did you mean '${meant}'?`;
}

function editDistance(a: string, b: string): number {
  // A name that is so long is no typing mistake, and costs the product of the lengths.
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY;
  const row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0] ?? 0;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j] ?? 0;
      row[j] = Math.min(above + 1, (row[j - 1] ?? 0) + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1));
      diagonal = above;
    }
  }
  return row[b.length] ?? 0;
}
