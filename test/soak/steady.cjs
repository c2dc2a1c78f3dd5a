// A Worker that computes in bursts until it is told to end.

const { parentPort, workerData } = require('node:worker_threads');
const { stream } = require('./random.cjs');
const { workIn } = require('./work.cjs');

const random = stream(workerData.seed, 'steady');
let timer;
function burst() {
  workIn(random.int(1, 15));
  timer = setTimeout(burst, random.int(20, 120));
}
burst();
parentPort.once('message', () => {
  clearTimeout(timer);
  parentPort.close();
});
