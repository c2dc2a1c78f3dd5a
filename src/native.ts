// The typed face of the addon, and the only file that loads it. Loading is lazy: importing the package never throws, starting does.
// The contract of each call is written here; the C++ side (native/addon.cc) checks argument types and does nothing else.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StrobeError } from './errors';
import type { ProfileTables, Slice } from './slice';

export {
  FUNCTION_KINDS,
  type FunctionKind,
  GC_KINDS,
  type ProfileTables,
  type RateChange,
  type Slice,
  type SliceTotals,
} from './slice';

/** What each part of `start` cost the calling thread, nanoseconds. */
export interface StartTimings {
  symbolsNs: number;
  threadsNs: number;
  enumerateNs: number;
  totalNs: number;
}

export interface NativeStats {
  running: boolean;
  /** Of the CPU profile; what a running thread's wall samples say of its CPU counts, too. */
  samples: number;
  lost: number;
  /** Samples of the wall profile that needed a signal: the time of sleeping threads is added to their last stack. */
  wallSamples: number;
  wallLost: number;
  /** The rate now, and the one that was asked for: an overhead budget may hold it down. */
  frequencyHz: number;
  askedHz: number;
  truncated: number;
  frames: number;
  unresolvedFrames: number;
  droppedSlices: number;
  /** Samples (lost ones, too) that were read only after the run they belong to had ended, and another begun: in no profile. */
  lateSamples: number;
  /** Code events taken, entries in the code map now, entries put out by overlap, by the memory bound, because their pages were gone. */
  codeEvents: number;
  codeEntries: number;
  codeEvictedOverlap: number;
  codeEvictedBound: number;
  codeEvictedDead: number;
  /** Code objects whose lines and inlined functions were read from V8's heap; of which a check failed (they have a name only). */
  codeDetails: number;
  codeDetailsRefused: number;
  /** Functions that V8 had compiled without positions before the profiler came: they show their first line. */
  codeWithoutPositions: number;
  /** Samples whose caller V8 had lost and that got it back. */
  mendedCallers: number;
  /** Samples inside garbage collections; those with the stack of what triggered it. */
  gcSamples: number;
  gcSamplesWithStack: number;
  /**
   * Labels: sets in the table now; evicted from it since the process's start; sets that found no room. Samples that carried labels or a span; whose set was gone
   * (shown as `(evicted)`); whose label failed a check.
   */
  labels: {
    sets: number;
    evictedSets: number;
    refusedSets: number;
    samples: number;
    evictedSamples: number;
    refusedSamples: number;
  };
  /**
   * Memory of the engine by part, bytes, roughly: code known by address, each piece with a function of its own; names of functions; source map URLs of scripts; code events on their way; label sets;
   * slices that wait for the encoder; rings (an upper bound: resident as far as they were used).
   */
  memory: {
    code: number;
    names: number;
    scriptUrls: number;
    codeEvents: number;
    labels: number;
    slices: number;
    rings: number;
  };
  /** Threads sampled now. */
  threads: { tid: number; name: string; samples: number; cpuNs: number }[];
  /** Samples per CPU second since start. */
  effectiveHz: number;
  wakeups: { sampler: number; collector: number };
  /** Threads so busy that a timer of their own asks for their samples, and no other thread wakes up for them. */
  selfClocked: number;
  /**
   * CPU of strobe's own parts since the process's start, nanoseconds. `handlerNs`, `signalNs` (the kernel's part of the signals: estimated, what one takes in
   * the midst of work on a thread of ours times their number), `gcNs` (stacks of collections) and `codeEventNs` were spent on application threads.
   */
  overhead: {
    handlerNs: number;
    signalNs: number;
    gcNs: number;
    codeEventNs: number;
    samplerNs: number;
    collectorNs: number;
    encoderNs: number;
  };
  /** A feature's value is 'on', or why it is off. */
  features: Record<string, string>;
}

export type ThreadKind = 'main' | 'worker' | 'v8-pool' | 'libuv-pool' | 'strobe' | 'other';

export interface ProcessStats {
  /** tid: the kernel's thread id; name: the kernel's name of it (comm); cpuNs: CPU used since its start. */
  threads: { tid: number; name: string; kind: ThreadKind; cpuNs: number }[];
  /** CPU of the whole process (ended threads among it), user + system, nanoseconds. */
  cpuNs: number;
  cpuUserNs: number;
  cpuSystemNs: number;
  rssBytes: number;
  virtualBytes: number;
  peakRssBytes: number;
  /** Only when asked for (costs a walk of the page tables). */
  pssBytes?: number;
  anonymousBytes?: number;
}

export interface SelfTestVerdicts {
  bytecode: string;
  baseline: string;
  optimised: string;
  sourceMap: string;
  exitFrame: string;
  runs: number;
}

/** CPU of one label value on one thread; `tid` 0: threads that have ended. */
export interface AttributedThread {
  tid: number;
  name: string;
  sampledNs: number;
  samples: number;
  exactNs: number;
  exactWallNs: number;
  sections: number;
}

export interface NativeAddon {
  /** The package version that the binary was built from. */
  readonly version: string;
  start(options: {
    frequencyHz: number;
    maxDepth: number;
    exitTimeoutMs: number;
    threadName: string;
    threadId: number;
    handleSignals: boolean;
    /** Profiles to record; one at least. */
    cpu: boolean;
    wall: boolean;
    /** Slices say when each sample was taken. */
    times: boolean;
    /** The share of the process's CPU that strobe may take, 0 to 1; 0: no limit. */
    budgetShare: number;
  }): StartTimings;
  /** Disarms the clock; what was recorded can be taken afterwards. Ends with `release`. False when it was not running. */
  stop(): boolean;
  /** After `stop`: the last profile is delivered. Until then a signal that ends the process waits for it, and `start` refuses. */
  release(): void;
  /** The application removed its handler of an ending signal: ours takes its place where the default action came back. */
  followSignals(): void;
  /** Registers the calling thread's isolate: its code is followed from here on, it is sampled while the profiler runs. Idempotent.
   * `fromStart`: nothing of the application ran on it before; the CPU of Node's own start of it is shown as `(unsampled)`. */
  join(name: string, threadId: number, fromStart: boolean): boolean;
  /** Gives the thread of Node's `threadId` the name that it will have in the next slices. */
  nameThread(threadId: number, name: string): void;
  setFrequency(frequencyHz: number): void;
  /** False when it is not running. */
  setModes(modes: { cpu: boolean; wall: boolean }): boolean;
  /** Stops signals and timers at once and for good until the next start; what is in the rings stays. For the exit listener. */
  disarm(): void;
  /** For the exit listener, before it waits: the other sampled threads, which may compute on, get the lowest priority until the process is gone. */
  stepAside(): void;
  /** A signal that would have ended the process waits for the flush: its number, or 0. */
  pendingSignal(): number;
  /** Encoder only: marks the calling thread as ours (kind 'strobe'; never sampled) and calls `wake` on its loop when slices wait. */
  attachEncoder(wake: (reason: 'slice' | 'flush') => void): void;
  /**
   * Encoder only: cuts now and returns every finished slice, oldest first. Blocks the calling thread for some milliseconds; on a machine that gives the collector
   * no CPU up to `limitMs`: then it is not complete, and what was recorded last comes with a later call.
   */
  takeSlices(limitMs: number): { slices: Slice[]; complete: boolean };
  /** Encoder only: everything is delivered; a pending signal may end the process. */
  flushed(): void;
  /** Encoder only: compiles a known function in this isolate and checks that what is read of V8's heap is right; switches off what is not. Some milliseconds.
   * `compile(source)` evaluates the function, `run()` calls it. Each verdict: 'passed', 'not seen' (the tier did not appear), or what was wrong. */
  selfTest(compile: (source: string) => void, run: () => void, limitMs: number): SelfTestVerdicts;
  /** Encoder only: what a signal costs is measured once more, for `overhead.signalNs`; false where too few came since. Some 10 milliseconds. */
  measureSignals(): boolean;
  /**
   * Once an isolate, called while `holder`'s first field is the current value of `storage`: the handler finds labels from here on. 'frame': by itself; 'hooks': in
   * `holder`, which hooks must keep; otherwise why not.
   */
  attachLabels(storage: object, holder: object): string;
  /** [name, value, name, value, …] -> generation * 65536 + the set's id; 0 when the table has no room. */
  internLabels(pairs: string[]): number;
  /**
   * The engine's own memory. The label table's: the living generation of each id; a mark for sets that are used (so that others are evicted first). `running`: 1
   * while a profiler runs. `section`, of this isolate: what enterSection and exitSection are told and answer; its places are in labels/sections.ts.
   */
  labelArrays(): { generations: Int32Array; used: Uint8Array; running: Int32Array; section: Int32Array };
  /** The labels of a Worker that was just made (Node's thread id); in the Worker: what it inherited. */
  inheritLabels(threadId: number, pairs: string[]): void;
  inheritedLabels(threadId: number): string[];
  /**
   * Opens an exact section for the owner in `section`; its depth there is how many are open then, or 0: nothing is sampled, no section was opened. exitSection
   * leaves the section of that depth; 0 gives up all that are open. No arguments, no value: labels/sections.ts says why.
   */
  enterSection(): void;
  exitSection(): void;
  /** CPU so far of the span's sections that are open, nanoseconds; its counters get it at their exit. */
  openSectionsNs(slot: number, slotGeneration: number): number;
  /** Memory for the counters of 1,024 spans more, the caller's from now on (labels/span-slots.ts); null when all is given; undefined when this thread was never sampled. */
  spanChunk(): { first: number; memory: ArrayBuffer } | null | undefined;
  attribution(key: string): { whose: 'value' | 'unlabelled' | 'evicted' | 'other'; value: string; threads: AttributedThread[] }[];
  /** Encoder only: are labels read as they were written? `fields` are those of `label`; `holder` has it as its only field, the map `frame` as the value of `key`. */
  testLabels(
    label: object,
    holder: object,
    frame: object,
    other: object,
    key: object,
    fields: Uint32Array,
  ): { holder: string; frame: string };
  /** `expected`: about how many nodes it will have. */
  readonly ProfileTables: new (
    expected: number,
  ) => ProfileTables;
  /** Ids of functions and of frames in the order of writing (native/stack/frame_order.h). */
  orderFrames(
    functionFileRank: Uint32Array,
    functionLine: Uint32Array,
    functionColumn: Uint32Array,
    frameFunction: Uint32Array,
    frameLine: Uint32Array,
    frameColumn: Uint32Array,
  ): { functions: Uint32Array; frames: Uint32Array };
  /** profile.proto's `location` fields, ids 1, 2, 3 …, each with the one line { function + 1, line, column }. What it returns: as `ProfileTables.encode`. */
  encodeLocations(functions: Uint32Array, lines: Uint32Array, columns: Uint32Array, out: Uint8Array): number;
  stats(): NativeStats;
  processStats(options?: { pss?: boolean }): ProcessStats;
}

const packageRoot = join(__dirname, '..');

export const packageVersion: string = require(join(packageRoot, 'package.json')).version;

let addon: NativeAddon | undefined;

/** True where an engine exists for this platform (its binary may still be missing). */
export function platformSupported(): boolean {
  return process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
}

/**
 * Where the binary usually is: this checkout's build, or the prebuild for this libc. node-gyp-build knows more places and other runtimes, and takes a millisecond of the
 * starting thread to load and to look; it is asked when there is nothing here.
 */
function usualBinary(): string | undefined {
  const libc = process.env.LIBC || (existsSync('/etc/alpine-release') ? 'musl' : 'glibc');
  const built = join(packageRoot, 'build', 'Release', 'strobe.node');
  const prebuilt = join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}`, `strobe.${libc}.node`);
  return [...(process.env.PREBUILDS_ONLY ? [] : [built]), prebuilt].find((file) => existsSync(file));
}

/**
 * The addon of this thread.
 * @throws StrobeError ERR_UNSUPPORTED_PLATFORM, ERR_BINARY_NOT_FOUND, ERR_BINARY_MISMATCH
 */
export function loadNative(): NativeAddon {
  if (addon) return addon;
  if (!platformSupported()) {
    throw new StrobeError(
      'ERR_UNSUPPORTED_PLATFORM',
      `strobe has no engine for ${process.platform}-${process.arch} yet: profiling runs on linux-x64 and linux-arm64; ` +
        'macOS and Windows engines are planned. The package imports everywhere, only starting the profiler needs the engine.',
    );
  }
  let loaded: NativeAddon;
  try {
    // STROBE_BINARY: a binary built elsewhere (sanitizers, a debugger's build).
    const chosen = process.env.STROBE_BINARY;
    const file = chosen ?? usualBinary();
    loaded = (file ? require(file) : require('node-gyp-build')(packageRoot)) as NativeAddon;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED') {
      throw new StrobeError(
        'ERR_UNSUPPORTED_RUNTIME',
        "this Node refuses native addons, which strobe's engine is: start it with --allow-addons",
        { cause },
      );
    }
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    const hasSources = existsSync(join(packageRoot, 'CMakeLists.txt'));
    throw new StrobeError(
      'ERR_BINARY_NOT_FOUND',
      `no strobe binary for ${process.platform}-${process.arch} (Node ${process.version}) could be loaded: ${reason}. ` +
        (hasSources
          ? `Build it with a C++20 compiler and cmake: npx cmake-js compile --directory "${packageRoot}"`
          : 'Reinstall the package: npm install strobe'),
      { cause },
    );
  }
  if (loaded.version !== packageVersion) {
    throw new StrobeError(
      'ERR_BINARY_MISMATCH',
      `the strobe binary is version ${String(loaded.version)}, the package is ${packageVersion}: ` +
        'remove node_modules/strobe (and its build folder) and install again, so that both come from one release.',
    );
  }
  addon = loaded;
  return loaded;
}
