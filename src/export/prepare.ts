// What can be known to fail before anything is started: directories that can't be written, certificates that can't be read. On the application's thread, at
// the start only.

import { readFileSync } from 'node:fs';
import { StrobeError } from '../errors';
import type { Exporter } from './exporter';
import { prepareFileExporter } from './file';
import { ioError } from './io-error';
import { openSpoolDirectory } from './spool-directory';

/**
 * Makes the directories an exporter needs, checks files that it names.
 * @throws StrobeError ERR_IO
 */
export function prepareExporter(exporter: Exporter): void {
  if (exporter.kind === 'file') {
    prepareFileExporter(exporter);
    return;
  }
  if (exporter.kind === 'pull') return;
  const who = `exporters: ${exporter.kind}Exporter's`;
  const { spool, tls } = exporter.network;
  for (const [name, path] of Object.entries(tls)) {
    try {
      if (!readFileSync(path, 'latin1').includes('-----BEGIN ')) throw new Error('it is no PEM file');
    } catch (cause) {
      throw new StrobeError('ERR_IO', `${who} tls.${name}: ${ioError('read', path, cause).message}`, { cause });
    }
  }
  // The default directory is not insisted on: without it windows wait in memory.
  if (!spool?.asked) return;
  try {
    openSpoolDirectory(spool.dir);
  } catch (cause) {
    throw new StrobeError('ERR_IO', `${who} spool.dir: ${(cause as Error).message}`, { cause });
  }
}
