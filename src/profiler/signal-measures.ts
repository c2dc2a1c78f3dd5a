// What a signal costs is measured again and again while the profiler runs: one measure wanders by a third, their mean does not (native/clock/signal_account.h).
// Rarer and rarer: some 25 ms of the encoder's CPU each, and none while hardly a signal comes.

import type { NativeAddon } from '../native';

const FIRST_MS = 2_000;
const LONGEST_MS = 128_000;

/** Until `over` says so. Keeps nobody alive. */
export function measureSignalsNowAndThen(native: NativeAddon, over: () => boolean): void {
  const next = (ms: number) => {
    const timer = setTimeout(() => {
      if (over()) return;
      native.measureSignals();
      next(Math.min(2 * ms, LONGEST_MS));
    }, ms);
    timer.unref();
  };
  next(FIRST_MS);
}
