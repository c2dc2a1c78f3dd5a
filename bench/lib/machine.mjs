// The machine that measures: what has to stand beside every figure.
//
// Contract: machine(version) returns strings and numbers only: { node, model, cores, kernel, memoryBytes, loadavg, date }; describe() is one line of it.

import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** The container's limit where there is one: else the machine's. */
function memoryBytes() {
  try {
    const limit = Number(readFileSync('/sys/fs/cgroup/memory.max', 'utf8'));
    if (limit > 0) return Math.min(limit, totalmem());
  } catch {
    // No cgroup v2 here.
  }
  return totalmem();
}

export function machine(version) {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return {
    node: version,
    model,
    cores: cpus().length,
    // Without what the distribution or a cloud adds to it.
    kernel: release().split('-')[0],
    memoryBytes: memoryBytes(),
    loadavg: loadavg(),
    date: new Date().toISOString(),
  };
}

const load = (loads) => loads.map((value) => value.toFixed(1)).join(' ');

export const describe = ({ node, model, cores, kernel, memoryBytes, loadavg }) =>
  `Node ${node}, ${cores} x ${model}, Linux ${kernel}, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB, load average ${load(loadavg)}`;
