// Makes the timeline of a profile in the making: which sample took how much, when. Bounded: past a million entries the buckets double, so a run of hours keeps a
// coarser picture of all of it instead of a fine one of its beginning.

import type { Timeline } from './timeline';

const FIRST_BUCKET_MS = 20;
const MAX_ENTRIES = 2 ** 20;

export class TimelineRecorder {
  #startUnixMs: number | undefined;
  #bucketMs = FIRST_BUCKET_MS;
  /** bucket * 2^32 + sample -> nanoseconds. */
  #entries = new Map<number, number>();

  /** `sample`: index among the profile's samples. Any order; what came before the first one counts as its moment. */
  add(unixMs: number, sample: number, ns: number): void {
    this.#startUnixMs ??= unixMs;
    const bucket = Math.max(0, Math.floor((unixMs - this.#startUnixMs) / this.#bucketMs));
    const key = bucket * 2 ** 32 + sample;
    this.#entries.set(key, (this.#entries.get(key) ?? 0) + ns);
    if (this.#entries.size > MAX_ENTRIES) this.#coarsen();
  }

  get empty(): boolean {
    return this.#entries.size === 0;
  }

  take(): Timeline {
    const sorted = [...this.#entries].sort(([a], [b]) => a - b);
    const timeline: Timeline = {
      startUnixMs: this.#startUnixMs ?? 0,
      bucketMs: this.#bucketMs,
      bucket: Uint32Array.from(sorted, ([key]) => Math.floor(key / 2 ** 32)),
      sample: Uint32Array.from(sorted, ([key]) => key % 2 ** 32),
      value: Float64Array.from(sorted, ([, ns]) => ns),
    };
    this.#entries = new Map();
    this.#startUnixMs = undefined;
    this.#bucketMs = FIRST_BUCKET_MS;
    return timeline;
  }

  #coarsen(): void {
    const coarse = new Map<number, number>();
    this.#bucketMs *= 2;
    for (const [key, ns] of this.#entries) {
      const merged = Math.floor(key / 2 ** 32 / 2) * 2 ** 32 + (key % 2 ** 32);
      coarse.set(merged, (coarse.get(merged) ?? 0) + ns);
    }
    this.#entries = coarse;
  }
}
