// Which profiles are recorded: those that the application has switched on, and those that a client of the control socket borrows for a while.
//
// Two threads switch: the profiler's owner and the encoder, which may not wait for the owner (its loop may be blocked). Each writes its own set into the shared
// counters, then gives the engine what both sets say, until neither has changed meanwhile: whoever comes last has seen both. The engine's setModes takes its
// lock and may be called from any thread.

import type { NativeAddon } from '../native';
import { PROFILE_MODES, type ProfileMode } from './options';
import { COUNTER } from './protocol';

function maskOf(modes: Iterable<ProfileMode>): number {
  let mask = 0;
  for (const mode of modes) mask |= 1 << PROFILE_MODES.indexOf(mode);
  return mask;
}

function modesOf(mask: number): ProfileMode[] {
  return PROFILE_MODES.filter((_, index) => (mask & (1 << index)) !== 0);
}

export function noteOwnModes(counters: Int32Array, modes: Iterable<ProfileMode>): void {
  Atomics.store(counters, COUNTER.ownModes, maskOf(modes));
}

export function ownModes(counters: Int32Array): ProfileMode[] {
  return modesOf(Atomics.load(counters, COUNTER.ownModes));
}

/** One side's set changes, and the engine follows. */
export function switchModes(
  native: NativeAddon,
  counters: Int32Array,
  side: 'ownModes' | 'borrowedModes',
  modes: Iterable<ProfileMode>,
): void {
  Atomics.store(counters, COUNTER[side], maskOf(modes));
  const both = () => Atomics.load(counters, COUNTER.ownModes) | Atomics.load(counters, COUNTER.borrowedModes);
  let given: number;
  do {
    given = both();
    const on = modesOf(given);
    native.setModes({ cpu: on.includes('cpu'), wall: on.includes('wall') });
  } while (both() !== given);
}
