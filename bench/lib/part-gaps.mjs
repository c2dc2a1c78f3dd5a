// Part gaps: does the loop stop when a window is delivered? The profiler runs in both arms; one delivers a window each second, the other none.
//
// Contract: a run's figure is the lower quartile, over its seconds, of each second's longest gap between two turns. Every second of the windows arm holds
// one delivery, so a pause of N ms at each delivery lifts every second's longest gap, and that quartile, to N ms; gaps that other processes make in some
// of the seconds do not. (A pause at fewer than three of four deliveries would hide: the median is printed too.) Runs are paired in random order; the
// verdicts are about the interval of the median difference (windows - none). `held` is the same without the time that the thread waited for a core: it
// tells a stop of the loop from other processes, or our own threads, taking the cores.

import { environment, runJson, scratch, workload } from './child.mjs';
import { estimate, median, quantile, shuffled } from './stats.mjs';
import { interval, ms, number, table } from './table.mjs';
import { noDifference } from './verdict.mjs';

const LIMIT_MS = 2;
const RATES = [100, 1000];
const rateName = (hz) => (hz === 1000 ? '1 kHz' : `${hz} Hz`);

async function run(node, hz, windows) {
  const env = environment({ BENCH_HZ: String(hz), BENCH_WINDOWS: windows ? '1' : '0', BENCH_DIR: scratch() });
  const result = await runJson(node, [workload('gaps.cjs')], env);
  const gaps = result.perSecond.map(({ gapMs }) => gapMs);
  const held = result.perSecond.map(({ heldMs }) => heldMs);
  return { ...result, gapMs: quantile(gaps, 0.25), heldMs: quantile(held, 0.25), medianGapMs: median(gaps), medianHeldMs: median(held) };
}

const differences = (pairs, name) => pairs.map(({ windows, none }) => windows[name] - none[name]);
/** The same arm in two rounds that follow each other: what a difference is when nothing differs. */
const floor = (pairs, name) => pairs.slice(1).map(({ none }, at) => none[name] - pairs[at].none[name]);

function gapRows(hz, pairs) {
  const row = (label, name) => [
    `${rateName(hz)} ${label}`,
    ms(median(pairs.map(({ none }) => none[name]))),
    ms(median(pairs.map(({ windows }) => windows[name]))),
    interval(estimate(differences(pairs, name)), ms),
    interval(estimate(floor(pairs, name)), ms),
  ];
  return [
    row('longest gap', 'gapMs'),
    row('longest gap, held', 'heldMs'),
    row('median second', 'medianGapMs'),
    row('median second, held', 'medianHeldMs'),
  ];
}

/** CPU of our own code, ms a second; a window is a second long. */
function costRows(hz, pairs) {
  const perSecond = (arm, names) =>
    median(
      pairs.map((pair) => {
        const { counters, perSecond: seconds } = pair[arm];
        return names.reduce((sum, name) => sum + counters[name], 0) / 1e6 / seconds.length;
      }),
    );
  const row = (arm) => [
    `${rateName(hz)} ${arm === 'none' ? 'no windows' : 'windows'}`,
    number(perSecond(arm, ['handlerNs']), 3),
    number(perSecond(arm, ['codeEventNs']), 3),
    ...['samplerNs', 'collectorNs', 'encoderNs'].map((name) => number(perSecond(arm, [name]))),
    number(median(pairs.map((pair) => pair[arm].counters.samples / pair[arm].perSecond.length)), 0),
    number(median(pairs.map((pair) => pair[arm].counters.lost / pair[arm].perSecond.length)), 0),
  ];
  return [row('none'), row('windows')];
}

export async function partGaps({ node, pairs = 5, progress }) {
  const references = Math.min(1, pairs);
  const measured = new Map(RATES.map((hz) => [hz, []]));
  const off = [];
  progress.part('gaps', pairs * RATES.length * 2 + references);
  for (let round = 0; round < pairs; round++) {
    const jobs = RATES.flatMap((hz) => [
      { hz, arm: 'none' },
      { hz, arm: 'windows' },
    ]);
    if (round < references) jobs.push({ hz: 0, arm: 'off' });
    const results = new Map(RATES.map((hz) => [hz, {}]));
    for (const { hz, arm } of shuffled(jobs)) {
      progress.step(`${rateName(hz)} ${arm}`);
      const result = await run(node, hz, arm === 'windows');
      if (arm === 'off') off.push(result);
      else results.get(hz)[arm] = result;
    }
    for (const hz of RATES) measured.get(hz).push(results.get(hz));
  }
  const each = (rows) => RATES.flatMap((hz) => rows(hz, measured.get(hz)));
  const verdicts = RATES.flatMap((hz) => [
    { name: `loop gaps, ${rateName(hz)}`, ...noDifference(estimate(differences(measured.get(hz), 'gapMs')), LIMIT_MS, ms) },
    { name: `loop held, ${rateName(hz)}`, ...noDifference(estimate(differences(measured.get(hz), 'heldMs')), LIMIT_MS, ms) },
  ]);
  return {
    tables: [
      table(
        `gaps: longest gap of the loop in a second, lower quartile of the seconds (${pairs} pairs; no profiler: ` +
          `longest gap ${ms(median(off.map(({ gapMs }) => gapMs)))}, held ${ms(median(off.map(({ heldMs }) => heldMs)))})`,
        ['', 'no windows', 'windows', 'difference [95 %]', 'noise floor [95 %]'],
        each(gapRows),
      ),
      table(
        'gaps: CPU of the parts, ms a second (on the thread: handler, code events; beside it: the others)',
        ['', 'handler', 'code events', 'sampler', 'collector', 'encoder', 'samples/s', 'lost/s'],
        each(costRows),
      ),
    ],
    verdicts,
    data: { off, measured: Object.fromEntries(measured) },
  };
}
