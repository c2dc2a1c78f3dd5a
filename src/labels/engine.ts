// The engine, as labels need it: loaded at the first label, if there is one for this platform. Labels work without it (they follow async work and can be read),
// there is only nobody who samples them.

import { loadNative, type NativeAddon, platformSupported } from '../native';

let engine: NativeAddon | null | undefined;

export function labelEngine(): NativeAddon | null {
  if (engine === undefined) {
    engine = null;
    try {
      if (platformSupported()) engine = loadNative();
    } catch {
      // startProfiler() says loudly why there is none; an application that only sets labels goes on.
      engine = null;
    }
  }
  return engine;
}

export type LabelMemory = ReturnType<NativeAddon['labelArrays']>;

let memory: LabelMemory | null | undefined;

/** What labels share with the engine without calling it; null where there is none. */
export function labelMemory(): LabelMemory | null {
  if (memory === undefined) {
    memory = null;
    try {
      memory = labelEngine()?.labelArrays() ?? null;
    } catch {
      // A V8 that takes no memory from outside (its sandbox): labels follow work and can be read, nothing is counted.
    }
  }
  return memory;
}

/** Nothing is counted while this is false. */
export function isProfilerRunning(): boolean {
  const shared = labelMemory();
  return shared !== null && shared.running[0] === 1;
}
