// Labels follow work over every asynchronous boundary (test/programs/labels/hops.cjs): each label's CPU is its share of the work that the program counted itself,
// nothing of it leaks onto unlabelled code, no labelled work is without its label. STROBE_TEST_SECONDS: how long (default 6; the figure is 30).

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { percent, shows } from './exact-helpers.mjs';
import { labelled, WAYS } from './labels-helpers.mjs';

const SECONDS = Number(process.env.STROBE_TEST_SECONDS ?? 6);
const LABELS = ['a', 'b', 'c', 'd', 'thrower', 'worker'];

/** Whose function is on the stack: burn_<label>[_kind]; undefined where none is. */
function owner(names) {
  const burn = names.find((name) => name.startsWith('burn_'));
  if (burn === undefined) return undefined;
  const who = burn.slice('burn_'.length).split('_')[0];
  if (who === 'handler') return 'thrower';
  return LABELS.includes(who) ? who : 'none';
}

for (const { flags, feature } of WAYS) {
  test(`every hop ${flags.join(' ')}`, () =>
    shows(SECONDS, async (seconds) => {
      const { said, samples } = await labelled('hops.cjs', [seconds], { flags });
      assert.is(said.feature, feature);
      assert.equal(said.wrong, [], 'currentLabels() is right in every callback');
      const done = {};
      for (const [name, units] of Object.entries(said.done)) {
        const who = owner([`burn_${name}`]);
        done[who] = (done[who] ?? 0) + units;
      }
      const cpu = {};
      const unlike = {};
      let leaked = 0;
      let missing = 0;
      let foreign = 0;
      for (const { names, labels, cpuNs } of samples) {
        const who = owner(names);
        if (who === undefined) continue;
        const label = labels.agent ?? 'none';
        cpu[label] = (cpu[label] ?? 0) + cpuNs;
        if (label === who) continue;
        const key = `${names.find((name) => name.startsWith('burn_'))} -> ${label}`;
        unlike[key] = (unlike[key] ?? 0) + cpuNs / 1e6;
        if (who === 'none') leaked += cpuNs;
        else if (label === 'none') missing += cpuNs;
        else foreign += cpuNs;
      }
      const all = Object.values(cpu).reduce((sum, value) => sum + value, 0);
      const units = Object.values(done).reduce((sum, value) => sum + value, 0);
      const misses = [];
      const shares = [...LABELS, 'none'].map((label) => {
        const [measured, true_] = [(100 * (cpu[label] ?? 0)) / all, (100 * (done[label] ?? 0)) / units];
        if (!(Math.abs(measured - true_) <= 2)) misses.push(`${label}: ${measured.toFixed(1)} %, true ${true_.toFixed(1)} %`);
        return `${label} ${measured.toFixed(1)}/${true_.toFixed(1)}`;
      });
      if (!(leaked < 0.001 * cpu.none)) misses.push(`leaked onto unlabelled work: ${percent(leaked, cpu.none)}`);
      if (!(missing < 0.005 * all)) misses.push(`labelled work without its label: ${percent(missing, all)}`);
      if (!(foreign < 0.001 * all)) misses.push(`labelled work with another's label: ${percent(foreign, all)}`);
      if (misses.length > 0) misses.push(JSON.stringify(unlike));
      for (const { labels } of samples) {
        if (['a', 'b', 'c', 'd'].includes(labels.agent)) assert.is(labels.shared, 'yes');
      }
      const text = `${feature}: ${shares.join(', ')} % (measured/true); leaked ${percent(leaked, cpu.none)}, missing ${percent(missing, all)}, foreign ${percent(foreign, all)}`;
      return { misses, text };
    }));
}

test.run();
