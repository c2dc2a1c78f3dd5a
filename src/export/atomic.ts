// Writes a file whole or not at all: to a temporary name in the same folder, synced, then renamed, so that a reader (or a crash, or a full disk) never
// sees half a profile, and an older file of that name lives until the new one is complete.

import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { ioError } from './io-error';

/**
 * A symbolic link is followed; what is not a regular file (a pipe, /dev/null) is written to directly, for a rename would replace it.
 * @throws StrobeError ERR_IO, with nothing left behind
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  try {
    const target = await realpath(path).catch(() => path);
    const existing = await stat(target).catch(() => undefined);
    if (existing && !existing.isFile()) await writeFile(target, data);
    else await replace(target, data, existing?.mode);
  } catch (cause) {
    throw ioError('write', path, cause);
  }
}

let written = 0;
/** Unlike any other writer's: another process, another thread, another file. */
function temporaryId(): string {
  return `${process.pid}-${threadId}-${process.hrtime.bigint().toString(36)}-${written++}`;
}

async function replace(target: string, data: Uint8Array | string, mode: number | undefined): Promise<void> {
  // A long name must stay within the file system's 255 bytes with our ending on it.
  const temporary = join(dirname(target), `.${basename(target).slice(0, 64)}.${temporaryId()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o666);
    try {
      await file.writeFile(data);
      if (mode !== undefined) await file.chmod(mode & 0o777);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
