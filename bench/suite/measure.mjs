// The rounds of a workload: which variants take part, in which order, and how idle ones are measured side by side.
//
// In a round of `turns` all variants' processes live at once, and one of them at a time has a turn of some 60 ms, in an order that is drawn anew for each turn: what
// else the machine does for half a second or longer meets all of them alike, and ratios within a round are what differs between the processes. (Whole runs one after the
// other differed by 10 to 25 % on a shared machine with nothing to tell apart.) A window is as many times longer as there are processes: it has as much of each one's
// work in it as if that had run alone.
//
// Contract: measureWorkload() returns { rounds, windowSeconds, turns, failed }: a round is { variant: measurement }, `turns` how large and how many the turns of each were. The first round is dropped: it warms the file cache
// and the machine. A peer whose run breaks is left out from then on, and why is in `failed`; ours break the suite.

import { setTimeout as sleep } from 'node:timers/promises';
import { median, shuffled } from '../lib/stats.mjs';
import { runOnce, SETTLE_MS, startRun } from './run.mjs';
import { DEFAULTS, OFF, VARIANTS } from './variants.mjs';
import { TURN_MS, turnsOf, WORKLOADS } from './workloads.mjs';

/** Servers that idle side by side, of each variant: more of them would have to share memory. */
const IDLE_MOST = 5;
const LOOP_WINDOW_SECONDS = 1;
const STARTING = 2;

export const takingPart = (workload, variants) => variants.filter((name) => (VARIANTS[name].only ?? [workload]).includes(workload));

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

/** Calls `then` for a variant unless it broke before. A peer that breaks is left out from then on; ours break the suite. */
function guarded(failed) {
  return async (name, then) => {
    if (failed.has(name)) return undefined;
    try {
      return await then();
    } catch (error) {
      if (VARIANTS[name].maker !== 'peer') throw error;
      failed.set(name, error.message.split('\n').find((line) => /Error/.test(line)) ?? error.message.split('\n')[0]);
      return undefined;
    }
  };
}

/** `turns` undefined: found out in this round. Resolves to { round, turns }. */
async function roundOfTurns(names, { given, turns: known, guard, step }) {
  const runs = {};
  // Start and warm-up are most of a round's time, and not measured, but for the starting call: two at a time, for all variants alike.
  const waiting = shuffled(names);
  const startNext = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      step(name);
      runs[name] = await guard(name, () => startRun({ ...given, variant: VARIANTS[name] }));
    }
  };
  await Promise.all(Array.from({ length: STARTING }, startNext));
  await sleep(SETTLE_MS);
  const turns = known ?? (await sizedTurns(runs, { given, guard }));
  for (let at = 0; at < turns.count; at++) {
    for (const name of shuffled(names)) if (runs[name]) await guard(name, () => runs[name].turn(turns.units));
  }
  const round = {};
  await Promise.all(
    names.map(async (name) => {
      const measurement = runs[name] && (await guard(name, () => runs[name].end()));
      if (measurement) round[name] = measurement;
    }),
  );
  return { round, turns };
}

/**
 * Turns are sized on the machine, the same for all variants: by the middle of three trials that are as long as a turn, without a profiler where there is such a variant. The other variants do the
 * same trials, so that all have done as much when they are measured.
 */
async function sizedTurns(runs, { given, guard }) {
  const off = OFF.find((name) => runs[name]) ?? Object.keys(runs)[0];
  const tried = [];
  const trial = async (units) => {
    tried.push(units);
    return await runs[off].trial(units);
  };
  let units = 1;
  let cpuMs = await trial(units);
  while (cpuMs < TURN_MS / 2) {
    units = Math.ceil((units * TURN_MS) / Math.max(cpuMs, 1));
    cpuMs = await trial(units);
  }
  // A unit that is longer than a turn is one, whatever it takes.
  const trials = cpuMs > 2 * TURN_MS ? [cpuMs] : [await trial(units), await trial(units), await trial(units)];
  for (const [name, run] of Object.entries(runs)) {
    if (name === off || !run) continue;
    await guard(name, async () => {
      for (const amount of tried) await run.trial(amount);
    });
  }
  return turnsOf(given.workload, given.scale, median(trials) / units);
}

/** The dropped round: it warms the files' cache and the machine, for which one run with a profiler is enough. */
const warmers = (names) => [names.includes(DEFAULTS) ? DEFAULTS : names.at(-1)];

async function oneByOne(names, pairs, run) {
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

export async function measureWorkload(
  name,
  { node, sink, variants, pairs, scale, idleSeconds, idleSettleSeconds, windowSeconds: asked, progress },
) {
  const workload = WORKLOADS[name];
  const { way } = workload;
  const names = takingPart(name, variants);
  const failed = new Map();
  const guard = guarded(failed);
  const step = (variant) => progress.step(VARIANTS[variant].label);
  const windowSeconds = name === 'loop' ? LOOP_WINDOW_SECONDS : asked;
  const given = { node, sink, workload, name, scale, idleSeconds, idleSettleSeconds, windowSeconds };
  const run = (variant) =>
    guard(variant, () => {
      if (way !== 'idle') step(variant);
      return runOnce({ ...given, variant: VARIANTS[variant] });
    });
  let rounds;
  let turns;
  if (way === 'idle') {
    progress.part(name, 1);
    progress.step(`${Math.min(pairs, IDLE_MOST)} servers of each variant, side by side`);
    rounds = await sideBySide(names, pairs, run);
  } else if (way === 'turns') {
    progress.part(name, names.length * pairs);
    const longer = { ...given, windowSeconds: windowSeconds * names.length };
    rounds = [];
    for (let at = 0; at < pairs; at++) {
      const done = await roundOfTurns(names, { given: longer, turns, guard, step });
      rounds.push(done.round);
      turns = done.turns;
    }
  } else {
    progress.part(name, warmers(names).length + names.length * pairs);
    rounds = await oneByOne(names, pairs, run);
  }
  // A variant that broke on the way has rounds that count for nothing.
  for (const round of rounds) for (const variant of Object.keys(round)) if (failed.has(variant) || !round[variant]) delete round[variant];
  return { rounds, windowSeconds, turns, failed: Object.fromEntries(failed) };
}
