// OpenTelemetry's context manager on the labels' storage: one AsyncLocalStorage for the context and the label, so that a context costs what a label costs.
//
// Contract: as AsyncLocalStorageContextManager of the 2.12 line, for contexts. Beyond it: inside `with` and in whatever starts there samples carry the ids of
// the context's span, and the labels of its attributes over the user's; the CPU of its synchronous part is measured for a sampled span (labels/sections.ts).
// withLabels() inside keeps the context; `with` keeps the user's labels; what is bound has both, the labels as they were when it was bound.
// @opentelemetry/api is needed only where one is made.

import { EventEmitter } from 'node:events';
import type { Context, ContextManager } from '@opentelemetry/api';
import { StrobeError } from '../errors';
import type { Label } from '../label';
import { labelIn, runIn, type SpanLabelOptions } from './spans';
import { currentLabel, enterLabel } from './storage';

/** Loads the application's copy of the API. @throws StrobeError ERR_INVALID_OPTION when there is none */
export function loadApi(who: string): typeof import('@opentelemetry/api') {
  try {
    return require('@opentelemetry/api');
  } catch (cause) {
    throw new StrobeError('ERR_INVALID_OPTION', `${who} needs OpenTelemetry's API: npm install @opentelemetry/api`, { cause });
  }
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function checkSpanLabelOptions(who: string, options: unknown): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new StrobeError('ERR_INVALID_OPTION', `${who}: the options must be an object such as { labelUnsampledSpans: true }`);
  }
  const { labelUnsampledSpans } = options as { labelUnsampledSpans?: unknown };
  if (labelUnsampledSpans !== undefined && typeof labelUnsampledSpans !== 'boolean') {
    throw new StrobeError('ERR_INVALID_OPTION', `${who}: labelUnsampledSpans must be true or false, got ${typeof labelUnsampledSpans}`);
  }
}

type Listener = (...args: unknown[]) => void;
type ListenerMethod = (this: EventEmitter, event: string | symbol, listener: Listener) => EventEmitter;

const ADDING = ['addListener', 'on', 'once', 'prependListener', 'prependOnceListener'] as const;
const REMOVING = ['removeListener', 'off'] as const;

export class StrobeContextManager implements ContextManager {
  readonly #root: Context;
  readonly #unsampledToo: boolean;
  #disabled = false;
  /** Bound emitters, each with its listeners and what stands for them. */
  readonly #emitters = new WeakMap<EventEmitter, Map<string | symbol, WeakMap<Listener, Listener>>>();
  /** once() adds its own wrapper by on(): that one is bound already. */
  #adding = false;

  /** @throws StrobeError ERR_INVALID_OPTION, also when @opentelemetry/api is not installed */
  constructor(options: SpanLabelOptions = {}) {
    checkSpanLabelOptions('StrobeContextManager', options);
    this.#root = loadApi('StrobeContextManager').ROOT_CONTEXT;
    this.#unsampledToo = options.labelUnsampledSpans === true;
  }

  active(): Context {
    return this.#disabled ? this.#root : ((currentLabel()?.context as Context | undefined) ?? this.#root);
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    this.#disabled = false;
    const label = labelIn(context, currentLabel(), this.#unsampledToo, context);
    const plain = args.length === 0 && (thisArg === undefined || thisArg === null);
    return runIn(label, (plain ? fn : () => Reflect.apply(fn, thisArg, args)) as () => ReturnType<F>);
  }

  /**
   * Makes `context` current from here on, in this run of code and what starts from it. The token's dispose() puts back what was. In an async function it also
   * reaches the caller: prefer `with`.
   */
  attach(context: Context): { dispose(): void } {
    this.#disabled = false;
    const before = currentLabel();
    enterLabel(labelIn(context, before, this.#unsampledToo, context));
    let over = false;
    return {
      dispose() {
        if (!over) enterLabel(before);
        over = true;
      },
    };
  }

  bind<T>(context: Context, target: T): T {
    if (target instanceof EventEmitter) return this.#bindEmitter(context, target) as T & EventEmitter;
    if (typeof target === 'function') return this.#bindFunction(context, currentLabel(), target as unknown as Listener) as T;
    return target;
  }

  enable(): this {
    return this;
  }

  /** No context is active until the next `with`. Labels stay. */
  disable(): this {
    this.#disabled = true;
    return this;
  }

  #bindFunction(context: Context, outer: Label | undefined, target: Listener): Listener {
    const manager = this;
    function bound(this: unknown, ...args: unknown[]): unknown {
      manager.#disabled = false;
      // Made at each call: the span may have got attributes since.
      return runIn(labelIn(context, outer, manager.#unsampledToo, context), () => Reflect.apply(target, this, args));
    }
    Object.defineProperty(bound, 'length', { value: target.length, configurable: true });
    return bound;
  }

  #bindEmitter(context: Context, emitter: EventEmitter): EventEmitter {
    if (this.#emitters.has(emitter)) return emitter;
    const events = new Map<string | symbol, WeakMap<Listener, Listener>>();
    this.#emitters.set(emitter, events);
    const manager = this;
    const outer = currentLabel();
    const methods = emitter as unknown as Record<string, ListenerMethod | undefined>;

    for (const name of ADDING) {
      const original = methods[name];
      if (original === undefined) continue;
      methods[name] = function (event, listener) {
        // What is no function is the emitter's to refuse.
        if (manager.#adding || typeof listener !== 'function') return original.call(this, event, listener);
        let listeners = events.get(event);
        if (listeners === undefined) {
          listeners = new WeakMap();
          events.set(event, listeners);
        }
        // One stand-in a listener, also when it is added twice: each removal finds it.
        let bound = listeners.get(listener);
        if (bound === undefined) {
          bound = manager.#bindFunction(context, outer, listener);
          listeners.set(listener, bound);
        }
        manager.#adding = true;
        try {
          return original.call(this, event, bound);
        } finally {
          manager.#adding = false;
        }
      };
    }
    for (const name of REMOVING) {
      const original = methods[name];
      if (original === undefined) continue;
      methods[name] = function (event, listener) {
        return original.call(this, event, events.get(event)?.get(listener) ?? listener);
      };
    }
    const removeAll = emitter.removeAllListeners;
    if (typeof removeAll === 'function') {
      emitter.removeAllListeners = function (this: EventEmitter, ...args: [event?: string | symbol]) {
        if (args.length === 0) events.clear();
        else events.delete(args[0] as string | symbol);
        return removeAll.apply(this, args);
      };
    }
    return emitter;
  }
}
