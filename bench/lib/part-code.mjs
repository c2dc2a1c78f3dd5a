// Part code: what listening to code events costs the thread that compiles, on the start of the TypeScript compiler, beside V8's own profiler.
//
// Contract: three ways take turns in random order, each run a fresh process; figures are differences to the run without a profiler of the same round,
// CPU of the application's main thread only. Both profilers sample once a second, so that what is left is the listening. The verdict: ours under the
// inspector's.

import { environment, runJson, workload } from './child.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { interval, ms, number, table } from './table.mjs';
import { under } from './verdict.mjs';

const ROUNDS = 12;
const WAYS = ['none', 'strobe', 'inspector'];

export async function partCode({ node, pairs = ROUNDS, progress }) {
  const rounds = [];
  progress.part('code', pairs * WAYS.length);
  for (let round = 0; round < pairs; round++) {
    const runs = {};
    for (const way of shuffled(WAYS)) {
      progress.step(way);
      runs[way] = await runJson(node, [workload('code.cjs')], environment({ BENCH_WAY: way }));
    }
    rounds.push(runs);
  }
  const extra = (way, part) => estimate(rounds.map((runs) => runs[way][part] - runs.none[part]));
  const own = (name) => median(rounds.map(({ strobe }) => strobe[name]));
  const perEvent = median(rounds.map(({ strobe }) => (strobe.codeEventMs * 1000) / strobe.codeEvents));
  const ratio = estimate(rounds.map(({ strobe, inspector }) => strobe.totalMs / inspector.totalMs));
  return {
    tables: [
      table(
        `code events: the compiling thread, the TypeScript compiler's start, median of ${pairs} rounds, CPU ms (without a profiler ${ms(median(rounds.map(({ none }) => none.totalMs)))})`,
        ['', 'strobe', 'inspector'],
        [
          ['start of the profiler', ...['strobe', 'inspector'].map((way) => number(median(rounds.map((runs) => runs[way].startMs))))],
          ['while code is compiled', ...['strobe', 'inspector'].map((way) => interval(extra(way, 'workMs'), number))],
          ['both', ...['strobe', 'inspector'].map((way) => interval(extra(way, 'totalMs'), number))],
        ],
      ),
      table(
        'of that, the code event callback itself',
        ['', 'strobe'],
        [
          ['events', number(own('codeEvents'), 0)],
          ['with lines or inlined functions', number(own('codeDetails'), 0)],
          ['failed a check', number(own('codeDetailsRefused'), 0)],
          ['CPU, ms', number(own('codeEventMs'))],
          ['CPU an event, us', number(perEvent)],
        ],
      ),
    ],
    verdicts: [{ name: "code events, strobe's thread CPU over the inspector's", ...under(ratio, 1, (value) => number(value, 3)) }],
    data: rounds,
  };
}
