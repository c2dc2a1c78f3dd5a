// The preload: `node --import strobe/register app.js` (or --require). Starts the profiler in the main thread before the application's code, lets Workers
// join. Configured by strobe.toml and by environment variables (src/config/); a mistake in them is said once on stderr, and the application runs unprofiled.
//
//   STROBE_CONFIG           the configuration file; default ./strobe.toml, when there is one
//   STROBE_FOLLOW_CHILDREN  1: child processes that inherit this preload are profiled too; otherwise the first process of the tree is the only one
//   STROBE_ENABLED          0: the preload does nothing
//   all others              config/environment.ts; without an exporter, windows go to files in ./profiles
//
// `child_process.fork` and NODE_OPTIONS hand the preload to children: STROBE_OWNER_PID, set by the process that starts, tells them to stay inert.
// Under `strobe run` there may be no such ancestor: see profiler/run-request.ts.

import { isMainThread, threadId } from 'node:worker_threads';
import { misspelt, readEnvironment } from './config/environment';
import { loadSettings } from './config/load';
import { fileExporter } from './export/file';
import { loadNative } from './native';
import { startUnattended } from './profiler/profiler';
import { claim, type RunRequest, runRequest } from './profiler/run-request';
import { followWorkers, threadName } from './profiler/threads';

function say(message: string): void {
  process.stderr.write(`strobe: ${message}\n`);
}

/** `strobe run` says where its files go; the rest is the environment's. A configuration file is for services. */
function startRun({ dir, windows, tags }: RunRequest, isOwner: boolean): void {
  // A followed child must not write over the files of the process that it comes from.
  const exporter = fileExporter({ dir, write: windows ? 'both' : 'run', names: isOwner ? 'plain' : 'unique', timeline: isOwner });
  startUnattended({ ...readEnvironment(process.env, true), tags, exporters: [exporter] });
}

function startService(): void {
  for (const slip of misspelt(process.env)) say(slip);
  const { options, enabled, notUsed } = loadSettings(process.env, () => [fileExporter({ dir: 'profiles' })]);
  if (notUsed.length > 0) say(`the configuration names what is not used yet: ${notUsed.join(', ')}`);
  if (enabled) startUnattended(options);
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
  if (request) startRun(request, isOwner);
  else startService();
  process.env.STROBE_OWNER_PID ??= String(process.pid);
}

try {
  register();
} catch (error) {
  say(`this process runs unprofiled: ${(error as Error).message}`);
}
