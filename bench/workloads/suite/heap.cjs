// Allocation on a large heap: some 300 MB stay alive; a unit makes 5,000 short-lived objects and replaces 1,500 of the old ones, so that the collector
// scavenges all the time and marks and moves every some 20 units.
//
// Short-lived objects are made in another place than old ones: V8 learns for each place how long its objects live, and in one that makes both it is chance (when
// the function is optimized) whether the short ones go into the old generation, too.

const { setImmediate: turn } = require('node:timers/promises');

const LIVE = 300_000;
const SHORT = 5_000;
const REPLACED = 1_500;
const VALUES = 100;

const record = (i) => ({ id: i, name: `record-${i}`, next: undefined, values: new Array(VALUES).fill(i), more: { a: i & 7, b: null } });
const passing = (i) => ({ id: i, name: `passing-${i}`, values: new Array(VALUES).fill(i), more: { a: i & 7, b: null } });

exports.prepare = async ({ program }) => {
  const live = Array.from({ length: LIVE }, (_, i) => record(i));
  let seed = 1;
  const unit = () => {
    let sum = 0;
    for (let i = 0; i < SHORT; i++) {
      const short = passing(i);
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
