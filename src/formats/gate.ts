// `strobe diff --fail-above 5%`: did a function grow by more than that? A rise that sampling alone explains does not fail a build, but is said: the way out is a longer profile.

import type { Diff, FunctionChange } from './diff';
import { printable } from './units';

export interface GateVerdict {
  failed: string[];
  /** Grew by more than the limit, and the samples do not show it. */
  unsure: string[];
}

/**
 * @param diff of all functions (uncut)
 * @param limit a share of the whole: 0.05. With absolute values, of the whole before.
 */
export function judgeGrowth(diff: Diff, limit: number): GateVerdict {
  const verdict: GateVerdict = { failed: [], unsure: [] };
  const whole = diff.absolute ? diff.before.total : 1;
  for (const func of diff.functions) {
    const grown = (['self', 'total'] as const).filter((kind) => func[kind].change > limit * whole);
    const certain = grown.find((kind) => func[kind].significant !== false);
    const kind = certain ?? grown[0];
    if (kind === undefined) continue;
    (certain ? verdict.failed : verdict.unsure).push(sentence(func, kind, whole, diff.absolute));
  }
  return verdict;
}

function sentence(func: FunctionChange, kind: 'self' | 'total', whole: number, absolute: boolean): string {
  const { change, beforeShare, afterShare, beforeSamples, afterSamples } = func[kind];
  const name = printable(`${func.name}${func.file === '' ? '' : ` (${func.file})`}`);
  const by = whole === 0 ? 'from nothing' : `by ${((100 * change) / whole).toFixed(1)} ${absolute ? '% of the whole before' : 'points'}`;
  const samples = beforeSamples === null ? '' : `, ${beforeSamples} -> ${afterSamples} samples`;
  return `${name}: ${kind} grew ${by} (${(100 * beforeShare).toFixed(1)}% -> ${(100 * afterShare).toFixed(1)}%${samples})`;
}
