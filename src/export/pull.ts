// The pull exporter, as the application's thread sees it: its checked description. The server is pull-server.ts, on the encoder's thread.

import { Checks } from './checks';
import { hideSecrets } from './network';

export interface PullExporterOptions {
  /** TCP port, 1 to 65535; 0: any free one (stats().delivery says which). */
  port: number;
  /** Address to listen on. Default '127.0.0.1': this machine only. */
  host?: string;
  /** Asked of every caller as `Authorization: Bearer …`. Default: none. */
  token?: string;
}

export interface PullExporter {
  kind: 'pull';
  port: number;
  host: string;
  /** '' for none. */
  token: string;
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function pullExporter(options: PullExporterOptions): PullExporter {
  const checks = new Checks('pullExporter', options ?? {}, ['port', 'host', 'token']);
  const port = checks.optionalNumber('port', { least: 0, most: 65_535, unit: 'a TCP port', whole: true });
  if (port === undefined) return checks.refuse('port is missing: a TCP port, for example pullExporter({ port: 6060 })');
  return hideSecrets({
    kind: 'pull',
    port,
    host: checks.text('host') ?? '127.0.0.1',
    token: checks.text('token', { secret: true }) ?? '',
  });
}
