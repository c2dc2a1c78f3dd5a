// Folders of exporters that are configured no more: nobody reads them, so nobody holds their bounds. What is older there than any entry may become is removed.

import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_AGE_SECONDS } from './network';

const FOLDER = /^(?:pyroscope|otlp)-[0-9a-f]{16}$/;
const FILE = /^\.?\d{14}-[0-9a-f]{8}-\d{8}-\d{1,9}\.entry/;

/** Also removes such folders when nothing is left in them. Errors are the next start's: nothing depends on it. */
export function removeAbandoned(dir: string, nowMs: number): void {
  for (const folder of readdirSync(dir)) {
    if (!FOLDER.test(folder)) continue;
    const path = join(dir, folder);
    try {
      if (!lstatSync(path).isDirectory()) continue;
      const old = readdirSync(path).filter(
        (name) => FILE.test(name) && nowMs - Number(name.replace('.', '').slice(0, 14)) > 1000 * MAX_AGE_SECONDS,
      );
      for (const name of old) unlinkSync(join(path, name));
      if (old.length > 0) rmdirSync(path);
    } catch (error) {
      // In use, being cleaned by another process as well, or not ours to clean.
      if (!['ENOENT', 'ENOTEMPTY', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}
