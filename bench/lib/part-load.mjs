// Parts cpu and typescript: what profiling costs in CPU. One fixed load, each run a whole process, without and with the preload.
//
// Contract: a round is off, off, on at 100 Hz and (every second round) on at 1 kHz, and an empty program off and on, in random order, after a warm-up that
// is dropped. A run's figure is user + system CPU of the whole process, its threads (the sampler, the collector, the encoder) and its exit included. A round
// gives one ratio: on over the mean of its two offs; off over off is the noise floor. The empty program tells the cost of a start and an end, which a
// process pays once; `running` is the ratio without it. The verdicts are about the interval of the median ratio at 100 Hz, whole and running.

import { environment, REGISTER, runTimed, scratch, workload } from './child.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { interval, ms, percent, table } from './table.mjs';
import { under } from './verdict.mjs';

// What a prototype of the design measured at best and at worst: -0.8 to 2.5 % and -0.6 to 3.8 %.
const LIMITS = { cpu: 1.025, typescript: 1.04 };

const ARMS = {
  'off A': { hz: 0 },
  'off B': { hz: 0 },
  'on 100 Hz': { hz: 100 },
  'on 1 kHz': { hz: 1000 },
  'empty off': { hz: 0, empty: true },
  'empty on': { hz: 100, empty: true },
};

async function run(node, load, { hz, empty }) {
  const file = workload(empty ? 'empty.cjs' : `${load}.cjs`);
  if (hz === 0) return await runTimed(node, [file], environment());
  const env = environment({ STROBE_DIR: scratch(), STROBE_FREQUENCY_HZ: String(hz), STROBE_WINDOW_SECONDS: '30' });
  return await runTimed(node, ['--require', REGISTER, file], env);
}

function armsOf(round) {
  if (round === 0) return ['off A', 'on 100 Hz'];
  return Object.keys(ARMS).filter((arm) => arm !== 'on 1 kHz' || round % 2 === 0);
}

export async function partLoad(load, { node, pairs = 5, progress }) {
  const rounds = [];
  const steps = Array.from({ length: pairs + 1 }, (_, round) => armsOf(round).length).reduce((a, b) => a + b);
  progress.part(load, steps);
  for (let round = 0; round <= pairs; round++) {
    const cpu = {};
    for (const arm of shuffled(armsOf(round))) {
      progress.step(arm);
      cpu[arm] = (await run(node, load, ARMS[arm])).cpuMs;
    }
    if (round > 0) rounds.push(cpu);
  }
  const off = (cpu) => (cpu['off A'] + cpu['off B']) / 2;
  const once = estimate(rounds.map((cpu) => cpu['empty on'] - cpu['empty off']));
  const ratios = (arm, without = 0) => rounds.filter((cpu) => cpu[arm] !== undefined).map((cpu) => (cpu[arm] - without) / off(cpu));
  const floor = estimate(rounds.map((cpu) => cpu['off A'] / cpu['off B']));
  const at100 = estimate(ratios('on 100 Hz'));
  const at1000 = estimate(ratios('on 1 kHz'));
  const running = { at100: estimate(ratios('on 100 Hz', once.median)), at1000: estimate(ratios('on 1 kHz', once.median)) };
  const middle = (arm) => ms(median(rounds.map((cpu) => cpu[arm]).filter((value) => value !== undefined)));
  const row = (name, arm, ratio, run) => [name, middle(arm), interval(ratio, percent), run ? interval(run, percent) : '', String(ratio.n)];
  return {
    tables: [
      table(
        `${load}: user + system CPU of a whole process, against off: median [95 %] (a start and an end, once: ${interval(once, ms)})`,
        ['', 'median', 'whole process', 'running (without start and end)', 'rounds'],
        [
          ['off', ms(median(rounds.map(off))), '', '', String(rounds.length)],
          row('off against off (noise floor)', 'off A', floor),
          row('on, 100 Hz', 'on 100 Hz', at100, running.at100),
          row('on, 1 kHz (information)', 'on 1 kHz', at1000, running.at1000),
        ],
      ),
    ],
    verdicts: [
      { name: `${load} load, 100 Hz, whole process`, ...under(at100, LIMITS[load], percent) },
      { name: `${load} load, 100 Hz, running`, ...under(running.at100, LIMITS[load], percent) },
    ],
    data: { rounds, at100, at1000, running, once, floor },
  };
}
