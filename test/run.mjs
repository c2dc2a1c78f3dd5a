// The one test runner (`npm test`): C++ unit tests, the ring tests under ThreadSanitizer, then every test/*.test.mjs in a node process of its own.
//
// Contract: one line a file (name, passed, failed, seconds), the whole output of a failing file, and a last line that is exactly
// `N passed, N failed` (with `, N skipped` when some were). Exit code 1 on any failure or when no test ran, 2 on a usage error.
// A file that has no test, exceeds its time limit, exits early or dies by a signal counts as failed and is named; one whose tests are all skipped by name is a skip.
// It builds nothing but the C++ tests: `npm test` builds the package first.
//
//   node test/run.mjs [file-name part…] [--no-cpp] [--node PATH] [--env NAME=VALUE]…
//
// With file-name parts only files whose name contains one of them run; the C++ tests then need the part `cpp`.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compilerAccepts, cxxCompiler, isMain, missingTools, root, run } from '../scripts/build-native.mjs';

// Room for the tries with more data that tests of a sampler are allowed.
const FILE_LIMIT_MS = 8 * 60_000;
const CPP_LIMIT_MS = 5 * 60_000;
/** After a file's process has ended, processes it left behind may hold its pipes: they are killed, and waited for this long. */
const LEFTOVER_MS = 2_000;

/** Counts results and prints them: the same lines in every script that tests something. */
export function tally() {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  return {
    counts,
    /** Adds one part and prints its line. `output` is shown when the part failed; `note` says what happened beside the numbers. */
    add(name, { passed = 0, failed = 0, skipped = 0, seconds, note = '', output = '' }) {
      counts.passed += passed;
      counts.failed += failed;
      counts.skipped += skipped;
      const mark = failed > 0 ? 'FAIL' : passed > 0 ? 'ok  ' : 'skip';
      const numbers = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
      if (failed > 0 && output) console.log(`${output.trimEnd()}\n`);
      console.log(`${mark} ${name}: ${numbers}${seconds === undefined ? '' : ` (${seconds.toFixed(1)} s)`}${note && `: ${note}`}`);
    },
    pass(name, note) {
      this.add(name, { passed: 1, note });
    },
    fail(name, note, output) {
      this.add(name, { failed: 1, note, output });
    },
    skip(name, note) {
      this.add(name, { skipped: 1, note });
    },
    /** Prints the last line and returns the exit code. */
    end() {
      console.log(totalLine(counts));
      return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
    },
  };
}

export function totalLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Reads the last line of the form `N passed, N failed[, N skipped]`; undefined when there is none. */
export function readTotalLine(output) {
  const found = [...plain(output).matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$/gm)].at(-1);
  return found && { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0) };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
const plain = (text) => text.replace(/\u001b\[[0-9;]*m/g, '');

/** Reads the numbers that uvu prints at the end of a file; undefined when it did not get there. */
function readUvu(output) {
  const number = (word) => [...plain(output).matchAll(new RegExp(`^ {2}${word}: +(\\d+)\\s*$`, 'gm'))].at(-1)?.[1];
  const [total, passed, skipped] = ['Total', 'Passed', 'Skipped'].map(number);
  if (total === undefined || passed === undefined || skipped === undefined) return undefined;
  return { passed: Number(passed), failed: Number(total) - Number(passed), skipped: Number(skipped) };
}

/** The running test processes: each leads a process group of its own, so an interrupt must be passed on. */
const running = new Set();

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // the group has ended already
  }
}

/** An interrupt ends the running test process too. */
export function passInterruptsOn() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      for (const child of running) killGroup(child.pid);
      process.kill(process.pid, signal);
    });
  }
}

/** Runs a command in its own process group, at most `limitMs`; nothing of the group survives. Resolves to { status, signal, timedOut, output, seconds }. */
export function runLimited(command, args, { limitMs, env = {}, cwd = root }) {
  return new Promise((resolve) => {
    const started = performance.now();
    const chunks = [];
    let timedOut = false;
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    const limit = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, limitMs);
    const finish = (result) => {
      clearTimeout(limit);
      running.delete(child);
      resolve({ ...result, timedOut, output: Buffer.concat(chunks).toString(), seconds: (performance.now() - started) / 1000 });
    };
    child.once('error', (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      finish({ status: 127, signal: null });
    });
    child.once('exit', (status, signal) => {
      clearTimeout(limit);
      const ended = () => finish({ status, signal });
      const leftovers = setTimeout(ended, LEFTOVER_MS);
      child.once('close', () => {
        clearTimeout(leftovers);
        ended();
      });
      killGroup(child.pid);
    });
  });
}

/** The numbers of a finished process plus one failure when it ended in a way that its numbers do not show. */
function judge(end, counts, limitMs) {
  const result = { passed: 0, failed: 0, skipped: 0, ...counts, seconds: end.seconds, output: end.output };
  if (end.timedOut) result.note = `stopped after the limit of ${limitMs / 1000} s`;
  else if (end.signal) result.note = `died by ${end.signal}`;
  else if (!counts) result.note = `exit code ${end.status} before its tests were done`;
  else if (result.passed + result.failed + result.skipped === 0) result.note = 'ran no test';
  else if (end.status !== 0 && result.failed === 0) result.note = `exit code ${end.status} although its tests passed`;
  if (result.note) result.failed += 1;
  return result;
}

/**
 * Files that measure nothing: two of them run at a time, on two cores or more. All others have the machine to themselves, because what they show depends on who
 * else runs. A new file is alone until it stands here.
 */
const TOGETHER =
  /^(bench-|collector|config|control|convert|delivery|diff|doctor|exact-flags|export-|flamegraph|golden|input|lifetimes|otlp|pprof|probes|public|pyroscope|report|signal-measures|source-maps|spans-attach)/;

const HEAP_TESTS = "c++ tests of reading V8's heap";
const THREAD_SANITIZER = 'c++ tests of what threads share under ThreadSanitizer';
const SHARED_BY_THREADS = 'attribution|capture|code_event|collector|gc_stack|handler|label_table|ring|sections|wall';

/**
 * Builds targets of CMakeLists.txt's tests into `<dir>` with these CMake definitions. Returns { ok, note, log }.
 * @param besideAddon `dir` is an addon's build folder: the engine is compiled for both once, and the tests run what is in the addon
 */
export function buildCpp({ dir, targets, defines = {}, besideAddon = false }) {
  const { missing, advice } = missingTools();
  if (missing.length > 0) return { ok: false, note: `missing: ${missing.join(', ')}; install:\n${advice}`, log: '' };
  if (!existsSync(join(root, 'CMakeLists.txt')))
    return { ok: false, note: 'CMakeLists.txt is missing: run this in a checkout of the repository', log: '' };
  const settings = {
    STROBE_TESTS: 'ON',
    ...(besideAddon ? { CMAKE_BUILD_TYPE: 'Release' } : { STROBE_ADDON: 'OFF', CMAKE_BUILD_TYPE: 'RelWithDebInfo' }),
    ...defines,
  };
  const flags = Object.entries(settings).map(([key, value]) => `-D${key}=${value}`);
  const configure = () => {
    const fresh = !existsSync(join(root, dir, 'CMakeCache.txt'));
    const generator = fresh && run('ninja', ['--version']).ok ? ['-G', 'Ninja'] : [];
    return { ...run('cmake', ['-S', '.', '-B', dir, ...generator, ...flags]), fresh };
  };
  let step = configure();
  if (!step.ok && !step.fresh) {
    // A cache made by other tools or in another place cannot be reused: once more without it. An addon that is there stays.
    for (const name of ['CMakeCache.txt', 'CMakeFiles']) rmSync(join(root, dir, name), { recursive: true, force: true });
    step = configure();
  }
  if (step.ok) step = run('cmake', ['--build', dir, '--parallel', '2', '--target', ...targets]);
  return { ok: step.ok, note: step.ok ? '' : 'did not build', log: step.log };
}

/**
 * Builds C++ unit tests into `<dir>` with these CMake definitions and runs them; adds one line to `results`.
 * @param target strobe_tests, or strobe_heap_tests: the readers of V8's heap over an arena
 */
export async function runCppTests(results, { name, dir, target = 'strobe_tests', defines = {}, besideAddon = false, env = {} }) {
  const built = buildCpp({ dir, targets: [target], defines, besideAddon });
  if (!built.ok) return results.fail(name, built.note, built.log);
  const binary = join(root, dir, target);
  let end = await runLimited(binary, [], { limitMs: CPP_LIMIT_MS, env });
  if (end.output.includes('unexpected memory mapping')) {
    // Older ThreadSanitizer runtimes do not start where the kernel randomises addresses widely (vm.mmap_rnd_bits above 28).
    end = await runLimited('setarch', ['-R', binary], { limitMs: CPP_LIMIT_MS, env });
  }
  results.add(name, judge(end, readTotalLine(end.output), CPP_LIMIT_MS));
}

async function runCpp(results) {
  await runCppTests(results, { name: 'c++ unit tests', dir: 'build', besideAddon: true });
  await runCppTests(results, { name: HEAP_TESTS, dir: 'build', besideAddon: true, target: 'strobe_heap_tests' });
  const compiler = cxxCompiler();
  if (compiler !== undefined && !compilerAccepts(compiler, ['-std=c++20', '-fsanitize=thread'])) {
    const reason = `${compiler} cannot link -fsanitize=thread; install libtsan (Debian: part of g++; Fedora: libtsan)`;
    return process.env.CI === 'true' ? results.fail(THREAD_SANITIZER, reason) : results.skip(THREAD_SANITIZER, reason);
  }
  await runCppTests(results, {
    name: THREAD_SANITIZER,
    dir: 'build-tsan',
    defines: { STROBE_SANITIZE: 'thread', STROBE_TEST_FILES: SHARED_BY_THREADS },
    env: { TSAN_OPTIONS: 'halt_on_error=1' },
  });
}

async function runFile(results, file, { node, env }) {
  const end = await runLimited(node, [join('test', file)], { limitMs: FILE_LIMIT_MS, env });
  results.add(file, judge(end, readUvu(end.output), FILE_LIMIT_MS));
}

async function runFiles(results, files, asked) {
  const together = files.filter((file) => TOGETHER.test(file));
  const width = Math.min(2, availableParallelism());
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let file = together.shift(); file !== undefined; file = together.shift()) await runFile(results, file, asked);
    }),
  );
  for (const file of files) if (!TOGETHER.test(file)) await runFile(results, file, asked);
}

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'no-cpp': { type: 'boolean', default: false },
      node: { type: 'string', default: process.execPath },
      env: { type: 'string', multiple: true, default: [] },
    },
  });
  const env = {};
  for (const pair of values.env) {
    const at = pair.indexOf('=');
    if (at < 1) throw new Error(`--env takes NAME=VALUE, not '${pair}'`);
    env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  if (!run(values.node, ['--version']).ok) throw new Error(`--node: '${values.node}' is not a Node binary that starts`);
  return { node: values.node, env, filters: positionals, cpp: !values['no-cpp'] };
}

async function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(
      `test/run.mjs: ${error.message}\nusage: node test/run.mjs [file-name part…] [--no-cpp] [--node PATH] [--env NAME=VALUE]…`,
    );
    return 2;
  }
  const wanted = (name) => asked.filters.length === 0 || asked.filters.some((part) => name.includes(part));
  const results = tally();
  if (asked.cpp && wanted('cpp')) await runCpp(results);
  const files = readdirSync(join(root, 'test'))
    .filter((file) => file.endsWith('.test.mjs') && wanted(file))
    .sort();
  await runFiles(results, files, asked);
  if (results.counts.passed + results.counts.failed === 0)
    console.log(`no test ran${asked.filters.length ? ` for: ${asked.filters.join(' ')}` : ''}`);
  return results.end();
}

if (isMain(import.meta.url)) {
  passInterruptsOn();
  process.exitCode = await main();
}
