// Where the current label is kept: one place an isolate, whatever copies of this package are loaded, and what leads the engine's handler to it.
//
// Node 24 on (and 22 with --experimental-async-context-frame): an AsyncLocalStorage, whose value the handler finds in V8's async context by itself; nothing of ours
// runs when the context changes. Node 20 and 22: one async hook does what AsyncLocalStorage does there (`init` puts the current label onto what is made, `before`
// takes it from there) and keeps the label of the running callback in the first field of an object that the handler reads. An AsyncLocalStorage with such hooks
// beside it costs a third more (docs/labels.md). The hook is enabled by the first label: who sets none pays nothing. Which of the two it is is found out by trying,
// not by version.
//
// `after` goes back to what was current before its `before`, not to nothing: callbacks nest (AsyncResource.runInAsyncScope in HTTP parsers and pools).

import { AsyncLocalStorage, createHook, executionAsyncResource } from 'node:async_hooks';
import { EMPTY_SET, Label } from '../label';
import { labelEngine } from './engine';
import { type Frames, findFrames, runInFrame } from './frames';

type Way = 'frame' | 'hooks' | 'off';

interface Shared {
  storage: AsyncLocalStorage<Label>;
  /** Its only field must stay its first. */
  holder: { current: Label | undefined };
  way: Way | undefined;
}

const KEY = Symbol.for('strobe.labels.1');
/** The label that was current where an asynchronous resource was made. */
const ON_RESOURCE = Symbol.for('strobe.label.1');
type Resource = Record<symbol, Label | undefined>;
const registry = globalThis as unknown as Record<symbol, Shared | undefined>;

function makeShared(): Shared {
  const made: Shared = { storage: new AsyncLocalStorage<Label>(), holder: { current: undefined }, way: undefined };
  Object.defineProperty(globalThis, KEY, { value: made, enumerable: false });
  return made;
}

const shared = registry[KEY] ?? makeShared();
const { storage, holder } = shared;
let way = shared.way;
/** Labels that say nothing (a context without a sampled span) were entered: they are followed, the engine need not know. */
let bare = false;
/** Undefined: not looked for yet; null: there are none that we know. */
let frames: Frames | null | undefined;

function attach(): Way {
  const probe = new Label(EMPTY_SET, undefined, undefined);
  holder.current = probe;
  const answer = storage.run(probe, () => labelEngine()?.attachLabels(storage, holder)) ?? 'off';
  holder.current = undefined;
  if (answer === 'frame') return 'frame';
  if (answer !== 'hooks') return 'off';
  // Trying it has enabled Node's own hook; contexts that were entered before need it.
  if (!bare) storage.disable();
  followByHooks();
  return 'hooks';
}

/** Labels that were current before the callbacks that run now, the outermost first. */
const outer: (Label | undefined)[] = [];
/** Called when fewer callbacks run than this. */
let endsBelow = 0;
let onCallbackEnd: (() => void) | undefined;

/** Calls `fn` when the callback that runs now is over. False where nothing tells that: `fn` is not called then. */
export function atCallbackEnd(fn: () => void): boolean {
  if (outer.length === 0) return false;
  endsBelow = outer.length;
  onCallbackEnd = fn;
  return true;
}

function followByHooks(): void {
  createHook({
    // Promises by a line of their own, here and below: V8 specialises each place of access on the objects seen there, and a timer or a socket must not make
    // every promise slower (measured: 3 to 5 % of an await).
    init(_asyncId, type, _triggerAsyncId, resource) {
      // Also when there is none: Node uses some resources again.
      if (type === 'PROMISE') (resource as Resource)[ON_RESOURCE] = holder.current;
      else (resource as Resource)[ON_RESOURCE] = holder.current;
    },
    before() {
      outer.push(holder.current);
      const resource = executionAsyncResource();
      holder.current = resource instanceof Promise ? (resource as unknown as Resource)[ON_RESOURCE] : (resource as Resource)[ON_RESOURCE];
    },
    after() {
      // Empty when the callback began before the hook was there.
      holder.current = outer.pop();
      if (outer.length < endsBelow) {
        endsBelow = 0;
        onCallbackEnd?.();
      }
    },
  }).enable();
}

/** The current label; undefined before the first one and where none is. */
export function currentLabel(): Label | undefined {
  // Another copy of the package may have been first.
  way ??= shared.way;
  if (way === undefined) return bare ? storage.getStore() : undefined;
  if (way !== 'hooks') return storage.getStore();
  // Work that began before the first label that says something has its context where it was put then.
  return holder.current ?? (bare ? storage.getStore() : undefined);
}

/** False for a label that nobody needs to see: who only has contexts pays for no hooks of ours. */
function ready(label: Label): boolean {
  if (way !== undefined) return true;
  way = shared.way;
  if (way !== undefined) return true;
  if (label.setId === 0 && label.span === undefined) {
    bare = true;
    return false;
  }
  way = attach();
  shared.way = way;
  return true;
}

/** Calls `fn` with `label` as the current one, from here through everything asynchronous that starts in it. Returns what it returns; restores on throw. */
export function runWith<T>(label: Label, fn: () => T): T {
  if (!ready(label)) return storage.run(label, fn);
  if (way !== 'hooks') {
    if (frames === undefined) frames = way === 'frame' ? (findFrames() ?? null) : null;
    return frames === null ? storage.run(label, fn) : runInFrame(frames, storage, label, fn);
  }
  const before = holder.current;
  holder.current = label;
  try {
    return fn();
  } finally {
    holder.current = before;
  }
}

/** `label` is the current one from here on in this run of code and in what starts from it, until another is entered. */
export function enterLabel(label: Label | undefined): void {
  if (label !== undefined && !ready(label)) storage.enterWith(label);
  else if (way === 'hooks') enterByHooks(label);
  else storage.enterWith(label as Label);
}

/** Where no callback runs that `before` was called for, what is made from here on inherits all the same. */
function enterByHooks(label: Label | undefined): void {
  holder.current = label;
  (executionAsyncResource() as Resource)[ON_RESOURCE] = label;
}
