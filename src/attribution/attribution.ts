// Who used the CPU: `attribution({ by: 'agent' })`.
//
// Two kinds of CPU add up to the threads' clocks (docs/attribution.md): exact, measured from entry to exit of sections that asked for it, and sampled: all other
// CPU, charged to what the next sample outside of such a section carried. Counted from the profiler's start on; the samples of the last fifth of a second may be
// missing, because the collector has not read them yet.

import { StrobeError } from '../errors';
import { type AttributedThread, loadNative } from '../native';

export interface AttributedUse {
  /** CPU, microseconds: exact and sampled together. */
  cpuMicros: number;
  /** Of that, what exact sections measured. */
  exactMicros: number;
  samples: number;
  /** Exact sections that ended. */
  sections: number;
  /** Time that it was at work on a thread, microseconds: the wall time of its exact sections, waiting inside them and all, and the CPU of the rest. */
  activeMicros: number;
}

export interface AttributionRow extends AttributedUse {
  /** The label's value; null: CPU without this label; '(evicted)': labels that found no room in the table; '(other)': values beyond 10,000 that are over. */
  value: string | null;
  /** The same by thread, most CPU first. `tid` 0 and no name: threads that have ended. */
  threads: (AttributedUse & { tid: number; name: string })[];
}

export interface Attribution {
  by: string;
  /** Most CPU first. Their sum is the CPU of all sampled threads since the start. */
  rows: AttributionRow[];
  total: AttributedUse;
}

const zero = (): AttributedUse => ({ cpuMicros: 0, exactMicros: 0, samples: 0, sections: 0, activeMicros: 0 });

function toUse({ sampledNs, exactNs, exactWallNs, samples, sections }: AttributedThread): AttributedUse {
  return {
    cpuMicros: (sampledNs + exactNs) / 1000,
    exactMicros: exactNs / 1000,
    samples,
    sections,
    activeMicros: (sampledNs + exactWallNs) / 1000,
  };
}

function addTo(sum: AttributedUse, use: AttributedUse): void {
  for (const key of Object.keys(sum) as (keyof AttributedUse)[]) sum[key] += use[key];
}

/**
 * CPU since the profiler started, by the values of one label.
 * @throws StrobeError ERR_INVALID_OPTION without the name of a label; as startProfiler does when there is no engine
 */
export function attribution(options: { by: string }): Attribution {
  const by = (options as { by?: unknown } | undefined)?.by;
  if (typeof by !== 'string' || by === '') {
    throw new StrobeError('ERR_INVALID_OPTION', "attribution: `by` must be the name of a label, for example attribution({ by: 'agent' })");
  }
  const total = zero();
  const rows: AttributionRow[] = [];
  for (const { whose, value, threads } of loadNative().attribution(by)) {
    const sum = zero();
    const byThread = threads.map((thread) => ({ tid: thread.tid, name: thread.name, ...toUse(thread) }));
    for (const thread of byThread) {
      for (const key of Object.keys(sum) as (keyof AttributedUse)[]) sum[key] += thread[key];
    }
    byThread.sort((a, b) => b.cpuMicros - a.cpuMicros);
    addTo(total, sum);
    const shown = { value, unlabelled: null, evicted: '(evicted)', other: '(other)' }[whose];
    rows.push({ value: shown, ...sum, threads: byThread });
  }
  rows.sort((a, b) => b.cpuMicros - a.cpuMicros);
  return { by, rows, total };
}
