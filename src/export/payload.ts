// What a queue keeps and a sender sends.

/** What goes to a receiver for one profile. */
export interface Payload {
  /** What the sender needs beside the body: small, plain texts, no secrets. */
  head: Record<string, string>;
  body: Uint8Array;
}

/** A body past this is no profile; it is refused before it is kept. */
export const MAX_BODY_BYTES = 64 * 2 ** 20;
