// How Workers join the profile.
//
// A Worker that starts while the profiler runs gets one more preload, `join-thread.js`, through its execArgv: it registers the thread's isolate before the
// Worker's own code runs. For that, `worker_threads.Worker` is replaced by a proxy of itself when strobe is imported (modules keep the class that they found:
// `const { Worker } = require(…)`), which passes everything through while no profiler runs; nothing else of a Worker's options is ever touched.
// In a Worker that joined, its own Workers are followed, too.
// A Worker that already runs joins by the preload (strobe/register) or by calling joinThread() itself. One that is made from a class taken before strobe was
// imported is not sampled: it is counted, and stats().features.workers says so.
// Our own encoder is made from the original class and never joins.

import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import * as workerThreads from 'node:worker_threads';
import type { NativeAddon } from '../native';

const JOIN = join(__dirname, 'join-thread.js');

// The module object that require() gives; an `import * as` namespace is read-only.
const builtin = require('node:worker_threads') as { Worker: typeof workerThreads.Worker };
const original = builtin.Worker;
let proxy: typeof workerThreads.Worker | undefined;

let following: NativeAddon | undefined;
let workerMade: ((threadId: number) => void) | undefined;
let missed = 0;
let tellMissed: ((count: number) => void) | undefined;
const followed = new WeakSet<workerThreads.Worker>();

/** The name that Node's inspector shows for a Worker. */
export function workerName(threadId: number, name: unknown): string {
  return typeof name === 'string' && name !== '' && name !== 'WorkerThread' ? `[worker ${threadId}] ${name}` : `[worker ${threadId}]`;
}

export function threadName(): string {
  if (workerThreads.isMainThread) return 'main';
  return workerName(workerThreads.threadId, (workerThreads as { threadName?: string }).threadName);
}

type Construct = (execArgv: string[] | undefined) => workerThreads.Worker;

/** Node refuses per-process flags in a Worker's execArgv, which it would have inherited silently, and names them. */
function constructWithJoin(inherited: readonly string[], construct: Construct): workerThreads.Worker {
  const wanted = ['--require', JOIN];
  try {
    return construct([...inherited, ...wanted]);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_WORKER_INVALID_EXEC_ARGV') throw error;
    const refused = new Set(
      message
        .slice(message.indexOf(':') + 1)
        .split(',')
        .map((flag) => flag.trim()),
    );
    try {
      return construct([...inherited.filter((flag) => !refused.has(flag)), ...wanted]);
    } catch (again) {
      if ((again as NodeJS.ErrnoException).code !== 'ERR_WORKER_INVALID_EXEC_ARGV') throw again;
      // Flags that can't be told apart: the Worker starts as the application asked, and is not sampled.
      return construct(undefined);
    }
  }
}

/** Called with the id of each Worker that is followed, right after it was made. */
export function onWorkerMade(listener: (threadId: number) => void): void {
  workerMade = listener;
}

/** Puts the proxy in place; once a thread. */
export function installWorkerHook(): void {
  if (proxy) return;
  proxy = new Proxy(original, {
    construct(target, args: unknown[], newTarget) {
      const options = (args[1] ?? {}) as workerThreads.WorkerOptions;
      const build: Construct = (execArgv) =>
        Reflect.construct(target, execArgv ? [args[0], { ...options, execArgv }] : args, newTarget === proxy ? target : newTarget);
      // Options that are no object are Node's to refuse.
      if (!following || typeof options !== 'object') return build(undefined);
      const inherited = options.execArgv ?? process.execArgv;
      // A Worker's Worker inherits our preload, unless it has execArgv of its own.
      const worker = Array.isArray(inherited) && !inherited.includes(JOIN) ? constructWithJoin(inherited, build) : build(undefined);
      followed.add(worker);
      workerMade?.(worker.threadId);
      if (options.name) following.nameThread(worker.threadId, workerName(worker.threadId, options.name));
      return worker;
    },
  });
  builtin.Worker = proxy;
  syncBuiltinESMExports();
}

// Node tells of every Worker that this thread makes, from whatever class.
function onWorker(worker: workerThreads.Worker): void {
  if (!followed.has(worker)) tellMissed?.(++missed);
}

/** From here on Workers of this thread join. `onMissed` is told how many started without a chance to. */
export function followWorkers(native: NativeAddon, onMissed?: (count: number) => void): void {
  installWorkerHook();
  if (following) return;
  following = native;
  missed = 0;
  tellMissed = onMissed;
  process.on('worker', onWorker);
}

export function unfollowWorkers(): void {
  following = undefined;
  process.off('worker', onWorker);
}

/** Our own Worker: from the original class, never joins. */
export function makeEncoder(file: string, options: workerThreads.WorkerOptions): workerThreads.Worker {
  const worker = new original(file, options);
  followed.add(worker);
  return worker;
}
