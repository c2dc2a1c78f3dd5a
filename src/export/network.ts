// The options that every exporter over the network has: where, as whom, how long, and where finished windows wait meanwhile.
//
// What is checked here is plain data (it crosses to the encoder's thread). It holds secrets, so a description prints without them: `console.log(exporter)`
// and JSON.stringify(exporter) show `***`.

import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Checks } from './checks';

export interface NetworkOptions {
  /** Where the receiver is: `http://localhost:4040`, `https://profiles.example.com`. A path before the receiver's own is kept. */
  endpoint: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** `Authorization: Bearer …`. */
  token?: string;
  /** `Authorization: Basic …`, with `password`. */
  username?: string;
  password?: string;
  /** `X-Scope-OrgID` of receivers that serve several tenants. */
  tenant?: string;
  /** For one request from its start to the last byte of the answer, seconds, 0.1 to 300. Default 10. */
  timeoutSeconds?: number;
  /** For the connection, with TLS and a proxy's tunnel, seconds, 0.1 to 60. Default 5. */
  connectTimeoutSeconds?: number;
  /** PEM files. `caFile` replaces the certificate authorities that Node trusts; `certFile` and `keyFile` are the client's own. Read again after a failure. */
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
  /** 'environment' (default): HTTP_PROXY, HTTPS_PROXY and NO_PROXY count. 'none': straight to the receiver. */
  proxy?: 'environment' | 'none';
  /**
   * Where windows wait on disk; `false`: in memory only (16 MiB), lost when the process dies. `dir`: default `strobe-spool-<uid>` in the system's folder of temporary
   * files; `maxBytes`: 1 MiB to 1 TiB, default 256 MiB; `maxAgeSeconds`: 60 to 604,800 (a week), default 86,400. Past these bounds the oldest are dropped and counted.
   */
  spool?: false | { dir?: string; maxBytes?: number; maxAgeSeconds?: number };
}

export const NETWORK_OPTIONS = [
  'endpoint',
  'headers',
  'token',
  'username',
  'password',
  'tenant',
  'timeoutSeconds',
  'connectTimeoutSeconds',
  'tls',
  'proxy',
  'spool',
] as const;

export interface CheckedNetwork {
  /** Origin and path, without user, query and trailing slash. */
  endpoint: string;
  /** All of them, with authorization and tenant. */
  headers: Record<string, string>;
  /** Texts that no message may show. */
  secrets: string[];
  /** Whose data it is to the receiver: part of the spool's key. */
  identity: string;
  timeoutMs: number;
  connectTimeoutMs: number;
  tls: { caFile?: string; certFile?: string; keyFile?: string };
  proxy: 'environment' | 'none';
  spool: CheckedSpool | undefined;
}

export interface CheckedSpool {
  dir: string;
  /** False: the default directory; when that can't be used, windows wait in memory instead, and stats() says so. */
  asked: boolean;
  maxBytes: number;
  maxAgeMs: number;
}

const MIB = 2 ** 20;
/** A week: what an abandoned entry of any exporter may live. */
export const MAX_AGE_SECONDS = 604_800;

/** Set by the sender; an application that sets them breaks the request. */
const OWN_HEADERS = new Set(['host', 'content-length', 'content-type', 'content-encoding', 'transfer-encoding', 'connection', 'expect']);
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the tab is the one control character that a header may hold
const HEADER_VALUE = /^[\x09\x20-\x7e\x80-\xff]*$/;

export function defaultSpoolDirectory(): string {
  return join(tmpdir(), `strobe-spool-${process.getuid?.() ?? 'user'}`);
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function checkNetwork(checks: Checks, example: string): CheckedNetwork {
  const url = checkUrl(checks, example);
  const headers = checkHeaders(checks);
  const secrets = Object.values(headers);
  const [user, password] = [
    checks.text('username') ?? decodeURIComponent(url.username),
    checks.text('password', { secret: true }) ?? decodeURIComponent(url.password),
  ];
  const token = checks.text('token', { secret: true });
  if (password !== '' && user === '') checks.refuse('password goes with username');
  if (token !== undefined && user !== '') checks.refuse('token (Bearer) and username (Basic) exclude each other');
  const authorization =
    token === undefined ? (user === '' ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`) : `Bearer ${token}`;
  if (authorization !== undefined) {
    if (headers.authorization !== undefined) checks.refuse('headers.authorization stands beside token or username: give one of them');
    if (!HEADER_VALUE.test(authorization)) checks.refuse('token holds a character that no header can carry');
    headers.authorization = authorization;
    secrets.push(authorization, authorization.slice(authorization.indexOf(' ') + 1), password, token ?? '');
  }
  const tenant = checks.text('tenant');
  if (tenant !== undefined) {
    if (!HEADER_VALUE.test(tenant)) checks.refuse('tenant holds a character that no header can carry');
    headers['x-scope-orgid'] = tenant;
  }
  const endpoint = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  return {
    endpoint,
    headers,
    secrets: [...new Set(secrets)].filter((text) => text.length > 3 && text !== tenant),
    identity: [endpoint, user, headers['x-scope-orgid'] ?? ''].join('\n'),
    timeoutMs: 1000 * checks.number('timeoutSeconds', { least: 0.1, most: 300, fallback: 10, unit: 'seconds' }),
    connectTimeoutMs: 1000 * checks.number('connectTimeoutSeconds', { least: 0.1, most: 60, fallback: 5, unit: 'seconds' }),
    tls: checkTls(checks, url),
    proxy: checks.choice('proxy', ['environment', 'none'], 'environment'),
    spool: checkSpool(checks),
  };
}

function checkUrl(checks: Checks, example: string): URL {
  const given = checks.text('endpoint', { what: `a URL, for example ${example}`, secret: true });
  if (given === undefined) return checks.refuse(`endpoint is missing: a URL, for example ${example}`);
  // Not shown: it may hold a password.
  const wrong = (why: string): never => checks.refuse(`endpoint ${why}; a URL is needed, for example ${example}`);
  let url: URL;
  try {
    url = new URL(given);
    decodeURIComponent(url.username + url.password);
  } catch {
    return wrong('can not be read');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') wrong(`starts with ${url.protocol}, not with http: or https:`);
  if (url.search !== '' || url.hash !== '') wrong('has a query or a fragment (keys go into headers)');
  return url;
}

function checkHeaders(checks: Checks): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(checks.texts('headers'))) {
    if (!HEADER_NAME.test(name)) checks.refuse(`headers: ${JSON.stringify(name)} is no name of a header`);
    if (OWN_HEADERS.has(name.toLowerCase())) checks.refuse(`headers.${name} is set by strobe`);
    if (!HEADER_VALUE.test(value)) checks.refuse(`headers.${name} holds a character that no header can carry`);
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function checkTls(checks: Checks, url: URL): CheckedNetwork['tls'] {
  const inner = checks.inner('tls', ['caFile', 'certFile', 'keyFile']);
  if (!inner) return {};
  if (url.protocol !== 'https:') checks.refuse('tls is for an https endpoint');
  const tls: CheckedNetwork['tls'] = {};
  for (const name of ['caFile', 'certFile', 'keyFile'] as const) {
    const path = inner.text(name, { what: 'the path of a PEM file' });
    if (path !== undefined) tls[name] = resolve(path);
  }
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) checks.refuse('tls.certFile and tls.keyFile go together');
  return tls;
}

function checkSpool(checks: Checks): CheckedSpool | undefined {
  if (checks.raw('spool') === false) return undefined;
  const inner = checks.inner('spool', ['dir', 'maxBytes', 'maxAgeSeconds']);
  const dir = inner?.text('dir', { what: 'the path of a directory' });
  return {
    dir: dir === undefined ? defaultSpoolDirectory() : resolve(dir),
    asked: dir !== undefined,
    maxBytes: inner?.number('maxBytes', { least: MIB, most: 2 ** 40, fallback: 256 * MIB, unit: 'bytes', whole: true }) ?? 256 * MIB,
    maxAgeMs: 1000 * (inner?.number('maxAgeSeconds', { least: 60, most: MAX_AGE_SECONDS, fallback: 86_400, unit: 'seconds' }) ?? 86_400),
  };
}

/** Makes a description print without its secrets. The helpers are not enumerable, so they don't cross to the encoder. */
export function hideSecrets<T extends { network: CheckedNetwork } | { token: string }>(exporter: T): T {
  const safe = () =>
    'network' in exporter
      ? {
          ...exporter,
          network: {
            ...exporter.network,
            headers: Object.fromEntries(Object.keys(exporter.network.headers).map((name) => [name, '***'])),
            secrets: '***',
          },
        }
      : { ...exporter, token: exporter.token === '' ? '' : '***' };
  Object.defineProperty(exporter, Symbol.for('nodejs.util.inspect.custom'), { value: safe });
  Object.defineProperty(exporter, 'toJSON', { value: safe });
  return exporter;
}
