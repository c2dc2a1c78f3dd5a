// The profilers that are compared, and one run of a program under one of them.
//
// Contract: profilers() says who takes part and why somebody does not; runExact() starts a fresh process and returns { said (the program's own account),
// stacks (see workloads/exact-host.cjs), stdout (V8's traces) }, or throws. What can't be installed or loaded is left out (peers.mjs).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, launch, scratch, workload } from './child.mjs';
import { peerMissing, peerVersion } from './peers.mjs';

const COMPETITOR = '@datadog/pprof';

const OURS = [
  { label: 'strobe, 100 Hz', way: 'strobe', hz: 100 },
  { label: 'strobe, 1 kHz', way: 'strobe', hz: 1000 },
  { label: 'inspector, 1 ms', way: 'inspector' },
];

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** { taking: [{ label, way, hz }], left: string[] } */
export function profilers(node) {
  const version = peerVersion(COMPETITOR);
  const problem = peerMissing(COMPETITOR, node);
  if (problem) return { taking: OURS, left: [problem] };
  return { taking: [...OURS, { label: `${COMPETITOR} ${version}, 1 ms`, way: 'datadog' }], left: [] };
}

export async function runExact(node, profiler, { program, nodeArgs = [], args = [] }) {
  const folder = scratch();
  const said = join(folder, 'said.json');
  const result = join(folder, 'profile.json');
  const env = environment({
    BENCH_WAY: profiler.way,
    BENCH_HZ: String(profiler.hz),
    BENCH_PROGRAM: program,
    BENCH_RESULT: result,
    EXACT_RESULT: said,
  });
  const { stdout, stderr } = await launch(node, [...nodeArgs, workload('exact-host.cjs'), ...args.map(String)], { env }).ended;
  try {
    return { said: readJson(said), stacks: readJson(result).stacks, stdout };
  } catch (error) {
    throw new Error(`${profiler.label}: ${program} left no result (${error.message})\n${stderr}`);
  }
}
