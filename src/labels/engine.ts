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
