// Finished windows on disk: one directory an exporter, one file a window, shared by all processes that name it.
//
// Contract. When `put` returns, the window survives the process: SIGKILL, the out-of-memory killer, a crash. (Not a power cut: nothing is synced; a damaged entry is
// recognised, counted and removed.) A file appears whole, by renaming. Before it is sent an entry is *claimed*, by renaming it to a name with its owner: of two
// processes that try, one finds the file gone. A claim of a dead process is taken over; where life can't be seen (another container on the same volume), one whose lease
// has run out. So an entry is sent once, and once more at most for each process killed while it sent.
// The directory's listing is the only index: names hold time and size, so bounds need no look into files and no agreement between processes. Oldest entries past
// `maxBytes`, `maxEntries` or `maxAgeMs` are removed and counted, claimed ones never. What strobe did not name is left alone.

import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, unlinkSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isOwnerName, livenessOf, type Owner } from './owner';
import type { Payload } from './payload';
import { openSpoolDirectory } from './spool-directory';
import { DamagedEntry, entryParts, readEntry, writeEntry } from './spool-file';

/** `<created, ms>-<owner's nonce>-<number>-<bytes>.entry`, behind it the owner of a claim. */
const NAME = /^(\d{14})-([0-9a-f]{8})-(\d{8})-(\d{1,9})\.entry(?:\.([0-9a-f-]+)\.claim)?$/;
const UNFINISHED = /^\.(.+)\.([0-9a-f-]+)\.tmp$/;

/** Longer than any request may take, so that a live owner's claim is never taken. */
export const CLAIM_LEASE_MS = 600_000;
/** A listing of this many names takes some ten milliseconds of the encoder's thread. */
export const MAX_ENTRIES = 20_000;

export interface SpoolBounds {
  maxBytes: number;
  maxAgeMs: number;
  maxEntries?: number;
}

/** Since this spool was opened. */
export interface SpoolCounts {
  droppedByAge: number;
  droppedByBytes: number;
  damaged: number;
  /** Claims of dead processes taken over. */
  takenOver: number;
}

export interface Spooled {
  name: string;
  createdMs: number;
  bytes: number;
  /** Made by this spool's owner. */
  own: boolean;
}

interface Listed extends Spooled {
  claim: string | undefined;
}

export class Spool {
  readonly counts: SpoolCounts = { droppedByAge: 0, droppedByBytes: 0, damaged: 0, takenOver: 0 };
  /** As last listed, ours and others'. */
  entries = 0;
  bytes = 0;
  readonly #bounds: Required<SpoolBounds>;
  readonly #claimed = new Set<string>();
  #number = 0;

  /** @throws StrobeError ERR_IO when the directory, or the one it is in, is not safe or can't be made */
  constructor(
    readonly dir: string,
    bounds: SpoolBounds,
    readonly owner: Owner,
    readonly now: () => number,
  ) {
    this.#bounds = { maxEntries: MAX_ENTRIES, ...bounds };
    openSpoolDirectory(dirname(dir));
    openSpoolDirectory(dir);
    this.sweep();
  }

  /**
   * Keeps a window; bounds are held by the next `sweep`. Throws the system's error (a full disk), with nothing left behind.
   * @returns the entry's name
   */
  put(payload: Payload, createdMs: number): string {
    const parts = entryParts(payload);
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    const number = String(this.#number++).padStart(8, '0');
    const name = `${String(Math.max(0, Math.round(createdMs))).padStart(14, '0')}-${this.owner.nonce}-${number}-${bytes}.entry`;
    const temporary = join(this.dir, `.${name}.${this.owner.name}.tmp`);
    const write = () => {
      try {
        writeEntry(temporary, parts);
        renameSync(temporary, join(this.dir, name));
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
    };
    try {
      write();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Somebody cleaned up the temporary files.
      mkdirSync(this.dir, { recursive: true, mode: 0o700 });
      openSpoolDirectory(this.dir);
      write();
    }
    return name;
  }

  /**
   * Removes what is past the bounds and takes over what dead processes claimed.
   * @returns what waits and is nobody's, oldest first
   */
  sweep(): Spooled[] {
    const listed = this.#list();
    const now = this.now();
    let bytes = 0;
    for (const entry of listed) {
      bytes += entry.bytes;
      if (entry.claim !== undefined && this.#isAbandoned(entry)) this.#takeOver(entry);
    }
    let left = listed.length;
    const waiting: Spooled[] = [];
    for (const entry of listed) {
      if (entry.claim !== undefined) continue;
      const old = now - entry.createdMs > this.#bounds.maxAgeMs;
      if (old || bytes > this.#bounds.maxBytes || left > this.#bounds.maxEntries) {
        bytes -= entry.bytes;
        left--;
        if (this.#remove(entry.name)) this.counts[old ? 'droppedByAge' : 'droppedByBytes']++;
      } else {
        waiting.push(entry);
      }
    }
    this.entries = left;
    this.bytes = bytes;
    return waiting;
  }

  /** Claims an entry and reads it; undefined when it is somebody else's or gone, or was damaged (counted). */
  claim(name: string): Payload | undefined {
    const path = join(this.dir, name);
    const claimed = this.#claimPath(name);
    try {
      // The lease begins before the claim can be seen.
      const seconds = Date.now() / 1000;
      if (lstatSync(path).isFile()) utimesSync(path, seconds, seconds);
      renameSync(path, claimed);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    this.#claimed.add(name);
    try {
      return readEntry(claimed, sizeOf(name));
    } catch (error) {
      if (!(error instanceof DamagedEntry)) {
        this.release(name);
        throw error;
      }
      this.counts.damaged++;
      this.#claimed.delete(name);
      // Also where it is a folder of that name.
      rmSync(claimed, { force: true, recursive: true });
      return undefined;
    }
  }

  /** The claimed entry arrived, or is refused for good. */
  remove(name: string): void {
    this.#claimed.delete(name);
    rmSync(this.#claimPath(name), { force: true });
    this.entries = Math.max(0, this.entries - 1);
    this.bytes = Math.max(0, this.bytes - sizeOf(name));
  }

  /** The claimed entry waits again, for anybody. */
  release(name: string): void {
    this.#claimed.delete(name);
    try {
      renameSync(this.#claimPath(name), join(this.dir, name));
    } catch (error) {
      // Its lease ran out (this process was stopped for long): whoever took it has it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #claimPath(name: string): string {
    return join(this.dir, `${name}.${this.owner.name}.claim`);
  }

  #list(): Listed[] {
    const listed: Listed[] = [];
    let names: string[];
    try {
      names = readdirSync(this.dir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    for (const file of names.sort()) {
      const [, created, nonce, , bytes, claim] = NAME.exec(file) ?? [];
      if (created !== undefined) {
        const name = file.slice(0, file.indexOf('.entry') + '.entry'.length);
        listed.push({ name, createdMs: Number(created), bytes: Number(bytes), own: nonce === this.owner.nonce, claim });
      } else {
        this.#removeUnfinished(file);
      }
    }
    return listed;
  }

  /** What a process that died was writing. */
  #removeUnfinished(file: string): void {
    const owner = UNFINISHED.exec(file)?.[2];
    if (owner === undefined || !isOwnerName(owner) || owner === this.owner.name) return;
    if (this.#isStale(owner, file)) this.#remove(file);
  }

  #isAbandoned({ name, claim }: Listed): boolean {
    if (claim === undefined || !isOwnerName(claim)) return false;
    return claim === this.owner.name ? !this.#claimed.has(name) : this.#isStale(claim, `${name}.${claim}.claim`);
  }

  #isStale(owner: string, file: string): boolean {
    if (livenessOf(owner) === 'dead') return true;
    try {
      return Date.now() - lstatSync(join(this.dir, file)).mtimeMs > CLAIM_LEASE_MS;
    } catch {
      return false; // Gone meanwhile: its owner is at work.
    }
  }

  #takeOver(entry: Listed): void {
    try {
      renameSync(join(this.dir, `${entry.name}.${entry.claim}.claim`), join(this.dir, entry.name));
      entry.claim = undefined;
      this.counts.takenOver++;
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** False when it is gone already. */
  #remove(name: string): boolean {
    try {
      unlinkSync(join(this.dir, name));
      return true;
    } catch (error) {
      // A folder of an entry's name, or one that another process removed: not ours to count.
      if (['ENOENT', 'EISDIR', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
      throw error;
    }
  }
}

function sizeOf(name: string): number {
  return Number(NAME.exec(name)?.[4] ?? 0);
}
