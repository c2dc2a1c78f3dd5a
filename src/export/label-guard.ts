// Keeps a backend that makes a series of every set of labels from being flooded. Labels are the application's: a session id would be a new series each
// minute, and series are what such a backend is paid by.
//
// Contract: `span_id` and `trace_id` pass (they are span profiles, not series), numbers pass. Of every other label at most `maxValues` different values
// pass that were seen within the last hour, and at most `maxSeries` different sets a window; what is past that is `(other)`, and counted. Values (CPU, samples) are
// never lost or moved. The names become legal ones.

import type { Label, Profile } from '../pprof/schema';

export const OTHER = '(other)';

/** Not series: receivers keep them aside. */
const SPAN_LABELS = new Set(['span_id', 'trace_id']);
/** A value not seen for this long makes room for another. */
const FORGET_MS = 3_600_000;
/** Receivers refuse longer ones (2048 bytes at Pyroscope). */
const MAX_VALUE_CHARS = 512;

export interface LabelGuardOptions {
  maxValues: number;
  maxSeries: number;
  drop: string[];
  /** Names that the series has anyway: a sample's label of that name is renamed. */
  reserved: Iterable<string>;
}

/** A name that Prometheus' rules allow; not one of the receiver's own (`__name__`). */
export function legalLabelName(name: string): string {
  const legal = name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^_+/, '');
  return /^[a-zA-Z]/.test(legal) ? legal : `label_${legal}`;
}

export class LabelGuard {
  /** Labels of samples sent as `(other)` so far. */
  folded = 0;
  readonly #options: LabelGuardOptions;
  readonly #drop: Set<string>;
  readonly #reserved: Set<string>;
  /** Name -> value -> when it was seen last. */
  readonly #seen = new Map<string, Map<string, number>>();

  constructor(options: LabelGuardOptions) {
    this.#options = options;
    this.#drop = new Set(options.drop);
    this.#reserved = new Set(options.reserved);
  }

  /** The profile itself when nothing had to be changed, else one with other samples. */
  apply(profile: Profile, nowMs: number): Profile {
    let changed = false;
    // Samples share their labels: what one array became, it is for all of them.
    const known = new Map<Label[], Label[]>();
    let samples = profile.samples.map((sample) => {
      const labels = known.get(sample.labels) ?? this.#guarded(sample.labels, nowMs);
      known.set(sample.labels, labels);
      if (labels === sample.labels) return sample;
      changed = true;
      return { ...sample, labels };
    });
    for (let name = this.#widest(samples); name !== undefined; name = this.#widest(samples)) {
      const widest = name;
      changed = true;
      samples = samples.map((sample) => ({
        ...sample,
        labels: sample.labels.map((label) => (label.key === widest && label.str !== OTHER ? this.#other(label) : label)),
      }));
    }
    return changed ? { ...profile, samples } : profile;
  }

  #guarded(labels: Label[], nowMs: number): Label[] {
    let changed = false;
    const result: Label[] = [];
    const taken = new Set<string>();
    for (const label of labels) {
      const guarded = this.#one(label, taken, nowMs);
      if (guarded !== label) changed = true;
      if (guarded) result.push(guarded);
    }
    return changed ? result : labels;
  }

  #one(label: Label, taken: Set<string>, nowMs: number): Label | undefined {
    if (this.#drop.has(label.key)) return undefined;
    if (label.str === undefined || SPAN_LABELS.has(label.key)) return label;
    let key = legalLabelName(label.key);
    if (this.#reserved.has(key)) key = `label_${key}`;
    // Two names that became one: the first keeps it.
    if (taken.has(key)) {
      this.folded++;
      return undefined;
    }
    taken.add(key);
    const str = label.str.length > MAX_VALUE_CHARS ? `${label.str.slice(0, MAX_VALUE_CHARS)}…` : label.str;
    if (!this.#admit(key, str, nowMs)) return this.#other({ key });
    return key === label.key && str === label.str ? label : { key, str };
  }

  #other({ key }: Label): Label {
    this.folded++;
    return { key, str: OTHER };
  }

  #admit(key: string, value: string, nowMs: number): boolean {
    let values = this.#seen.get(key);
    if (!values) {
      values = new Map();
      this.#seen.set(key, values);
    }
    if (!values.has(value) && values.size >= this.#options.maxValues) {
      for (const [old, seenMs] of values) {
        if (nowMs - seenMs <= FORGET_MS) break;
        values.delete(old);
      }
      if (values.size >= this.#options.maxValues) return false;
    }
    // Oldest first: a value that is seen again moves to the end.
    values.delete(value);
    values.set(value, nowMs);
    return true;
  }

  /** The label with the most values when there are too many sets of labels; undefined when there are not. */
  #widest(samples: Profile['samples']): string | undefined {
    const sets = new Set<string>();
    const values = new Map<string, Set<string>>();
    for (const { labels } of samples) {
      const set: string[] = [];
      for (const { key, str } of labels) {
        if (str === undefined || SPAN_LABELS.has(key)) continue;
        set.push(key, str);
        if (!values.has(key)) values.set(key, new Set());
        values.get(key)?.add(str);
      }
      sets.add(JSON.stringify(set));
    }
    if (sets.size <= this.#options.maxSeries) return undefined;
    const [widest] = [...values].filter(([, { size }]) => size > 1).sort(([, a], [, b]) => b.size - a.size);
    return widest?.[0];
  }
}
