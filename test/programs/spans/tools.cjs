// CPU of the main thread, milliseconds; work by that clock; and the moment when labels are read (the engine's self-test finds where they are).
const { readFileSync } = require('node:fs');

const file = `/proc/self/task/${process.pid}/schedstat`;
exports.cpuMs = () => Number(readFileSync(file, 'utf8').split(' ')[0]) / 1e6;
exports.spin = function spin(ms) {
  const end = exports.cpuMs() + ms;
  let x = 0;
  while (exports.cpuMs() < end) for (let i = 0; i < 2e4; i++) x += Math.sqrt(i);
  return x;
};
exports.labelsReady = async (profiler) => {
  const { withLabels } = require(process.env.STROBE_INDEX);
  withLabels({ warm: 'up' }, () => undefined);
  while (!profiler.stats().features.labels.startsWith('on: ')) await new Promise((done) => setTimeout(done, 5));
};
