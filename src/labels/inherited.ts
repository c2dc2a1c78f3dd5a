// What a Worker inherits: the labels that were current where it was made. They stand for its whole life wherever nothing else is current, also in callbacks of
// ports that are older than the first line of its code, so they belong to the thread and not to a context.

import { isMainThread, threadId } from 'node:worker_threads';
import { EMPTY_SET, type LabelSet } from '../label';
import { labelEngine } from './engine';
import { mergeLenient } from './sets';

let inherited: LabelSet | undefined;

export function inheritedSet(): LabelSet {
  if (inherited) return inherited;
  const labels: Record<string, string> = {};
  if (!isMainThread) {
    const pairs = labelEngine()?.inheritedLabels(threadId) ?? [];
    for (let i = 0; i < pairs.length; i += 2) labels[pairs[i] as string] = pairs[i + 1] as string;
  }
  inherited = mergeLenient(EMPTY_SET, labels);
  return inherited;
}

/** Called by who makes a Worker, right after. */
export function bequeath(workerThreadId: number, set: LabelSet): void {
  if (set.key === '') return;
  labelEngine()?.inheritLabels(workerThreadId, Object.entries(set.labels).flat());
}
