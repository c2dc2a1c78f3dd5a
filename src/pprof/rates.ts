// The rates that a profile was recorded at, for its comments: with a rate that moved (setFrequency, an overhead budget) the period of a profile is only the last
// one. Values need no such help: a sample's weight is the time that it stands for, at any rate.

import type { RateChange, Slice } from '../native';

/** Of more changes the first and the last are told. */
const TOLD = 12;

const WHY = { start: '', asked: ' (asked for)', budget: ' (overhead budget)' } as const;

export class Rates {
  readonly #changes: RateChange[] = [];
  #leftOut = 0;

  add({ rateChanges }: Slice): void {
    for (const change of rateChanges ?? []) {
      this.#changes.push(change);
      if (this.#changes.length <= 2 * TOLD) continue;
      this.#changes.splice(TOLD, 1);
      this.#leftOut++;
    }
  }

  /** One line, or none when the rate never moved. `startMs`: the profile's. */
  comments(startMs: number): string[] {
    if (!this.#changes.some(({ why }) => why !== 'start')) return [];
    const parts = this.#changes.map(({ unixMs, hz, why }) => {
      const at = why === 'start' ? '' : ` from ${Math.max(0, (unixMs - startMs) / 1000).toFixed(1)} s`;
      return `${Number(hz.toFixed(1))} Hz${at}${WHY[why]}`;
    });
    if (this.#leftOut > 0) parts.splice(TOLD, 0, `${this.#leftOut} more`);
    return [`rate: ${parts.join(', ')}`];
  }
}
