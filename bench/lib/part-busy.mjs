// Part busy: wake-ups and CPU of strobe's own threads a second while one thread computes. For information: it has no limit and no verdict.

import { environment, runJson, workload } from './child.mjs';
import { median } from './stats.mjs';
import { number, table } from './table.mjs';

const RATES = [100, 1000];

export async function partBusy({ node, pairs = 2, progress }) {
  const runs = new Map(RATES.map((hz) => [hz, []]));
  progress.part('busy', pairs * RATES.length);
  for (let round = 0; round < pairs; round++) {
    for (const hz of RATES) {
      progress.step(`${hz} Hz`);
      runs.get(hz).push(await runJson(node, [workload('busy.cjs')], environment({ BENCH_HZ: String(hz) })));
    }
  }
  const value = (hz, name) => median(runs.get(hz).map((run) => run[name]));
  return {
    tables: [
      table(
        `busy: one computing thread, a second (median of ${pairs}; information)`,
        ['', 'samples', 'sampler wakes', 'collector wakes', 'handler ms', 'sampler ms', 'collector ms', 'sampler us a wake'],
        RATES.map((hz) => [
          `${hz} Hz`,
          ...['samples', 'samplerWakeups', 'collectorWakeups'].map((name) => number(value(hz, name), 1)),
          ...['handlerMs', 'samplerMs', 'collectorMs'].map((name) => number(value(hz, name))),
          number((value(hz, 'samplerMs') / value(hz, 'samplerWakeups')) * 1000, 1),
        ]),
      ),
    ],
    verdicts: [],
    data: Object.fromEntries(runs),
  };
}
