// The spool of one exporter of one service.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { CheckedNetwork, CheckedSpool } from './network';
import { newOwner } from './owner';
import { Spool } from './spool';
import { removeAbandoned } from './spool-abandoned';

/**
 * A folder of its own inside the spool's directory: windows of another service, receiver or tenant are never sent with this one's credentials. A new token or
 * another process of the same service finds what waits.
 * @throws StrobeError ERR_IO
 */
export function spoolOf(
  { kind, network }: { kind: string; network: CheckedNetwork },
  { dir, maxBytes, maxAgeMs }: CheckedSpool,
  appName: string,
  now: () => number,
): Spool {
  const key = createHash('sha256').update(`${kind}\n${network.identity}\n${appName}`).digest('hex').slice(0, 16);
  const spool = new Spool(join(dir, `${kind}-${key}`), { maxBytes, maxAgeMs }, newOwner(), now);
  removeAbandoned(dir, now());
  return spool;
}
