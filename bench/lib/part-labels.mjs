// Part labels: what following labels costs a loop that does nothing but await, beside a plain AsyncLocalStorage and @datadog/pprof with contexts.
//
// Contract: all ways take turns in random order, each run a fresh process; figures are ratios within one round, CPU of the loop's thread. Verdicts: where Node
// has the async context frame, labels are not to be told from a plain AsyncLocalStorage (under 3 % more); elsewhere they cost at most half as much again; and
// no more than sampling costs (3 %) before the first label. @datadog/pprof is left out when it can't be had.

import { environment, runJson, workload } from './child.mjs';
import { peerMissing } from './peers.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { interval, ms, number, table } from './table.mjs';
import { noDifference, under } from './verdict.mjs';

const ROUNDS = 20;
/** About half a second a run: with the frame an await costs a third. */
const HOPS = 2_000_000;
const FRAME_HOPS = 8_000_000;
const OURS = ['none', 'none again', 'unused', 'als', 'als again', 'labels', 'alsBare'];
/** The first major whose AsyncLocalStorage is the async context frame by itself. */
const FRAME_MAJOR = 24;

export async function partLabels({ node, version, pairs = ROUNDS, progress }) {
  const frame = Number(version.match(/^v(\d+)/)?.[1]) >= FRAME_MAJOR;
  const hops = frame ? FRAME_HOPS : HOPS;
  const missing = peerMissing('@datadog/pprof', node);
  const ways = [...OURS, ...(missing ? [] : ['datadog'])];
  const rounds = [];
  progress.part('labels', pairs * ways.length);
  for (let round = 0; round < pairs; round++) {
    const runs = {};
    for (const way of shuffled(ways)) {
      progress.step(way);
      const env = { BENCH_WAY: way.replace(' again', ''), BENCH_HOPS: String(hops), BENCH_FRAME: frame ? '1' : '0' };
      runs[way] = (await runJson(node, [workload('labels.cjs')], environment(env))).hopMs;
    }
    rounds.push(runs);
  }
  const ratio = (way, to) => estimate(rounds.map((runs) => runs[way] / runs[to]));
  const more = ({ median: middle, low, high, n }) => ({ median: middle - 1, low: low - 1, high: high - 1, n });
  const share = (value) => `${(100 * value).toFixed(1)} %`;
  const three = (value) => number(value, 3);
  const row = (text, way, to) => [text, ms(median(rounds.map((runs) => runs[way]))), interval(ratio(way, to), three)];
  const labels = ratio('labels', 'als');
  return {
    tables: [
      table(
        `labels: ${hops} awaits, CPU of the thread, median of ${pairs} rounds, ms, and the ratio within a round`,
        ['', 'CPU', 'ratio'],
        [
          row('nothing, again / nothing', 'none again', 'none'),
          row('strobe at 100 Hz, no label set / nothing', 'unused', 'none'),
          row('strobe, AsyncLocalStorage, again / once', 'als again', 'als'),
          row('strobe, withLabels / strobe, AsyncLocalStorage', 'labels', 'als'),
          ...(missing ? [] : [row('@datadog/pprof with contexts / AsyncLocalStorage', 'datadog', 'alsBare')]),
        ],
      ),
      ...(missing ? [missing] : []),
    ],
    verdicts: [
      frame
        ? { name: 'labels over a plain AsyncLocalStorage', ...noDifference(more(labels), 0.03, share) }
        : { name: 'labels over a plain AsyncLocalStorage, ratio', ...under(labels, 1.5, three) },
      { name: 'strobe at 100 Hz before the first label, over nothing, ratio', ...under(ratio('unused', 'none'), 1.03, three) },
    ],
    data: rounds,
  };
}
