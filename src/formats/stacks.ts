// The heaviest stacks of a profile: what a table of functions cannot say.

import type { Profile } from '../pprof/schema';
import { flatten, stackOf } from './convert/frames';

export interface HeavyStack {
  value: number;
  /** Function names, outermost first. */
  frames: string[];
}

/** By value, at most `most`. Stacks of the same functions are one, whatever lines and labels they have. */
export function heaviestStacks(
  profile: Profile,
  type: number,
  most: number,
  skip: (sample: Profile['samples'][number]) => boolean,
): HeavyStack[] {
  const flat = flatten(profile);
  const stacks = new Map<string, HeavyStack>();
  for (const sample of profile.samples) {
    if (skip(sample) || !((sample.values[type] ?? 0) > 0)) continue;
    const functions = stackOf(flat, sample.locations).map((frame) => flat.frames[frame]?.func as number);
    const key = functions.join(' ');
    let stack = stacks.get(key);
    if (!stack) {
      stack = { value: 0, frames: functions.map((func) => flat.functions[func]?.name ?? '') };
      stacks.set(key, stack);
    }
    stack.value += sample.values[type] ?? 0;
  }
  return [...stacks.values()].sort((a, b) => b.value - a.value || (a.frames.join() < b.frames.join() ? -1 : 1)).slice(0, most);
}
