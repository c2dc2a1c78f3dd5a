// Where finished windows wait on disk. The directory holds profiles (names of functions, labels) and what is put there is sent with our credentials: so it must
// be the user's own, closed to others' writing, and no symbolic link that leads elsewhere.

import { lstatSync, mkdirSync, type Stats } from 'node:fs';
import { StrobeError } from '../errors';
import { ioError } from './io-error';

const OTHERS_MAY_WRITE = 0o022;

/**
 * Makes the directory (mode 0700) or checks the one that is there.
 * @throws StrobeError ERR_IO, with what is wrong and the way out
 */
export function openSpoolDirectory(dir: string): void {
  const problem = problemOf(dir);
  if (problem !== undefined) throw new StrobeError('ERR_IO', `the spool directory ${dir} ${problem}`);
}

function problemOf(dir: string): string | undefined {
  const link = 'is a symbolic link; name the directory itself';
  let found: Stats;
  try {
    // First: making a directory behind a link would already be too much.
    if (lstatSync(dir, { throwIfNoEntry: false })?.isSymbolicLink()) return link;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    found = lstatSync(dir);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return 'is a file; name a directory';
    throw ioError('use the spool directory', dir, cause);
  }
  if (found.isSymbolicLink()) return link;
  if (!found.isDirectory()) return 'is not a directory';
  // No such owners on Windows.
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  if (found.uid !== user) return `belongs to user ${found.uid}, this process runs as ${user}; name a directory of its own`;
  if ((found.mode & OTHERS_MAY_WRITE) === 0) return undefined;
  const mode = (found.mode & 0o777).toString(8);
  return `can be written by others (mode ${mode}): chmod go-w it, or name a folder inside it, which strobe makes for itself`;
}
