// The encoder: the entry point of our own Worker. It takes slices from the collector, merges them for each subscriber (the whole run, the window, the
// snapshot), encodes and delivers. Its garbage, its awaits and its failures are its own: nothing here ever reaches an application's thread.
//
// Generated positions become those of the user's files here, once for all subscribers (maps.ts).
//
// It needs neither the starting thread's event loop nor its JavaScript: it works on while that thread computes, hangs, or waits in its exit listener.
// Work is done one piece at a time, in order. `finish` (the profiler stops, the process ends) is done once, whoever asks first.

import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { ControlServer } from '../control/server';
import { Delivery } from '../export/delivery';
import { wantsTimes } from '../export/file';
import { finishedProfile } from '../export/finished';
import { publishStats } from '../export/stats';
import { encodeTimeline } from '../formats/timeline';
import { loadNative, packageVersion, type Slice } from '../native';
import { encodeGzip } from '../pprof/encode';
import { totalsToComments } from '../pprof/totals';
import { EncoderMaps } from './maps';
import { ownModes } from './modes';
import { PROFILE_MODES, type ProfileMode } from './options';
import { COUNTER, type EncoderSetup, type FromEncoder, processCpuNs, type ToEncoder } from './protocol';
import { Recordings } from './recordings';
import { runSelfTest } from './self-test';
import { measureSignalsNowAndThen } from './signal-measures';
import { readStats } from './stats';
import { Subscriber, type SubscriberOptions } from './subscriber';

const { options, snapshots: mayAsk, counters: shared, base, deliveryStats } = workerData as EncoderSetup;
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
/** Both, always: a mode may be switched on later. One without samples costs nothing. */
const subscribe = (of: SubscriberOptions = {}) => PROFILE_MODES.map((mode) => new Subscriber(mode, comments, of));
/** Recorded now or at any time before: such a profile is delivered though it be empty. */
const recorded = new Set(options.mode);
/** Recorded now. */
let modes = options.mode;
const snapshots = mayAsk ? subscribe() : [];
/** Of callers of the pull exporter and of clients of the control socket, while they wait. */
const recordings = new Recordings({ native, counters, comments, modes: () => modes, pull, enqueue });
let windowStartMs = runStartMs;
let windowNumber = 0;
let finished = false;
let ending = false;

let mapFailure = '';

function say(message: FromEncoder): void {
  if (message.type === 'map-failure') mapFailure = message.reason;
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

// Node's own warnings in this thread: nobody reads its standard streams.
process.on('warning', ({ name, message }) => warn(`${name}: ${message}`));

let publishing = false;
const delivery = new Delivery(
  options.exporters,
  {
    appName: options.appName,
    tags: options.tags,
    pid: process.pid,
    hostname: hostname(),
    version: packageVersion,
    nodeVersion: process.version,
  },
  { warn, collect: collectFor, changed: publishSoon },
);
const run = delivery.wants('run') ? subscribe({ timeline: wantsTimes(options.exporters) }) : [];
const windows = delivery.wants('window') ? subscribe() : [];

function publishSoon(): void {
  if (!publishing) setImmediate(publishDelivery);
  publishing = true;
}

function countDelivery() {
  const stats = delivery.stats();
  const sum = (count: (one: (typeof stats)[number]) => number) => stats.reduce((total, one) => total + count(one), 0);
  return {
    stats,
    delivered: sum(({ delivered }) => delivered),
    failed: sum((one) => one.failed + one.droppedByAge + one.droppedByBytes + one.droppedAtExit),
  };
}

function publishDelivery(): void {
  publishing = false;
  const { stats, delivered, failed } = countDelivery();
  Atomics.store(counters, COUNTER.delivered, delivered);
  Atomics.store(counters, COUNTER.failed, failed);
  publishStats(deliveryStats, stats);
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

/** Longer than this no window and no snapshot waits for the collector. */
const CUT_LIMIT_MS = 5000;

/** False when the collector got no CPU in all of `limitMs`: what was recorded last is not in it. */
function pull(limitMs = CUT_LIMIT_MS): boolean {
  // A mode that is on for recordings only is in no window, run or snapshot.
  const own = [...run, ...windows, ...snapshots].filter(({ mode }) => !recordings.isBorrowed(mode));
  const { slices, complete } = native.takeSlices(limitMs);
  for (const slice of slices) {
    nameFilesByPath(slice);
    const mapped = maps?.apply(slice) ?? { slice };
    for (const subscriber of [...own, ...recordings.subscribers]) subscriber.add(mapped.slice, mapped.use);
  }
  return complete;
}

interface Cost {
  overhead: EncoderSetup['base']['overhead'];
  cpuNs: number;
}

function costNow(): Cost {
  return { overhead: native.stats().overhead, cpuNs: processCpuNs() };
}

/** What profiling cost since then, for the profile: a file that says what it cost can be believed. */
function costComments(since: Cost): string[] {
  const { overhead, cpuNs } = costNow();
  const part = (name: keyof typeof overhead) => Math.round(overhead[name] - since.overhead[name]);
  return totalsToComments({
    handler_ns: part('handlerNs'),
    signal_ns: part('signalNs'),
    gc_ns: part('gcNs'),
    code_event_ns: part('codeEventNs'),
    sampler_ns: part('samplerNs'),
    collector_ns: part('collectorNs'),
    encoder_ns: part('encoderNs'),
    process_cpu_ns: cpuNs - since.cpuNs,
  });
}

function deliverAll(subscribers: Subscriber[], scope: 'run' | 'window', number: number, startUnixMs: number): void {
  for (const subscriber of subscribers) {
    // An empty window is not delivered; an empty run is: its file says that nothing used CPU.
    if (subscriber.empty && (scope === 'window' || !recorded.has(subscriber.mode))) continue;
    const profile = subscriber.take();
    if (scope === 'run') profile.comments.push(...costComments(base));
    const endUnixMs = Date.now();
    delivery.push(finishedProfile({ mode: subscriber.mode, scope, number, startUnixMs, endUnixMs }, profile));
    const timeline = subscriber.takeTimeline();
    if (timeline)
      delivery.push({
        mode: subscriber.mode,
        scope,
        number,
        startUnixMs,
        endUnixMs,
        part: 'timeline',
        profile,
        bytes: encodeTimeline(timeline),
      });
  }
}

/** For the pull exporter: the profile from now on, of `seconds`. */
async function collectFor(mode: ProfileMode, seconds: number, signal: AbortSignal): Promise<Uint8Array> {
  const recording = await recordings.open(mode);
  await new Promise<void>((done) => {
    if (signal.aborted) {
      done();
      return;
    }
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      done();
    });
  });
  if (!signal.aborted) return recording.end();
  await recording.drop();
  return new Uint8Array();
}

function closeWindow(): void {
  if (windows.length === 0) return;
  pull();
  deliverWindow();
}

/** What was pulled until now. */
function deliverWindow(): void {
  if (windows.length === 0) return;
  const start = windowStartMs;
  windowStartMs = Date.now();
  if (windows.every((subscriber) => subscriber.empty)) return;
  Atomics.add(counters, COUNTER.windows, 1);
  deliverAll(windows, 'window', ++windowNumber, start);
}

/** Of the time that somebody waits for the end, what reading the last samples may take. */
const CUT_SHARE = 0.7;
const LEAST_CUT_MS = 500;
/** Of the time that somebody waits for the end, what is left for the rest. */
const FLUSH_SHARE = 0.9;

async function finish(askedMs: number): Promise<void> {
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
    // Who waits for the end said for how long.
    const limitMs = Math.max(LEAST_CUT_MS, options.exitTimeoutSeconds * 1000 * CUT_SHARE - (Date.now() - askedMs));
    if (!pull(limitMs)) warn('the machine had no CPU for the last samples to be read within exitTimeoutSeconds: they are in no profile');
    deliverAll(run, 'run', 1, runStartMs);
    // Nothing is sampled any more: another pull would only wait once more.
    deliverWindow();
    recordings.close();
    control?.endRecordings();
    await delivery.flush(options.exitTimeoutSeconds * 1000 * FLUSH_SHARE - (Date.now() - askedMs));
    const { delivered, failed } = countDelivery();
    await control?.close({ delivered, failed });
  } finally {
    publishDelivery();
    Atomics.store(counters, COUNTER.finished, 1);
    Atomics.notify(counters, COUNTER.finished);
    native.flushed();
    say({ type: 'finished' });
  }
}

/** The control socket: what it needs of the encoder. */
function openControl(): ControlServer {
  const { ControlServer: Server } = require('../control/server') as typeof import('../control/server');
  let state = 'off: it is being opened';
  return new Server({
    version: packageVersion,
    status: (open) => ({
      pid: process.pid,
      appName: options.appName,
      node: process.version,
      version: packageVersion,
      uptimeSeconds: process.uptime(),
      profiledSeconds: (Date.now() - runStartMs) / 1000,
      modes: ownModes(counters),
      borrowedModes: recordings.borrowed,
      recordings: open,
      stats: readStats(native.stats(), {
        counters,
        delivery: deliveryStats,
        base: base.overhead,
        baseCpuNs: base.cpuNs,
        sourceMaps: options.sourceMaps,
        mapFailure,
        budgetPercent: options.overheadBudgetPercent,
        control: state,
      }),
    }),
    record: (mode) => {
      const since = costNow();
      return recordings.open(mode, { borrow: true, cost: () => costComments(since) });
    },
    askStop: () => say({ type: 'stop' }),
    failed: (error) => warn(`the control socket: ${error.message}`),
    changed: (now) => {
      state = 'path' in now ? `on: ${now.path}` : `off: ${now.error}`;
      say({ type: 'control', state });
      if ('error' in now) warn(`the control socket could not be opened, the profiler runs without it: ${now.error}`);
    },
  });
}

let queue: Promise<void> = Promise.resolve();
function enqueue(work: () => void | Promise<void>): void {
  queue = queue.then(work).catch((error) => warn(`the encoder failed: ${(error as Error).stack ?? error}`));
}

const pullSlices = () => {
  pull();
};
const finishFrom = (askedMs: number) => () => finish(askedMs);

const windowTimer = windows.length > 0 ? setInterval(() => enqueue(closeWindow), options.windowSeconds * 1000) : undefined;

native.attachEncoder((reason) => {
  if (reason === 'flush') ending = true;
  enqueue(reason === 'flush' ? finishFrom(Date.now()) : pullSlices);
});

const control = options.control ? openControl() : undefined;

const failed = runSelfTest(native);
measureSignalsNowAndThen(native, () => finished);
if (failed) warn(`the self-test failed on this Node (V8 ${process.versions.v8}); switched off: ${failed}`);

port.on('message', (message: ToEncoder) => {
  if (message.type === 'finish') {
    enqueue(finishFrom(Date.now()));
    return;
  }
  if (message.type === 'stopping') {
    control?.stopSeen();
    return;
  }
  if (message.type === 'modes') {
    // What was recorded until now belongs to those who had the mode on.
    if (recordings.borrowed.length > 0) enqueue(pullSlices);
    enqueue(() => {
      modes = message.modes;
    });
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
