// Writes a file whole or not at all: to a temporary name in the same folder, synced, then renamed, so that a reader (or a crash, or a full disk) never
// sees half a profile, and an older file of that name lives until the new one is complete.

import { randomBytes } from 'node:crypto';
import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StrobeError } from '../errors';

/** What the usual errno values mean to someone who named a path. */
const REASONS: Record<string, string> = {
  ENOENT: 'no such file or folder',
  EEXIST: 'a part of the path is not a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  ENAMETOOLONG: 'the name is too long',
};

/** @param doing 'read' or 'write' */
export function ioError(doing: string, path: string, cause: unknown): StrobeError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = REASONS[code ?? ''] ?? message ?? String(cause);
  return new StrobeError('ERR_IO', `cannot ${doing} ${path}: ${reason}`, { cause });
}

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

async function replace(target: string, data: Uint8Array | string, mode: number | undefined): Promise<void> {
  // A long name must stay within the file system's 255 bytes with our ending on it.
  const temporary = join(dirname(target), `.${basename(target).slice(0, 64)}.${randomBytes(6).toString('hex')}.tmp`);
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
