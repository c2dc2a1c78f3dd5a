// Numeric, JIT-heavy: a unit is one round of lib/computing.cjs (about 23 ms), under a label of its kind; the loop turns between units.

const { setImmediate: turn } = require('node:timers/promises');
const { computing } = require('../lib/computing.cjs');

exports.prepare = async ({ program }) => {
  const round = computing();
  return {
    run: async (units) => {
      for (let i = 0; i < units; i++) {
        program.label({ task: `task-${i % 8}` }, round);
        await turn();
      }
    },
  };
};
