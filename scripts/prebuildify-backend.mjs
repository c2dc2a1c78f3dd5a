#!/usr/bin/env node
// What prebuildify runs in place of node-gyp: builds the addon with cmake-js and puts it where prebuildify looks.
//
// Contract: prebuildify calls it with node-gyp's arguments (`rebuild --target=… --arch=… --release`) in its working folder, here build-prebuild/,
// and takes the first `.node` in build/Release under it. A Node-API binary serves every Node version, so the target is not used; the
// architecture must be this machine's (release builds run on native runners). It is the checkout's own build/, up to date: what was tested is
// what is packed.

import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build-native.mjs';

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length) ?? process.arch;
if (arch !== process.arch) {
  console.error(`prebuildify-backend: cannot build for ${arch} on ${process.arch}: run the prebuild on a machine of that architecture.`);
  process.exit(1);
}

const { ok, binary, log } = buildAddon();
if (!ok) {
  console.error(`${log}\nprebuildify-backend: the build of the addon failed; its log is above.`);
  process.exit(1);
}
const release = join(process.cwd(), 'build', 'Release');
mkdirSync(release, { recursive: true });
copyFileSync(binary, join(release, 'strobe.node')); // prebuildify moves and strips it
