// Program 1 of the exactness bench: what each profiler says of a hot leaf that V8 inlined through three functions.
//
// Contract: profilers take turns in random order, each run a fresh process that starts under its profiler. The truth is each run's own: the CPU of the
// part that is the leaf over the CPU of both parts, by the thread's clock. A profiler's share is the leaf's weight over that of everything under `work`, so
// that neither the start nor the reading of the clock counts. The verdicts are about the interval of the median of share / truth.

import { workload } from './child.mjs';
import { runExact } from './exact-run.mjs';
import { estimate, median, shuffled } from './stats.mjs';
import { number, table } from './table.mjs';
import { FAIL, PASS, UNKNOWN } from './verdict.mjs';

const ROUNDS = 5;
const CHAIN = ['leaf', 'mid', 'outer'];
// Of the true share. V8 14's Maglev and TurboFan keep fewer positions of inlined loops.
const leastShare = (major) => (major >= 26 ? 0.7 : 0.85);

const share = (value) => (Number.isFinite(value) ? `${number(value * 100, 1)} %` : '-');
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** One run: { truth, leaf, ofTruth, … }: shares of everything under `work`. */
export async function runInlined(node, profiler, seconds) {
  const options = { program: workload('exact-inlined.cjs'), nodeArgs: ['--trace-turbo-inlining'], args: [seconds] };
  const { said, stacks, stdout } = await runExact(node, profiler, options);
  const inWork = stacks.filter(({ names }) => names.includes('work'));
  const leaves = inWork.filter(({ names }) => names[0] === 'leaf');
  const chained = leaves.filter(({ names }) => names.slice(0, 4).join() === [...CHAIN, 'drive'].join());
  const weight = (of) => sum(of.map(({ value }) => value));
  const atLoop = sum(leaves.flatMap(({ lines }) => said.loop.map((line) => lines[line] ?? 0)));
  const elsewhere = stacks.filter(({ names }) => names.includes('drive') && names[0] !== 'leaf');
  const truth = said.cpu.drive / (said.cpu.drive + said.cpu.beside);
  const leaf = weight(leaves) / weight(inWork);
  return {
    truth,
    leaf,
    ofTruth: leaf / truth,
    atLoop: atLoop / weight(leaves),
    chained: weight(chained) / weight(leaves),
    elsewhere: { weight: weight(inWork), stacks: elsewhere },
    samples: sum(inWork.map(({ count }) => count)),
    inlined: CHAIN.every((name) => new RegExp(`^Inlining .*\\{[^}]*\\b${name}\\b`, 'm').test(stdout)),
  };
}

/** The function under `drive` that got most of what the leaf did not get, with its share of everything. */
function mostOfTheRest(runs) {
  const weights = new Map();
  for (const { names, value } of runs.flatMap(({ elsewhere }) => elsewhere.stacks))
    weights.set(names[0], (weights.get(names[0]) ?? 0) + value);
  const [first] = [...weights].sort(([, a], [, b]) => b - a);
  return first === undefined ? '-' : `${first[0]}, ${share(first[1] / sum(runs.map(({ elsewhere }) => elsewhere.weight)))}`;
}

/** The whole interval above the limit: pass; the whole interval under it: fail. */
function atLeast({ low, high, n }, limit) {
  const verdict = n < ROUNDS ? UNKNOWN : low >= limit ? PASS : high < limit ? FAIL : UNKNOWN;
  return { verdict, why: `${share(low)} to ${share(high)} of the truth, ${n} runs` };
}

export async function exactInlined({ node, major, seconds, taking, progress }) {
  const runs = new Map(taking.map((profiler) => [profiler, []]));
  progress.part('inlined leaf', ROUNDS * taking.length);
  for (let round = 0; round < ROUNDS; round++) {
    for (const profiler of shuffled(taking)) {
      progress.step(profiler.label);
      runs.get(profiler).push(await runInlined(node, profiler, seconds));
    }
  }
  const all = [...runs.values()].flat();
  const least = leastShare(major);
  const ofTruth = (profiler) => estimate(runs.get(profiler).map((one) => one.ofTruth));
  return {
    text: table(
      `inlined leaf: median of ${ROUNDS} runs of ${seconds} s of CPU; V8 inlined leaf, mid and outer in ${all.filter(({ inlined }) => inlined).length} of ${all.length} runs`,
      [
        '',
        'samples',
        'true share',
        'self share',
        'of the truth [95 %]',
        "of that on its loop's lines",
        'under mid, outer, drive',
        'most of the rest in',
      ],
      taking.map((profiler) => {
        const value = (name) => median(runs.get(profiler).map((one) => one[name]));
        const { median: middle, low, high } = ofTruth(profiler);
        return [
          profiler.label,
          number(value('samples'), 0),
          share(value('truth')),
          share(value('leaf')),
          `${share(middle)} [${share(low)} to ${share(high)}]`,
          share(value('atLoop')),
          share(value('chained')),
          mostOfTheRest(runs.get(profiler)),
        ];
      }),
    ),
    verdicts: taking
      .filter(({ way }) => way === 'strobe')
      .map((profiler) => ({
        name: `${profiler.label}: inlined leaf >= ${least * 100} % of its true share`,
        ...atLeast(ofTruth(profiler), least),
      })),
  };
}
