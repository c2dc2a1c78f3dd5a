// All that a user imports. Importing never throws and starts nothing: the engine is loaded when it is first used. Its one effect: `worker_threads.Worker` becomes
// a proxy of itself, so that Workers can be followed once a profiler runs (src/profiler/threads.ts says why so early).

import { bequeath, inheritedSet } from './labels/inherited';
import { currentLabel } from './labels/storage';
import { loadNative, type ProcessStats } from './native';
import { installWorkerHook, onWorkerMade } from './profiler/threads';

export { type AttributedUse, type Attribution, type AttributionRow, attribution } from './attribution/attribution';
export { StrobeError, type StrobeErrorCode } from './errors';
export type { Exporter } from './export/exporter';
export { type FileExporter, type FileExporterOptions, fileExporter } from './export/file';
export type { NetworkOptions } from './export/network';
export { type OtlpExporter, type OtlpExporterOptions, otlpExporter } from './export/otlp';
export { type PullExporter, type PullExporterOptions, pullExporter } from './export/pull';
export { type PyroscopeExporter, type PyroscopeExporterOptions, pyroscopeExporter } from './export/pyroscope';
export type { ExporterStats } from './export/stats';
export { type AttachedTracing, attachTracing } from './labels/attach';
export { StrobeContextManager } from './labels/context-manager';
export { bindIterable, bindLabels, currentLabels, type Labels, type LabelValue, type WithLabelsOptions, withLabels } from './labels/labels';
export { type SpanProcessorOptions, type SpanProcessorStats, StrobeSpanProcessor } from './labels/span-processor';
export type { SpanLabelOptions } from './labels/spans';
export type { ProcessStats, ThreadKind } from './native';
export { joinThread } from './profiler/join';
export type { ProfileMode, StartOptions } from './profiler/options';
export { type Profiler, startProfiler } from './profiler/profiler';
export type { ProfilerStats } from './profiler/stats';
export { startTracing, type Tracing, type TracingOptions } from './telemetry/tracing';

/**
 * CPU time of every thread of this process with its kind, and the process's CPU and memory, read now.
 * `pss: true` adds the proportional set size and the anonymous part (costs a walk of the page tables).
 * @throws StrobeError as startProfiler does when there is no engine
 */
export function processStats(options: { pss?: boolean } = {}): ProcessStats {
  return loadNative().processStats(options);
}

installWorkerHook();
onWorkerMade((threadId) => bequeath(threadId, currentLabel()?.set ?? inheritedSet()));
