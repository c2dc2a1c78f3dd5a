// The labels a user sets: withLabels, currentLabels, bindLabels, bindIterable.

import { StrobeError } from '../errors';
import { Label } from '../label';
import { inheritedSet } from './inherited';
import { insideSection, runExactly, runMeasured } from './sections';
import { type Labels, mergeSets } from './sets';
import { currentLabel, runWith } from './storage';

export type { Labels, LabelValue } from './sets';

export interface WithLabelsOptions {
  /**
   * Measure the CPU of the synchronous part of `fn` by the thread's clock (about a microsecond a call) instead of estimating it by samples. For sections of less
   * than some milliseconds that are too rare or too short for samples. What continues after an `await` is sampled.
   */
  exact?: boolean;
}

function requireFunction(fn: unknown, what: string): void {
  if (typeof fn !== 'function')
    throw new StrobeError('ERR_INVALID_OPTION', `${what} needs a function to call, got ${fn === null ? 'null' : typeof fn}`);
}

/**
 * Calls `fn` with `labels` merged over the current ones (inner wins): every sample that is taken while it runs carries them, through awaits, timers, streams and
 * whatever asynchronous work starts in it. Returns what `fn` returns; what is current afterwards is what was before, also when it throws.
 * @param labels names (at most 128 bytes) and values: strings of at most 1 KiB, numbers, booleans; at most 64 labels at a time
 * @throws StrobeError ERR_INVALID_OPTION for labels that can't be taken; `fn` is not called then
 */
export function withLabels<T>(labels: Labels, fn: () => T, options?: WithLabelsOptions): T {
  requireFunction(fn, 'withLabels(labels, fn)');
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw new StrobeError(
      'ERR_INVALID_OPTION',
      `withLabels: the options must be an object such as { exact: true }, got ${options === null ? 'null' : typeof options}`,
    );
  }
  const outer = currentLabel();
  const label = new Label(mergeSets(outer?.set ?? inheritedSet(), labels), outer?.span, outer?.context);
  if (options?.exact) return runExactly(label, fn);
  return insideSection() ? runMeasured(label, fn) : runWith(label, fn);
}

/** The labels that are current here; frozen. */
export function currentLabels(): Readonly<Record<string, string>> {
  return (currentLabel()?.set ?? inheritedSet()).labels;
}

/** The label here, for what is bound: where none is, one that says so. */
function captured(): Label {
  return currentLabel() ?? new Label(inheritedSet(), undefined, undefined);
}

function run<T>(label: Label, fn: () => T): T {
  return insideSection() ? runMeasured(label, fn) : runWith(label, fn);
}

/** A function that runs `fn` with the labels that are current now, wherever it is called from; `this` and arguments are passed on. */
export function bindLabels<This, Args extends unknown[], Result>(
  fn: (this: This, ...args: Args) => Result,
): (this: This, ...args: Args) => Result {
  requireFunction(fn, 'bindLabels(fn)');
  const label = captured();
  return function bound(this: This, ...args: Args): Result {
    return run(label, () => fn.apply(this, args));
  };
}

type AnyIterator = Iterator<unknown, unknown, unknown> | AsyncIterator<unknown, unknown, unknown>;

const STEPS = ['next', 'return', 'throw'] as const;

/** What is bound, so that an iterator that is its own iterable is bound once. */
function boundIterator(label: Label, inner: AnyIterator, symbols: readonly symbol[]): object {
  const bound: Record<PropertyKey, unknown> = {};
  for (const step of STEPS) {
    const method = (inner as unknown as Record<string, unknown>)[step];
    if (typeof method !== 'function') continue;
    bound[step] = (...args: unknown[]) => run(label, () => Reflect.apply(method, inner, args));
  }
  for (const symbol of symbols) bound[symbol] = () => bound;
  const dispose = (Symbol as unknown as Record<string, symbol | undefined>).asyncDispose;
  if (dispose !== undefined && typeof (inner as unknown as Record<symbol, unknown>)[dispose] === 'function') {
    bound[dispose] = () => run(label, () => (inner as unknown as Record<symbol, () => unknown>)[dispose]?.call(inner));
  }
  return bound;
}

/**
 * An iterable (or async iterable) whose every step runs with the labels that are current now: for generators and streams that are made inside labelled work and
 * consumed outside. `for`, `for await`, `return` on an early `break` and `throw` work as on the original.
 */
export function bindIterable<T extends Iterable<unknown> | AsyncIterable<unknown>>(iterable: T): T {
  const source = iterable as unknown as Record<symbol, unknown> | null | undefined;
  const symbols = [Symbol.asyncIterator, Symbol.iterator].filter((symbol) => typeof source?.[symbol] === 'function');
  if (!source || symbols.length === 0) {
    throw new StrobeError('ERR_INVALID_OPTION', 'bindIterable(iterable) needs an object with Symbol.iterator or Symbol.asyncIterator');
  }
  const label = captured();
  // A generator is its own iterator: so is what stands for it, with next().
  if (typeof (source as unknown as { next?: unknown }).next === 'function')
    return boundIterator(label, source as unknown as AnyIterator, symbols) as T;
  const bound: Record<symbol, unknown> = {};
  for (const symbol of symbols) {
    bound[symbol] = () =>
      boundIterator(
        label,
        run(label, () => Reflect.apply(source[symbol] as () => AnyIterator, source, [])),
        [symbol],
      );
  }
  return bound as unknown as T;
}
