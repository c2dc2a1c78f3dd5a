// Holds the bounds of a directory of windows: the oldest files go. Only files whose names strobe gives to windows are looked at, whichever process wrote them.

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileExporter } from './file';

const WINDOW = /^(?:cpu|wall)-(?:\d{8}T\d{9}Z-\d+-)?\d{4,}\.pb\.gz$/;

/**
 * The newest file stays whatever its size.
 * @returns how many files were removed; throws the system's error
 */
export async function removeOldFiles(dir: string, exporter: FileExporter, nowMs: number): Promise<number> {
  const { maxFiles = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY, maxAgeSeconds = Number.POSITIVE_INFINITY } = exporter;
  if (![maxFiles, maxBytes, maxAgeSeconds].some(Number.isFinite)) return 0;
  const files: { path: string; bytes: number; writtenMs: number }[] = [];
  for (const name of await readdir(dir)) {
    if (!WINDOW.test(name)) continue;
    const path = join(dir, name);
    // Another process may have removed it meanwhile.
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) files.push({ path, bytes: found.size, writtenMs: found.mtimeMs });
  }
  files.sort((a, b) => b.writtenMs - a.writtenMs || (a.path < b.path ? 1 : -1));
  let bytes = 0;
  let removed = 0;
  for (const [index, file] of files.entries()) {
    bytes += file.bytes;
    if (index === 0 || (index < maxFiles && bytes <= maxBytes && nowMs - file.writtenMs <= maxAgeSeconds * 1000)) continue;
    await rm(file.path, { force: true });
    removed++;
  }
  return removed;
}
