// The maps in use. Each script's map is looked for once; what came of it is remembered, so a broken map costs one reading and one count. Memory is bounded
// by bytes: the maps used longest ago are let go and read again when they are needed, if their file is still the one that ran.

import { createHash } from 'node:crypto';
import { MAP_KIND, readMap, type Script } from './locate';
import type { OriginalNames } from './names';
import { MapProblem, type ProblemKind } from './problem';
import { SourceMap } from './source-map';

export type Outcome = 'loaded' | ProblemKind;

export interface CacheLimits {
  /** Of all maps together. */
  maxBytes: number;
  /** Of one map's text (and of a script that is searched for its map). */
  maxTextBytes: number;
}

export const DEFAULT_LIMITS: CacheLimits = { maxBytes: 64 * 2 ** 20, maxTextBytes: 64 * 2 ** 20 };

export interface CacheCounts {
  /** Readings, those of a map that had been let go among them. */
  loaded: number;
  failed: number;
  missing: number;
  stale: number;
  /** Memory held now. */
  bytes: number;
}

export interface Entry {
  /** Names the script in `MapUse`. */
  readonly key: string;
  /** When a slice named the script first. */
  readonly seenUnixMs: number;
  outcome: Outcome | undefined;
  map: SourceMap | undefined;
  /** Names found in the script's text, kept with the map. */
  names: OriginalNames | undefined;
  bytes: number;
}

// A script's entry without a map takes some hundred bytes; programs that make scripts forever must not fill memory with them.
const MOST_ENTRIES = 20_000;
const LONGEST_KEY = 1024;

export class MapCache {
  readonly #limits: CacheLimits;
  /** Longest unused first. */
  readonly #entries = new Map<string, Entry>();
  /** Of the entries that were forgotten, the earliest: a script that is named again is not trusted with a later file. */
  #forgottenUnixMs = Number.POSITIVE_INFINITY;
  readonly counts: CacheCounts = { loaded: 0, failed: 0, missing: 0, stale: 0, bytes: 0 };
  /** The first map that failed, and why. */
  firstFailure: string | undefined;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  /**
   * @param unixMs end of the slice that names the script
   * @param outOfTime true: no map is read any more; outcome 'skipped'
   */
  get(script: Script, unixMs: number, outOfTime: () => boolean): Entry {
    const key = keyOf(script);
    const entry = this.#entries.get(key) ?? {
      key,
      seenUnixMs: Math.min(unixMs, this.#forgottenUnixMs),
      outcome: undefined,
      map: undefined,
      names: undefined,
      bytes: 0,
    };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (entry.outcome === undefined || entry.outcome === 'skipped') this.#load(entry, script, outOfTime);
    if (this.#entries.size > MOST_ENTRIES) this.#forget();
    return entry;
  }

  /** The entry's names take so many bytes more. */
  grow(entry: Entry, bytes: number): void {
    entry.bytes += bytes;
    this.counts.bytes += bytes;
    this.#shrink(entry);
  }

  /** Whatever is wrong with a map, the profile goes on without it. */
  refuse(entry: Entry, script: Script, error: unknown): void {
    this.#release(entry);
    const outcome = error instanceof MapProblem ? error.kind : 'failed';
    entry.outcome = outcome;
    if (outcome === 'skipped') return;
    this.counts[outcome]++;
    if (outcome === 'failed') this.firstFailure ??= reason(script, error as Error);
  }

  #load(entry: Entry, script: Script, outOfTime: () => boolean): void {
    try {
      if (outOfTime()) throw new MapProblem('skipped', 'no time was left to read it');
      const { maxBytes, maxTextBytes } = this.#limits;
      const { text, base } = readMap(script, { maxBytes: maxTextBytes, seenUnixMs: entry.seenUnixMs, outOfTime });
      entry.map = new SourceMap(text, base, { maxBytes, outOfTime });
      entry.outcome = 'loaded';
      this.counts.loaded++;
      this.grow(entry, entry.map.bytes);
    } catch (error) {
      this.refuse(entry, script, error);
    }
  }

  /** Lets maps go until the bound holds; the one in use stays (it alone is never larger). */
  #shrink(used: Entry): void {
    for (const entry of this.#entries.values()) {
      if (this.counts.bytes <= this.#limits.maxBytes) return;
      if (entry !== used && entry.map) this.#release(entry);
    }
  }

  #release(entry: Entry): void {
    this.counts.bytes -= entry.bytes;
    entry.map = undefined;
    entry.names = undefined;
    entry.bytes = 0;
    entry.outcome = undefined;
  }

  #forget(): void {
    const [oldest] = this.#entries.values();
    if (!oldest) return;
    this.#release(oldest);
    this.#forgottenUnixMs = Math.min(this.#forgottenUnixMs, oldest.seenUnixMs);
    this.#entries.delete(oldest.key);
  }
}

/** A script that is loaded again with another map is another script. */
function keyOf({ file, kind, url }: Script): string {
  if (kind !== MAP_KIND.url) return file;
  return `${file} ${url.length > LONGEST_KEY ? createHash('sha256').update(url).digest('base64') : url}`;
}

function reason({ file }: Script, error: Error): string {
  const name = file.length > 200 ? `${file.slice(0, 200)}…` : file;
  return `the map of ${name} ${error.message}`;
}
