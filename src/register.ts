// The preload: `node --import strobe/register app.js` (or --require). Starts the profiler in the main thread before the application's code, lets Workers
// join. Configured by environment variables; a mistake in them is said once on stderr, and the application runs unprofiled.
//
//   STROBE_DIR              directory of the profiles, default ./profiles
//   STROBE_MODE             cpu, wall or cpu,wall; default cpu
//   STROBE_FREQUENCY_HZ     1 to 1000, default 100
//   STROBE_OVERHEAD_BUDGET_PERCENT  the share of the process's CPU that strobe may use; default no limit
//   STROBE_WINDOW_SECONDS   default 30
//   STROBE_MAX_DEPTH        default 512
//   STROBE_EXIT_TIMEOUT_SECONDS  how long an ending process waits for the last profile, 0 to 60, default 2
//   STROBE_SOURCE_MAPS      0: positions stay those of the code that runs; default 1
//   STROBE_APP_NAME, STROBE_TAGS ("env=prod,version=1.2")
//   STROBE_FOLLOW_CHILDREN  1: child processes that inherit this preload are profiled too; otherwise the first process of the tree is the only one
//   STROBE_ENABLED          0: the preload does nothing
//
// `child_process.fork` and NODE_OPTIONS hand the preload to children: STROBE_OWNER_PID, set by the process that starts, tells them to stay inert.
// Under `strobe run` there may be no such ancestor: see profiler/run-request.ts.

import { isMainThread, threadId } from 'node:worker_threads';
import { StrobeError } from './errors';
import { type FileExporterOptions, fileExporter } from './export/file';
import { loadNative } from './native';
import type { StartOptions } from './profiler/options';
import { startProfiler } from './profiler/profiler';
import { claim, runRequest } from './profiler/run-request';
import { followWorkers, threadName } from './profiler/threads';

function number(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isNaN(value)) throw new StrobeError('ERR_INVALID_OPTION', `${name} must be a number, got ${JSON.stringify(text)}`);
  return value;
}

function flag(name: string): boolean | undefined {
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  if (text !== '0' && text !== '1') throw new StrobeError('ERR_INVALID_OPTION', `${name} must be 0 or 1, got ${JSON.stringify(text)}`);
  return text === '1';
}

function modes(): string[] | undefined {
  const text = process.env.STROBE_MODE;
  if (text === undefined || text === '') return undefined;
  return text.split(',').map((mode) => mode.trim());
}

function tags(): Record<string, string> {
  const pairs = (process.env.STROBE_TAGS ?? '').split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new StrobeError('ERR_INVALID_OPTION', `STROBE_TAGS must read key=value,key=value; got ${JSON.stringify(pair)}`);
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    }),
  );
}

function exporter(isOwner: boolean): FileExporterOptions {
  const request = runRequest();
  if (request) {
    // A followed child must not write over the files of the process that it comes from.
    return { dir: request.dir, write: request.windows ? 'both' : 'run', names: isOwner ? 'plain' : 'unique' };
  }
  return { dir: process.env.STROBE_DIR || 'profiles' };
}

function startHere(isOwner: boolean): void {
  const options: Record<string, unknown> = {
    mode: modes(),
    frequencyHz: number('STROBE_FREQUENCY_HZ'),
    overheadBudgetPercent: number('STROBE_OVERHEAD_BUDGET_PERCENT'),
    windowSeconds: number('STROBE_WINDOW_SECONDS'),
    maxDepth: number('STROBE_MAX_DEPTH'),
    exitTimeoutSeconds: number('STROBE_EXIT_TIMEOUT_SECONDS'),
    sourceMaps: flag('STROBE_SOURCE_MAPS'),
    appName: process.env.STROBE_APP_NAME,
    tags: runRequest()?.tags ?? tags(),
    exporters: [fileExporter(exporter(isOwner))],
  };
  for (const key of Object.keys(options)) if (options[key] === undefined) delete options[key];
  startProfiler(options as StartOptions);
}

function register(): void {
  if (process.env.STROBE_ENABLED === '0') return;
  if (!isMainThread) {
    // The main thread of this process ran this preload before: it starts a profiler, or it is a child that stays inert, with its Workers.
    const owner = process.env.STROBE_OWNER_PID;
    if (owner !== undefined && owner !== String(process.pid) && process.env.STROBE_FOLLOW_CHILDREN !== '1') return;
    const native = loadNative();
    native.join(threadName(), threadId, true);
    followWorkers(native);
    return;
  }
  const request = runRequest();
  const known = process.env.STROBE_OWNER_PID;
  const owner = request ? claim(request, known) : known;
  const isOwner = owner === undefined || owner === String(process.pid);
  if (!isOwner && process.env.STROBE_FOLLOW_CHILDREN !== '1') return;
  startHere(isOwner);
  process.env.STROBE_OWNER_PID ??= String(process.pid);
}

try {
  register();
} catch (error) {
  process.stderr.write(`strobe: this process runs unprofiled: ${(error as Error).message}\n`);
}
