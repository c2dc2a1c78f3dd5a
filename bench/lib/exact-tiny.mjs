// Program 2 of the exactness bench: are the callers of tiny functions right?
//
// Contract: the program (the tests' own, test/programs/exact/tiny.cjs) has 120 functions that are all prologue and epilogue, each with one caller that may
// be: tiny7_2 is only ever called by caller7. Inlining is off, or there would be no calls; each tier of V8 alone. The figure is the share of the samples
// whose leaf is a tiny function that stand directly under another function than its caller. For information: no verdict (the tests have the limit).

import { join } from 'node:path';
import { root } from './child.mjs';
import { runExact } from './exact-run.mjs';
import { shuffled } from './stats.mjs';
import { number, table } from './table.mjs';

/** Flags for V8, by tier. Node 20 and 22 have no Maglev that is on. */
function tiers(major) {
  const hasMaglev = major >= 24;
  const noInlining = ['--allow-natives-syntax', '--no-turbo-inlining', ...(hasMaglev ? ['--no-maglev-inlining'] : [])];
  const noMaglev = hasMaglev ? ['--no-maglev'] : [];
  const all = {
    TurboFan: noMaglev,
    ...(hasMaglev ? { Maglev: ['--no-turbofan'] } : {}),
    Sparkplug: ['--always-sparkplug', ...noMaglev, '--no-opt'],
    interpreter: ['--no-sparkplug', ...noMaglev, '--no-opt'],
  };
  return Object.entries(all).map(([tier, flags]) => ({ tier, nodeArgs: [...noInlining, ...flags] }));
}

async function run(node, profiler, nodeArgs, seconds) {
  const program = join(root, 'test', 'programs', 'exact', 'tiny.cjs');
  const { stacks } = await runExact(node, profiler, { program, nodeArgs, args: [seconds] });
  let samples = 0;
  let wrong = 0;
  for (const { names, count } of stacks) {
    const caller = names[0].match(/^tiny(\d+)_/)?.[1];
    if (caller === undefined) continue;
    samples += count;
    if (names[1] !== `caller${caller}`) wrong += count;
  }
  return { samples, wrong };
}

export async function exactTiny({ node, major, seconds, taking, progress }) {
  const columns = tiers(major);
  // At 100 Hz it is the same answer from a tenth of the samples.
  const rows = taking.filter(({ hz }) => hz !== 100);
  const results = new Map(rows.map((profiler) => [profiler, new Map()]));
  progress.part('tiny functions', rows.length * columns.length);
  for (const { profiler, column } of shuffled(rows.flatMap((profiler) => columns.map((column) => ({ profiler, column }))))) {
    progress.step(`${profiler.label}, ${column.tier}`);
    results.get(profiler).set(column, await run(node, profiler, column.nodeArgs, seconds));
  }
  const cell = ({ samples, wrong }) => (samples === 0 ? '-' : `${number((100 * wrong) / samples)} % of ${samples}`);
  return {
    text: table(
      `tiny functions: samples under a caller that can't be, by the tier of V8 that runs both (one run of ${seconds} s each, inlining off)`,
      ['', ...columns.map(({ tier }) => tier)],
      rows.map((profiler) => [profiler.label, ...columns.map((column) => cell(results.get(profiler).get(column)))]),
    ),
  };
}
