// Part start: how long startProfiler() keeps the thread that calls it, by part.
//
// Contract: every start is in a fresh process; the heaps take turns (the third, which has no limit, in every third round). The verdicts are about the
// interval of the median of the time that the thread was held, plus the loading of the addon (its first use): wall time without the waiting for a core,
// which other processes lengthen as they like. Beside it the same of @datadog/pprof, where it can be had: how much of a figure is the machine.

import { environment, runJson, scratch, workload } from './child.mjs';
import { competitorMissing } from './competitors.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { interval, ms, number, table } from './table.mjs';
import { under } from './verdict.mjs';

const STARTS = 15;
const RIVAL = '@datadog/pprof';
const HEAPS = {
  bare: { label: 'bare heap', limitMs: 8 },
  typescript: { label: "after require('typescript')", limitMs: 60 },
  used: { label: 'after a small compile with it', every: 3 },
};

const PARTS = [
  ['load the package (JS)', 'packageMs'],
  ['load the addon', 'loadMs'],
  ['startProfiler(), wall', 'wallMs'],
  ['  symbols, handler', 'symbolsMs'],
  ['  registry, clock', 'threadsMs'],
  ['  code enumeration', 'enumerateMs'],
  ['  encoder (new Worker)', 'encoderMs'],
  ['  the rest (JS, directory)', 'restMs'],
  ['startProfiler(), held', 'heldMs'],
  ['startProfiler(), CPU', 'cpuMs'],
  ['CPU in the 200 ms after', 'afterMs'],
];

export async function partStart({ node, pairs = STARTS, progress }) {
  const names = Object.keys(HEAPS);
  const runs = Object.fromEntries(names.map((heap) => [heap, []]));
  const heapsOf = (round) => names.filter((heap) => round % (HEAPS[heap].every ?? 1) === 0);
  const rounds = Array.from({ length: pairs }, (_, round) => shuffled(heapsOf(round)));
  const missing = competitorMissing(RIVAL, node);
  if (missing) console.error(`bench: ${missing}`);
  const arms = missing ? ['strobe'] : ['strobe', 'datadog'];
  const rival = Object.fromEntries(names.map((heap) => [heap, []]));
  progress.part('start', rounds.flat().length);
  for (const heaps of rounds) {
    for (const heap of heaps) {
      progress.step(HEAPS[heap].label);
      for (const arm of shuffled(arms)) {
        const env = environment({ BENCH_HEAP: heap, BENCH_DIR: scratch(), BENCH_PROFILER: arm });
        (arm === 'strobe' ? runs : rival)[heap].push(await runJson(node, [workload('start.cjs')], env));
      }
    }
  }
  const sum = ({ loadMs, heldMs }) => loadMs + heldMs;
  const held = (heap) => estimate(runs[heap].map(sum));
  // What strobe's own start is of theirs, round by round.
  const ofTheirs = (heap) => estimate(runs[heap].map((run, round) => sum(run) / sum(rival[heap][round])));
  const beside = () => [
    [`${RIVAL}: load + held [95 %]`, ...names.map((heap) => interval(estimate(rival[heap].map(sum)), number))],
    ['strobe over it [95 %]', ...names.map((heap) => interval(ofTheirs(heap), number))],
  ];
  return {
    tables: [
      table(
        `start: the calling thread, median of ${pairs} fresh processes each (the last: ${runs.used.length}), ms`,
        ['', ...names.map((heap) => HEAPS[heap].label)],
        [
          ...PARTS.map(([label, name]) => [label, ...names.map((heap) => number(median(runs[heap].map((run) => run[name]))))]),
          ['load the addon + held [95 %]', ...names.map((heap) => interval(held(heap), number))],
          ...(missing ? [] : beside()),
        ],
      ),
    ],
    verdicts: names
      .filter((heap) => HEAPS[heap].limitMs !== undefined)
      .map((heap) => ({ name: `start, ${HEAPS[heap].label}`, ...under(held(heap), HEAPS[heap].limitMs, ms) })),
    data: missing ? runs : { strobe: runs, datadog: rival },
  };
}
