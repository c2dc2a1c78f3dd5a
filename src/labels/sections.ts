// Exact sections: CPU between entry and exit of a call, measured by the thread's clock instead of samples (native/label/sections.h).
//
// Inside one, what enters another label is a section, too, whether it asked or not: otherwise its CPU would stay with the outer label.

import type { Label } from '../label';
import { labelEngine } from './engine';
import { runWith } from './storage';

let depth = 0;

export function insideSection(): boolean {
  return depth > 0;
}

/** As runWith; the thread's CPU meanwhile is charged to the label. While no profiler runs it is runWith. */
export function runMeasured<T>(label: Label, fn: () => T): T {
  const engine = labelEngine();

  const entered = engine?.enterSection(label.slot, label.slotGeneration, label.setId, label.setGeneration) ?? 0;
  if (entered === 0) return runWith(label, fn);
  depth = entered;
  try {
    return runWith(label, fn);
  } finally {
    // Not what it was before: where V8 ended a section without its `finally`, the engine has closed it meanwhile.
    depth = entered - 1;
    engine?.exitSection(entered);
  }
}
