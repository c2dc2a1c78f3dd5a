// What a signal costs is measured again and again while the profiler runs: one measure wanders by a third, their mean does not (native/clock/signal_account.h).
// Some 10 ms of the encoder's CPU each, rarer and rarer; the engine passes over one that would cost more than the signals since the one before.

import type { NativeAddon } from '../native';

const FIRST_MS = 1_000;
const LONGEST_MS = 128_000;
/** After so many the time between two doubles; where there is little to measure, each time: a process that idles is not woken up for it. */
const MEASURES_A_STEP = 4;

/** Until `over` says so. Keeps nobody alive. */
export function measureSignalsNowAndThen(native: NativeAddon, over: () => boolean): void {
  let measures = 0;
  const next = () => {
    const ms = Math.min(FIRST_MS * 2 ** Math.floor(measures / MEASURES_A_STEP), LONGEST_MS);
    const timer = setTimeout(() => {
      if (over()) return;
      measures += native.measureSignals() ? 1 : MEASURES_A_STEP;
      next();
    }, ms);
    timer.unref();
  };
  next();
}
