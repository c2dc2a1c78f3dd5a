// OpenTelemetry's span processor of strobe: gives each sampled span its record (labels/spans.ts), its local root the mark that links it to the profile, and at
// its end what CPU it used. Exports nothing: put it first, before the processor that does.
//
// Contract: written against what the 2.x and 3.x SDKs have in common. The CPU attributes are set in onEnding, the last moment when a span takes any; an SDK
// without it gets them written into the finished span. They are missing where nobody counted: no profiler ran when the span began.

import { StrobeError } from '../errors';
import { checkSpanLabelOptions } from './context-manager';
import {
  type ContextLike,
  isSampled,
  keepRecord,
  recordOf,
  SPAN_LABELS,
  type SpanContextLike,
  type SpanLabelOptions,
  SpanRecord,
  spanCounts,
  spanIn,
} from './spans';

export interface SpanProcessorOptions extends SpanLabelOptions {
  /** Names of span attributes that become labels of the samples under the span. Default: SPAN_LABELS. */
  spanLabels?: readonly string[];
}

/** CPU of the span and of its children that have ended, microseconds. */
export const CPU_MICROS = 'resource.cpu.micros';
/** CPU of the span alone. */
export const CPU_SELF_MICROS = 'resource.cpu.self_micros';
/** On the local root span: the id that its samples carry. Grafana's name (docs/spans.md). */
export const PROFILE_ID = 'pyroscope.profile.id';

/** A span that has started, and one that is over, as both SDK lines have them. */
interface StartedSpan {
  spanContext(): SpanContextLike;
  readonly attributes: Record<string, unknown>;
  readonly parentSpanContext?: SpanContextLike | undefined;
  setAttribute(name: string, value: string | number): unknown;
}
interface FinishedSpan {
  readonly attributes: Record<string, unknown>;
}

export interface SpanProcessorStats {
  /** Slots for CPU counters that are in use on this thread: its spans that have not ended. */
  slots: number;
  /** Spans that got none, because 131,071 spans of this thread never ended: they have ids and no CPU. */
  withoutSlot: number;
}

function checkNames(names: unknown): readonly string[] {
  if (names === undefined) return SPAN_LABELS;
  if (!Array.isArray(names) || names.some((name) => typeof name !== 'string' || name === '')) {
    throw new StrobeError(
      'ERR_INVALID_OPTION',
      "StrobeSpanProcessor: spanLabels must be a list of attribute names, such as ['agent.name']",
    );
  }
  return [...names];
}

export class StrobeSpanProcessor {
  readonly #names: readonly string[];
  readonly #unsampledToo: boolean;
  #off = false;

  /** @throws StrobeError ERR_INVALID_OPTION */
  constructor(options: SpanProcessorOptions = {}) {
    checkSpanLabelOptions('StrobeSpanProcessor', options);
    this.#names = checkNames(options.spanLabels);
    this.#unsampledToo = options.labelUnsampledSpans === true;
  }

  onStart(span: StartedSpan, parentContext: ContextLike): void {
    if (this.#off) return;
    const ids = span.spanContext();
    if (!isSampled(ids) && !this.#unsampledToo) return;
    // Two of these processors: the first one's record is the one.
    if (recordOf(span) !== undefined) return;
    const parentSpan = span.parentSpanContext?.isRemote ? undefined : spanIn(parentContext);
    const parent = parentSpan === undefined ? undefined : recordOf(parentSpan);
    const record = new SpanRecord(ids, parent, this.#names, span.attributes);
    if (!keepRecord(span, record)) return;
    record.open();
    if (parent === undefined) span.setAttribute(PROFILE_ID, ids.spanId);
  }

  onEnding(span: StartedSpan): void {
    const record = recordOf(span);
    if (record === undefined || record.ended) return;
    const selfNs = record.end();
    if (selfNs < 0) return;
    span.setAttribute(CPU_MICROS, Math.round((selfNs + record.childrenNs) / 1000));
    span.setAttribute(CPU_SELF_MICROS, Math.round(selfNs / 1000));
  }

  onEnd(span: FinishedSpan): void {
    const record = recordOf(span);
    if (record === undefined || record.ended) return;
    const selfNs = record.end();
    if (selfNs < 0) return;
    span.attributes[CPU_MICROS] = Math.round((selfNs + record.childrenNs) / 1000);
    span.attributes[CPU_SELF_MICROS] = Math.round(selfNs / 1000);
  }

  stats(): SpanProcessorStats {
    return { ...spanCounts };
  }

  /** Nothing waits here. */
  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  /** Spans that start from now on are left alone; those that are open get their end. */
  shutdown(): Promise<void> {
    this.#off = true;
    return Promise.resolve();
  }
}
