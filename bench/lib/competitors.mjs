// The packages that strobe is compared with, and the bench's tools. They are no dependency of strobe: their exact versions stand in bench/package.json.
//
// Contract: competitorMissing(name, node) is '' when the package takes part, else a sentence that says why not; `way` is how it loads (require, import). What is missing is installed into
// bench/node_modules; what can't be installed, or does not load in that Node, is left out by name, never an error.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, root } from './child.mjs';

const INSTALL_LIMIT_MS = 180_000;
const bench = join(root, 'bench');

const readJson = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));

export const competitorVersion = (name) => readJson(bench, 'package.json').devDependencies[name];

function installed(name, version) {
  try {
    return readJson(bench, 'node_modules', name, 'package.json').version === version;
  } catch {
    return false;
  }
}

/** undefined, or why it could not be. */
function install(name, version) {
  if (installed(name, version)) return undefined;
  console.error(`bench: installing ${name} ${version} into bench/node_modules`);
  const args = ['install', '--prefix', bench, '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', args, { cwd: bench, encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
  if (done.status === 0 && installed(name, version)) return undefined;
  const said = done.error?.message ?? ((done.stderr ?? '').trim().split('\n')[0] || `exit code ${done.status}`);
  return `could not be installed (npm install in bench/: ${said})`;
}

function loads(name, node, way) {
  const done = spawnSync(node, ['-e', `${way}('${name}')`], { cwd: bench, env: environment(), encoding: 'utf8', timeout: 30_000 });
  if (done.status === 0) return undefined;
  const said = (done.stderr ?? '').split('\n').find((line) => /^\w*Error\b/.test(line)) ?? `ended with ${done.signal ?? done.status}`;
  return `does not load in this Node (${said})`;
}

export function competitorMissing(name, node, way = 'require') {
  const version = competitorVersion(name);
  const problem = install(name, version) ?? loads(name, node, way);
  return problem ? `${name} ${version} ${problem}: its rows are left out` : '';
}
