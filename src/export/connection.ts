// Connections to one receiver: kept alive, with the user's certificates, through a proxy where the environment names one.

import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import type * as https from 'node:https';
import type * as tls from 'node:tls';
import { address } from './address';
import type { CheckedNetwork } from './network';
import { type Environment, proxyFor, proxyHeaders } from './proxy';

/** How a request is made so that it takes this connection. */
export interface Connection {
  agent: http.Agent;
  /** What differs from a plain request to the receiver: through an http proxy, the proxy's address and the whole URL as path. */
  options(url: URL): http.RequestOptions;
  /** Of node:http or node:https, as the connection is. */
  request: typeof http.request;
}

/** Only where there is TLS: loading it takes as long as all the rest of a first delivery. */
const loadHttps = () => require('node:https') as typeof https;

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
    const { Agent, request } = secure ? loadHttps() : http;
    return { agent: new Agent({ ...keep, ...pems }), request, options: direct };
  }
  if (secure) {
    const { TunnelAgent } = require('./tunnel') as typeof import('./tunnel');
    const agent = new TunnelAgent(proxy, { ...keep, ...pems }, network.connectTimeoutMs);
    return { agent, request: loadHttps().request, options: direct };
  }
  const { Agent, request } = proxy.protocol === 'https:' ? loadHttps() : http;
  return {
    agent: new Agent(keep),
    request,
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
