// What a running process and the commands that control it say to each other, over a Unix socket.
//
// The server speaks first, one line: { strobe: 'control', protocol, version, pid }. Then the client sends requests, one JSON object a line of at most
// MAX_REQUEST_BYTES, answered in their order by one line each; `bytes: n` in an answer announces n bytes behind its line, a gzip pprof profile.
//
//   { id, method: 'status' }           -> { id, result: Status }
//   { id, method: 'record', mode }     -> { id, result: { switchedOn } }    a recording of this connection's own begins; one a connection
//   { id, method: 'take' }             -> { id, result: {}, bytes }         what was recorded since the last take
//   { id, method: 'end' }              -> { id, result: {}, bytes }         the same, and the recording ends
//   { id, method: 'stop' }             -> { id, result: Stopped }           once the last profile is delivered
//   what is refused or fails           -> { id, error: { code, message } }  id null: the line was no request, and the connection ends
//
// When the process ends while a recording runs, it is sent unasked: { event: 'ended', reason, bytes }. A connection that closes ends its recording.
// A client refuses another `protocol` than its own: fields may be added to answers under one number, nothing else may change.

import type { ProfileMode } from '../profiler/options';
import type { ProfilerStats } from '../profiler/stats';

export const PROTOCOL = 1;
/** Requests have a method and a mode. */
export const MAX_REQUEST_BYTES = 4096;
/** Of answers: the longest is a status, with thousands of threads. */
export const MAX_ANSWER_BYTES = 4 * 2 ** 20;
/** Of a profile, for the client: more is no profile of strobe. */
export const MAX_PROFILE_BYTES = 512 * 2 ** 20;

export interface Greeting {
  strobe: 'control';
  protocol: number;
  version: string;
  pid: number;
}

export type Method = 'status' | 'record' | 'take' | 'end' | 'stop';

export interface Request {
  id: number;
  method: Method;
  mode?: ProfileMode;
}

export interface Failure {
  code: string;
  message: string;
}

export interface Answer {
  id?: number | null;
  result?: unknown;
  error?: Failure;
  event?: 'ended';
  reason?: string;
  /** Length of what follows the line. */
  bytes?: number;
}

export interface Status {
  pid: number;
  appName: string;
  node: string;
  version: string;
  /** Of the process, and of the profiler. */
  uptimeSeconds: number;
  profiledSeconds: number;
  /** What the application has switched on, and what is on for clients of this socket only. */
  modes: ProfileMode[];
  borrowedModes: ProfileMode[];
  recordings: number;
  stats: Omit<ProfilerStats, 'start'>;
}

export interface Stopped {
  delivered: number;
  failed: number;
}

const NEWLINE = 10;

/** Cuts what comes into lines and announced bytes. Holds at most one line, or what was announced. */
export class Reader {
  #parts: Buffer[] = [];
  #size = 0;
  #wanted: number | undefined;

  /** @param maxLine bytes of a line, without its end */
  constructor(readonly maxLine: number) {}

  add(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#size += chunk.length;
  }

  /** `count` bytes follow. */
  expect(count: number): void {
    this.#wanted = count;
  }

  /**
   * The next line or the announced bytes; undefined when they are not there yet.
   * @throws Error for a line that is too long
   */
  next(): { line: string } | { bytes: Buffer } | undefined {
    if (this.#wanted !== undefined) {
      if (this.#size < this.#wanted) return undefined;
      const bytes = this.#take(this.#wanted);
      this.#wanted = undefined;
      return { bytes };
    }
    let at = 0;
    for (const part of this.#parts) {
      const end = part.indexOf(NEWLINE);
      if (end >= 0) {
        at += end;
        if (at > this.maxLine) break;
        const line = this.#take(at + 1);
        return { line: line.toString('utf8', 0, at) };
      }
      at += part.length;
    }
    if (at > this.maxLine) throw new Error(`a line is longer than ${this.maxLine} bytes`);
    return undefined;
  }

  #take(count: number): Buffer {
    const whole = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    const rest = whole.subarray(count);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    return whole.subarray(0, count);
  }
}
