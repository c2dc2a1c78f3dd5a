// The estimator behind `npm run bench:quick -- --part sample`: made-up units of work into which samples of a known cost were put have to give that cost back, however
// much units differ in length. Whether a sample costs what strobe counts hangs on it.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT } from './helpers.mjs';

const { sampleCost, silentClock } = createRequire(import.meta.url)(join(ROOT, 'bench', 'workloads', 'lib', 'sample-cost.cjs'));

const HZ = 1000;
const UNITS = 8_000;

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** Units of some 0.4 ms, `spread` apart, three in a hundred with a millisecond of garbage collection, each with what its samples cost. */
function madeUp(costUs, spread) {
  const clock = silentClock(HZ);
  const units = [];
  const samples = [];
  for (let i = 0; i < UNITS; i++) {
    const ms = 0.38 * Math.exp(spread * normal()) + (Math.random() < 0.03 ? 1 + Math.random() : 0);
    const ticks = clock(ms);
    units.push(ms * 1000 + ticks * costUs);
    samples.push(ticks);
  }
  return { units, samples };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

for (const spread of [0.02, 0.2]) {
  test(`a sample's cost is found among units that differ by ${spread * 100} %`, () => {
    for (const costUs of [0, 60]) {
      // The mean of more runs is less noise: until it is near, or never is.
      const found = [];
      for (let more = 0; more < 5; more++) {
        for (let i = 0; i < 6; i++) {
          const { units, samples } = madeUp(costUs, spread);
          found.push(sampleCost(units, samples, HZ));
        }
        if (Math.abs(mean(found.map(({ made }) => made)) - costUs) < 1.5) break;
      }
      const made = mean(found.map((one) => one.made));
      assert.ok(Math.abs(made - costUs) < 1.5, `${costUs} us were put in, ${made.toFixed(1)} found in ${found.length} runs`);
      const floor = mean(found.map((one) => one.floor));
      assert.ok(Math.abs(floor) < 2.5, `ticks that nobody sent cost ${floor.toFixed(1)} us`);
    }
  });
}

test.run();
