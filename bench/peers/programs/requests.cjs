// Short requests beside long asynchronous ones, and housekeeping without a label. A short one comes every 5 ms: 0.25 ms of work before and after an await, label
// route=short. Two long ones run all the time: slices of 4 ms of work between awaits, route=long. Every 50 ms 4 ms of housekeeping, no label.
//
// Truth: { cpuNs: CPU of the thread, units: { short, long, none } }: a part's CPU is its share of the units.

const { setImmediate: immediate } = require('node:timers/promises');
const { cpuNs, workers } = require('./work.cjs');

const SHORT_EVERY_MS = 5;
const SHORT_UNITS = 10;
const LONG_UNITS = 160;
const HOUSE_EVERY_MS = 50;
const HOUSE_UNITS = 160;

let works;
function prepare() {
  const [short, long, none] = workers(['workOfShort', 'workOfLong', 'housekeeping']);
  works = { short, long, none };
}

async function run({ peer, seconds }) {
  const units = { short: 0, long: 0, none: 0 };
  const work = (part, count) => {
    works[part](count);
    units[part] += count;
  };
  const short = async () => {
    work('short', SHORT_UNITS);
    await immediate();
    work('short', SHORT_UNITS);
  };
  const before = cpuNs();
  const end = performance.now() + seconds * 1000;
  const long = async () => {
    while (performance.now() < end) {
      work('long', LONG_UNITS);
      await immediate();
    }
  };
  const timers = [
    setInterval(() => peer.withLabels({ route: 'short' }, short), SHORT_EVERY_MS),
    setInterval(() => work('none', HOUSE_UNITS), HOUSE_EVERY_MS),
  ];
  await Promise.all([1, 2].map(() => peer.withLabels({ route: 'long' }, long)));
  for (const timer of timers) clearInterval(timer);
  return { cpuNs: cpuNs() - before, units };
}

module.exports = { prepare, run };
