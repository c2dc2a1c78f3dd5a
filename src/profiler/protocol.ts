// What the starting thread and the encoder say to each other. Messages are plain data; what must be readable while a thread is blocked (the exit listener
// waits, the application reads stats) stands in a shared array of counters.

import type { NativeStats } from '../native';
import type { CheckedOptions, ProfileMode } from './options';

/** workerData of the encoder. */
export interface EncoderSetup {
  options: CheckedOptions;
  /** Somebody can ask for them. */
  snapshots: boolean;
  counters: SharedArrayBuffer;
  /** What the exporters count (export/stats.ts). */
  deliveryStats: SharedArrayBuffer;
  /** strobe's own CPU and the process's before the start; what this run cost is counted from here. */
  base: { overhead: NativeStats['overhead']; cpuNs: number };
}

export type ToEncoder =
  | { type: 'snapshot'; id: number; mode: ProfileMode }
  /** What is recorded from now on. */
  | { type: 'modes'; modes: ProfileMode[] }
  /** stop() was called, for a client of the control socket or not: the thread is alive. */
  | { type: 'stopping' }
  | { type: 'finish' };

export type FromEncoder =
  | { type: 'snapshot'; id: number; bytes: Uint8Array }
  | { type: 'snapshot-failed'; id: number; message: string }
  | { type: 'warning'; message: string }
  /** The first map that can't be used, and why; once. */
  | { type: 'map-failure'; reason: string }
  /** A client of the control socket asks for the end of the profiler. */
  | { type: 'stop' }
  /** 'on: ' and where the control socket is, or 'off: ' and why. */
  | { type: 'control'; state: string }
  | { type: 'finished' };

/** CPU of the whole process so far, nanoseconds. */
export function processCpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Indexes into the shared Int32Array. */
export const COUNTER = {
  /** 0 running, 1 everything is delivered (or failed for good): the exit listener waits for it. */
  finished: 0,
  delivered: 1,
  failed: 2,
  windows: 3,
  /** 1: the starting thread is in its exit listener and reads no message any more. */
  exiting: 4,
  /** 1: the last profile is asked for, and the time for it runs. */
  ending: 5,
  mapsLoaded: 6,
  mapsFailed: 7,
  mapsMissing: 8,
  mapsStale: 9,
  mapFramesSkipped: 10,
  mapBytes: 11,
  /** Sets of modes, as bits of PROFILE_MODES: the application's, and those on loan (modes.ts). */
  ownModes: 12,
  borrowedModes: 13,
  /** Workers of the starting thread that had no chance to join. */
  missedWorkers: 14,
} as const;
export const COUNTERS = 15;
