// The encoder: the entry point of our own Worker. It takes slices from the collector, merges them for each subscriber (the whole run, the window, the
// snapshot), encodes and delivers. Its garbage, its awaits and its failures are its own: nothing here ever reaches an application's thread.
//
// Generated positions become those of the user's files here, once for all subscribers (maps.ts).
//
// It needs neither the starting thread's event loop nor its JavaScript: it works on while that thread computes, hangs, or waits in its exit listener.
// Work is done one piece at a time, in order. `finish` (the profiler stops, the process ends) is done once, whoever asks first.

import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { FinishedProfile } from '../export/exporter';
import { wantsRun, wantsWindows } from '../export/file';
import { writeProfile } from '../export/file-writer';
import { loadNative, packageVersion, type Slice } from '../native';
import { encodeGzip } from '../pprof/encode';
import { totalsToComments } from '../pprof/totals';
import { EncoderMaps } from './maps';
import { PROFILE_MODES } from './options';
import { COUNTER, type EncoderSetup, type FromEncoder, processCpuNs, type ToEncoder } from './protocol';
import { runSelfTest } from './self-test';
import { Subscriber } from './subscriber';

const { options, counters: shared, base } = workerData as EncoderSetup;
const counters = new Int32Array(shared);
const port = parentPort;
if (!port) throw new Error('the encoder runs as a Worker only');

const native = loadNative();
const comments = [
  `strobe ${packageVersion}, Node.js ${process.version}, ${process.platform}-${process.arch}, pid ${process.pid}`,
  ...(options.appName ? [`app=${options.appName}`] : []),
  ...Object.entries(options.tags).map(([key, value]) => `tag ${key}=${value}`),
];
const runStartMs = Date.now();
const windowExporters = options.exporters.filter(wantsWindows);
const runExporters = options.exporters.filter(wantsRun);
/** Both, always: a mode may be switched on later. One without samples costs nothing. */
const subscribe = () => PROFILE_MODES.map((mode) => new Subscriber(mode, comments));
/** Recorded now or at any time before: such a profile is delivered though it be empty. */
const recorded = new Set(options.mode);
const run = runExporters.length > 0 ? subscribe() : [];
const windows = windowExporters.length > 0 ? subscribe() : [];
const snapshots = subscribe();
let windowStartMs = runStartMs;
let windowNumber = 0;
let finished = false;
let ending = false;

function say(message: FromEncoder): void {
  port?.postMessage(message);
}

const maps = options.sourceMaps ? new EncoderMaps({ native, counters, exitTimeoutSeconds: options.exitTimeoutSeconds, say }) : undefined;

/** The starting thread tells it, at most once a minute; a process that ends has no such thread any more: then it is said here, on stderr. */
function warn(message: string): void {
  if (!ending && Atomics.load(counters, COUNTER.exiting) === 0) {
    say({ type: 'warning', message });
    return;
  }
  try {
    writeSync(2, `strobe: ${message}\n`);
  } catch {
    // Nobody reads stderr.
  }
}

/** Users know files by path: V8 names ES modules by URL. */
function nameFilesByPath(slice: Slice): void {
  for (const file of new Set(slice.functionFile)) {
    const name = slice.strings[file];
    if (!name?.startsWith('file://')) continue;
    try {
      slice.strings[file] = fileURLToPath(name);
    } catch {
      // A file: URL that is no path on this platform (another host, an encoded slash) stays what it is.
      slice.strings[file] = name;
    }
  }
}

function pull(): void {
  for (const slice of native.takeSlices()) {
    nameFilesByPath(slice);
    const mapped = maps?.apply(slice) ?? { slice };
    for (const subscriber of [...run, ...windows, ...snapshots]) subscriber.add(mapped.slice, mapped.use);
  }
}

/** What the run cost so far, for the profile: a file that says what it cost can be believed. */
function costComments(): string[] {
  const { overhead } = native.stats();
  const since = (part: keyof typeof overhead) => Math.round(overhead[part] - base.overhead[part]);
  return totalsToComments({
    handler_ns: since('handlerNs'),
    signal_ns: since('signalNs'),
    gc_ns: since('gcNs'),
    code_event_ns: since('codeEventNs'),
    sampler_ns: since('samplerNs'),
    collector_ns: since('collectorNs'),
    encoder_ns: since('encoderNs'),
    process_cpu_ns: processCpuNs() - base.cpuNs,
  });
}

async function deliver(exporters: typeof windowExporters, profile: FinishedProfile): Promise<void> {
  for (const exporter of exporters) {
    try {
      await writeProfile(exporter, profile);
      Atomics.add(counters, COUNTER.delivered, 1);
    } catch (error) {
      Atomics.add(counters, COUNTER.failed, 1);
      warn(`a profile could not be delivered: ${(error as Error).message}`);
    }
  }
}

async function deliverAll(subscribers: Subscriber[], scope: 'run' | 'window', number: number, startUnixMs: number): Promise<void> {
  for (const subscriber of subscribers) {
    // An empty window is not delivered; an empty run is: its file says that nothing used CPU.
    if (subscriber.empty && (scope === 'window' || !recorded.has(subscriber.mode))) continue;
    const profile = subscriber.take();
    if (scope === 'run') profile.comments.push(...costComments());
    const bytes = encodeGzip(profile);
    await deliver(scope === 'run' ? runExporters : windowExporters, { mode: subscriber.mode, scope, number, startUnixMs, bytes });
  }
}

async function closeWindow(): Promise<void> {
  if (windows.length === 0) return;
  pull();
  const start = windowStartMs;
  windowStartMs = Date.now();
  if (windows.every((subscriber) => subscriber.empty)) return;
  Atomics.add(counters, COUNTER.windows, 1);
  await deliverAll(windows, 'window', ++windowNumber, start);
}

async function finish(): Promise<void> {
  if (finished) {
    // A signal that came later waits for an answer of its own.
    native.flushed();
    return;
  }
  finished = true;
  // Also where nobody else said so: a flush that the engine asks for.
  Atomics.store(counters, COUNTER.ending, 1);
  clearInterval(windowTimer);
  try {
    pull();
    await deliverAll(run, 'run', 1, runStartMs);
    await closeWindow();
  } finally {
    Atomics.store(counters, COUNTER.finished, 1);
    Atomics.notify(counters, COUNTER.finished);
    native.flushed();
    say({ type: 'finished' });
  }
}

let queue: Promise<void> = Promise.resolve();
function enqueue(work: () => void | Promise<void>): void {
  queue = queue.then(work).catch((error) => warn(`the encoder failed: ${(error as Error).stack ?? error}`));
}

const windowTimer = windows.length > 0 ? setInterval(() => enqueue(closeWindow), options.windowSeconds * 1000) : undefined;

native.attachEncoder((reason) => {
  if (reason === 'flush') ending = true;
  enqueue(reason === 'flush' ? finish : pull);
});

const failed = runSelfTest(native);
if (failed) warn(`the self-test failed on this Node (V8 ${process.versions.v8}); switched off: ${failed}`);

port.on('message', (message: ToEncoder) => {
  if (message.type === 'finish') {
    enqueue(finish);
    return;
  }
  if (message.type === 'modes') {
    for (const mode of message.modes) recorded.add(mode);
    return;
  }
  enqueue(() => {
    try {
      pull();
      const subscriber = snapshots.find(({ mode }) => mode === message.mode);
      if (!subscriber) throw new Error(`there is no mode ${message.mode}`);
      say({ type: 'snapshot', id: message.id, bytes: encodeGzip(subscriber.take()) });
    } catch (error) {
      say({ type: 'snapshot-failed', id: message.id, message: (error as Error).message });
    }
  });
});
