// The part of an exporter that works, on the encoder's thread: makes a payload of a profile, and tries to deliver a payload.

import type { FinishedProfile } from './exporter';
import type { Payload } from './payload';
import type { Outcome } from './retry';

export interface Sender {
  /** Synchronous, once a profile. May throw: the profile has then failed. */
  encode(profile: FinishedProfile): Payload;
  /** One attempt; never rejects. `signal` ends it at once. */
  send(payload: Payload, signal: AbortSignal): Promise<Outcome>;
  close(): void;
  /** Facts for stats(), beside the counts. */
  notes?(): Record<string, string | number>;
}
