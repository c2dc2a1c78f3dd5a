// Preload of a program's Worker: says which thread of the kernel it is, so that the program need not.
//
// Contract: the environment data 'bench.tid' is an Int32Array on shared memory; its first element is the thread's id from here on.

const { readlinkSync } = require('node:fs');
const { getEnvironmentData } = require('node:worker_threads');

// PID/task/TID
getEnvironmentData('bench.tid')[0] = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
