// The peers that are packages: pinned in bench/package.json, installed into bench/node_modules when they are missing. They are no dependency of strobe.
//
// Contract: peerMissing(name, node) is '' when that peer is there and loads in that Node, else a sentence that names it and why not: what can't be installed or
// loaded is left out by name, never an error and never silently.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, root } from './child.mjs';

const INSTALL_LIMIT_MS = 180_000;
const bench = join(root, 'bench');

const readJson = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));

export const peerVersion = (name) => readJson(bench, 'package.json').devDependencies[name];

function installed(name) {
  try {
    return readJson(bench, 'node_modules', name, 'package.json').version === peerVersion(name);
  } catch {
    return false;
  }
}

/** undefined, or why it could not be. */
function install(name) {
  if (installed(name)) return undefined;
  console.error(`bench: installing ${name} ${peerVersion(name)} into bench/node_modules`);
  const args = ['install', '--prefix', bench, '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', args, { cwd: bench, encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
  if (done.status === 0 && installed(name)) return undefined;
  const said = done.error?.message ?? ((done.stderr ?? '').trim().split('\n')[0] || `exit code ${done.status}`);
  return `could not be installed (npm install in bench/: ${said})`;
}

function loads(name, node) {
  const done = spawnSync(node, ['-e', `require('${name}')`], { cwd: bench, env: environment(), encoding: 'utf8', timeout: 30_000 });
  if (done.status === 0) return undefined;
  const said = (done.stderr ?? '').split('\n').find((line) => /^\w*Error\b/.test(line)) ?? `ended with ${done.signal ?? done.status}`;
  return `does not load in this Node (${said})`;
}

export function peerMissing(name, node) {
  const problem = install(name) ?? loads(name, node);
  return problem ? `${name} ${peerVersion(name)} ${problem}: its rows are left out` : '';
}
