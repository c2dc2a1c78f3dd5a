// The control socket's server, on the encoder's thread: it answers while the application's loop is blocked. The protocol stands in protocol.ts, the socket's
// place and its checks in place.ts.
//
// Contract. Nothing here throws into the encoder or reaches an application's thread; only `stop` needs the thread that started the profiler. A client costs at
// most a line of MAX_REQUEST_BYTES, MAX_WAITING requests and one recording; what it doesn't read is not queued up: the next request waits until the last
// answer was taken, and a client that takes none for STALL_MS is dropped. Without any recording it is dropped after IDLE_MS without a request.

import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { StrobeError } from '../errors';
import type { ProfileMode } from '../profiler/options';
import { ownSocketPath, removeStale, sweep } from './place';
import {
  type Answer,
  type Failure,
  type Greeting,
  MAX_REQUEST_BYTES,
  PROTOCOL,
  Reader,
  type Request,
  type Status,
  type Stopped,
} from './protocol';

const MAX_CLIENTS = 16;
const MAX_WAITING = 16;
const IDLE_MS = 30_000;
const STALL_MS = 30_000;
/** A recording that nobody takes from: its client hangs, and its stacks are memory of the application's process. */
const MAX_RECORDING_MS = 2 * 3_600_000;
/** What a client that asked for the stop waits for the thread that must do it. */
const STOP_MS = 5_000;
/** At the end of the process, for the last bytes to be taken. */
const FAREWELL_MS = 500;

/** A recording for one client: gives gzip pprof. */
export interface Recording {
  /** The mode was off, and is on for this recording. */
  readonly switchedOn: boolean;
  take(): Promise<Uint8Array>;
  /** The last of it; nothing is recorded any more. Idempotent; later calls give an empty profile. */
  end(): Promise<Uint8Array>;
  /** Ends it for nobody. */
  drop(): Promise<void>;
  /** As `end`, inside the encoder's own last piece of work. */
  endNow(): Uint8Array;
}

export interface ServerHooks {
  version: string;
  status(recordings: number): Status;
  record(mode: ProfileMode): Promise<Recording>;
  /** Asks the thread that started the profiler to stop it. */
  askStop(): void;
  /** What nobody is left to be told of. */
  failed(error: Error): void;
  /** Where it listens, or why it doesn't. */
  changed(state: { path: string } | { error: string }): void;
}

interface Client {
  socket: Socket;
  reader: Reader;
  waiting: Request[];
  busy: boolean;
  recording: Recording | undefined;
  limit: NodeJS.Timeout | undefined;
  /** The recording was ended by its limit. */
  expired: boolean;
  /** Waits for the end of the profiler; the id of its request. */
  stopping: number | undefined;
  /** Its last profile is on its way. */
  farewell: Promise<void> | undefined;
}

export class ControlServer {
  readonly #hooks: ServerHooks;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  #closed = false;
  #stopSeen = false;

  constructor(hooks: ServerHooks) {
    this.#hooks = hooks;
    this.#server = createServer((socket) => this.#welcome(socket));
    this.#server.on('error', (error) => hooks.changed({ error: error.message }));
    // The listening socket keeps no process alive: the encoder's Worker is not waited for.
    this.#listen().catch((error: Error) => hooks.changed({ error: error.message }));
  }

  /** The thread that was asked to stop the profiler does it. */
  stopSeen(): void {
    this.#stopSeen = true;
  }

  /** The profiler ends: clients get what their recordings have. */
  endRecordings(): void {
    this.#closed = true;
    for (const client of this.#clients) {
      if (!client.recording) continue;
      const bytes = client.recording.endNow();
      client.recording = undefined;
      const reason = 'the profiler of the process ended';
      client.farewell = this.#send(client, { event: 'ended', reason }, bytes).catch(() => undefined); // The client went away.
    }
  }

  /** Everything is delivered: the socket is removed, who asked for the end is answered. Within FAREWELL_MS. */
  async close(counts: Stopped): Promise<void> {
    this.#closed = true;
    // Removes the socket's file at once, before the answer: who reads "it has ended" finds no socket. What is connected stays so.
    const closed = this.#server.listening ? new Promise<void>((done) => this.#server.close(() => done())) : undefined;
    const gone = [...this.#clients].map(async (client) => {
      await client.farewell;
      if (client.stopping !== undefined) await this.#send(client, { id: client.stopping, result: counts });
      await new Promise<void>((done) => client.socket.end(done));
    });
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise((done) => {
      timer = setTimeout(done, FAREWELL_MS);
    });
    await Promise.race([Promise.allSettled(gone), limit]);
    clearTimeout(timer);
    for (const { socket } of this.#clients) socket.destroy();
    await closed;
  }

  async #listen(): Promise<void> {
    const path = ownSocketPath(process.pid);
    await sweep(path);
    if (!(await removeStale(path))) {
      throw new StrobeError('ERR_IO', `${path} is taken: another process answers there, or it is no socket; remove it`);
    }
    // Between the two checks and the end of the profiler.
    if (this.#closed) return;
    this.#server.listen(path, () => {
      try {
        // The directory is closed to others already.
        chmodSync(path, 0o600);
        this.#hooks.changed({ path });
      } catch (error) {
        this.#server.close();
        this.#hooks.changed({ error: (error as Error).message });
      }
    });
  }

  #welcome(socket: Socket): void {
    const greeting: Greeting = { strobe: 'control', protocol: PROTOCOL, version: this.#hooks.version, pid: process.pid };
    const client: Client = {
      socket,
      reader: new Reader(MAX_REQUEST_BYTES),
      waiting: [],
      busy: false,
      recording: undefined,
      limit: undefined,
      expired: false,
      stopping: undefined,
      farewell: undefined,
    };
    // A client that went away in the middle: its 'close' ends what it had.
    socket.on('error', () => socket.destroy());
    if (this.#clients.size >= MAX_CLIENTS || this.#closed) {
      socket.write(`${JSON.stringify(greeting)}\n`);
      const message = this.#closed ? 'the profiler is ending' : `${MAX_CLIENTS} clients are connected, no more are served`;
      socket.end(`${JSON.stringify({ id: null, error: { code: 'ERR_IO', message } })}\n`, () => socket.destroy());
      return;
    }
    this.#clients.add(client);
    socket.write(`${JSON.stringify(greeting)}\n`);
    socket.setTimeout(IDLE_MS, () => {
      if (!client.recording && client.stopping === undefined && !client.busy) socket.destroy();
    });
    socket.on('data', (chunk) => this.#read(client, chunk));
    socket.on('close', () => {
      this.#clients.delete(client);
      clearTimeout(client.limit);
      client.recording?.drop().catch(this.#hooks.failed);
    });
  }

  #read(client: Client, chunk: Buffer): void {
    if (client.socket.writableEnded) return;
    client.reader.add(chunk);
    try {
      for (let next = client.reader.next(); next !== undefined; next = client.reader.next()) {
        if (!('line' in next)) continue;
        client.waiting.push(parseRequest(next.line));
        if (client.waiting.length > MAX_WAITING) throw new Error(`more than ${MAX_WAITING} requests wait for their answers`);
      }
    } catch (error) {
      this.#refuse(client, (error as Error).message);
      return;
    }
    this.#work(client).catch((error: Error) => this.#refuse(client, error.message));
  }

  /** What is no request: said, and the connection ends. */
  #refuse(client: Client, message: string): void {
    client.waiting = [];
    if (client.socket.writableEnded || client.socket.destroyed) return;
    const answer: Answer = { id: null, error: { code: 'ERR_INVALID_OPTION', message } };
    client.socket.removeAllListeners('data');
    client.socket.end(`${JSON.stringify(answer)}\n`, () => client.socket.destroy());
  }

  /** One request at a time. */
  async #work(client: Client): Promise<void> {
    if (client.busy) return;
    client.busy = true;
    try {
      for (let request = client.waiting.shift(); request && !client.socket.destroyed; request = client.waiting.shift()) {
        const { id } = request;
        try {
          const { result, bytes } = await this.#answer(client, request);
          if (result !== undefined) await this.#send(client, { id, result }, bytes);
        } catch (error) {
          await this.#send(client, { id, error: failureOf(error) });
        }
      }
    } finally {
      client.busy = false;
    }
  }

  /** Without a result: the answer comes later. */
  async #answer(client: Client, request: Request): Promise<{ result?: unknown; bytes?: Uint8Array }> {
    switch (request.method) {
      case 'status':
        return { result: this.#hooks.status([...this.#clients].filter(({ recording }) => recording).length) };
      case 'record': {
        if (client.recording) throw new StrobeError('ERR_ALREADY_RUNNING', 'this connection records already; end it first');
        const recording = await this.#hooks.record(request.mode ?? 'cpu');
        if (client.socket.destroyed) {
          await recording.drop();
          return {};
        }
        client.recording = recording;
        client.expired = false;
        this.#limitRecording(client);
        return { result: { switchedOn: recording.switchedOn } };
      }
      case 'take':
        this.#limitRecording(client);
        return { result: {}, bytes: await recordingOf(client).take() };
      case 'end': {
        const recording = recordingOf(client);
        clearTimeout(client.limit);
        const bytes = await recording.end();
        client.recording = undefined;
        return { result: {}, bytes };
      }
      case 'stop':
        client.stopping = request.id;
        this.#stop(client);
        return {};
    }
  }

  #limitRecording(client: Client): void {
    clearTimeout(client.limit);
    client.limit = setTimeout(() => {
      client.recording?.drop().catch(this.#hooks.failed);
      client.recording = undefined;
      client.expired = true;
    }, MAX_RECORDING_MS);
  }

  #stop(client: Client): void {
    this.#stopSeen = false;
    this.#hooks.askStop();
    const timer = setTimeout(() => {
      const id = client.stopping;
      if (this.#stopSeen || this.#closed || id === undefined) return;
      client.stopping = undefined;
      const message =
        `the thread that started the profiler did not react within ${STOP_MS / 1000} s: its event loop is blocked. ` +
        'The profiler is stopped as soon as the loop goes on; until then it records';
      this.#send(client, { id, error: { code: 'ERR_IO', message } }).catch(() => undefined); // The client is gone.
    }, STOP_MS);
    client.socket.once('close', () => clearTimeout(timer));
  }

  /** Resolves when the client has taken it (it is out of our memory). */
  #send({ socket }: Client, answer: Answer, bytes?: Uint8Array): Promise<void> {
    const line = `${JSON.stringify(bytes ? { ...answer, bytes: bytes.length } : answer)}\n`;
    return new Promise((resolve, reject) => {
      const stalled = setTimeout(() => socket.destroy(), STALL_MS);
      const done = (error?: Error | null) => {
        clearTimeout(stalled);
        if (error) reject(error);
        else resolve();
      };
      if (bytes) {
        socket.write(line);
        socket.write(bytes, done);
      } else socket.write(line, done);
    });
  }
}

function recordingOf({ recording, expired }: Client): Recording {
  if (recording) return recording;
  throw new StrobeError(
    'ERR_NOT_RUNNING',
    expired
      ? `the recording was ended: nothing was taken for ${MAX_RECORDING_MS / 3_600_000} hours`
      : 'nothing is recorded: record comes first',
  );
}

function failureOf(error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  return { code: error instanceof StrobeError ? String(code) : 'ERR_IO', message };
}

const METHODS: Record<Request['method'], true> = { status: true, record: true, take: true, end: true, stop: true };

/** @throws Error that says what is wrong */
function parseRequest(line: string): Request {
  let given: Partial<Request> | null;
  try {
    given = JSON.parse(line) as Partial<Request> | null;
  } catch {
    throw new Error('a request is one line of JSON');
  }
  if (typeof given !== 'object' || given === null) throw new Error('a request is an object');
  const { id, method, mode } = given;
  if (!Number.isSafeInteger(id)) throw new Error('a request has an id, a whole number');
  if (typeof method !== 'string' || !Object.hasOwn(METHODS, method))
    throw new Error(`methods of protocol ${PROTOCOL}: ${Object.keys(METHODS).join(', ')}`);
  if (mode !== undefined && mode !== 'cpu' && mode !== 'wall') throw new Error("mode must be 'cpu' or 'wall'");
  return { id: id as number, method, ...(mode && { mode }) };
}
