// Promise hops: a unit is 12 chains of async functions, 64 deep, each with two awaits and a little arithmetic (1,536 hops), under a label a chain: some 30 us of work, a
// very short request. What entering a label costs by itself is measured by bench/micro.mjs.

const { setImmediate: turn } = require('node:timers/promises');

const DEPTH = 63;
const CHAINS = 12;

async function hop(depth, seed) {
  let x = seed;
  for (let i = 0; i < 60; i++) x = (Math.imul(x, 48271) + i) | 0;
  await undefined;
  if (depth === 0) return x;
  return (await hop(depth - 1, x)) ^ depth;
}

exports.prepare = async ({ program }) => ({
  run: async (units) => {
    let sum = 0;
    for (let i = 0; i < units; i++) {
      const chains = Array.from({ length: CHAINS }, (_, chain) => program.label({ chain: `chain-${chain % 10}` }, () => hop(DEPTH, chain)));
      for (const result of await Promise.all(chains)) sum ^= result;
      await turn();
    }
    return { sum };
  },
});
