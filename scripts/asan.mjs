// `npm run test:asan [-- file-name part…]`: the C++ unit tests under AddressSanitizer and UndefinedBehaviorSanitizer, then the test suite with an
// addon built with AddressSanitizer (build-asan/Release/strobe.node, found through STROBE_BINARY).
//
// Contract: needs g++ with libasan and libubsan, says so otherwise. Leaks are not looked for (Node itself leaves memory at exit); every other finding
// ends the process with a signal, so the runner counts it. Last line `N passed, N failed`, exit code 1 on a failure. `--quick` leaves out
// test files that are not about the native engine (QUICK_PARTS).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { createInterface } from 'node:readline';
import { readTotalLine, runCppTests, tally } from '../test/run.mjs';
import { buildAddon, compilerAccepts, isMain, requireDependencies, root, run } from './build-native.mjs';

/** Parts of the names of the test files that exercise memory handling of the engine most. */
const QUICK_PARTS = ['native', 'profiler', 'engine', 'worker', 'lifetime', 'probe'];

export const ASAN_OPTIONS = 'detect_leaks=0:halt_on_error=1:abort_on_error=1:disable_coredump=1:handle_abort=0';
export const UBSAN_OPTIONS = 'halt_on_error=1:print_stacktrace=1';
/** CMake definitions: a finding of either sanitizer ends the process. */
export const SANITIZED = { STROBE_SANITIZE: 'address', CMAKE_CXX_FLAGS: '-fsanitize=undefined -fno-sanitize-recover=undefined' };

/** What a program needs around it that loads an addon built with ASan; undefined when gcc's libasan is missing. */
export function asanEnv(binary) {
  const asan = gccLibrary('libasan.so');
  if (!asan) return undefined;
  // libasan must come first, and libstdc++ right after it: its exception functions are looked up when libasan starts.
  const preload = [asan, gccLibrary('libstdc++.so.6') ?? gccLibrary('libstdc++.so')].filter(Boolean).join(' ');
  return { LD_PRELOAD: preload, ASAN_OPTIONS, UBSAN_OPTIONS, STROBE_BINARY: binary };
}

/** The path of one of gcc's libraries, or undefined: gcc prints the bare name for a library that it does not have. */
function gccLibrary(name) {
  const path = run('g++', [`-print-file-name=${name}`]).log.trim();
  return isAbsolute(path) && existsSync(path) ? path : undefined;
}

/** Runs the test runner and passes its lines on as they come, its total left out: that is part of ours. */
async function runSuite(args) {
  const child = spawn(process.execPath, [join(root, 'test/run.mjs'), ...args], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  let counts;
  for await (const line of createInterface({ input: child.stdout })) {
    const total = readTotalLine(line);
    if (total) counts = total;
    else console.log(line);
  }
  const [status] = await ended;
  return { status, counts };
}

async function main() {
  const args = process.argv.slice(2);
  const parts = args.includes('--quick') ? QUICK_PARTS : args;
  const results = tally();
  const asan = gccLibrary('libasan.so');
  if (!asan || !compilerAccepts('g++', ['-std=c++20', '-fsanitize=address,undefined'])) {
    results.fail('address sanitizer', 'g++ with libasan and libubsan is missing (Debian: g++; Fedora: gcc-c++ libasan libubsan)');
    return results.end();
  }
  process.env.CXX = 'g++';
  const addon = buildAddon({ out: 'build-asan', defines: SANITIZED, env: { CXX: 'g++' } });
  if (!addon.ok) {
    results.fail('addon with ASan', 'did not build', addon.log);
    return results.end();
  }
  for (const target of ['strobe_tests', 'strobe_heap_tests']) {
    await runCppTests(results, {
      name: `${target} under ASan and UBSan`,
      dir: 'build-asan',
      besideAddon: true,
      target,
      defines: SANITIZED,
      env: { ASAN_OPTIONS, UBSAN_OPTIONS },
    });
  }
  if (!existsSync(join(root, 'dist', 'index.js'))) {
    const compiled = run('npm', ['run', '--silent', 'build:ts']);
    if (!compiled.ok) {
      results.fail('build:ts', 'did not compile', compiled.log);
      return results.end();
    }
  }
  const flags = Object.entries(asanEnv(addon.binary)).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const suite = await runSuite(['--no-cpp', ...flags, ...parts]);
  if (suite.counts) for (const kind of ['passed', 'failed', 'skipped']) results.counts[kind] += suite.counts[kind];
  if (suite.status !== 0 && !(suite.counts?.failed > 0))
    results.fail('test suite under ASan', suite.counts ? 'ran no test' : 'its runner died');
  return results.end();
}

if (isMain(import.meta.url)) {
  requireDependencies('asan');
  process.exitCode = await main();
}
