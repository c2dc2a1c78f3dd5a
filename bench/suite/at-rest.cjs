// When what a piece of work has set going is through: V8's threads mark, sweep and compile on behind it, a profiler's threads start.
//
// Contract: atRest() resolves when the process used less than an eighth of a core between two looks, or after REST_MOST_MS. cpuMs(): user and system CPU of the process.

const { setTimeout: sleep } = require('node:timers/promises');

const REST_LOOK_MS = 3;
const REST_MOST_MS = 500;

const cpuMs = ({ userCPUTime, systemCPUTime } = process.resourceUsage()) => (userCPUTime + systemCPUTime) / 1000;

async function atRest() {
  for (let left = REST_MOST_MS / REST_LOOK_MS, before = cpuMs(), now; left > 0; left--, before = now) {
    await sleep(REST_LOOK_MS);
    now = cpuMs();
    if (now - before < REST_LOOK_MS / 8) return;
  }
}

exports.cpuMs = cpuMs;
exports.atRest = atRest;
