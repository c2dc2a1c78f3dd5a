// Memory: storms of allocation, and collections of every kind that can be asked for.

const v8 = require('node:v8');
const vm = require('node:vm');

const allocation = {
  every: 400,
  make: ({ random, count }) => {
    let kept = [];
    return async () => {
      const items = random.int(5_000, 40_000);
      const round = [];
      for (let i = 0; i < items; i++) round.push({ i, text: `item ${i}`, pair: [i, { i }] });
      kept.push(
        round.filter(({ i }) => i % 10 === 0),
        Buffer.alloc(random.int(1, 512) * 1024, 1),
        'x'.repeat(random.int(1, 100_000)).toUpperCase(),
      );
      if (kept.length > 30) kept = kept.slice(-3);
      count('objects', items);
    };
  },
};

const collections = {
  every: 3000,
  make: ({ random, count }) => {
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    v8.setFlagsFromString('--no-expose-gc');
    const kinds = [[], [{ type: 'minor' }], [{ type: 'major' }], [{ type: 'major', execution: 'async' }]];
    return async () => {
      await gc(...random.among(kinds));
      count('collections');
    };
  },
};

module.exports = { allocation, collections };
