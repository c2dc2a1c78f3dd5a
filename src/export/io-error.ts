// An operation on a path failed: what the system said, in words that name the path.

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
