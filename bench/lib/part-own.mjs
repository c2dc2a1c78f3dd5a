// Part own: does strobe know what it costs? `stats().overhead` against the difference that it makes, at 1 kHz.
//
// Contract: a round is off, off and on at 1 kHz, in random order, each a fresh process that runs one load when the profiler has long started. The difference is
// on minus the mean of the offs, CPU of the whole process during the load; `own` is what strobe counts as its own in the same time. Both as a share of off. The
// verdict: the interval of (difference - own) meets the noise floor's (off against off): then nothing is known that strobe does not count.

import { environment, runJson, workload } from './child.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { interval, table } from './table.mjs';
import { insideFloor } from './verdict.mjs';

const HZ = 1000;
const LOADS = ['cpu', 'typescript'];

const percent = (share) => `${(100 * share).toFixed(2)} %`;

async function round(node, load) {
  const runs = {};
  for (const arm of shuffled(['off A', 'off B', 'on'])) {
    const env = environment({ BENCH_HZ: arm === 'on' ? String(HZ) : '0', BENCH_LOAD: load });
    runs[arm] = await runJson(node, [workload('own.cjs')], env);
  }
  return runs;
}

export async function partOwn({ node, pairs = 12, progress }) {
  const tables = [];
  const verdicts = [];
  const data = {};
  progress.part('own', LOADS.length * pairs);
  for (const load of LOADS) {
    const rounds = [];
    for (let i = 0; i <= pairs; i++) {
      if (i > 0) progress.step(load);
      const runs = await round(node, load);
      if (i > 0) rounds.push(runs);
    }
    const off = (runs) => (runs['off A'].cpuMs + runs['off B'].cpuMs) / 2;
    const floor = estimate(rounds.map((runs) => runs['off A'].cpuMs / runs['off B'].cpuMs - 1));
    const difference = estimate(rounds.map((runs) => runs.on.cpuMs / off(runs) - 1));
    const own = estimate(rounds.map((runs) => runs.on.ownMs / off(runs)));
    const rest = estimate(rounds.map((runs) => (runs.on.cpuMs - runs.on.ownMs) / off(runs) - 1));
    const part = (name) => [`  of it ${name}`, percent(median(rounds.map((runs) => runs.on.parts[name] / off(runs))))];
    tables.push(
      table(
        `own, ${load}: strobe at ${HZ} Hz, shares of the CPU without it, median [95 %] of ${pairs} rounds`,
        ['', 'share'],
        [
          ['off against off (noise floor)', interval(floor, percent)],
          ['the difference that it makes', interval(difference, percent)],
          ['what it counts as its own', interval(own, percent)],
          ...Object.keys(rounds[0].on.parts).map(part),
          ['not counted', interval(rest, percent)],
        ],
      ),
    );
    verdicts.push({ name: `what strobe counts as its own at ${HZ} Hz, ${load}`, ...insideFloor(rest, floor) });
    data[load] = rounds;
  }
  return { tables, verdicts, data };
}
