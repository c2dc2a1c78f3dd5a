// What strobe keeps of an OpenTelemetry span: its ids as integers for the label, its CPU counters, its place among other spans, its attributes that are labels.
//
// Contract: one record a span, in a symbol property of the span object, so that it lives and dies with it. Made by StrobeSpanProcessor at the start (with
// counters), or by a context manager for a span that no processor of ours has seen (ids only). A record knows its nearest ancestor that had not ended, for
// the CPU of children; ended ones are skipped and let go, so a chain of spans that start each other holds no chain of records.
// Nothing here needs @opentelemetry/api: what is read of contexts and spans is what all of its 1.x copies must agree on.

import { Label, type LabelSet, type SpanIds } from '../label';
import { isProfilerRunning } from './engine';
import { inheritedSet } from './inherited';
import { insideSection, openSectionsNs, runMeasured } from './sections';
import { type LabelValue, living, mergeLenient } from './sets';
import { closeSlot, generationOf, NO_ROOM, openSlot, readSlot } from './span-slots';
import { runWith } from './storage';

export interface SpanLabelOptions {
  /** Spans that are not sampled are labels, too. Default false: they cost nothing and label nothing. */
  labelUnsampledSpans?: boolean;
}

/** The span attributes that become labels, unless `spanLabels` says otherwise. A label is a series in most backends: none of these is free text. */
export const SPAN_LABELS: readonly string[] = [
  'agent.name',
  'session_id',
  'invocation_id',
  'gen_ai.tool.name',
  'gen_ai.request.model',
  'http.route',
];

/** OpenTelemetry's Context, Span and SpanContext, as far as they are read here. */
export interface ContextLike {
  getValue(key: symbol): unknown;
}
export interface SpanContextLike {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote?: boolean | undefined;
}
export interface SpanLike {
  spanContext(): SpanContextLike;
}

/** createContextKey() is Symbol.for() in every 1.x of the API: copies of it share contexts by this key. */
const SPAN_KEY = Symbol.for('OpenTelemetry Context Key SPAN');
const RECORD = Symbol.for('strobe.span.1');
const SAMPLED = 1;

const NO_NAMES: readonly string[] = [];

/** Of this thread: slots in use, and spans that got none because all were taken (by spans that never ended). */
export const spanCounts = { slots: 0, withoutSlot: 0 };

const DIGIT = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  DIGIT[text.charCodeAt(0)] = digit;
  DIGIT[text.toUpperCase().charCodeAt(0)] = digit;
}

/** Eight hexadecimal digits from `at` on, as a signed integer. */
function word(text: string, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) value = (value << 4) | (DIGIT[text.charCodeAt(i) & 127] as number);
  return value;
}

export class SpanRecord implements SpanIds {
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  readonly root0: number;
  readonly root1: number;
  slot = 0;
  slotGeneration = 0;
  /** CPU of children that have ended, nanoseconds. */
  childrenNs = 0;
  ended = false;
  parent: SpanRecord | undefined;
  /** The attributes that may be labels and where they are read from; the span may get them at any time. */
  readonly #names: readonly string[];
  readonly #attributes: Readonly<Record<string, unknown>> | undefined;
  /** What #own was made from, in the order of #names. */
  #seen: unknown[] | undefined;
  /** Labels of this span's attributes; of its ancestors' at its start. */
  #own: Record<string, LabelValue> | undefined;
  readonly #inherited: Record<string, LabelValue> | undefined;
  /** The user's set that was current when the span was entered last, and that with the labels over it. */
  #base: LabelSet | undefined;
  merged: LabelSet | undefined;

  constructor(
    ids: SpanContextLike,
    parent: SpanRecord | undefined,
    names: readonly string[],
    attributes: Readonly<Record<string, unknown>> | undefined,
  ) {
    const { traceId, spanId } = ids;
    this.trace0 = word(traceId, 0);
    this.trace1 = word(traceId, 8);
    this.trace2 = word(traceId, 16);
    this.trace3 = word(traceId, 24);
    this.span0 = word(spanId, 0);
    this.span1 = word(spanId, 8);
    this.root0 = parent === undefined ? this.span0 : parent.root0;
    this.root1 = parent === undefined ? this.span1 : parent.root1;
    this.parent = parent === undefined ? undefined : livingFrom(parent);
    this.#names = attributes === undefined ? NO_NAMES : names;
    this.#attributes = attributes;
    this.#inherited = parent?.labels();
  }

  /** Labels of the span and its ancestors. */
  labels(): Record<string, LabelValue> | undefined {
    const own = this.#ownLabels();
    if (own === undefined || this.#inherited === undefined) return own ?? this.#inherited;
    return { ...this.#inherited, ...own };
  }

  /** Labels of its attributes as they are now. */
  #ownLabels(): Record<string, LabelValue> | undefined {
    const attributes = this.#attributes;
    if (attributes === undefined) return undefined;
    const names = this.#names;
    for (let i = 0; i < names.length; i++) {
      const value = attributes[names[i] as string];
      if (value !== undefined && value !== this.#seen?.[i]) return this.#readAttributes(attributes);
    }
    return this.#own;
  }

  #readAttributes(attributes: Readonly<Record<string, unknown>>): Record<string, LabelValue> {
    const own: Record<string, LabelValue> = {};
    this.#seen = this.#names.map((name) => {
      const value = attributes[name];
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') own[name] = value;
      return value;
    });
    this.#own = own;
    this.merged = undefined;
    return own;
  }

  /** `user` with the labels of the span and its ancestors over it. */
  #setOver(user: LabelSet): LabelSet {
    // Asked first: an attribute that came meanwhile empties `merged`.
    const own = this.#ownLabels();
    if (own === undefined && this.#inherited === undefined) return user;
    if (this.merged === undefined || this.#base !== user || !living(this.merged)) {
      this.#base = user;
      this.merged = mergeLenient(user, { ...this.#inherited, ...own });
    }
    return this.merged;
  }

  /** The span's label where it is entered from `outer`. Whatever was set last wins, the user's labels or the span's. */
  labelFrom(outer: Label | undefined, kept: unknown): Label {
    const around = outer?.span;
    // withLabels() inside the span around: its labels stand over that one's.
    if (outer !== undefined && around instanceof SpanRecord && outer.user === outer.set && around.merged !== undefined) {
      const own = around === this ? undefined : this.#ownLabels();
      return new Label(own === undefined ? outer.set : mergeLenient(outer.set, own), this, kept, outer.set);
    }
    const user = userSet(outer);
    return new Label(this.#setOver(user), this, kept, user);
  }

  /** CPU counters of its own, while a profiler runs. */
  open(): void {
    if (!isProfilerRunning()) return;
    const slot = openSlot();
    if (slot <= 0) {
      if (slot === NO_ROOM) spanCounts.withoutSlot++;
      return;
    }
    spanCounts.slots++;
    this.slot = slot;
    this.slotGeneration = generationOf(slot);
  }

  /** CPU of the span itself so far, nanoseconds; -1 when nobody counts it. */
  selfNs(): number {
    if (this.slot === 0) return -1;
    const closed = readSlot(this.slot, this.slotGeneration);
    return closed < 0 ? -1 : closed + openSectionsNs(this.slot, this.slotGeneration);
  }

  /**
   * The span is over: its counters are freed, its CPU and its children's goes to its nearest living ancestor. Once; returns its own CPU, nanoseconds, or -1
   * when nobody counted it.
   */
  end(): number {
    this.ended = true;
    const selfNs = this.selfNs();
    if (this.slot !== 0) {
      closeSlot(this.slot, this.slotGeneration);
      this.slot = 0;
      this.slotGeneration = 0;
      spanCounts.slots--;
    }
    const ancestor = this.parent === undefined ? undefined : livingFrom(this.parent);
    this.parent = ancestor;
    if (ancestor !== undefined) ancestor.childrenNs += Math.max(selfNs, 0) + this.childrenNs;
    return selfNs;
  }
}

/** `record` or its nearest ancestor that has not ended; what has ended on the way is skipped from now on. */
function livingFrom(record: SpanRecord): SpanRecord | undefined {
  let found: SpanRecord | undefined = record;
  while (found?.ended) found = found.parent;
  if (record.ended) record.parent = found;
  else while (record.parent?.ended) record.parent = record.parent.parent;
  return found;
}

export function spanIn(context: ContextLike | null | undefined): SpanLike | undefined {
  return (context?.getValue(SPAN_KEY) as SpanLike | undefined) ?? undefined;
}

export function recordOf(span: object): SpanRecord | undefined {
  return (span as { [RECORD]?: SpanRecord })[RECORD];
}

/** False when the span can't carry it (frozen): then nothing is kept of it. */
export function keepRecord(span: object, record: SpanRecord): boolean {
  try {
    (span as { [RECORD]?: SpanRecord })[RECORD] = record;
    return true;
  } catch {
    return false;
  }
}

export function isSampled(ids: SpanContextLike): boolean {
  return (ids.traceFlags & SAMPLED) !== 0;
}

/** The record of `context`'s span; undefined where it has none that is to be a label. */
function labelledSpan(context: ContextLike | null | undefined, outer: Label | undefined, unsampledToo: boolean): SpanRecord | undefined {
  const span = spanIn(context);
  if (span === undefined) return undefined;
  const known = recordOf(span);
  if (known !== undefined) return known;
  const ids = span.spanContext();
  // A remote parent is no span of this process; an invalid one is none at all.
  if (ids.isRemote || !(isSampled(ids) || unsampledToo) || !(Number.parseInt(ids.spanId, 16) > 0)) return undefined;
  const made = new SpanRecord(ids, undefined, NO_NAMES, undefined);
  const around = outer?.span;
  // Nobody told its parent. Where it is entered from a span of the same trace, that one's local root is its own.
  const inside =
    around !== undefined &&
    around.trace0 === made.trace0 &&
    around.trace1 === made.trace1 &&
    around.trace2 === made.trace2 &&
    around.trace3 === made.trace3;
  const record = inside && around instanceof SpanRecord ? new SpanRecord(ids, around, NO_NAMES, undefined) : made;
  keepRecord(span, record);
  return record;
}

/** The user's own set where `outer` is current: without what its span's attributes added. */
function userSet(outer: Label | undefined): LabelSet {
  return outer === undefined ? inheritedSet() : outer.user;
}

/** The label of `context`, entered where `outer` is current. `kept`: what Label.context shall be. */
export function labelIn(context: ContextLike | null | undefined, outer: Label | undefined, unsampledToo: boolean, kept: unknown): Label {
  const span = labelledSpan(context, outer, unsampledToo);
  return span === undefined ? new Label(userSet(outer), undefined, kept) : span.labelFrom(outer, kept);
}

/** Calls `fn` under the label; measured when it is a span's, and inside a measured section always. */
export function runIn<T>(label: Label, fn: () => T): T {
  return label.span !== undefined || insideSection() ? runMeasured(label, fn) : runWith(label, fn);
}
