// Loads an addon of its own, lets its threads work, and ends: the addon is unmapped then.

const { workerData } = require('node:worker_threads');

const { file, plugin, threads, rounds } = workerData;
const done = require(file).storm(plugin, threads, rounds);
if (done !== (threads + 1) * rounds) throw new Error(`${done} rounds of ${(threads + 1) * rounds}`);
