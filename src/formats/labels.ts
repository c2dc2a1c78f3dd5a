// Labels of samples as text: to filter by, to group by.

import type { Label, Profile, Sample } from '../pprof/schema';

const EVICTED_KEY = 'strobe_labels';

export interface LabelFilter {
  key: string;
  value: string;
}

/** True when the sample passes. A key given twice allows both values; different keys must all match. */
export function hasLabels({ labels }: Sample, filters: LabelFilter[]): boolean {
  return filters.every(({ key }) =>
    filters.some((filter) => filter.key === key && labels.some((label) => label.key === key && textOf(label) === filter.value)),
  );
}

/** The profile with the samples that pass; itself without filters. */
export function withLabels(profile: Profile, filters: LabelFilter[]): Profile {
  return filters.length === 0 ? profile : { ...profile, samples: profile.samples.filter((sample) => hasLabels(sample, filters)) };
}

/** The label's value as text (the first, when there are several); null without such a label. */
export function labelText(labels: Label[], key: string): string | null {
  const label = labels.find((label) => label.key === key);
  return label ? textOf(label) : null;
}

function textOf({ str, num }: Label): string {
  return str ?? String(num ?? 0);
}

/** The value to group by: as labelText; where the sample's labels were gone when it was recorded (docs/labels.md), what it has instead. */
export function groupText(labels: Label[], key: string): string | null {
  return labelText(labels, key) ?? labelText(labels, EVICTED_KEY);
}

/** The labels that samples of the profile carry, sorted: what to offer a user who named another. */
export function labelKeys(profile: Profile): string[] {
  const keys = new Set<string>();
  for (const { labels } of profile.samples) for (const { key } of labels) keys.add(key);
  return [...keys].sort();
}
