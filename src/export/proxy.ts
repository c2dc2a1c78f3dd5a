// Which proxy a request takes, from the environment, as curl and Go read it: HTTP_PROXY for http, HTTPS_PROXY for https, ALL_PROXY for both, NO_PROXY for
// exceptions; lower case first. A receiver on this machine is never asked through a proxy.

import { BlockList, isIP } from 'node:net';

export type Environment = Record<string, string | undefined>;

/**
 * The proxy's URL, or undefined for none.
 * @throws Error when the variable holds no http or https URL; the message names the variable, not its value (it may hold a password)
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(host)) return undefined;
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  // A CGI program gets the request's `Proxy:` header as HTTP_PROXY: anybody could set it.
  const names = [
    `${scheme}_proxy`,
    ...(scheme === 'http' && env.REQUEST_METHOD ? [] : [`${scheme.toUpperCase()}_PROXY`]),
    'all_proxy',
    'ALL_PROXY',
  ];
  const name = names.find((candidate) => env[candidate]);
  if (name === undefined || isExcepted(host, url.port || (scheme === 'https' ? '443' : '80'), env.no_proxy || env.NO_PROXY || ''))
    return undefined;
  const text = env[name] ?? '';
  try {
    const proxy = new URL(text.includes('://') ? text : `http://${text}`);
    if (proxy.protocol === 'http:' || proxy.protocol === 'https:') return proxy;
  } catch {
    // The message below says it.
  }
  throw new Error(`${name} must be the URL of an http or https proxy`);
}

/** `Proxy-Authorization` of a proxy's URL with user and password. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {};
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `noProxy`: a comma-separated list of `*`, names (with their subdomains), addresses, address ranges (10.0.0.0/8), each with an optional port. */
function isExcepted(host: string, port: string, noProxy: string): boolean {
  for (const item of noProxy.toLowerCase().split(',')) {
    const text = item.trim();
    if (text === '') continue;
    if (text === '*') return true;
    if (text.includes('/')) {
      if (isInRange(host, text)) return true;
      continue;
    }
    const [, name = '', itemPort] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(text) ?? [];
    if (itemPort !== undefined && itemPort !== port) continue;
    const bare = name.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
    if (bare !== '' && (host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`)))) return true;
  }
  return false;
}

function isInRange(host: string, range: string): boolean {
  const [address = '', bits = ''] = range.split('/');
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
