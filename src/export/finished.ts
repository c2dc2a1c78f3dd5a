// Makes a FinishedProfile from what the encoder's subscriber gives.

import { encodeGzip } from '../pprof/encode';
import type { Profile } from '../pprof/schema';
import type { FinishedProfile } from './exporter';

/** `profile` must not change any more. Without an end, the start and the duration that the profile says make one. */
export function finishedProfile(
  facts: Pick<FinishedProfile, 'mode' | 'scope' | 'number' | 'startUnixMs'> & { endUnixMs?: number },
  profile: Profile,
): FinishedProfile {
  let bytes: Uint8Array | undefined;
  return {
    ...facts,
    endUnixMs: facts.endUnixMs ?? facts.startUnixMs + profile.durationNanos / 1e6,
    profile,
    get bytes() {
      bytes ??= encodeGzip(profile);
      return bytes;
    },
  };
}
