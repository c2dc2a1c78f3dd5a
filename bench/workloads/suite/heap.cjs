// Allocation on a large heap: some 300 MB stay alive; a unit makes 20,000 short-lived objects and replaces 2,000 of the old ones, so that the collector
// marks, moves and scavenges all the time.

const { setImmediate: turn } = require('node:timers/promises');

const LIVE = 1_500_000;
const SHORT = 20_000;
const REPLACED = 2_000;

const record = (i) => ({ id: i, name: `record-${i}`, next: undefined, values: [i, i + 1, i * 2], more: { a: i & 7, b: null } });

exports.prepare = async ({ program }) => {
  const live = Array.from({ length: LIVE }, (_, i) => record(i));
  let seed = 1;
  const unit = () => {
    let sum = 0;
    for (let i = 0; i < SHORT; i++) {
      const short = record(i);
      short.values.push(short.name.length);
      sum += short.values.length;
    }
    for (let i = 0; i < REPLACED; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const at = seed % LIVE;
      live[at] = record(at);
      live[at].next = live[(at + 1) % LIVE].values;
    }
    return sum;
  };
  return {
    run: async (units) => {
      for (let i = 0; i < units; i++) {
        program.label({ task: `task-${i % 8}` }, unit);
        await turn();
      }
    },
  };
};
