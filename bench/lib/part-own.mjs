// Part own: does strobe know what it costs? `stats().overhead` against the difference that it makes, at 1 kHz.
//
// Contract: a round is off, off and on at 1 kHz, in random order, each a fresh process that runs one load when the profiler has long started. The difference is
// on minus the mean of the offs, CPU of the whole process during the load; `own` is what strobe counts as its own in the same time. Both as a share of off. The
// verdict: the interval of (difference - own) meets the noise floor's (off against off): then nothing is known that strobe does not count.
//
// A difference between processes has a noise of ten percent on a shared machine, more than what is looked for. So what a sample costs the thread that it interrupts,
// the largest part, is found out inside one process, too (workloads/own-sample.cjs), with a noise of some percent of a percent, and judged in the same way.

import { environment, runJson, workload } from './child.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { interval, table } from './table.mjs';
import { FAIL, PASS, UNKNOWN } from './verdict.mjs';

const HZ = 1000;
const LOADS = ['cpu', 'typescript'];
/** Wider floors than this say nothing. */
const WIDEST_FLOOR = 0.06;

const percent = (share) => `${(100 * share).toFixed(2)} %`;

async function round(node, load) {
  const runs = {};
  for (const arm of shuffled(['off A', 'off B', 'on'])) {
    const env = environment({ BENCH_HZ: arm === 'on' ? String(HZ) : '0', BENCH_LOAD: load });
    runs[arm] = await runJson(node, [workload('own.cjs')], env);
  }
  return runs;
}

/** What the samples cost the interrupted thread, in one process a round. */
async function partSample({ node, load, pairs, progress }) {
  const runs = [];
  for (let i = 0; i < pairs; i++) {
    progress.step(`${load}, a sample`);
    runs.push(await runJson(node, [workload('own-sample.cjs')], environment({ BENCH_LOAD: load })));
  }
  // Microseconds a sample times samples a millisecond: thousandths of the work.
  const share = (of) => estimate(runs.map((run) => (of(run) * run.rate) / 1000));
  const floor = share((run) => run.floor);
  const rest = share((run) => run.made - run.counted);
  const micros = (of) => {
    const { median: middle, low, high } = estimate(runs.map(of));
    return `${middle.toFixed(1)} us [${low.toFixed(1)}, ${high.toFixed(1)}]`;
  };
  return {
    runs,
    table: table(
      `own, ${load}: what a sample at ${HZ} Hz costs the interrupted thread, median [95 %] of ${pairs} processes`,
      ['', 'value'],
      [
        ['units with a sample, less those without', micros((run) => run.made)],
        ['what strobe counts: handler and signal', micros((run) => run.counted)],
        ['not counted, as a share of the CPU', interval(rest, percent)],
        ['noise floor: ticks that nobody sent', interval(floor, percent)],
      ],
    ),
    verdict: { name: `what strobe counts for its samples, ${load}`, ...agrees(floor, rest) },
  };
}

function agrees(floor, rest) {
  const why = `not counted ${percent(rest.low)} to ${percent(rest.high)}, noise floor ${percent(floor.low)} to ${percent(floor.high)}`;
  if (floor.n < 5 || floor.high - floor.low > WIDEST_FLOOR) return { verdict: UNKNOWN, why };
  return { verdict: rest.low <= Math.max(0, floor.high) && rest.high >= Math.min(0, floor.low) ? PASS : FAIL, why };
}

export async function partOwn({ node, pairs = 12, progress }) {
  const tables = [];
  const verdicts = [];
  const data = {};
  progress.part('own', LOADS.length * pairs * 2);
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
    verdicts.push({ name: `what strobe counts as its own at ${HZ} Hz, ${load}`, ...agrees(floor, rest) });
    const sample = await partSample({ node, load, pairs, progress });
    tables.push(sample.table);
    verdicts.push(sample.verdict);
    data[load] = { rounds, samples: sample.runs };
  }
  return { tables, verdicts, data };
}
