// When an exporter tries again: exponential backoff with jitter, or what the receiver asks for; and which answers are worth another attempt.

/** What became of one attempt. */
export type Outcome =
  /** `rejected`: profiles in it that the receiver took the request with, but not them (OTLP's partial success), and why. */
  | { kind: 'delivered'; rejected?: number; reason?: string }
  /** May work later. `afterMs`: what the receiver asked for. */
  | { kind: 'retry'; reason: string; afterMs?: number }
  /** Never will. */
  | { kind: 'refused'; reason: string };

const FIRST_DELAY_MS = 1000;
/** After an outage the backlog starts within this time, and a backend that is away for months is asked once a minute. */
const LONGEST_DELAY_MS = 60_000;
/** A receiver that asks for more gets this: a mistake in its clock must not silence us for a day. */
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** `failures` in a row, 1 and up -> milliseconds. Half of it is random, so that a fleet does not come back as one. */
export function backoffMs(failures: number, random: () => number): number {
  const whole = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 20));
  return whole / 2 + (random() * whole) / 2;
}

/** A `Retry-After` header (seconds, or a date) in milliseconds from `nowMs`; undefined when it says nothing of use. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), LONGEST_RETRY_AFTER_MS) : undefined;
}

/** True for the statuses of a receiver that may take the same request later. Redirects are not followed (they would carry our credentials elsewhere): they may be a passing state of a gateway. */
export function mayRetry(status: number): boolean {
  return status === 408 || status === 429 || status >= 500 || (status >= 300 && status < 400);
}
