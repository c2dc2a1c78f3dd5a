// What waits for one exporter: on disk where there is a spool, in memory where there is none, or where the disk refuses (then it moves to disk as soon as
// that works again). Memory is bounded: the oldest is dropped and counted.

import type { Payload } from './payload';
import type { Spool, Spooled } from './spool';

/** A quarter of an hour of large windows. */
export const MEMORY_BYTES = 16 * 2 ** 20;

/** An entry in the caller's hands: it gives it back by `settled` or `release`. */
export interface Taken {
  payload: Payload;
  own: boolean;
  name: string;
  onDisk: boolean;
}

interface InMemory extends Payload {
  name: string;
  createdMs: number;
}

export class Queue {
  droppedByAge = 0;
  droppedByBytes = 0;
  /** Why the disk refused last; '' when it works. */
  spoolError = '';
  readonly #memory: InMemory[] = [];
  #memoryBytes = 0;
  #held: string | undefined;
  /** Failed attempts by entry: those that failed least go first, so that one that always fails holds up none. */
  readonly #attempts = new Map<string, number>();
  #waiting: Spooled[] = [];
  #waitingSinceMs = Number.NEGATIVE_INFINITY;
  #number = 0;

  constructor(
    readonly spool: Spool | undefined,
    readonly maxAgeMs: number,
    readonly now: () => number,
    readonly memoryBytes = MEMORY_BYTES,
  ) {}

  get inMemory(): number {
    return this.#memory.length;
  }

  get bytesInMemory(): number {
    return this.#memoryBytes;
  }

  put(payload: Payload): void {
    const createdMs = this.now();
    if (!this.#toDisk(payload, createdMs)) this.#toMemory(payload, createdMs);
  }

  /** The next to send: of those that failed least the oldest; with `ownOnly`, what this queue was given. Undefined when nothing waits. */
  take(ownOnly = false): Taken | undefined {
    this.#dropOld();
    const inMemory = this.#next(this.#memory);
    if (inMemory) {
      this.#held = inMemory.name;
      return { payload: inMemory, own: true, name: inMemory.name, onDisk: false };
    }
    return this.#takeFromDisk(ownOnly);
  }

  /** It arrived, or is refused for good. */
  settled(taken: Taken): void {
    this.#attempts.delete(taken.name);
    if (taken.onDisk) this.spool?.remove(taken.name);
    else this.#forget(taken.name);
    this.#held = undefined;
  }

  /** It waits for another attempt. */
  release(taken: Taken): void {
    this.#attempts.set(taken.name, (this.#attempts.get(taken.name) ?? 0) + 1);
    this.#held = undefined;
    if (taken.onDisk) this.spool?.release(taken.name);
    else this.#dropPastBytes();
    this.#waitingSinceMs = Number.NEGATIVE_INFINITY;
  }

  /** Moves to disk what can be moved. */
  settleDown(): void {
    if (!this.spool) return;
    for (const entry of [...this.#memory]) {
      if (entry.name === this.#held) continue;
      if (!this.#toDisk(entry, entry.createdMs)) return;
      this.#forget(entry.name);
    }
  }

  /** A look at the disk: bounds, dead processes' claims. */
  refresh(): void {
    if (!this.spool) return;
    try {
      this.#waiting = this.spool.sweep();
      this.#waitingSinceMs = this.now();
    } catch (error) {
      this.spoolError = (error as Error).message;
      this.#waiting = [];
    }
    const known = new Set([...this.#waiting, ...this.#memory].map(({ name }) => name));
    for (const name of this.#attempts.keys()) if (!known.has(name)) this.#attempts.delete(name);
  }

  /** Nothing waits in memory any more. */
  clear(): void {
    this.#memory.length = 0;
    this.#memoryBytes = 0;
  }

  #toDisk(payload: Payload, createdMs: number): boolean {
    if (!this.spool) return false;
    try {
      this.spool.put(payload, createdMs);
      this.spoolError = '';
    } catch (error) {
      this.spoolError = (error as Error).message;
      return false;
    }
    // It is seen at once, not when the listing is old, and the bounds hold.
    this.refresh();
    return true;
  }

  #toMemory({ head, body }: Payload, createdMs: number): void {
    this.#memory.push({ head, body, createdMs, name: `memory-${this.#number++}` });
    this.#memoryBytes += body.length;
    this.#dropPastBytes();
  }

  /** What is being sent stays, so memory may be over its bound by one window. */
  #dropPastBytes(): void {
    while (this.#memoryBytes > this.memoryBytes) {
      const oldest = this.#memory.find(({ name }) => name !== this.#held);
      if (!oldest) return;
      this.#forget(oldest.name);
      this.#attempts.delete(oldest.name);
      this.droppedByBytes++;
    }
  }

  #dropOld(): void {
    for (const { name, createdMs } of [...this.#memory]) {
      if (this.now() - createdMs <= this.maxAgeMs || name === this.#held) continue;
      this.#forget(name);
      this.droppedByAge++;
    }
  }

  #forget(name: string): void {
    const at = this.#memory.findIndex((entry) => entry.name === name);
    if (at < 0) return;
    this.#memoryBytes -= (this.#memory[at] as InMemory).body.length;
    this.#memory.splice(at, 1);
  }

  #next<T extends { name: string }>(entries: T[]): T | undefined {
    let best: T | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const entry of entries) {
      const attempts = this.#attempts.get(entry.name) ?? 0;
      if (attempts >= least) continue;
      least = attempts;
      best = entry;
    }
    return best;
  }

  #takeFromDisk(ownOnly: boolean): Taken | undefined {
    if (!this.spool) return undefined;
    if (this.now() - this.#waitingSinceMs > LISTING_MS) this.refresh();
    for (;;) {
      const next = this.#next(ownOnly ? this.#waiting.filter(({ own }) => own) : this.#waiting);
      if (!next) return undefined;
      this.#waiting = this.#waiting.filter((entry) => entry !== next);
      try {
        const payload = this.spool.claim(next.name);
        if (payload) return { payload, own: next.own, name: next.name, onDisk: true };
      } catch (error) {
        this.spoolError = (error as Error).message;
        return undefined;
      }
    }
  }
}

/** How long a listing of the directory is good for; after a failure or a new window it is made anew. */
const LISTING_MS = 5000;
