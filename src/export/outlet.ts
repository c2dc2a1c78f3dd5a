// One exporter at work: its queue, one attempt at a time, and when the next one is.
//
// An entry leaves the queue in four ways, each counted: delivered, failed (the receiver will never take it), dropped by a bound, dropped at exit (memory only). After a
// failure that may pass the whole exporter waits (backoff, or what the receiver asks for); the next attempt is for another entry if there is one, so that one entry that
// always fails holds up none. Nothing here throws into the caller.

import type { Clock } from './clock';
import { type Exporter, exporterTarget, type FinishedProfile } from './exporter';
import { MAX_BODY_BYTES, type Payload } from './payload';
import { Queue, type Taken } from './queue';
import { backoffMs, type Outcome } from './retry';
import type { Sender } from './sender';
import type { Spool } from './spool';
import type { ExporterStats } from './stats';

/** An idle exporter looks for what other processes left, and for what became too old. */
const IDLE_MS = 60_000;
/** A receiver that fails now and then is nobody's business; one that fails so often in a row is. A disk never fails in passing. */
const FAILURES_BEFORE_WARNING = { file: 1, network: 3 } as const;
const WARN_AGAIN_MS = 600_000;

export interface OutletHooks {
  warn(message: string): void;
  /** After every change of the counts. */
  changed(): void;
}

export class Outlet {
  readonly #exporter: Exporter;
  readonly #sender: Sender;
  readonly #queue: Queue;
  readonly #spoolState: string;
  readonly #clock: Clock;
  readonly #hooks: OutletHooks;
  readonly #counts = { accepted: 0, delivered: 0, failed: 0, retried: 0, droppedAtExit: 0, partlyRejected: 0 };
  readonly #ending = new AbortController();
  #lastError = '';
  #lastErrorUnixMs = 0;
  #failures = 0;
  #notBefore = 0;
  #timer: unknown;
  #running: Promise<void> | undefined;
  #flushing = false;
  /** Something came while a round was running. */
  #more = false;
  #droppedSaid = 0;
  #warnedMs = Number.NEGATIVE_INFINITY;

  /** @param spoolOff why there is no spool although one was wanted; '' otherwise */
  constructor(exporter: Exporter, sender: Sender, spool: Spool | undefined, spoolOff: string, clock: Clock, hooks: OutletHooks) {
    this.#exporter = exporter;
    this.#sender = sender;
    const maxAgeMs = 'network' in exporter ? (exporter.network.spool?.maxAgeMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    this.#queue = new Queue(spool, maxAgeMs, clock.now);
    this.#spoolState = spool ? spool.dir : spoolOff === '' ? 'off' : `off: ${spoolOff}`;
    this.#clock = clock;
    this.#hooks = hooks;
    if (spool) this.#wake();
  }

  /** Never throws, never waits. */
  accept(profile: FinishedProfile): void {
    this.#counts.accepted++;
    let payload: Payload;
    try {
      payload = this.#sender.encode(profile);
      if (payload.body.length > MAX_BODY_BYTES) throw new Error(`${payload.body.length} bytes are more than any receiver takes`);
    } catch (error) {
      this.#counts.failed++;
      this.#note(`a profile could not be encoded: ${(error as Error).message}`);
      this.#warn();
      this.#hooks.changed();
      return;
    }
    this.#queue.put(payload);
    if (this.#queue.spoolError !== '') this.#note(`the spool: ${this.#queue.spoolError}`);
    this.#sayDropped();
    this.#hooks.changed();
    this.#more = true;
    this.#wake();
  }

  /** One last round, for what this process made, until the first failure or the deadline; what is left goes to disk. Closes. */
  async flush(deadlineMs: number): Promise<void> {
    this.#flushing = true;
    this.#clock.clearTimeout(this.#timer);
    const limit = this.#clock.setTimeout(() => this.#ending.abort(), Math.max(0, deadlineMs));
    try {
      await this.#running;
      // A file is written whatever the time is: nobody keeps it for later.
      while (!this.#ending.signal.aborted || this.#exporter.kind === 'file') {
        const taken = this.#queue.take(true);
        if (!taken) break;
        if (!(await this.#attempt(taken))) break;
      }
    } finally {
      this.#clock.clearTimeout(limit);
      this.#queue.settleDown();
      this.#counts.droppedAtExit += this.#queue.inMemory;
      this.#sender.close();
      this.#sayWhatIsLeft();
      this.#queue.clear();
      this.#hooks.changed();
    }
  }

  stats(): ExporterStats {
    const { spool } = this.#queue;
    return {
      kind: this.#exporter.kind,
      target: exporterTarget(this.#exporter),
      ...this.#counts,
      queued: this.#queue.inMemory,
      queuedBytes: this.#queue.bytesInMemory,
      spooled: spool?.entries ?? 0,
      spooledBytes: spool?.bytes ?? 0,
      droppedByAge: this.#queue.droppedByAge + (spool?.counts.droppedByAge ?? 0),
      droppedByBytes: this.#queue.droppedByBytes + (spool?.counts.droppedByBytes ?? 0),
      damaged: spool?.counts.damaged ?? 0,
      takenOver: spool?.counts.takenOver ?? 0,
      spool: this.#spoolState,
      lastError: this.#lastError,
      lastErrorUnixMs: this.#lastErrorUnixMs,
      notes: this.#sender.notes?.() ?? {},
    };
  }

  #wake(): void {
    if (this.#running || this.#flushing) return;
    this.#clock.clearTimeout(this.#timer);
    const waitMs = this.#notBefore - this.#clock.now();
    if (waitMs > 0) {
      this.#timer = this.#clock.setTimeout(() => this.#wake(), waitMs);
      return;
    }
    this.#more = false;
    this.#running = this.#drain()
      .catch((error: Error) => this.#note(`delivery itself failed: ${error.stack ?? error}`))
      .finally(() => {
        this.#running = undefined;
        if (!this.#flushing) this.#sleep();
      });
  }

  /** Until the backoff ends, or for a look at the disk. */
  #sleep(): void {
    const waitMs = this.#notBefore - this.#clock.now();
    // Something may have come between the last look and now.
    this.#timer = this.#clock.setTimeout(() => this.#wake(), waitMs > 0 ? waitMs : this.#more ? 0 : IDLE_MS);
  }

  async #drain(): Promise<void> {
    while (!this.#flushing) {
      const damaged = this.#queue.spool?.counts.damaged ?? 0;
      const taken = this.#queue.take();
      if ((this.#queue.spool?.counts.damaged ?? 0) > damaged) this.#warn('a spooled file was damaged and is removed');
      this.#sayDropped();
      if (!taken) break;
      if (!(await this.#attempt(taken))) break;
      if (this.#queue.inMemory > 0) this.#queue.settleDown();
    }
    this.#hooks.changed();
  }

  /** @returns true when the next entry may follow at once */
  async #attempt(taken: Taken): Promise<boolean> {
    let outcome: Outcome;
    try {
      outcome = await this.#sender.send(taken.payload, this.#ending.signal);
    } catch (error) {
      // A sender does not throw; if one does, what it held is not lost by that.
      outcome = { kind: 'retry', reason: `${(error as Error).message}` };
    }
    try {
      return this.#settle(taken, outcome);
    } catch (error) {
      this.#note(`the spool: ${(error as Error).message}`);
      this.#notBefore = this.#clock.now() + backoffMs(++this.#failures, this.#clock.random);
      return false;
    } finally {
      this.#hooks.changed();
    }
  }

  #settle(taken: Taken, outcome: Outcome): boolean {
    if (outcome.kind === 'retry') {
      this.#counts.retried++;
      this.#failures++;
      this.#note(outcome.reason);
      const backoff = backoffMs(this.#failures, this.#clock.random);
      // What it asked for at least, and not the whole fleet at that very moment.
      this.#notBefore = this.#clock.now() + (outcome.afterMs === undefined ? backoff : outcome.afterMs + backoff / 4);
      this.#queue.release(taken);
      const least = FAILURES_BEFORE_WARNING[this.#exporter.kind === 'file' ? 'file' : 'network'];
      const now = this.#clock.now();
      if (!this.#flushing && this.#failures >= least && now - this.#warnedMs >= WARN_AGAIN_MS) this.#warn(this.#waiting());
      return false;
    }
    this.#queue.settled(taken);
    if (outcome.kind === 'refused') {
      this.#counts.failed++;
      this.#note(outcome.reason);
      this.#warn('a profile was refused for good');
      return true;
    }
    this.#counts.delivered++;
    this.#failures = 0;
    this.#notBefore = 0;
    this.#warnedMs = Number.NEGATIVE_INFINITY;
    if (outcome.rejected) {
      this.#counts.partlyRejected += outcome.rejected;
      this.#note(`the receiver left out ${outcome.rejected} profiles: ${outcome.reason ?? ''}`);
      this.#warn();
    } else if (outcome.reason) {
      this.#note(outcome.reason);
    }
    return true;
  }

  #sayDropped(): void {
    const { droppedByAge, droppedByBytes } = this.stats();
    if (droppedByAge + droppedByBytes === this.#droppedSaid) return;
    this.#droppedSaid = droppedByAge + droppedByBytes;
    this.#warn(`${this.#droppedSaid} profiles were dropped so far: too old, or more than may wait`);
  }

  #waiting(): string {
    const { spooled, queued } = this.stats();
    return `${spooled + queued} profiles could not be delivered yet and wait ${spooled > 0 ? `in ${this.#spoolState}` : 'in memory'}`;
  }

  #note(error: string): void {
    this.#lastError = error;
    this.#lastErrorUnixMs = this.#clock.now();
  }

  #warn(what = ''): void {
    this.#warnedMs = this.#clock.now();
    const about = `${this.#exporter.kind}Exporter (${exporterTarget(this.#exporter)})`;
    this.#hooks.warn([about, what, this.#lastError].filter((text) => text !== '').join(': '));
  }

  #sayWhatIsLeft(): void {
    const { queued, spooled } = this.stats();
    if (queued > 0) this.#warn(`${queued === 1 ? 'a profile' : `${queued} profiles`} could not be delivered`);
    else if (spooled > 0 && this.#failures > 0) this.#warn(`${spooled} profiles wait in ${this.#spoolState} for the next process`);
  }
}
