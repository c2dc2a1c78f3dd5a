// Reads files that a script's text names, so that nothing in that text can do harm: only regular files (a FIFO would never end, a device may do anything),
// only up to a size known before reading, only as they were when the script ran, and no longer than there is time for.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { MapProblem } from './problem';

export interface ReadLimits {
  maxBytes: number;
  /** A file written after this moment (Unix, milliseconds) is not the one that ran. */
  seenUnixMs: number;
  outOfTime: () => boolean;
}

const CHUNK = 4 * 2 ** 20;
const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

export class OpenFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #limits: ReadLimits;
  readonly size: number;

  /** @throws MapProblem */
  constructor(path: string, limits: ReadLimits) {
    this.#path = path;
    this.#limits = limits;
    // Asked before opening: to open a device is to use it. Asked again behind it: the path may lead elsewhere by then.
    check(
      attempt(path, () => statSync(path)),
      path,
      limits,
    );
    this.#fd = attempt(path, () => openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    try {
      const stats = attempt(path, () => fstatSync(this.#fd));
      check(stats, path, limits);
      this.size = stats.size;
    } catch (problem) {
      this.close();
      throw problem;
    }
  }

  read(start: number, end: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    for (let at = 0; at < bytes.length; ) {
      if (this.#limits.outOfTime()) throw new MapProblem('skipped', 'no time was left to read it');
      const length = Math.min(CHUNK, bytes.length - at);
      const read = attempt(this.#path, () => readSync(this.#fd, bytes, at, length, start + at));
      if (read === 0) throw new MapProblem('failed', `${this.#path} became shorter while it was read`);
      at += read;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** @throws MapProblem */
export function readFile(path: string, limits: ReadLimits): Buffer {
  const file = new OpenFile(path, limits);
  try {
    return file.read(0, file.size);
  } finally {
    file.close();
  }
}

function check(stats: Stats, path: string, { maxBytes, seenUnixMs }: ReadLimits): void {
  if (!stats.isFile()) throw new MapProblem('failed', `${path} is no regular file`);
  if (stats.size > maxBytes) throw new MapProblem('failed', `${path} is larger than ${Math.round(maxBytes / 2 ** 20)} MiB`);
  if (stats.mtimeMs > seenUnixMs) throw new MapProblem('stale', `${path} was written after its program was loaded`);
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'an error';
    throw new MapProblem(code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'failed', `${path} can't be read (${code})`);
  }
}
