// Part sample: what one sample costs the thread that it interrupts, and whether strobe counts it right, at 1 kHz.
//
// Contract: a difference between processes has a noise of ten percent on a shared machine (part own), more than what is looked for. Here the difference is made
// inside one process (workloads/own-sample.cjs): between units of work that a sample met and units that none met, of thousands. A round is one fresh process.
// The verdict: the interval of (made - counted), as a share of the work's CPU, meets the noise floor's (ticks that nobody sent, against others).

import { environment, runJson, workload } from './child.mjs';
import { estimate } from './stats.mjs';
import { interval, table } from './table.mjs';
import { insideFloor } from './verdict.mjs';

const LOADS = ['cpu', 'json', 'typescript'];

const percent = (share) => `${(100 * share).toFixed(2)} %`;
const micros = (value) => `${value.toFixed(1)} us`;

export async function partSample({ node, pairs = 8, progress }) {
  const tables = [];
  const verdicts = [];
  const data = {};
  progress.part('sample', LOADS.length * pairs);
  for (const load of LOADS) {
    const runs = [];
    for (let i = 0; i < pairs; i++) {
      progress.step(load);
      runs.push(await runJson(node, [workload('own-sample.cjs')], environment({ BENCH_LOAD: load })));
    }
    // Microseconds a sample times samples a millisecond: thousandths of the work.
    const share = (of) => estimate(runs.map((run) => (of(run) * run.rate) / 1000));
    const floor = share((run) => run.floor);
    const rest = share((run) => run.made - run.counted);
    tables.push(
      table(
        `sample, ${load}: what a sample at 1 kHz costs the interrupted thread, median [95 %] of ${pairs} processes`,
        ['', 'value'],
        [
          ['units with a sample, less those without', interval(estimate(runs.map((run) => run.made)), micros)],
          ['what strobe counts: handler and signal', interval(estimate(runs.map((run) => run.counted)), micros)],
          ['not counted, of the CPU', interval(rest, percent)],
          ['ticks that nobody sent (noise floor)', interval(floor, percent)],
        ],
      ),
    );
    verdicts.push({ name: `what strobe counts for a sample, ${load}`, ...insideFloor(rest, floor) });
    data[load] = runs;
  }
  return { tables, verdicts, data };
}
