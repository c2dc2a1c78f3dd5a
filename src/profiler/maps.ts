// Source maps in the encoder: loads the mapper when a script with a map is met, gives it the time it may take, and publishes what it counts.
//
// Reading maps takes as long as it takes while the program runs: nobody waits for the encoder. From the moment on that the last profile is asked for, somebody
// does: reading ends when half of exitTimeoutSeconds is used, the other half is for encoding and writing. What is in memory by then is still used.

import type { NativeAddon, Slice } from '../native';
import type { MapUse, SliceMapper } from '../pprof/source-maps/mapper';
import { COUNTER, type FromEncoder } from './protocol';

export interface EncoderMapsOptions {
  native: NativeAddon;
  counters: Int32Array;
  exitTimeoutSeconds: number;
  say: (message: FromEncoder) => void;
}

export class EncoderMaps {
  readonly #options: EncoderMapsOptions;
  #mapper: SliceMapper | undefined;
  #endMs: number | undefined;
  #skipped = 0;
  #toldFailure = false;

  constructor(options: EncoderMapsOptions) {
    this.#options = options;
  }

  apply(slice: Slice): { slice: Slice; use?: MapUse } {
    if (!slice.functionMapKind?.some((kind) => kind !== 0)) return { slice };
    // Not at the start: most of a short program's encoders never need it.
    this.#mapper ??= new (require('../pprof/source-maps/mapper') as typeof import('../pprof/source-maps/mapper')).SliceMapper({
      outOfTime: this.#outOfTime,
    });
    const mapped = this.#mapper.apply(slice);
    this.#skipped += mapped.use.skippedFrames;
    this.#publish(this.#mapper);
    return mapped;
  }

  #outOfTime = (): boolean => {
    const now = performance.now();
    if (this.#endMs === undefined) {
      const { native, counters, exitTimeoutSeconds } = this.#options;
      // The request may come while this thread reads a map; it is seen here, not as a message.
      if (Atomics.load(counters, COUNTER.ending) === 0 && native.pendingSignal() === 0) return false;
      this.#endMs = now + (exitTimeoutSeconds * 1000) / 2;
    }
    return now >= this.#endMs;
  };

  #publish({ counts, firstFailure }: SliceMapper): void {
    const { counters, say } = this.#options;
    Atomics.store(counters, COUNTER.mapsLoaded, counts.loaded);
    Atomics.store(counters, COUNTER.mapsFailed, counts.failed);
    Atomics.store(counters, COUNTER.mapsMissing, counts.missing);
    Atomics.store(counters, COUNTER.mapsStale, counts.stale);
    Atomics.store(counters, COUNTER.mapFramesSkipped, this.#skipped);
    Atomics.store(counters, COUNTER.mapBytes, counts.bytes);
    if (firstFailure === undefined || this.#toldFailure) return;
    this.#toldFailure = true;
    say({ type: 'map-failure', reason: firstFailure });
  }
}
