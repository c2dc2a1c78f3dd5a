// The engine's own counts (samples, lost, truncated …) travel inside a profile as one comment, `strobe: samples=120 lost=0 …`, because pprof has no
// field for them and loss is data: whoever reads the file later must see it. One line, as `pprof -top` prints comments above its table.
// A merge adds them up.

const COMMENT = /^strobe:( \w+=\d+)+$/;
const COUNT = /(\w+)=(\d+)/g;

export type Totals = Record<string, number>;

/** No comment for no counts. */
export function totalsToComments(totals: Totals): string[] {
  const counts = Object.entries(totals).map(([name, count]) => `${name}=${count}`);
  return counts.length === 0 ? [] : [`strobe: ${counts.join(' ')}`];
}

/** Splits comments into the counts (same names added up) and the rest. */
export function totalsFromComments(comments: string[]): { totals: Totals; others: string[] } {
  const totals = new Map<string, number>();
  const others: string[] = [];
  for (const comment of comments) {
    if (!COMMENT.test(comment)) {
      others.push(comment);
      continue;
    }
    for (const [, name = '', count] of comment.matchAll(COUNT)) totals.set(name, (totals.get(name) ?? 0) + Number(count));
  }
  return { totals: Object.fromEntries(totals), others };
}
