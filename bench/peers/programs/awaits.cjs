// Two tasks at once, each in a label of its own, that hop through awaits of four kinds (a promise, setImmediate, a timer, a file's stat) and compute after each.
//
// Truth: { cpuNs: CPU of the thread, units: what each task did }. Whose work a sample is, its stack says: workOfA or workOfB. So no clock comes between.

const { stat } = require('node:fs/promises');
const { setImmediate: immediate, setTimeout: later } = require('node:timers/promises');
const { cpuNs, workers } = require('./work.cjs');

const HOPS = [() => null, () => immediate(), () => later(1), () => stat(__filename)];
/** What each does after an await: A twice as much as B. */
const UNITS = { A: 40, B: 20 };

let works;
function prepare() {
  const [A, B] = workers(['workOfA', 'workOfB']);
  works = { A, B };
}

async function task(name, end) {
  let units = 0;
  for (let hop = 0; performance.now() < end; hop++) {
    await HOPS[hop % HOPS.length]();
    works[name](UNITS[name]);
    units += UNITS[name];
  }
  return units;
}

async function run({ peer, seconds }) {
  const before = cpuNs();
  const end = performance.now() + seconds * 1000;
  const start = (name) => peer.withLabels({ task: name }, () => task(name, end));
  const [A, B] = await Promise.all([start('A'), start('B')]);
  return { cpuNs: cpuNs() - before, units: { A, B } };
}

module.exports = { prepare, run };
