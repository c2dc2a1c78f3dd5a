// The pull exporter's working part: an HTTP server on the encoder's thread, in the way of Go's net/http/pprof.
//
//   GET /debug/pprof/                      what there is
//   GET /debug/pprof/profile?seconds=N     CPU profile of the next N seconds (1 to 600, default 30), gzip pprof
//   GET /debug/pprof/wall?seconds=N        the same of wall-clock time
//
// The application's event loop has no part in it. One profile at a time: a second caller gets 429, with the reason and Retry-After. On a loopback address the `Host`
// header must be one, too, so that a web page can't read profiles through a name of its own that leads here.

import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Clock } from './clock';
import { exporterTarget } from './exporter';
import type { PullExporter } from './pull';
import { backoffMs } from './retry';
import type { ExporterStats } from './stats';

/** Records for `seconds`, gives gzip pprof. `signal`: the caller is gone, the result will not be read. */
export type Collect = (mode: 'cpu' | 'wall', seconds: number, signal: AbortSignal) => Promise<Uint8Array>;

const PATHS: Record<string, 'cpu' | 'wall'> = { '/debug/pprof/profile': 'cpu', '/debug/pprof/wall': 'wall' };
const INDEX = `strobe
/debug/pprof/profile?seconds=30   CPU
/debug/pprof/wall?seconds=30      wall-clock time
`;
const DEFAULT_SECONDS = 30;
const MOST_SECONDS = 600;
/** One profile at a time and some who are refused. */
const MAX_CONNECTIONS = 16;
const MAX_HEADER_BYTES = 8192;
const REQUEST_TIMEOUT_MS = 10_000;

export interface PullHooks {
  collect: Collect | undefined;
  warn(message: string): void;
  changed(): void;
}

export class PullServer {
  readonly #exporter: PullExporter;
  readonly #hooks: PullHooks;
  readonly #clock: Clock;
  readonly #server: Server;
  #counts = { accepted: 0, delivered: 0, failed: 0 };
  #refused = 0;
  #busyUntilMs = 0;
  #lastError = '';
  #lastErrorUnixMs = 0;
  #failures = 0;
  #retry: unknown;
  #closed = false;

  constructor(exporter: PullExporter, hooks: PullHooks, clock: Clock) {
    this.#exporter = exporter;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#server = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => {
        this.#answer(request, response).catch((error: Error) => this.#fail(response, error));
      },
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    // A port that is taken (the old process of a rolling restart) may be free later.
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
      this.#note(error.code === 'EADDRINUSE' ? `port ${exporter.port} is taken` : error.message);
      if (++this.#failures === 1)
        hooks.warn(`pullExporter (${exporterTarget(exporter)}) can not listen, and tries again: ${this.#lastError}`);
      if (!this.#closed) this.#retry = clock.setTimeout(() => this.#listen(), backoffMs(this.#failures, clock.random));
      hooks.changed();
    });
    this.#server.on('listening', () => {
      this.#failures = 0;
      hooks.changed();
    });
    this.#listen();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#clock.clearTimeout(this.#retry);
    return new Promise((closed) => {
      this.#server.close(() => closed());
      this.#server.closeAllConnections();
    });
  }

  stats(): ExporterStats {
    const address = this.#server.address() as AddressInfo | null;
    return {
      kind: 'pull',
      target: exporterTarget(address ? { ...this.#exporter, port: address.port } : this.#exporter),
      ...this.#counts,
      retried: 0,
      queued: 0,
      queuedBytes: 0,
      spooled: 0,
      spooledBytes: 0,
      droppedByAge: 0,
      droppedByBytes: 0,
      droppedAtExit: 0,
      damaged: 0,
      takenOver: 0,
      partlyRejected: 0,
      spool: 'off',
      lastError: this.#lastError,
      lastErrorUnixMs: this.#lastErrorUnixMs,
      notes: { listening: address ? 'yes' : 'no', refused: this.#refused },
    };
  }

  #listen(): void {
    this.#server.listen(this.#exporter.port, this.#exporter.host);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = this.#refusal(request);
    if (refusal) return this.#refuse(response, ...refusal);
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/debug/pprof/' || url.pathname === '/debug/pprof') {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(INDEX);
      return;
    }
    const mode = PATHS[url.pathname];
    if (mode === undefined) return this.#refuse(response, 404, 'there is /debug/pprof/profile and /debug/pprof/wall');
    const text = url.searchParams.get('seconds');
    const seconds = text === null ? DEFAULT_SECONDS : Number(text);
    if (text === '' || !(seconds >= 1 && seconds <= MOST_SECONDS)) {
      return this.#refuse(response, 400, `seconds must be a number from 1 to ${MOST_SECONDS}`);
    }
    await this.#record(mode, seconds, response);
  }

  async #record(mode: 'cpu' | 'wall', seconds: number, response: ServerResponse): Promise<void> {
    const { collect } = this.#hooks;
    if (!collect) return this.#refuse(response, 503, 'no profiler is running here');
    const now = this.#clock.now();
    if (this.#busyUntilMs > 0) {
      const left = Math.max(1, Math.ceil((this.#busyUntilMs - now) / 1000));
      return this.#refuse(response, 429, `another caller's profile is being recorded, for ${left} s more`, { 'retry-after': String(left) });
    }
    this.#busyUntilMs = now + seconds * 1000;
    this.#counts.accepted++;
    const gone = new AbortController();
    let recording = true;
    response.on('close', () => recording && gone.abort());
    try {
      const bytes = await collect(mode, seconds, gone.signal);
      if (gone.signal.aborted) {
        this.#counts.failed++;
        this.#note('the caller left before its profile was done');
        return;
      }
      const disposition = `attachment; filename="${mode}.pb.gz"`;
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-disposition': disposition,
        'content-length': bytes.length,
      });
      response.end(bytes);
      this.#counts.delivered++;
    } catch (error) {
      this.#counts.failed++;
      throw error;
    } finally {
      recording = false;
      this.#busyUntilMs = 0;
      this.#hooks.changed();
    }
  }

  #refusal({ method, headers }: IncomingMessage): [status: number, reason: string, headers?: Record<string, string>] | undefined {
    if (isLoopbackName(this.#exporter.host) && !isLoopbackName(hostOf(headers.host)))
      return [403, 'this server is for its own machine: call it by 127.0.0.1 or localhost'];
    if (this.#exporter.token !== '' && !sameText(headers.authorization ?? '', `Bearer ${this.#exporter.token}`)) {
      return [401, 'a token is asked for: Authorization: Bearer …', { 'www-authenticate': 'Bearer' }];
    }
    return method === 'GET' ? undefined : [405, 'GET only', { allow: 'GET' }];
  }

  #refuse(response: ServerResponse, status: number, reason: string, headers: Record<string, string> = {}): void {
    this.#refused++;
    response
      .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers })
      .end(`strobe: ${reason}\n`);
    this.#hooks.changed();
  }

  #fail(response: ServerResponse, error: Error): void {
    this.#note(error.message);
    if (response.headersSent) response.destroy();
    else this.#refuse(response, 500, error.message);
  }

  #note(error: string): void {
    this.#lastError = error;
    this.#lastErrorUnixMs = this.#clock.now();
  }
}

/** Without the port; '' for none. */
function hostOf(header: string | undefined): string {
  return (header ?? '').replace(/:\d*$/, '').replace(/^\[|\]$/g, '');
}

function isLoopbackName(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

/** In a time that tells nothing about where they differ. */
function sameText(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
