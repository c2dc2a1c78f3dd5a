// Who used the CPU: a dispatcher's many short labelled requests beside two long asynchronous jobs (true shares 65/33/2), by `attribution` and by the profile; what is
// charged adds up to the thread's clock; an exact section reads what the clock says. STROBE_TEST_RUNS: how many runs in a row (default 1); STROBE_TEST_SECONDS: how long each is (default 8).

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shows } from './exact-helpers.mjs';
import { labelled, WAYS } from './labels-helpers.mjs';

const RUNS = Number(process.env.STROBE_TEST_RUNS ?? 1);
const SECONDS = Number(process.env.STROBE_TEST_SECONDS ?? 8);
const LABELS = ['long', 'tool', 'short'];

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

for (const { flags } of WAYS) {
  for (const how of ['sampled', 'exact']) {
    test(`a dispatcher, ${how} ${flags.join(' ')}`, async () => {
      for (let run = 0; run < RUNS; run++) {
        await shows(SECONDS, async (seconds) => {
          const { said } = await labelled('dispatcher.cjs', [seconds, how], { flags });
          const units = LABELS.reduce((sum, label) => sum + said.done[label], 0);
          const row = (label) => said.rows.find(({ value }) => value === label);
          const cpu = LABELS.reduce((sum, label) => sum + row(label).cpuMicros, 0);
          const misses = [];
          const shares = LABELS.map((label) => {
            const [measured, true_] = [(100 * row(label).cpuMicros) / cpu, (100 * said.done[label]) / units];
            if (!(Math.abs(measured - true_) <= 2)) misses.push(`${label}: ${measured.toFixed(1)} %, true ${true_.toFixed(1)} %`);
            return `${label} ${measured.toFixed(1)}/${true_.toFixed(1)}`;
          });
          const sum = said.total.cpuMicros / (said.cpuNs / 1000);
          if (!(Math.abs(sum - 1) <= 0.01)) misses.push(`charged: ${(100 * sum).toFixed(2)} % of the thread's clock`);
          assert.ok(row('short').samples > 0 || how === 'exact');
          if (how === 'exact') {
            assert.ok(row('short').sections > 100, 'sections are counted');
            assert.ok(row('short').exactMicros > 0.95 * row('short').cpuMicros, 'what was measured is not sampled, too');
          } else {
            assert.is(row('short').sections, 0);
          }
          assert.is(said.labels.refusedSamples, 0);
          const section = median(said.sections);
          if (!(Math.abs(section - 1) <= 0.1)) misses.push(`a section of 3 ms reads ${(100 * section).toFixed(1)} %`);
          return {
            misses,
            text: `${how}${flags.join(' ')}: ${shares.join(', ')} % (attributed/true), sum ${(100 * sum).toFixed(2)} % of the clock, a 3 ms section ${(100 * section).toFixed(2)} %`,
          };
        });
      }
    });
  }
}

test.run();
