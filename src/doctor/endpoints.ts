// Are the places reachable where profiles are sent to? One HEAD request each, with one limit over name, connection, TLS and answer. Any answer of HTTP means reachable: what a
// backend says to a request without a profile says nothing about one with it.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { broken, degraded, type Finding, ok } from './finding';

export interface Endpoint {
  /** Where it is named: an option or a variable. */
  from: string;
  url: string;
}

/** All STROBE_* variables that hold a URL. */
export function endpointsFrom(env: NodeJS.ProcessEnv): Endpoint[] {
  return Object.entries(env).flatMap(([from, url]) =>
    from.startsWith('STROBE_') && /^https?:\/\//i.test(url ?? '') ? [{ from, url: url as string }] : [],
  );
}

export async function checkEndpoints(endpoints: Endpoint[], timeoutMs: number): Promise<Finding[]> {
  if (endpoints.length === 0) return [ok('endpoints', 'none named (--endpoint URL, or a STROBE_ variable)')];
  return Promise.all(endpoints.map((endpoint) => checkEndpoint(endpoint, timeoutMs)));
}

/** Without user, password and query: those are secrets. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

async function checkEndpoint({ from, url: text }: Endpoint, timeoutMs: number): Promise<Finding> {
  let url: URL;
  try {
    url = new URL(text);
    if (!['http:', 'https:'].includes(url.protocol)) throw new Error();
  } catch {
    // Not shown: a password may be in it.
    return broken('endpoint', `${from} holds no http:// or https:// URL`, `correct ${from}`);
  }
  const where = `${shownUrl(url)} (${from})`;
  try {
    const status = await ask(url, timeoutMs);
    if (status === 407) return degraded('endpoint', `${where}: a proxy asks for credentials (407)`, 'add them to the proxy variable');
    if ((status === 401 || status === 403) && url.username === '')
      return ok('endpoint', `${where} answers and asks for credentials (${status}), which exporters send and this check does not`);
    if (status >= 500)
      return degraded('endpoint', `${where} answers ${status}`, 'the backend has a problem of its own; finished windows wait for it');
    return ok('endpoint', `${where} answers (${status})`);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return broken('endpoint', `${where}: ${reason(code, message, timeoutMs)}`, advice(code));
  }
}

function ask(url: URL, timeoutMs: number): Promise<number> {
  return new Promise((done, failed) => {
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = make(url, { method: 'HEAD', agent: false, headers: { 'user-agent': 'strobe-doctor' } });
    // One limit over all, whatever the other side sends meanwhile.
    const limit = setTimeout(() => request.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), timeoutMs);
    const end = (act: () => void) => {
      clearTimeout(limit);
      request.destroy();
      act();
    };
    request.on('response', ({ statusCode = 0 }) => end(() => done(statusCode)));
    request.on('error', (error) => end(() => failed(error)));
    request.end();
  });
}

function reason(code: string, message: string, timeoutMs: number): string {
  const known: Record<string, string> = {
    ECONNREFUSED: 'nobody listens there',
    ENOTFOUND: 'the name is not known',
    EAI_AGAIN: 'the name server does not answer',
    ETIMEDOUT: `no answer within ${timeoutMs / 1000} s`,
    ECONNRESET: 'the connection was reset',
    EHOSTUNREACH: 'no way to the host',
    ENETUNREACH: 'no way to the network',
    ERR_ACCESS_DENIED: "this Node's permission model refuses the network",
  };
  return known[code] ?? `${message}${code === '' ? '' : ` (${code})`}`;
}

function advice(code: string): string {
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) return 'the certificate is not trusted: give its authority with NODE_EXTRA_CA_CERTS';
  if (code === 'ETIMEDOUT') return 'look for a firewall between, or a proxy that is needed';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'correct the host name, or the name service of this container';
  return 'start the backend, or correct the address';
}
