// What the control tests share: a process that can be controlled, raw connections to its socket, servers that are not strobe.

import { spawn } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { CLI, folder, INDEX, program, run } from './helpers.mjs';

/** Sockets of these tests only: nobody else's processes are listed. */
export const RUNTIME = folder();
chmodSync(RUNTIME, 0o700);
export const ENV = { XDG_RUNTIME_DIR: RUNTIME, TMPDIR: RUNTIME, NO_COLOR: '1' };

export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @throws Error that names `what` when it is not so within `seconds` */
export async function until(what, check, seconds = 40) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await later(50);
  }
}

const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/**
 * A process with a profiler and a socket; `body` sees `profiler`, `strobe` and `work(ms)`, which computes.
 * @returns {Promise<{pid: number, path: string, output: () => string, ended: Promise, kill(signal): void}>} once it listens
 */
export async function target(body, options = '{}', env = {}) {
  const source = `
    const strobe = require(${JSON.stringify(INDEX)});
    const profiler = strobe.startProfiler({ frequencyHz: 500, control: true, ...${options} });
    function work(ms) { const end = Date.now() + ms; let x = 0; while (Date.now() < end) x += Math.sqrt(x + 1); return x; }
    const timer = setInterval(() => {
      const { control } = profiler.stats().features;
      if (!control.startsWith('on')) return;
      clearInterval(timer);
      console.log('listening');
      setTimeout(() => { ${body} }, 10);
    }, 10);`;
  const child = spawn(process.execPath, [program(source)], { env: { ...process.env, ...ENV, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const ended = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
  ended.then(() => children.delete(child));
  await until(`the process listens: ${output}`, () => output.includes('listening'));
  return {
    pid: child.pid,
    path: join(RUNTIME, 'strobe', `${child.pid}.sock`),
    output: () => output,
    ended,
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      return ended;
    },
  };
}

/** A command of strobe in the environment of these tests. */
export function control(args, options = {}) {
  return run(process.execPath, [CLI, ...args], { limitSeconds: 90, ...options, env: { ...ENV, ...options.env } });
}

/** Connects, sends what is given, gives what came until the other side ended the connection or `done(text)` is true. */
export function talk(path, send, done = () => false) {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    const limit = setTimeout(() => reject(new Error(`no end of: ${text.slice(0, 300)}`)), 30_000);
    const end = () => {
      clearTimeout(limit);
      socket.destroy();
      resolve(text);
    };
    socket.on('connect', () => send(socket));
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (done(text)) end();
    });
    // The server may close while we still write.
    socket.on('error', (error) => (['EPIPE', 'ECONNRESET'].includes(error.code) ? end() : reject(error)));
    socket.on('close', end);
  });
}

/** Something else that listens at the socket of process `pid` (a living one). */
export async function impostor(path, onConnect) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnect(socket);
  });
  await new Promise((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o600);
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
    isThere: () => existsSync(path),
  };
}
