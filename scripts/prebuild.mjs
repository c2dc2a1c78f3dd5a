// `npm run build:prebuild [-- --release]`: makes prebuilds/<platform>-<arch>/strobe.<libc>.node, the stripped binary that the package ships.
//
// Contract: the name and place are those that node-gyp-build looks for. Prints the file, its size and the newest glibc it needs, and fails when that
// is newer than the floor: RELEASE_GLIBC with --release (builds in a container with glibc 2.28), else LOCAL_GLIBC. Other platforms' binaries
// that are already in prebuilds/ stay. On a platform without an engine it says so and makes nothing (exit 0), so that packing works everywhere.

import { mkdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { cleanEnv, missingTools, requireDependencies, root, run } from './build-native.mjs';

/** The oldest glibc that a released binary runs on: RHEL 8, Debian 10, Ubuntu 20.04. */
const RELEASE_GLIBC = '2.28';
/** A binary for tests on this machine and on the CI machines (Ubuntu 24.04). */
const LOCAL_GLIBC = '2.39';

const newer = (a, b) => a.localeCompare(b, 'en', { numeric: true }) > 0;

/** The newest version of a symbol family (`GLIBC`, `GLIBCXX`) that the binary needs, or undefined. */
function newestNeeded(symbols, family) {
  const versions = [...symbols.matchAll(new RegExp(`\\(?${family}_([0-9.]+)\\)?`, 'g'))].map((match) => match[1]);
  return versions.reduce((best, version) => (best === undefined || newer(version, best) ? version : best), undefined);
}

function main() {
  const release = process.argv.includes('--release');
  if (process.platform !== 'linux') {
    console.log(`prebuild: no engine for ${process.platform} yet, nothing to build`);
    return 0;
  }
  const { missing, advice } = missingTools();
  for (const tool of ['strip', 'objdump']) if (!run(tool, ['--version']).ok) missing.push(`${tool} (package binutils)`);
  if (missing.length > 0) {
    console.error(`prebuild: missing: ${missing.join(', ')}. Install:\n${advice}`);
    return 1;
  }

  const work = join(root, 'build-prebuild'); // prebuildify's working folder: it moves the binary out of build/Release, so not the checkout's
  mkdirSync(work, { recursive: true });
  const flags = [
    '--napi',
    '--tag-libc',
    '--strip',
    '--name',
    'strobe',
    '--arch',
    process.arch,
    '--platform',
    'linux',
    '--cwd',
    work,
    '--out',
    root,
  ];
  const prebuildify = run(process.execPath, [join(root, 'node_modules/prebuildify/bin.js'), ...flags], {
    env: cleanEnv({ PREBUILD_NODE_GYP: join(root, 'scripts/prebuildify-backend.mjs'), PREBUILD_STRIP_BIN: 'strip' }),
  });
  if (!prebuildify.ok) {
    console.error(`${prebuildify.log}\nprebuild: prebuildify failed; its log is above.`);
    return 1;
  }

  const libc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
  const binary = join(root, 'prebuilds', `linux-${process.arch}`, `strobe.${libc}.node`);
  const symbols = run('objdump', ['-T', binary]);
  if (!symbols.ok) {
    console.error(`${symbols.log}\nprebuild: ${relative(root, binary)} is not there or cannot be read.`);
    return 1;
  }
  const glibc = newestNeeded(symbols.log, 'GLIBC');
  const libstdcxx = newestNeeded(symbols.log, 'GLIBCXX');
  const needs = [glibc && `GLIBC ${glibc}`, libstdcxx && `GLIBCXX ${libstdcxx}`].filter(Boolean).join(', ') || 'no versioned glibc symbol';
  console.log(`prebuild: ${relative(root, binary)}, ${Math.round(statSync(binary).size / 1024)} KiB, needs ${needs}`);
  const floor = release ? RELEASE_GLIBC : LOCAL_GLIBC;
  if (glibc && newer(glibc, floor)) {
    console.error(
      `prebuild: GLIBC ${glibc} is newer than ${floor}: build ${release ? 'releases in a container with glibc 2.28' : 'on an older distribution'}.`,
    );
    return 1;
  }
  return 0;
}

requireDependencies('prebuild');
process.exitCode = main();
