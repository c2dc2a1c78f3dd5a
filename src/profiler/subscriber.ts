// A subscriber owns one profile in the making. The encoder adds every slice to every subscriber; taking one's profile disturbs no other.

import type { Timeline } from '../formats/timeline';
import { TimelineRecorder } from '../formats/timeline-recorder';
import type { Slice } from '../native';
import { NO_SAMPLE, ProfileBuilder } from '../pprof/builder';
import type { Profile } from '../pprof/schema';
import type { MapUse } from '../pprof/source-maps/mapper';
import { totalsToComments } from '../pprof/totals';
import type { ProfileMode } from './options';

export interface SubscriberOptions {
  /** Keeps when the samples were taken, where the slices say it. */
  timeline?: boolean;
}

export class Subscriber {
  #builder: ProfileBuilder;
  #comments: string[];
  #timeline: TimelineRecorder | undefined;
  #maps: MapUse = { scripts: new Map(), skippedFrames: 0 };

  constructor(
    readonly mode: ProfileMode,
    comments: string[],
    options: SubscriberOptions = {},
  ) {
    if (options.timeline) this.#timeline = new TimelineRecorder();
    this.#builder = new ProfileBuilder({ mode, keepOrder: this.#timeline !== undefined });
    this.#comments = comments;
  }

  add(slice: Slice, maps?: MapUse): void {
    const rows = this.#builder.add(slice);
    if (this.#timeline) this.#keepTimes(this.#timeline, slice, rows);
    if (!maps) return;
    for (const [script, outcome] of maps.scripts) this.#maps.scripts.set(script, outcome);
    this.#maps.skippedFrames += maps.skippedFrames;
  }

  /** Of what `take` has given last; taken once. */
  takeTimeline(): Timeline | undefined {
    return this.#timeline?.empty === false ? this.#timeline.take() : undefined;
  }

  #keepTimes(timeline: TimelineRecorder, { startUnixMs, timeMs, timeSample, timeWeightNs }: Slice, rows: Uint32Array): void {
    if (!timeMs || !timeSample || !timeWeightNs) return;
    for (let i = 0; i < timeMs.length; i++) {
      const sample = rows[timeSample[i] as number] as number;
      if (sample !== NO_SAMPLE) timeline.add(startUnixMs + (timeMs[i] as number), sample, timeWeightNs[i] as number);
    }
  }

  get empty(): boolean {
    return this.#builder.empty;
  }

  take(): Profile {
    const profile = this.#builder.take();
    profile.comments.push(...mapComments(this.#maps), ...this.#comments);
    this.#maps = { scripts: new Map(), skippedFrames: 0 };
    return profile;
  }
}

/** What the profile's own scripts missed; nothing when they missed nothing. A map that is not there is no loss worth a line: most packages name such maps. */
function mapComments({ scripts, skippedFrames }: MapUse): string[] {
  const count = (wanted: string) => [...scripts.values()].filter((outcome) => outcome === wanted).length;
  const [failed, stale] = [count('failed'), count('stale')];
  if (failed + stale + skippedFrames === 0) return [];
  return totalsToComments({
    source_maps_loaded: count('loaded'),
    source_maps_failed: failed,
    source_maps_stale: stale,
    source_maps_missing: count('missing'),
    source_map_frames_skipped: skippedFrames,
  });
}
