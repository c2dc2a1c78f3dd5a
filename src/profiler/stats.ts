// What `profiler.stats()` says: the engine's counts, the encoder's (they stand in memory that both threads see, so that nobody is asked), and what this run cost.

import { type ExporterStats, readStats as readDelivery } from '../export/stats';
import type { NativeStats, StartTimings } from '../native';
import { COUNTER, processCpuNs } from './protocol';

export interface ProfilerStats extends Omit<NativeStats, 'overhead'> {
  /** `failed`: refused, or dropped past a bound. `exporters`: in the order of the option, pull exporters last. */
  delivery: { delivered: number; failed: number; windows: number; exporters: ExporterStats[] };
  /**
   * Source maps: read; refused; named by a script but not there; written after their script was loaded; `skipped`: frames left as they are because the process
   * ended before their map was read; `bytes`: memory that maps take now.
   */
  sourceMaps: { loaded: number; failed: number; missing: number; stale: number; skipped: number; bytes: number };
  /** Nanoseconds of CPU since the start, by part; `cpuShare` is their sum over the process's CPU since the start (0 to 1). */
  overhead: NativeStats['overhead'] & { cpuShare: number };
  /** What the start cost the calling thread, nanoseconds. */
  start: StartTimings & { encoderNs: number };
}

export interface StatsSources {
  counters: Int32Array;
  delivery: SharedArrayBuffer;
  /** strobe's own CPU and the process's at the start of this run. */
  base: NativeStats['overhead'];
  baseCpuNs: number;
  sourceMaps: boolean;
  /** The first map that could not be used, and why; '' for none. */
  mapFailure: string;
  budgetPercent: number;
  /** Of the control socket. */
  control: string;
}

function sum(overhead: NativeStats['overhead']): number {
  return Object.values(overhead).reduce((total, part) => total + part, 0);
}

/** On either thread. What the start cost is known to the thread that did it. */
export function readStats(native: NativeStats, sources: StatsSources): Omit<ProfilerStats, 'start'> {
  const { base, baseCpuNs } = sources;
  const overhead = { ...native.overhead };
  for (const part of Object.keys(overhead) as (keyof typeof overhead)[]) overhead[part] -= base[part];
  const cpuNs = processCpuNs() - baseCpuNs;
  const count = (index: number) => Atomics.load(sources.counters, index);
  const missed = count(COUNTER.missedWorkers);
  const workers =
    missed === 0
      ? 'on'
      : `${missed} not sampled: made from a Worker class taken before strobe was imported; import strobe first, or call joinThread() in them`;
  return {
    ...native,
    features: {
      ...native.features,
      workers,
      sourceMaps: mapFeature(sources),
      overheadBudget: budgetFeature(native, sources),
      control: sources.control,
    },
    delivery: {
      delivered: count(COUNTER.delivered),
      failed: count(COUNTER.failed),
      windows: count(COUNTER.windows),
      exporters: readDelivery(sources.delivery),
    },
    sourceMaps: {
      loaded: count(COUNTER.mapsLoaded),
      failed: count(COUNTER.mapsFailed),
      missing: count(COUNTER.mapsMissing),
      stale: count(COUNTER.mapsStale),
      skipped: count(COUNTER.mapFramesSkipped),
      bytes: count(COUNTER.mapBytes),
    },
    overhead: { ...overhead, cpuShare: cpuNs > 0 ? sum(overhead) / cpuNs : 0 },
  };
}

function mapFeature({ sourceMaps, counters, mapFailure }: StatsSources): string {
  if (!sourceMaps) return 'off';
  const failed = Atomics.load(counters, COUNTER.mapsFailed);
  if (failed === 0) return 'on';
  return `on, with ${failed} map${failed === 1 ? '' : 's'} refused${mapFailure && `: ${mapFailure}`}`;
}

function budgetFeature({ frequencyHz, askedHz }: NativeStats, { budgetPercent }: StatsSources): string {
  if (budgetPercent === 0) return 'off: not asked for';
  const held = frequencyHz < askedHz * 0.99 ? `, holds the rate at ${frequencyHz.toFixed(1)} Hz` : '';
  return `on: ${budgetPercent} % of the process's CPU${held}`;
}
