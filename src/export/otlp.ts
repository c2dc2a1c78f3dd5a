// The OTLP exporter for profiles, as the application's thread sees it: its checked description. What encodes is formats/otlp.ts, what sends otlp-sender.ts.

import { Checks } from './checks';
import { type CheckedNetwork, checkNetwork, hideSecrets, NETWORK_OPTIONS, type NetworkOptions } from './network';

/** The signal is in development: the path says so, and changes when it is done. */
export const OTLP_PROFILES_PATH = '/v1development/profiles';

export interface OtlpExporterOptions extends NetworkOptions {
  /** Path of the receiver behind the endpoint. Default `/v1development/profiles`. */
  path?: string;
  /** 'gzip' (default); 'zstd': where this Node has it (22.15 and later), gzip elsewhere and for a receiver that answers that it can't read it; 'none'. */
  compression?: 'gzip' | 'zstd' | 'none';
}

export interface OtlpExporter {
  kind: 'otlp';
  path: string;
  compression: 'gzip' | 'zstd' | 'none';
  network: CheckedNetwork;
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function otlpExporter(options: OtlpExporterOptions): OtlpExporter {
  const checks = new Checks('otlpExporter', options ?? {}, [...NETWORK_OPTIONS, 'path', 'compression']);
  const path = checks.text('path') ?? OTLP_PROFILES_PATH;
  if (!/^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*$/.test(path))
    checks.refuse(`path must begin with / and be a path of a URL, got ${JSON.stringify(path)}`);
  return hideSecrets({
    kind: 'otlp',
    path,
    compression: checks.choice('compression', ['gzip', 'zstd', 'none'], 'gzip'),
    network: checkNetwork(checks, 'http://localhost:4318'),
  });
}
