// Connections to one receiver: kept alive, with the user's certificates, through a proxy where the environment names one.

import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import type { CheckedNetwork } from './network';
import { type Environment, proxyFor, proxyHeaders } from './proxy';

/** How a request is made so that it takes this connection. */
export interface Connection {
  agent: http.Agent;
  /** What differs from a plain request to the receiver: through an http proxy, the proxy's address and the whole URL as path. */
  options(url: URL): http.RequestOptions;
  secure: boolean;
}

type Certificates = Pick<tls.ConnectionOptions, 'ca' | 'cert' | 'key'>;

/** Reads the PEM files anew: certificates are replaced while a process runs. Throws the system's error. */
function certificates({ caFile, certFile, keyFile }: CheckedNetwork['tls']): Certificates {
  return {
    ...(caFile && { ca: readFileSync(caFile) }),
    ...(certFile && { cert: readFileSync(certFile) }),
    ...(keyFile && { key: readFileSync(keyFile) }),
  };
}

/** @throws Error for a proxy variable that can't be read, a PEM file that is gone */
export function connect(network: CheckedNetwork, env: Environment): Connection {
  const url = new URL(network.endpoint);
  const secure = url.protocol === 'https:';
  const proxy = network.proxy === 'none' ? undefined : proxyFor(url, env);
  // One request at a time: one connection.
  const keep = { keepAlive: true, maxSockets: 1 };
  const pems = secure ? certificates(network.tls) : {};
  if (!proxy) {
    const agent = secure ? new https.Agent({ ...keep, ...pems }) : new http.Agent(keep);
    return { agent, secure, options: direct };
  }
  if (secure) return { agent: new TunnelAgent(proxy, { ...keep, ...pems }, network.connectTimeoutMs), secure, options: direct };
  return {
    agent: proxy.protocol === 'https:' ? new https.Agent(keep) : new http.Agent(keep),
    secure: proxy.protocol === 'https:',
    options: (target) => ({
      ...address(proxy),
      path: target.href,
      headers: { ...proxyHeaders(proxy), host: target.host },
    }),
  };
}

function direct(url: URL): http.RequestOptions {
  return { ...address(url), path: url.pathname + url.search };
}

function address(url: URL): http.RequestOptions {
  return {
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
  };
}

/** TLS to the receiver inside a tunnel that the proxy opens (CONNECT): the proxy sees the host's name, nothing else. */
class TunnelAgent extends https.Agent {
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
