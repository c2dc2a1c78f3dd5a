// The label: what stands in the AsyncLocalStorage while labelled work runs. The engine's signal handler reads it in place.
//
// Its first twelve fields are integers, in this order, each set once: V8 keeps them as small integers inside the object, 8 bytes each behind its header
// (native/capture/label_source.cc copies them raw; the self-test checks it on every Node). Nothing may be put before them, and no other code makes labels.

/** A set of user labels; immutable. Made in labels/sets.ts. */
export interface LabelSet {
  /** 0: the empty set, or no engine; -1: the engine's table had no room. */
  readonly id: number;
  readonly generation: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The same, sorted by name, as one string. */
  readonly key: string;
}

export const EMPTY_SET: LabelSet = Object.freeze({ id: 0, generation: 0, labels: Object.freeze({}), key: '' });

/** What labels/spans.ts keeps of a span. Only its numbers are known here. */
export interface SpanIds {
  /** Trace id: four words, the highest first. Span id and local root's span id: two each. */
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  readonly root0: number;
  readonly root1: number;
  /** Slot of the span's CPU counters, 0 for none. */
  slot: number;
  slotGeneration: number;
}

export class Label {
  readonly setId: number;
  readonly setGeneration: number;
  readonly slot: number;
  readonly slotGeneration: number;
  readonly trace0: number;
  readonly trace1: number;
  readonly trace2: number;
  readonly trace3: number;
  readonly span0: number;
  readonly span1: number;
  readonly root0: number;
  readonly root1: number;
  readonly set: LabelSet;
  readonly span: SpanIds | undefined;
  /** The OpenTelemetry context, for the context manager that shares this storage; opaque here. */
  readonly context: unknown;
  /** `set` without what the span's attributes added to it. */
  readonly user: LabelSet;

  constructor(set: LabelSet, span: SpanIds | undefined, context: unknown, user: LabelSet = set) {
    this.setId = set.id | 0;
    this.setGeneration = set.generation | 0;
    if (span === undefined) {
      this.slot = 0;
      this.slotGeneration = 0;
      this.trace0 = 0;
      this.trace1 = 0;
      this.trace2 = 0;
      this.trace3 = 0;
      this.span0 = 0;
      this.span1 = 0;
      this.root0 = 0;
      this.root1 = 0;
    } else {
      this.slot = span.slot | 0;
      this.slotGeneration = span.slotGeneration | 0;
      this.trace0 = span.trace0 | 0;
      this.trace1 = span.trace1 | 0;
      this.trace2 = span.trace2 | 0;
      this.trace3 = span.trace3 | 0;
      this.span0 = span.span0 | 0;
      this.span1 = span.span1 | 0;
      this.root0 = span.root0 | 0;
      this.root1 = span.root1 | 0;
    }
    this.set = set;
    this.span = span;
    this.context = context;
    this.user = user;
  }
}
