// The Node that is measured. Contract: nodeOf(path) gives { node, version } of one that starts; else an Error that names the option.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export function nodeOf(path) {
  // A path is the caller's: children run elsewhere.
  const node = path.includes('/') ? resolve(path) : path;
  const started = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (started.status !== 0) throw new Error(`--node: ${path} does not start`);
  return { node, version: started.stdout.trim() };
}
