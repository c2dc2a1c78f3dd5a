// The commands' side of the control socket: finds it, checks it, and asks. Everything that comes back is another process's word: lengths are bounded, and
// nothing of it reaches a terminal as it is.

import { createConnection, type Socket } from 'node:net';
import { StrobeError, type StrobeErrorCode } from '../errors';
import { printable } from '../formats/units';
import { packageVersion } from '../native';
import type { ProfileMode } from '../profiler/options';
import { findSocket, removeStale } from './place';
import {
  type Answer,
  type Greeting,
  MAX_ANSWER_BYTES,
  MAX_PROFILE_BYTES,
  type Method,
  PROTOCOL,
  Reader,
  type Status,
  type Stopped,
} from './protocol';

/** The encoder may be in the middle of a large profile. */
const ANSWER_MS = 30_000;
const GREETING_MS = 5_000;
/** Behind the server's own limits: it says more than silence does. */
const STOP_MS = 90_000;

interface Reply {
  result: unknown;
  bytes: Buffer;
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class ControlClient {
  readonly #pid: number;
  readonly #socket: Socket;
  readonly #reader = new Reader(MAX_ANSWER_BYTES);
  readonly #waiting = new Map<number, Waiting>();
  #announced: Answer | undefined;
  #greeted: { resolve(): void; reject(error: Error): void } | undefined;
  #nextId = 1;
  #failure: Error | undefined;
  #isClosed = false;
  #lastProfile: Buffer | undefined;

  /**
   * @throws StrobeError ERR_NOT_RUNNING: no such process, no socket; ERR_IO: another user's, not trusted, no answer, not strobe;
   *   ERR_BINARY_MISMATCH: the process runs a strobe of another protocol
   */
  static async connect(pid: number): Promise<ControlClient> {
    const path = await findSocket(pid);
    const client = new ControlClient(pid, path);
    await client.#greeting(path);
    return client;
  }

  private constructor(pid: number, path: string) {
    this.#pid = pid;
    this.#socket = createConnection(path);
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('end', () => {
      this.#isClosed = true;
    });
    this.#socket.on('close', () => this.#fail(new StrobeError('ERR_NOT_RUNNING', `process ${pid} ended, or its profiler did`)));
  }

  async status(): Promise<Status> {
    const status = (await this.#ask('status')).result as Status;
    // Of the protocol's own number, but another's word all the same.
    if (typeof status.stats?.frequencyHz !== 'number') throw notStrobe(this.#pid, 'its status has no rate');
    return status;
  }

  /** @returns true when the mode was off and is on for this recording */
  async record(mode: ProfileMode): Promise<boolean> {
    return ((await this.#ask('record', { mode })).result as { switchedOn?: unknown }).switchedOn === true;
  }

  /** Gzip pprof since the last call (or the beginning). */
  async take(): Promise<Uint8Array> {
    return (await this.#ask('take')).bytes;
  }

  /** The last of it. When the process has ended meanwhile: what it sent at its end. */
  async end(): Promise<Uint8Array> {
    if (this.#lastProfile) return this.#lastProfile;
    try {
      return (await this.#ask('end')).bytes;
    } catch (error) {
      if (this.#lastProfile) return this.#lastProfile;
      throw error;
    }
  }

  async stop(): Promise<Stopped> {
    return (await this.#ask('stop', {}, STOP_MS)).result as Stopped;
  }

  /** Resolves when the connection is over. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }

  /** The other side ended it. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#socket.destroy();
  }

  #greeting(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.#fail(
            new StrobeError(
              'ERR_IO',
              `process ${this.#pid} does not answer at ${path} within ${GREETING_MS / 1000} s: it is suspended, or not strobe`,
            ),
          ),
        GREETING_MS,
      );
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.#greeted = undefined;
        then();
      };
      this.#greeted = {
        resolve: () => settle(resolve),
        reject: (error) => {
          const { code } = error as NodeJS.ErrnoException;
          if (code !== 'ECONNREFUSED' && code !== 'ENOENT')
            return settle(() => reject(code?.startsWith('ERR_') ? error : unreachable(path, error)));
          // Its process was killed, or goes on without a profiler.
          const message = `nobody listens at ${path}: the profiler of process ${this.#pid} is gone; the socket that it left was removed`;
          return settle(() => {
            removeStale(path).then(() => reject(new StrobeError('ERR_NOT_RUNNING', message)), reject);
          });
        },
      };
    });
  }

  #ask(method: Method, rest: { mode?: ProfileMode } = {}, limitMs = ANSWER_MS): Promise<Reply> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      const timer = setTimeout(
        () => this.#fail(new StrobeError('ERR_IO', `process ${this.#pid} did not answer '${method}' within ${limitMs / 1000} s`)),
        limitMs,
      );
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ id, method, ...rest })}\n`);
    });
  }

  #read(chunk: Buffer): void {
    if (this.#failure) return;
    this.#reader.add(chunk);
    try {
      for (let next = this.#reader.next(); next !== undefined && !this.#failure; next = this.#reader.next()) {
        if ('line' in next) this.#onLine(next.line);
        else this.#onAnswer(this.#announced as Answer, next.bytes);
      }
    } catch (error) {
      this.#fail(error instanceof StrobeError ? error : notStrobe(this.#pid, (error as Error).message));
    }
  }

  #onLine(line: string): void {
    const said = parseObject(line);
    if (this.#greeted) {
      this.#checkGreeting(said as Partial<Greeting>);
      this.#greeted.resolve();
      return;
    }
    const answer = said as Answer;
    const { bytes } = answer;
    if (bytes === undefined) {
      this.#onAnswer(answer, Buffer.alloc(0));
      return;
    }
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > MAX_PROFILE_BYTES)
      throw new Error('it announces a profile of no possible length');
    this.#announced = answer;
    this.#reader.expect(bytes);
  }

  #checkGreeting({ strobe, protocol, version, pid }: Partial<Greeting>): void {
    if (strobe !== 'control' || typeof protocol !== 'number') throw new Error('its first line is no greeting');
    if (protocol !== PROTOCOL) {
      throw new StrobeError(
        'ERR_BINARY_MISMATCH',
        `process ${this.#pid} runs strobe ${printable(String(version)).slice(0, 40)}, whose control protocol is ${protocol}; this strobe (${packageVersion}) ` +
          `has ${PROTOCOL}: use the strobe that the application has installed (npx strobe in its folder)`,
      );
    }
    if (pid !== this.#pid) throw new Error(`process ${String(pid).slice(0, 20)} answers there`);
  }

  #onAnswer(answer: Answer, bytes: Buffer): void {
    if (answer.event === 'ended') {
      this.#lastProfile = bytes;
      return;
    }
    const failure = answer.error && asError(answer.error);
    // Not an answer to one request: the server gives this connection up.
    if (answer.id === null && failure) throw failure;
    const waiting = this.#waiting.get(answer.id as number);
    if (!waiting) throw new Error('it answers what nobody asked');
    if (!failure && (typeof answer.result !== 'object' || answer.result === null)) throw new Error('an answer has no result');
    this.#waiting.delete(answer.id as number);
    clearTimeout(waiting.timer);
    if (failure) waiting.reject(failure);
    else waiting.resolve({ result: answer.result, bytes });
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#greeted?.reject(error);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
    this.#socket.destroy();
  }
}

function parseObject(line: string): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error('a line of it is no JSON');
  }
  if (typeof value !== 'object' || value === null) throw new Error('a line of it is no object');
  return value;
}

const CODES: readonly string[] = ['ERR_ALREADY_RUNNING', 'ERR_NOT_RUNNING', 'ERR_INVALID_OPTION', 'ERR_IO'] satisfies StrobeErrorCode[];

function asError({ code, message }: { code: unknown; message: unknown }): StrobeError {
  const known = CODES.includes(String(code)) ? (code as StrobeErrorCode) : 'ERR_IO';
  return new StrobeError(known, printable(String(message)).slice(0, 1000));
}

function notStrobe(pid: number, why: string): StrobeError {
  return new StrobeError(
    'ERR_IO',
    `what listens at the control socket of process ${pid} does not speak strobe's protocol: ${printable(why)}`,
  );
}

function unreachable(path: string, cause: Error): StrobeError {
  return new StrobeError('ERR_IO', `cannot connect to ${path}: ${cause.message}`, { cause });
}
