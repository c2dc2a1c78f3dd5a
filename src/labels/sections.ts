// Exact sections: CPU between entry and exit of a call, measured by the thread's clock instead of samples (native/label/sections.h).
//
// Inside one, what enters another label is a section, too, whether it asked or not: otherwise its CPU would stay with the outer label.
//
// The engine's two calls have no arguments and no value: what they are told lies in memory. Converting four numbers and one back was a good part of a section
// of a small request, whose caches are full of other things (docs/spans.md).

import type { Label } from '../label';
import { labelEngine, labelMemory } from './engine';
import { atCallbackEnd, runWith } from './storage';

/**
 * Places in `section`, native SectionWords; OPEN: how many are open, whoever entered them; STALE: the thread may have waited since its clock was read; EXACT: estimates
 * of the clock are to be ten times closer.
 */
const SLOT = 0;
const SLOT_GENERATION = 1;
const SET = 2;
const SET_GENERATION = 3;
const DEPTH = 4;
const OPEN = 5;
const STALE = 6;
const EXACT = 7;

let depth = 0;
let watched = false;

/**
 * Runs when no JavaScript is on the stack, or the callback is over in which the outermost section began: a section that is open then was left without `finally`
 * (vm's timeout ends code that way). Without this its thread's CPU would be charged to nobody any more.
 */
function giveUpAbandoned(): void {
  watched = false;
  const section = labelMemory()?.section;
  if (section === undefined) return;
  // The loop waits for the next callback.
  section[STALE] = 1;
  section[EXACT] = 0;
  if (depth === 0) return;
  depth = 0;
  section[DEPTH] = 0;
  labelEngine()?.exitSection();
}

/** Once for all sections of a callback. By a promise where no hook tells its end: under async hooks one costs more than the section. */
function watch(): void {
  watched = true;
  if (!atCallbackEnd(giveUpAbandoned)) void Promise.resolve().then(giveUpAbandoned);
}

export function insideSection(): boolean {
  return depth > 0;
}

/** CPU so far of a span's sections that are open, nanoseconds: a span usually ends inside the call that it measures. */
export function openSectionsNs(slot: number, slotGeneration: number): number {
  return labelMemory()?.section[OPEN] ? (labelEngine()?.openSectionsNs(slot, slotGeneration) ?? 0) : 0;
}

/** As runMeasured, with the clock read in this callback and again behind 20 us instead of 0.2 ms; so is what is entered inside (native/label/sections.h). */
export function runExactly<T>(label: Label, fn: () => T): T {
  const memory = labelMemory();
  if (memory === null || memory.running[0] === 0 || memory.section[EXACT] === 1) return runMeasured(label, fn);
  const { section } = memory;
  section[EXACT] = 1;
  try {
    return runMeasured(label, fn);
  } finally {
    section[EXACT] = 0;
  }
}

/** As runWith; the thread's CPU meanwhile is charged to the label. While no profiler runs it is runWith. */
export function runMeasured<T>(label: Label, fn: () => T): T {
  const memory = labelMemory();
  const engine = labelEngine();
  if (engine === null || memory === null || memory.running[0] === 0) return runWith(label, fn);
  const { section } = memory;
  // Between the words and the call that reads them no function of JavaScript is entered: V8 interrupts there, and what it runs may write them, too.
  section[SLOT] = label.slot;
  section[SLOT_GENERATION] = label.slotGeneration;
  section[SET] = label.setId;
  section[SET_GENERATION] = label.setGeneration;
  engine.enterSection();
  const entered = section[DEPTH] as number;
  if (entered === 0) return runWith(label, fn);
  depth = entered;
  if (!watched) watch();
  try {
    return runWith(label, fn);
  } finally {
    section[DEPTH] = entered;
    engine.exitSection();
    // Behind the call, so that a section which V8 ends right here is given up. And not what it was before: where V8 ended one without its `finally`, the
    // engine has closed it meanwhile.
    depth = entered - 1;
  }
}
