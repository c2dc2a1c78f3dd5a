// Where a URL leads, as a request of node:http takes it.

import type { RequestOptions } from 'node:http';

export function address(url: URL): RequestOptions {
  return {
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
  };
}
