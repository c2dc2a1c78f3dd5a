// One POST and its whole answer, within limits: a time for the connection, a time for everything, a size for the answer. A receiver that hangs, drips or streams
// for ever costs at most those.

import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Connection } from './connection';

export interface Post {
  url: URL;
  headers: Record<string, string>;
  body: Uint8Array;
  connectTimeoutMs: number;
  timeoutMs: number;
  /** Ends the request at once. */
  signal: AbortSignal;
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Answers here are a status and some bytes; more is no receiver of profiles. */
const MAX_REPLY_BYTES = 64 * 1024;

/** What the system's codes mean to someone who configured an endpoint. */
const REASONS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused (is the receiver running?)',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: "the host's name is not known",
  EAI_AGAIN: "the host's name could not be looked up",
  EHOSTUNREACH: 'the host can not be reached',
  ENETUNREACH: 'the network can not be reached',
  ETIMEDOUT: 'the connection timed out',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted (name its authority by tls.caFile)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted (name its authority by tls.caFile)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted (name its authority by tls.caFile)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is not trusted (name its authority by tls.caFile)',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  EPROTO: 'it does not speak TLS as expected',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP',
};

/**
 * @throws Error whose message says why, without URL and credentials. A request that was cut on a connection kept from before is made once more: servers close
 *   idle connections at any time.
 */
export async function post(connection: Connection, request: Post): Promise<Reply> {
  try {
    return await attempt(connection, request);
  } catch (error) {
    if (!(error instanceof StaleConnection) || request.signal.aborted) throw error;
    return attempt(connection, request);
  }
}

class StaleConnection extends Error {}

function attempt(connection: Connection, { url, headers, body, connectTimeoutMs, timeoutMs, signal }: Post): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const route = connection.options(url);
    const sending = connection.request({
      ...route,
      method: 'POST',
      agent: connection.agent,
      headers: { ...headers, ...(route.headers as Record<string, string>), 'content-length': String(body.length) },
    });
    const seconds = (ms: number) => `${Number((ms / 1000).toFixed(1))} s`;
    const connecting = setTimeout(() => fail(new Error(`no connection within ${seconds(connectTimeoutMs)}`)), connectTimeoutMs);
    const whole = setTimeout(() => fail(new Error(`no complete answer within ${seconds(timeoutMs)}`)), timeoutMs);
    const onAbort = () => fail(new Error('the process ends'));
    let done = false;
    let answering = false;
    const end = (settle: () => void) => {
      if (done) return;
      done = true;
      clearTimeout(connecting);
      clearTimeout(whole);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const fail = (error: Error) => {
      end(() => reject(error));
      sending.destroy();
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort);
    sending.on('socket', (socket) => whenConnected(socket, sending.reusedSocket, () => clearTimeout(connecting)));
    sending.on('error', (error: NodeJS.ErrnoException) => {
      // The answer came before all of the body was taken (413, for example): it counts.
      if (answering) return;
      const cut = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      fail(cut && sending.reusedSocket ? new StaleConnection(explain(error)) : new Error(explain(error), { cause: error }));
    });
    sending.on('response', (reply) => {
      answering = true;
      const parts: Buffer[] = [];
      let size = 0;
      reply.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > MAX_REPLY_BYTES) fail(new Error(`the answer (status ${reply.statusCode}) is longer than ${MAX_REPLY_BYTES / 1024} KiB`));
      });
      reply.on('end', () => end(() => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(parts) })));
      reply.on('error', (error) => fail(new Error(`the answer broke off: ${explain(error)}`, { cause: error })));
      reply.on('close', () => fail(new Error('the answer broke off')));
    });
    sending.end(body);
  });
}

function whenConnected(socket: Socket, reused: boolean, connected: () => void): void {
  const { encrypted, secureConnecting } = socket as TLSSocket & { secureConnecting?: boolean };
  if (reused || !(encrypted ? secureConnecting : socket.connecting)) connected();
  else socket.once(encrypted ? 'secureConnect' : 'connect', connected);
}

function explain(error: NodeJS.ErrnoException): string {
  const first = (error as unknown as AggregateError).errors?.[0] as NodeJS.ErrnoException | undefined;
  const { code = '', message } = first ?? error;
  return REASONS[code] ?? (message || code || 'the connection failed');
}
