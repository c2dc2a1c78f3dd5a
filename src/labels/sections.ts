// Exact sections: CPU between entry and exit of a call, measured by the thread's clock instead of samples (native/label/sections.h).
//
// Inside one, what enters another label is a section, too, whether it asked or not: otherwise its CPU would stay with the outer label.

import type { Label } from '../label';
import { labelEngine } from './engine';
import { atCallbackEnd, runWith } from './storage';

let depth = 0;
let watched = false;

/**
 * Runs when no JavaScript is on the stack, or the callback is over in which the outermost section began: a section that is open then was left without `finally`
 * (vm's timeout ends code that way). Without this its thread's CPU would be charged to nobody any more.
 */
function giveUpAbandoned(): void {
  watched = false;
  if (depth === 0) return;
  depth = 0;
  labelEngine()?.exitSection(0);
}

/** Once for all sections of a callback. By a promise where no hook tells its end: under async hooks one costs more than the section. */
function watch(): void {
  watched = true;
  if (!atCallbackEnd(giveUpAbandoned)) void Promise.resolve().then(giveUpAbandoned);
}

export function insideSection(): boolean {
  return depth > 0;
}

/** As runWith; the thread's CPU meanwhile is charged to the label. While no profiler runs it is runWith. */
export function runMeasured<T>(label: Label, fn: () => T): T {
  const engine = labelEngine();
  const entered = engine?.enterSection(label.slot, label.slotGeneration, label.setId, label.setGeneration) ?? 0;
  if (entered === 0) return runWith(label, fn);
  depth = entered;
  if (!watched) watch();
  try {
    return runWith(label, fn);
  } finally {
    // Not what it was before: where V8 ended a section without its `finally`, the engine has closed it meanwhile.
    depth = entered - 1;
    engine?.exitSection(entered);
  }
}
