// A real OpenTelemetry Collector for the tests: the project's own build (test/collector), made when there is a Go toolchain.

import { existsSync, mkdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { run as runCommand } from '../scripts/build-native.mjs';
import { ROOT } from './helpers.mjs';

/** The Collector's binary, or why there is none. */
export function collector() {
  const binary = join(ROOT, '.cache', 'bin', 'collector');
  const sources = ['main.go', 'go.mod'].map((file) => statSync(join(ROOT, 'test', 'collector', file)).mtimeMs);
  if (existsSync(binary) && statSync(binary).mtimeMs > Math.max(...sources)) return { binary };
  if (process.env.CI === 'true') return { why: 'not built in CI' };
  if (!runCommand('go', ['version']).ok) return { why: 'there is no Go toolchain' };
  mkdirSync(join(ROOT, '.cache', 'bin'), { recursive: true });
  const built = runCommand('go', ['build', '-trimpath', '-o', binary, '.'], { cwd: join(ROOT, 'test', 'collector') });
  return built.ok ? { binary } : { why: `it did not build: ${built.log.trim().split('\n').at(-1)}` };
}

export async function freePort() {
  const socket = createServer();
  await new Promise((listening) => socket.listen(0, '127.0.0.1', listening));
  const { port } = socket.address();
  await new Promise((closed) => socket.close(closed));
  return port;
}
