// Where the current label is kept: one AsyncLocalStorage an isolate, whatever copies of this package are loaded, and what leads the engine's handler to it.
//
// Node 24 on (and 22 with --experimental-async-context-frame): the handler finds the storage's value in V8's async context by itself; nothing of ours runs when
// the context changes. Node 20 and 22: `before` and `after` hooks keep the label of the running callback in the first field of an object that the handler
// reads. They are enabled by the first label: who sets none pays nothing. Which of the two it is is found out by trying, not by version.
//
// `after` goes back to what was current before its `before`, not to nothing: callbacks nest (AsyncResource.runInAsyncScope in HTTP parsers and pools).

import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { EMPTY_SET, Label } from '../label';
import { labelEngine } from './engine';

type Way = 'frame' | 'hooks' | 'off';

interface Shared {
  storage: AsyncLocalStorage<Label>;
  /** Its only field must stay its first. */
  holder: { current: Label | undefined };
  way: Way | undefined;
}

const KEY = Symbol.for('strobe.labels.1');
const registry = globalThis as unknown as Record<symbol, Shared | undefined>;

function makeShared(): Shared {
  const made: Shared = { storage: new AsyncLocalStorage<Label>(), holder: { current: undefined }, way: undefined };
  Object.defineProperty(globalThis, KEY, { value: made, enumerable: false });
  return made;
}

const shared = registry[KEY] ?? makeShared();
const { storage, holder } = shared;
let way = shared.way;

function attach(): Way {
  const probe = new Label(EMPTY_SET, undefined, undefined);
  holder.current = probe;
  const answer = storage.run(probe, () => labelEngine()?.attachLabels(storage, holder)) ?? 'off';
  holder.current = undefined;
  if (answer === 'frame') return 'frame';
  if (answer !== 'hooks') return 'off';
  const outer: (Label | undefined)[] = [];
  createHook({
    before() {
      outer.push(holder.current);
      holder.current = storage.getStore();
    },
    after() {
      // Empty when the callback began before the hook was there.
      holder.current = outer.pop();
    },
  }).enable();
  return 'hooks';
}

/** Labels that say nothing (a context without a sampled span) were entered: they are followed, the engine need not know. */
let bare = false;

/** The current label; undefined before the first one and where none is. */
export function currentLabel(): Label | undefined {
  return way === undefined && !bare ? undefined : storage.getStore();
}

/** False for a label that nobody needs to see: who only has contexts pays for no hooks. */
function ready(label: Label): boolean {
  if (way !== undefined) return true;
  if (shared.way === undefined && label.setId === 0 && label.span === undefined) {
    bare = true;
    return false;
  }
  way = shared.way ?? attach();
  shared.way = way;
  return true;
}

/** Calls `fn` with `label` as the current one, from here through everything asynchronous that starts in it. Returns what it returns; restores on throw. */
export function runWith<T>(label: Label, fn: () => T): T {
  if (!ready(label) || way !== 'hooks') return storage.run(label, fn);
  const before = holder.current;
  holder.current = label;
  try {
    return storage.run(label, fn);
  } finally {
    holder.current = before;
  }
}

/** `label` is the current one from here on in this run of code and in what starts from it, until another is entered. */
export function enterLabel(label: Label | undefined): void {
  if (label !== undefined && ready(label) && way === 'hooks') holder.current = label;
  if (label === undefined && way === 'hooks') holder.current = undefined;
  storage.enterWith(label as Label);
}

/** For the self-test: a map as Node's async context frame is one. */
export const storageKey: object = storage;
