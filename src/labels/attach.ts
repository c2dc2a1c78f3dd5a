// Spans of an application that set OpenTelemetry up itself: strobe joins what is registered and replaces nothing.
//
// Contract: attachTracing() never throws for what it finds. What it could not join is 'none' with the reason, and is as it was. It can be called again at any
// time: what is joined stays, what was missing is looked for again. detach() puts back what it changed, unless somebody else changed it since: then ours goes
// silent.
//
// How: the API keeps what is registered in one global object. Its context manager gets a `with` of its own, which enters the label and calls the
// original inside: bind() of both SDK lines goes through it. Tracers hold the provider's MultiSpanProcessor, whose list of processors gets ours at its head:
// a new list, because the old one is the array that the application gave.

import { StrobeContextManager } from './context-manager';
import { type SpanProcessorOptions, StrobeSpanProcessor } from './span-processor';
import { type ContextLike, labelIn, runIn } from './spans';
import { currentLabel, enterLabel } from './storage';

export interface AttachedTracing {
  /** 'attached': samples carry span ids; 'strobe': the application uses StrobeContextManager, nothing to do; 'none': see `reasons`. */
  readonly contextManager: 'attached' | 'strobe' | 'none';
  /** 'attached': spans get CPU attributes, their attributes become labels; 'strobe': the provider has a StrobeSpanProcessor already; 'none': see `reasons`. */
  readonly spanProcessor: 'attached' | 'strobe' | 'none';
  /** Why something is 'none'. */
  readonly reasons: { readonly contextManager?: string; readonly spanProcessor?: string };
  /** Puts everything back. Idempotent. */
  detach(): void;
}

type With = (this: unknown, context: ContextLike, fn: (...args: unknown[]) => unknown, thisArg?: unknown, ...args: unknown[]) => unknown;
interface Manager {
  with: With;
  attach?: (this: unknown, context: ContextLike) => { dispose(): void };
}
interface Registered {
  context?: Manager;
  trace?: object;
}
interface ProcessorList {
  _spanProcessors: unknown[];
}

const API = Symbol.for('opentelemetry.js.api.1');

interface Joined<Kind> {
  state: Kind;
  leave(): void;
}
const joined: { manager?: Joined<object>; processor?: Joined<ProcessorList> } = {};

function registered(): Registered {
  return (globalThis as unknown as Record<symbol, Registered | undefined>)[API] ?? {};
}

/** Replaces a method of an object by its own property; what it returns puts back what was, and says whether it could. */
function override(target: object, name: string, value: unknown): () => boolean {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: before?.enumerable ?? false });
  return () => {
    if ((target as Record<string, unknown>)[name] !== value) return false;
    if (before === undefined) delete (target as Record<string, unknown>)[name];
    else Object.defineProperty(target, name, before);
    return true;
  };
}

function joinManager(manager: Manager, unsampledToo: boolean): void {
  let on = true;
  const original = manager.with;
  const attach = manager.attach;
  const joinedWith: With = function (context, fn, thisArg, ...args) {
    if (!on) return original.call(this, context, fn, thisArg, ...args);
    const outer = currentLabel();
    return runIn(labelIn(context, outer, unsampledToo, outer?.context), () => original.call(this, context, fn, thisArg, ...args));
  };
  const undo = [override(manager, 'with', joinedWith)];
  if (typeof attach === 'function') {
    const joinedAttach: typeof attach = function (context) {
      const token = attach.call(this, context);
      if (!on) return token;
      const outer = currentLabel();
      enterLabel(labelIn(context, outer, unsampledToo, outer?.context));
      let over = false;
      const dispose = () => {
        if (!over) enterLabel(outer);
        over = true;
        token.dispose();
      };
      return { dispose };
    };
    undo.push(override(manager, 'attach', joinedAttach));
  }
  joined.manager = {
    state: manager,
    leave() {
      on = false;
      for (const step of undo) step();
    },
  };
}

/** The registered provider's list of processors, or why there is none. */
function findProcessors(api: Registered): ProcessorList | string {
  if (api.trace === undefined)
    return 'no tracer provider is registered yet: call attachTracing() after the application has started its SDK';
  let provider = api.trace as { getDelegate?(): object; _activeSpanProcessor?: Partial<ProcessorList> };
  // What the API registers is a proxy of its own.
  for (let i = 0; i < 4 && typeof provider.getDelegate === 'function'; i++) provider = provider.getDelegate() as typeof provider;
  const active = provider._activeSpanProcessor;
  if (active === undefined || !Array.isArray(active._spanProcessors)) {
    const name = provider.constructor?.name || 'without a class';
    return `the registered provider (${name}) keeps its span processors where strobe does not know; give it new StrobeSpanProcessor() itself`;
  }
  return active as ProcessorList;
}

function joinProcessors(list: ProcessorList, options: SpanProcessorOptions): void {
  const ours = new StrobeSpanProcessor(options);
  list._spanProcessors = [ours, ...list._spanProcessors];
  joined.processor = {
    state: list,
    leave() {
      void ours.shutdown();
      list._spanProcessors = list._spanProcessors.filter((processor) => processor !== ours);
    },
  };
}

function detach(): void {
  joined.manager?.leave();
  joined.processor?.leave();
  delete joined.manager;
  delete joined.processor;
}

/**
 * Joins the OpenTelemetry SDK that the application has registered, of the 2.x or the 3.x line.
 * @throws StrobeError ERR_INVALID_OPTION for wrong options only
 */
export function attachTracing(options: SpanProcessorOptions = {}): AttachedTracing {
  // Wrong options are refused before anything is changed.
  new StrobeSpanProcessor(options);
  const api = registered();
  const reasons: { contextManager?: string; spanProcessor?: string } = {};
  let contextManager: AttachedTracing['contextManager'] = 'attached';
  let spanProcessor: AttachedTracing['spanProcessor'] = 'attached';

  // The application has replaced what was joined: that one is over.
  if (joined.manager !== undefined && joined.manager.state !== api.context) {
    joined.manager.leave();
    delete joined.manager;
  }
  if (api.context === undefined || typeof api.context.with !== 'function') {
    contextManager = 'none';
    reasons.contextManager = 'no context manager is registered yet: call attachTracing() after the application has started its SDK';
  } else if (api.context instanceof StrobeContextManager) {
    contextManager = 'strobe';
  } else if (joined.manager === undefined) {
    try {
      joinManager(api.context, options.labelUnsampledSpans === true);
    } catch (error) {
      contextManager = 'none';
      reasons.contextManager = `the registered context manager can't be changed: ${(error as Error).message}`;
    }
  }

  const list = findProcessors(api);
  if (joined.processor !== undefined && joined.processor.state !== list) {
    joined.processor.leave();
    delete joined.processor;
  }
  if (typeof list === 'string') {
    spanProcessor = 'none';
    reasons.spanProcessor = list;
  } else if (joined.processor === undefined) {
    if (list._spanProcessors.some((processor) => processor instanceof StrobeSpanProcessor)) spanProcessor = 'strobe';
    else joinProcessors(list, options);
  }
  return { contextManager, spanProcessor, reasons, detach };
}
