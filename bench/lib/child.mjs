// Child processes of the bench: one run of a workload in a process of its own, under a time limit, with a known environment.
//
// Contract: a run that fails, or that prints no result, throws an Error with what it said: a broken run is never a measurement. Children stand in
// process groups of their own and are killed at the time limit and when the bench ends, whatever ends it. Linux with bash.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const workload = (name) => join(root, 'bench', 'workloads', name);
export const REGISTER = join(root, 'dist', 'register.js');

const LIMIT_MS = 120_000;
const groups = new Set();
let folder;

function killAll() {
  for (const pid of groups) killGroup(pid);
  if (folder) rmSync(folder, { recursive: true, force: true });
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

process.on('exit', killAll);
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => process.exit(code));
}

/** An empty folder that lives as long as the bench. */
export function scratch() {
  folder ??= mkdtempSync(join(tmpdir(), 'strobe-bench-'));
  return mkdtempSync(join(folder, 'run-'));
}

/** Ours without what would start or steer a profiler, or change Node. */
export function environment(extra = {}) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (/^(STROBE_|NODE_|UV_|npm_)/.test(name)) delete env[name];
  return { ...env, ...extra };
}

/** Starts a workload; returns { child, ended }: `ended` resolves to { stdout, stderr, times } or rejects. */
export function launch(command, args, { env, stdio = ['ignore', 'pipe', 'pipe', 'pipe'], limitMs = LIMIT_MS }) {
  const child = spawn(command, args, { cwd: root, env, stdio, detached: true });
  const texts = child.stdio.map(() => '');
  child.stdio.forEach((stream, at) => {
    stream?.setEncoding?.('utf8').on('data', (chunk) => {
      texts[at] += chunk;
    });
  });
  const ended = new Promise((resolve, reject) => {
    const timer = setTimeout(() => killGroup(child.pid), limitMs);
    child.on('error', reject);
    if (child.pid) groups.add(child.pid);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      groups.delete(child.pid);
      if (code === 0) resolve({ stdout: texts[1], stderr: texts[2], times: texts[3] });
      else reject(new Error(`${args.join(' ')}: ended with ${signal ?? code}\n${texts[1]}${texts[2]}`.trim()));
    });
  });
  return { child, ended };
}

// bash's `time` is wait4's account: user and system CPU of the child with all its threads to the very end, in milliseconds. What the child itself
// can read at its exit misses the end of the profile.
const TIMED = 'TIMEFORMAT="%3U %3S %3R"; { time "$@" 2>&4; } 2>&3';

/** Runs node to its end: { cpuMs (user + system), wallMs, stdout }. */
export async function runTimed(node, args, env) {
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe', 2];
  const { times, stdout } = await launch('bash', ['-c', TIMED, 'bash', node, ...args], { env, stdio }).ended;
  const found = times.trim().replaceAll(',', '.').split(' ').map(Number);
  if (found.length !== 3 || found.some(Number.isNaN)) throw new Error(`bash's time printed ${JSON.stringify(times)}`);
  const [user, system, wall] = found;
  return { cpuMs: (user + system) * 1000, wallMs: wall * 1000, stdout };
}

/** Runs node to its end; the last line of its stdout is the result, JSON. */
export async function runJson(node, args, env, limitMs = LIMIT_MS) {
  const { stdout, stderr } = await launch(node, args, { env, limitMs }).ended;
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch {
    throw new Error(`${args.join(' ')}: printed no result\n${stdout}${stderr}`);
  }
}
