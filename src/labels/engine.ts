// The engine, as labels need it: loaded at the first label, if there is one for this platform. Labels work without it (they follow async work and can be read),
// there is only nobody who samples them.

import { loadNative, type NativeAddon, platformSupported } from '../native';

let engine: NativeAddon | null | undefined;
let whyNot = '';

export function labelEngine(): NativeAddon | null {
  if (engine === undefined) {
    engine = null;
    try {
      if (platformSupported()) engine = loadNative();
      else whyNot = `no engine for ${process.platform}-${process.arch}`;
    } catch (error) {
      // startProfiler() says it loudly; an application that only sets labels goes on.
      whyNot = (error as Error).message;
    }
  }
  return engine;
}

/** Why labels reach no profile; '' when they do. */
export function labelEngineMissing(): string {
  labelEngine();
  return whyNot;
}
