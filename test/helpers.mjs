// What several test files share: programs run as children under strobe, their profiles read back. Everything runs with the Node binary that runs the test
// (process.execPath), so that the matrix tests each major; STROBE_DIST chooses another build of the package.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const DIST = resolve(ROOT, process.env.STROBE_DIST ?? 'dist');
export const CLI = join(DIST, 'cli', 'main.js');
export const REGISTER = join(DIST, 'register.js');
export const INDEX = join(DIST, 'index.js');
export const NODE_MAJOR = Number(process.versions.node.split('.')[0]);

export const { decode } = require(join(DIST, 'pprof', 'decode.js'));
export const { totalsFromComments } = require(join(DIST, 'pprof', 'totals.js'));

const folders = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder, removed when the test process ends. */
export function folder() {
  const made = mkdtempSync(join(tmpdir(), 'strobe-test-'));
  folders.push(made);
  return made;
}

/** What a copy of the package needs beside `dist` and `package.json`: its binaries (built here, or prebuilt) and dependencies. */
export function linkPackageParts(home) {
  for (const name of ['build', 'prebuilds', 'node_modules']) {
    if (existsSync(join(ROOT, name))) symlinkSync(join(ROOT, name), join(home, name));
  }
}

/** Writes a program into a folder of its own and returns its path. */
export function program(source, name = 'program.cjs') {
  const path = join(folder(), name);
  writeFileSync(path, source);
  return path;
}

/**
 * Runs a command to its end. `onOutput(text, child)` sees stdout as it comes.
 * @returns {Promise<{code: number|null, signal: string|null, stdout: string, stderr: string, seconds: number}>}
 */
export function run(command, args, { env = {}, cwd, limitSeconds = 60, onOutput, input } = {}) {
  return new Promise((done, failed) => {
    const started = process.hrtime.bigint();
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => {
      stdout += data;
      onOutput?.(stdout, child);
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    if (input !== undefined) child.stdin.end(input);
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      failed(new Error(`${command} ${args.join(' ')} did not end within ${limitSeconds} s\n${stdout}\n${stderr}`));
    }, limitSeconds * 1000);
    child.on('error', failed);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      done({ code, signal, stdout, stderr, seconds: Number(process.hrtime.bigint() - started) / 1e9 });
    });
  });
}

/** `node [nodeArgs] program` under this Node. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** `strobe …` under this Node. */
export function strobe(args, options) {
  return run(process.execPath, [CLI, ...args], options);
}

/** Value (nanoseconds of CPU) by leaf function name, and their sum. `filter` sees each sample's labels as an object. */
export function selfByFunction(profile, filter = () => true) {
  const self = new Map();
  let total = 0;
  for (const sample of profile.samples) {
    const labels = Object.fromEntries(sample.labels.map((label) => [label.key, label.str || label.num]));
    if (!filter(labels)) continue;
    const value = sample.values[1];
    total += value;
    const leaf = profile.locations[sample.locations[0]];
    const name = leaf ? profile.functions[leaf.lines[0].function].name : '';
    self.set(name, (self.get(name) ?? 0) + value);
  }
  return { self, total };
}

/** Sum of a profile's values that have one of `names` anywhere on the stack, first match from the leaf on; the rest under ''. */
export function shareByFunction(profile, names, filter = () => true) {
  const out = new Map([...names, ''].map((name) => [name, 0]));
  for (const sample of profile.samples) {
    const labels = Object.fromEntries(sample.labels.map((label) => [label.key, label.str || label.num]));
    if (!filter(labels)) continue;
    let found = '';
    for (const index of sample.locations) {
      // Inlined frames stand first in a location's lines, their caller last.
      const line = profile.locations[index].lines.find(({ function: f }) => names.includes(profile.functions[f].name));
      if (line) {
        found = profile.functions[line.function].name;
        break;
      }
    }
    out.set(found, out.get(found) + sample.values[1]);
  }
  return out;
}

/** Uses so much CPU of this process, however long that takes. */
export function busyCpu(ms) {
  const start = process.cpuUsage();
  const used = () => Object.values(process.cpuUsage(start)).reduce((sum, us) => sum + us / 1000, 0);
  let x = 0;
  while (used() < ms) for (let i = 0; i < 1e4; i++) x += Math.sqrt(i);
  return x;
}
