// Recordings for who asks while the profiler runs: callers of the pull exporter, clients of the control socket. Each is a subscriber of its own; none disturbs
// a window, a snapshot or another recording.
//
// A mode that the application has not switched on can be borrowed: it is on while the recording runs, and its slices reach recordings only, so that no window and
// no run has a profile that nobody configured.

import type { NativeAddon } from '../native';
import { encodeGzip } from '../pprof/encode';
import { switchModes } from './modes';
import type { ProfileMode } from './options';
import { Subscriber } from './subscriber';

export interface RecordingsHooks {
  native: NativeAddon;
  counters: Int32Array;
  comments: string[];
  /** What the application has switched on now. */
  modes(): ProfileMode[];
  /** Gives all subscribers what was recorded until now. */
  pull(): void;
  /** One piece of work at a time, in order. */
  enqueue(work: () => void): void;
}

export interface RecordingOptions {
  /** Switches the mode on when it is off. Without: such a recording is refused. */
  borrow?: boolean;
  /** Comments of the last profile that `end` gives: what profiling cost meanwhile. */
  cost?: () => string[];
}

export class Recording {
  readonly #owner: Recordings;
  readonly #cost: (() => string[]) | undefined;
  #over = false;

  constructor(
    owner: Recordings,
    readonly subscriber: Subscriber,
    readonly borrows: boolean,
    /** The mode was off before. */
    readonly switchedOn: boolean,
    cost: (() => string[]) | undefined,
  ) {
    this.#owner = owner;
    this.#cost = cost;
  }

  /** Gzip pprof of what was recorded since the last take, or the beginning. */
  take(): Promise<Uint8Array> {
    return this.#owner.run(() => {
      if (!this.#over) this.#owner.pull();
      return encodeGzip(this.subscriber.take());
    });
  }

  /** The last of it; then nothing is recorded any more. */
  end(): Promise<Uint8Array> {
    return this.#owner.run(() => this.endNow());
  }

  /** Inside a piece of the encoder's work. */
  endNow(): Uint8Array {
    this.#finish();
    const profile = this.subscriber.take();
    if (this.#cost) profile.comments.push(...this.#cost());
    return encodeGzip(profile);
  }

  /** Nobody wants it any more. */
  drop(): Promise<void> {
    return this.#owner.run(() => this.#finish());
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.remove(this);
  }
}

export class Recordings {
  readonly #hooks: RecordingsHooks;
  readonly #open = new Set<Recording>();
  #closed = false;

  constructor(hooks: RecordingsHooks) {
    this.#hooks = hooks;
  }

  get subscribers(): Subscriber[] {
    return [...this.#open].map(({ subscriber }) => subscriber);
  }

  /** On for recordings only. */
  get borrowed(): ProfileMode[] {
    return [
      ...new Set([...this.#open].filter(({ subscriber }) => this.isBorrowed(subscriber.mode)).map(({ subscriber }) => subscriber.mode)),
    ];
  }

  /** Its slices are nobody's but the recordings'. */
  isBorrowed(mode: ProfileMode): boolean {
    return !this.#hooks.modes().includes(mode) && [...this.#open].some(({ borrows, subscriber }) => borrows && subscriber.mode === mode);
  }

  /** @throws Error (as a rejection): the mode is off and not to be borrowed, or the profiler ends */
  open(mode: ProfileMode, { borrow = false, cost }: RecordingOptions = {}): Promise<Recording> {
    return this.run(() => {
      if (this.#closed) throw new Error('the profiler is ending');
      const isOff = !this.#hooks.modes().includes(mode);
      if (isOff && !borrow) throw new Error(`mode ${mode} is not being recorded`);
      // What was recorded before belongs to nobody who asks now.
      this.#hooks.pull();
      const recording = new Recording(this, new Subscriber(mode, this.#hooks.comments), borrow, isOff, cost);
      this.#open.add(recording);
      this.#switch([...this.#open]);
      return recording;
    });
  }

  /** Called by the recording. What the engine closes its accounts with still belongs to it. */
  remove(recording: Recording): void {
    if (!this.#closed) this.#switch([...this.#open].filter((other) => other !== recording));
    this.#hooks.pull();
    this.#open.delete(recording);
  }

  /** The profiler ends, and the engine is another one's soon: nothing is switched any more. */
  close(): void {
    this.#closed = true;
  }

  pull(): void {
    this.#hooks.pull();
  }

  run<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#hooks.enqueue(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Also for a mode that is on: the application may switch it off meanwhile. */
  #switch(recordings: Recording[]): void {
    const { native, counters } = this.#hooks;
    const modes = new Set(recordings.filter(({ borrows }) => borrows).map(({ subscriber }) => subscriber.mode));
    switchModes(native, counters, 'borrowedModes', modes);
  }
}
