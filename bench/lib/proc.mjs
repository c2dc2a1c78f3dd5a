// What the kernel counts of another process's threads: CPU on the nanosecond and context switches.
//
// Contract: one reading is a Map of tid -> { name, cpuNs, switches }; a thread that ends while it is read is left out. schedstat counts a running
// thread up to its last scheduler event (a tick at most), a sleeping one exactly. Linux with /proc.

import { readdirSync, readFileSync } from 'node:fs';

function readThread(dir) {
  const status = readFileSync(`${dir}/status`, 'latin1');
  const field = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  return {
    name: field('Name'),
    cpuNs: Number(readFileSync(`${dir}/schedstat`, 'latin1').split(' ')[0]),
    switches: Number(field('voluntary_ctxt_switches')) + Number(field('nonvoluntary_ctxt_switches')),
  };
}

export function readThreads(pid) {
  const threads = new Map();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    try {
      threads.set(tid, readThread(`/proc/${pid}/task/${tid}`));
    } catch (error) {
      if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
    }
  }
  return threads;
}

/** What the threads used between two readings, by thread name: [{ name, cpuNs, switches }], those that did something. */
export function used(before, after) {
  const byName = new Map();
  for (const [tid, now] of after) {
    const then = before.get(tid) ?? { cpuNs: 0, switches: 0 };
    const sum = byName.get(now.name) ?? { name: now.name, cpuNs: 0, switches: 0 };
    sum.cpuNs += now.cpuNs - then.cpuNs;
    sum.switches += now.switches - then.switches;
    byName.set(now.name, sum);
  }
  return [...byName.values()].filter(({ cpuNs, switches }) => cpuNs > 0 || switches > 0);
}
