// Labels under what breaks profilers: a collector that moves everything, promises and timers that libraries have patched, an active domain, Workers terminated and
// code timed out inside measured sections. No crash, no wrong label, CPU is charged on.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { percent, shows } from './exact-helpers.mjs';
import { ROOT } from './helpers.mjs';
import { labelled, WAYS } from './labels-helpers.mjs';

const PATCHED = join(ROOT, 'test', 'programs', 'labels', 'patched.cjs');
const LABELS = ['a', 'b', 'c', 'd', 'thrower', 'worker'];
const HARDSHIPS = { 'a collector that moves everything': ['--stress-compaction'], 'patched promises, a domain': ['--require', PATCHED] };

for (const { flags } of WAYS) {
  for (const [hardship, more] of Object.entries(HARDSHIPS)) {
    test(`${hardship} ${flags.join(' ')}`, () =>
      shows(4, async (seconds) => {
        const { said, samples } = await labelled('hops.cjs', [seconds], { flags: [...flags, ...more] });
        assert.equal(said.wrong, [], 'currentLabels() is right in every callback');
        assert.is(said.labels.refusedSamples, 0, 'no label fails its checks');
        let [all, missing, wrong] = [0, 0, 0];
        const unlike = {};
        for (const { names, labels, cpuNs } of samples) {
          const burn = names.find((name) => name.startsWith('burn_'));
          if (burn === undefined) continue;
          const found = burn.slice('burn_'.length).split('_')[0];
          const who = found === 'handler' ? 'thrower' : LABELS.includes(found) ? found : undefined;
          all += cpuNs;
          if (labels.agent === who) continue;
          unlike[`${burn} -> ${labels.agent}`] = cpuNs / 1e6;
          if (labels.agent === undefined) missing += cpuNs;
          else wrong += cpuNs;
        }
        const misses = [];
        if (!(wrong < 0.001 * all)) misses.push(`wrong labels: ${percent(wrong, all)} ${JSON.stringify(unlike)}`);
        if (!(missing < 0.005 * all)) misses.push(`labels missing: ${percent(missing, all)} ${JSON.stringify(unlike)}`);
        return {
          misses,
          text: `${hardship} ${flags.join(' ')}: ${samples.length} rows, wrong ${percent(wrong, all)}, missing ${percent(missing, all)}`,
        };
      }));
  }

  test(`ends without finally ${flags.join(' ')}`, () =>
    shows(1, async (factor) => {
      const { said, samples } = await labelled('endings.cjs', [15 * factor], { flags });
      assert.equal(said.left, {}, 'nothing is current afterwards');
      const misses = [];
      const charged = said.own.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0) * 1000;
      if (!(Math.abs(charged / said.cpuNs - 1) <= 0.02)) misses.push(`charged: ${percent(charged, said.cpuNs)} of the clock`);
      // On another thread's samples or in another agent's functions it has no place.
      for (const { labels, names } of samples) {
        if (labels.agent === 'terminated') assert.ok(labels.thread_name !== 'main', "a Worker's label stays in it");
        if (labels.agent === 'after') assert.ok(!names.includes('section'), 'what timed out is over');
        if (labels.thread_name !== 'main' && names.includes('spin')) {
          assert.is(labels.agent, 'terminated');
          assert.is(labels.maker, 'main', 'a Worker has the labels of where it was made');
        }
      }
      const after = said.own.find(({ value }) => value === 'after');
      assert.ok(after && after.cpuMicros > 0.3e6, 'work goes on to be charged');
      const ended = said.makers.find(({ value }) => value === 'main');
      assert.ok(
        ended?.threads.some(({ tid }) => tid === 0),
        'of threads that have ended something is left',
      );
      return { misses, text: `ends ${flags.join(' ')}: ${percent(charged, said.cpuNs)} of the clock charged` };
    }));
}

test.run();
