// Node's async context frame, where it can be had: an entry and an exit of a storage for one copy of the frame instead of the two that AsyncLocalStorage.run makes.
//
// A frame is a Map from each AsyncLocalStorage to its value, made anew by every change; run() makes one to enter and another one to leave, with what was before.
// Here the frame that was there is put back itself. Its class is not public: an AsyncResource carries the frame it was made in, and the frame knows its class.
//
// Contract: findFrames() tries on a storage whatever is used of the class, and answers undefined where one thing is not as expected (a Node without frames, another
// form of them): then run() it is. runInFrame() is AsyncLocalStorage.run: what the function did to other storages by enterWith() and disable()
// stays after it.

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

interface Frame {
  readonly size: number;
  get(storage: object): unknown;
}

export interface Frames {
  /** The current frame with one value changed. */
  new (storage: object, value: unknown): Frame;
  current(): Frame | undefined;
  set(frame: Frame | undefined): void;
}

const NAME = 'strobe.frame';

/** The class of the frame in which `storage` has `value` now: a resource that is made here carries the frame by a symbol. */
function classOfCurrent(storage: object, value: unknown): Frames | undefined {
  const carrier = new AsyncResource(NAME, { requireManualDestroy: true }) as unknown as Record<symbol, Partial<Frame> | undefined>;
  for (const symbol of Object.getOwnPropertySymbols(carrier)) {
    const carried = carrier[symbol];
    if (typeof carried?.get === 'function' && carried.get(storage) === value) return carried.constructor as unknown as Frames;
  }
  return undefined;
}

function works(found: Frames, storage: AsyncLocalStorage<unknown>, other: AsyncLocalStorage<unknown>): boolean {
  if (typeof found.current !== 'function' || typeof found.set !== 'function') return false;
  const before = found.current();
  if (typeof before?.size !== 'number') return false;
  const [value, otherValue] = [storage.getStore(), other.getStore()];
  const inside = {};
  const made = new found(storage, inside);
  // Made, and not entered.
  const kept = found.current() === before && storage.getStore() === value && made !== before;
  found.set(made);
  const entered =
    made.size === before.size &&
    found.current() === made &&
    storage.getStore() === inside &&
    other.getStore() === otherValue &&
    made.get(storage) === inside;
  found.set(before);
  return kept && entered && found.current() === before && storage.getStore() === value && other.getStore() === otherValue;
}

/** The class, tried; undefined where it can't be had. What is current is what was before, whatever happens. */
export function findFrames(): Frames | undefined {
  const [storage, other] = [new AsyncLocalStorage<unknown>(), new AsyncLocalStorage<unknown>()];
  const find = () => {
    const found = classOfCurrent(storage, storage.getStore());
    return found !== undefined && works(found, storage, other) ? found : undefined;
  };
  try {
    // Left by run() alone, the frame would have two more storages, that nobody will ask for, and each copy of it twice its size.
    return new AsyncResource(NAME, { requireManualDestroy: true }).runInAsyncScope(() => other.run({}, () => storage.run({}, find)));
  } catch {
    // Another form of frames: run() is what there is.
    return undefined;
  }
}

export function runInFrame<V, T>(frames: Frames, storage: AsyncLocalStorage<V>, value: V, fn: () => T): T {
  const before = frames.current();
  const entered = new frames(storage, value);
  const { size } = entered;
  frames.set(entered);
  try {
    return fn();
  } finally {
    // Another storage was entered (a new frame) or disabled (taken out of this one) meanwhile: that stays.
    if (frames.current() === entered && entered.size === size) frames.set(before);
    else storage.enterWith(before?.get(storage) as V);
  }
}
