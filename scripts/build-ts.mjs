// `npm run build:ts`: src -> dist, types checked; then the flame graph page's code.
//
// Contract: compiles what has changed since the last time. tsc's record of that (dist/.tsbuildinfo*) knows sources, not what is in dist: where a file of ours is missing
// there, the record is dropped and all of it made again, so that no build, and no package, lacks one. Prints what tsc prints; exit code 1 when a step fails.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './build-native.mjs';

/** Projects and their records. The page's code is only checked here; build-viewer.mjs bundles it. */
const PROJECTS = { 'tsconfig.json': '.tsbuildinfo', 'src/viewer/tsconfig.json': '.tsbuildinfo-viewer' };
const VIEWER = 'viewer';

function outputs() {
  const sources = readdirSync(join(root, 'src'), { recursive: true }).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  const compiled = sources.filter((name) => !name.startsWith(VIEWER)).map((name) => name.slice(0, -'.ts'.length));
  return compiled.flatMap((name) => ['.js', '.d.ts'].map((ending) => join(root, 'dist', name + ending)));
}

const nodeRuns = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;

if (!outputs().every(existsSync)) for (const record of Object.values(PROJECTS)) rmSync(join(root, 'dist', record), { force: true });
const checked = Object.entries(PROJECTS).every(([project, record]) =>
  nodeRuns(join('node_modules', 'typescript', 'bin', 'tsc'), '-p', project, '--incremental', '--tsBuildInfoFile', join('dist', record)),
);
process.exitCode = checked && nodeRuns(join('scripts', 'build-viewer.mjs')) ? 0 : 1;
