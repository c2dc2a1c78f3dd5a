// The rounds of a workload: which variants take part, in which order, and how idle ones are measured side by side.
//
// Contract: measureWorkload() returns { rounds, windowSeconds, failed }: a round is { variant: measurement }. The first round is dropped: it warms the file cache
// and the machine. A peer whose run breaks is left out from then on, and why is in `failed`; ours break the suite.

import { shuffled } from '../lib/stats.mjs';
import { runOnce } from './run.mjs';
import { DEFAULTS, VARIANTS } from './variants.mjs';
import { WORKLOADS } from './workloads.mjs';

/** Servers that idle side by side, of each variant: more of them would have to share memory. */
const IDLE_MOST = 5;
const LOOP_WINDOW_SECONDS = 1;

const takingPart = (workload, variants) => variants.filter((name) => (VARIANTS[name].only ?? [workload]).includes(workload));

async function sideBySide(names, pairs, run) {
  const rounds = Array.from({ length: Math.min(pairs, IDLE_MOST) }, () => ({}));
  const all = shuffled(rounds.flatMap((round) => names.map((name) => ({ round, name }))));
  await Promise.all(
    all.map(async ({ round, name }) => {
      round[name] = await run(name);
    }),
  );
  return rounds;
}

/** The dropped round: it warms the files' cache and the machine, for which one run of each side is enough. */
const warmers = (names) => [...new Set([names[0], names.includes(DEFAULTS) ? DEFAULTS : names.at(-1)])];

async function inTurns(names, pairs, run) {
  const rounds = [];
  for (let at = 0; at <= pairs; at++) {
    const round = {};
    for (const name of at === 0 ? warmers(names) : shuffled(names)) {
      const measurement = await run(name);
      if (measurement) round[name] = measurement;
    }
    if (at > 0) rounds.push(round);
  }
  return rounds;
}

export async function measureWorkload(name, { node, sink, variants, pairs, scale, windowSeconds: asked, progress }) {
  const workload = WORKLOADS[name];
  const windowSeconds = name === 'loop' ? LOOP_WINDOW_SECONDS : asked;
  const idle = workload.way === 'idle';
  const names = takingPart(name, variants);
  const failed = new Map();
  const given = { node, sink, workload, name, scale, windowSeconds, shared: idle };
  progress.part(name, idle ? 1 : warmers(names).length + names.length * pairs);
  const run = async (variant) => {
    if (failed.has(variant)) return undefined;
    if (!idle) progress.step(VARIANTS[variant].label);
    try {
      return await runOnce({ ...given, variant: VARIANTS[variant] });
    } catch (error) {
      if (VARIANTS[variant].maker !== 'peer') throw error;
      failed.set(variant, error.message.split('\n').find((line) => /Error/.test(line)) ?? error.message.split('\n')[0]);
      return undefined;
    }
  };
  if (idle) progress.step(`${Math.min(pairs, IDLE_MOST)} servers of each variant, side by side`);
  const rounds = idle ? await sideBySide(names, pairs, run) : await inTurns(names, pairs, run);
  // A variant that broke on the way has rounds that count for nothing.
  for (const round of rounds) for (const variant of Object.keys(round)) if (failed.has(variant) || !round[variant]) delete round[variant];
  return { rounds, windowSeconds, failed: Object.fromEntries(failed) };
}
