// The profilers that are compared, and one run of a program under one of them.
//
// Contract: profilers() says who takes part and why somebody does not; runExact() starts a fresh process and returns { said (the program's own account),
// stacks (see workloads/exact-host.cjs), stdout (V8's traces) }, or throws. The competitor is no dependency of strobe: its exact version stands in
// bench/package.json, and it is installed into bench/node_modules when it is missing; what can't be installed or loaded is left out, never an error.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, launch, root, scratch, workload } from './child.mjs';

const COMPETITOR = '@datadog/pprof';
const INSTALL_LIMIT_MS = 180_000;
const bench = join(root, 'bench');

const OURS = [
  { label: 'strobe, 100 Hz', way: 'strobe', hz: 100 },
  { label: 'strobe, 1 kHz', way: 'strobe', hz: 1000 },
  { label: 'inspector, 1 ms', way: 'inspector' },
];

const readJson = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));

function installed(version) {
  try {
    return readJson(bench, 'node_modules', COMPETITOR, 'package.json').version === version;
  } catch {
    return false;
  }
}

/** undefined, or why it could not be. */
function install(version) {
  if (installed(version)) return undefined;
  console.error(`bench: installing ${COMPETITOR} ${version} into bench/node_modules`);
  const args = ['install', '--prefix', bench, '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', args, { cwd: bench, encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
  if (done.status === 0 && installed(version)) return undefined;
  const said = done.error?.message ?? ((done.stderr ?? '').trim().split('\n')[0] || `exit code ${done.status}`);
  return `could not be installed (npm install in bench/: ${said})`;
}

function loads(node) {
  const done = spawnSync(node, ['-e', `require('${COMPETITOR}')`], { cwd: bench, env: environment(), encoding: 'utf8', timeout: 30_000 });
  if (done.status === 0) return undefined;
  const said = (done.stderr ?? '').split('\n').find((line) => /^\w*Error\b/.test(line)) ?? `ended with ${done.signal ?? done.status}`;
  return `does not load in this Node (${said})`;
}

const competitorVersion = () => readJson(bench, 'package.json').devDependencies[COMPETITOR];

/** '' when it takes part, else a sentence. */
export function competitorMissing(node) {
  const version = competitorVersion();
  const problem = install(version) ?? loads(node);
  return problem ? `${COMPETITOR} ${version} ${problem}: its rows are left out` : '';
}

/** { taking: [{ label, way, hz }], left: string[] } */
export function profilers(node) {
  const version = competitorVersion();
  const problem = competitorMissing(node);
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
