// TLS to a receiver inside a tunnel that an http proxy opens (CONNECT): the proxy sees the receiver's name, nothing else. A module of its own, loaded only
// where it is needed: node:https takes as long to load as all the rest of a first delivery.

import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { address } from './address';
import { proxyHeaders } from './proxy';

export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #timeoutMs: number;

  constructor(proxy: URL, options: https.AgentOptions, timeoutMs: number) {
    super(options);
    this.#proxy = proxy;
    this.#timeoutMs = timeoutMs;
  }

  // Node's types leave it out; the documentation has it: return nothing, call back with a socket.
  override createConnection(options: tls.ConnectionOptions, done: (error: Error | null, socket?: Duplex) => void): undefined {
    const host = String(options.host);
    const target = `${host.includes(':') ? `[${host}]` : host}:${options.port}`;
    const { request } = this.#proxy.protocol === 'https:' ? https : http;
    let answered = false;
    const once = (error: Error | null, socket?: Duplex) => {
      if (answered) socket?.destroy();
      else done(error, socket);
      answered = true;
    };
    const asked = request({
      ...address(this.#proxy),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyHeaders(this.#proxy) },
      agent: false,
      timeout: this.#timeoutMs,
    });
    asked.on('connect', (reply, socket) => {
      if (reply.statusCode !== 200) {
        socket.destroy();
        once(new Error(`the proxy refused the tunnel with status ${reply.statusCode}`));
        return;
      }
      once(null, tls.connect({ ...options, socket, servername: options.servername ?? (host.includes(':') ? '' : host) }));
    });
    asked.on('response', (reply) => {
      reply.destroy();
      once(new Error(`the proxy answered with status ${reply.statusCode}`));
    });
    asked.on('timeout', () => asked.destroy(new Error('the proxy does not answer')));
    asked.on('error', (error) => once(new Error(`the proxy: ${error.message}`, { cause: error })));
    asked.end();
    return undefined;
  }
}
