// Rewrites a slice: generated positions become those in the files that the user wrote. What has no map, or stands at a place that its map says nothing about,
// stays as it is: file, line and column go together, never one without the others.
//
// A function of a bundle may hold code of several files. A function of a profile has one file: it is split, one row for each file that its frames lead to,
// all with its name; only the row of the file that it starts in has a first line. Rows that become equal are merged by the ProfileBuilder, which knows functions
// by (name, file, line, column).
//
// Scripts are done one after the other, so that one map at a time is needed, however little memory there is.

import type { Slice } from '../../native';
import { type CacheCounts, type CacheLimits, DEFAULT_LIMITS, type Entry, MapCache, type Outcome } from './cache';
import { OpenFile } from './files';
import { MAP_KIND, type Script } from './locate';
import { addOriginalNames, type NamedStart, placeOf } from './names';
import type { Position, SourceMap } from './source-map';

/** What became of the scripts of a slice that have maps. */
export interface MapUse {
  /** By a name of the script that holds for the mapper's life. */
  scripts: Map<string, Outcome>;
  /** Frames left as they are because no time was left to read their map. */
  skippedFrames: number;
}

interface Group {
  script: Script;
  functions: number[];
  frames: number[];
}

// Of one script, and what one costs in memory.
const MOST_NAMES = 20_000;
const NAME_BYTES = 150;
const ANONYMOUS = '(anonymous)';

export class SliceMapper {
  readonly #cache: MapCache;
  readonly #outOfTime: () => boolean;
  readonly #limits: CacheLimits;

  /** @param outOfTime asked before and while a map is read; from true on, scripts whose map is not in memory are skipped */
  constructor({ outOfTime = () => false, limits = DEFAULT_LIMITS }: { outOfTime?: () => boolean; limits?: CacheLimits } = {}) {
    this.#cache = new MapCache(limits);
    this.#outOfTime = outOfTime;
    this.#limits = limits;
  }

  get counts(): Readonly<CacheCounts> {
    return this.#cache.counts;
  }

  get firstFailure(): string | undefined {
    return this.#cache.firstFailure;
  }

  /** Gives a new slice (the one given stays as it is), or the same one when no script of it has a map. Never throws for what a map is like. */
  apply(slice: Slice): { slice: Slice; use: MapUse } {
    const use: MapUse = { scripts: new Map(), skippedFrames: 0 };
    const groups = groupsOf(slice);
    if (groups.length === 0) return { slice, use };
    const rows = new Rows(slice);
    let changed = false;
    for (const group of groups) {
      const entry = this.#cache.get(group.script, slice.endUnixMs, this.#outOfTime);
      if (entry.map) {
        changed = true;
        this.#mapGroup(group, entry, entry.map, rows);
      }
      use.scripts.set(entry.key, entry.outcome as Outcome);
      if (entry.outcome === 'skipped') use.skippedFrames += group.frames.length;
    }
    return { slice: changed ? rows.finish() : slice, use };
  }

  #mapGroup(group: Group, entry: Entry, map: SourceMap, rows: Rows): void {
    try {
      this.#findNames(entry, group, rows);
      mapGroup(group, entry, map, rows);
    } catch (error) {
      // A map was checked when it was read: this is a mistake of ours, which must not cost the slice.
      this.#cache.refuse(entry, group.script, error);
    }
  }

  /** Looks the group's functions up in the script's text, once each. */
  #findNames(entry: Entry, { script, functions }: Group, rows: Rows): void {
    if (!entry.map?.hasNames) return;
    if (entry.names && entry.names.size > MOST_NAMES) {
      this.#cache.grow(entry, -entry.names.size * NAME_BYTES);
      entry.names = undefined;
    }
    entry.names ??= new Map();
    const { names, map } = entry;
    const unknown = functions.map((index) => rows.startOf(index)).filter((start) => !names.has(placeOf(start)));
    if (unknown.length === 0) return;
    const before = names.size;
    try {
      const file = new OpenFile(script.file, {
        maxBytes: this.#limits.maxTextBytes,
        seenUnixMs: entry.seenUnixMs,
        outOfTime: this.#outOfTime,
      });
      try {
        addOriginalNames(names, unknown, file, map);
      } finally {
        file.close();
      }
    } catch {
      // No text, or none that can be trusted: V8's names are kept.
      for (const start of unknown) names.set(placeOf(start), '');
    }
    this.#cache.grow(entry, (names.size - before) * NAME_BYTES);
  }
}

function groupsOf(slice: Slice): Group[] {
  const { functionMapKind, functionMapUrl, functionFile, strings, frameFunction } = slice;
  if (!functionMapKind || !functionMapUrl) return [];
  const groups = new Map<string, Group>();
  const groupOf = new Array<Group | undefined>(functionMapKind.length);
  for (let index = 0; index < functionMapKind.length; index++) {
    const kind = functionMapKind[index] as number;
    const urlId = kind === MAP_KIND.url ? (functionMapUrl[index] as number) : 0;
    if (kind === MAP_KIND.none || (kind === MAP_KIND.url && !strings[urlId])) continue;
    const key = `${kind} ${functionFile[index]} ${urlId}`;
    let group = groups.get(key);
    if (!group) {
      const script = { file: strings[functionFile[index] as number] ?? '', kind, url: strings[urlId] ?? '' };
      group = { script, functions: [], frames: [] };
      groups.set(key, group);
    }
    group.functions.push(index);
    groupOf[index] = group;
  }
  for (let frame = 0; frame < frameFunction.length; frame++) groupOf[frameFunction[frame] as number]?.frames.push(frame);
  return [...groups.values()];
}

function mapGroup({ functions, frames }: Group, entry: Entry, map: SourceMap, rows: Rows): void {
  const starts = new Map<number, Position | undefined>();
  for (const index of functions) {
    const start = rows.startOf(index);
    starts.set(index, start.line > 0 && start.column > 0 ? map.find(start.line, start.column) : undefined);
    const name = entry.names?.get(placeOf(start));
    if (name && start.name !== ANONYMOUS) rows.rename(index, name);
  }
  for (const frame of frames) {
    const index = rows.functionOf(frame);
    const start = starts.get(index);
    const { line, column } = rows.positionOf(frame);
    if (line > 0) rows.place(frame, column > 0 ? map.find(line, column) : undefined, start);
    // An unknown position is the function's own, and stays unknown.
    else rows.place(frame, start && { ...start, line: 0, column: 0 }, start);
  }
}

/** The new columns of functions and frames. A function's own row becomes that of the first file its frames lead to; the others are added behind. */
class Rows {
  readonly #slice: Slice;
  readonly #strings: string[];
  readonly #ids = new Map<string, number>();
  readonly #name: number[];
  readonly #file: number[];
  readonly #line: number[];
  readonly #column: number[];
  /** Row -> the function it comes from. */
  readonly #origin: number[];
  readonly #frameFunction: Uint32Array;
  readonly #frameLine: Uint32Array;
  readonly #frameColumn: Uint32Array;
  /** Function -> file ('' for the generated one) -> row. */
  readonly #rows = new Map<number, Map<string, number>>();

  constructor(slice: Slice) {
    this.#slice = slice;
    this.#strings = [...slice.strings];
    this.#name = [...slice.functionName];
    this.#file = [...slice.functionFile];
    this.#line = [...slice.functionLine];
    this.#column = [...slice.functionColumn];
    this.#origin = this.#name.map((_, index) => index);
    this.#frameFunction = slice.frameFunction.slice();
    this.#frameLine = slice.frameLine.slice();
    this.#frameColumn = slice.frameColumn.slice();
  }

  startOf(index: number): NamedStart {
    const { strings, functionName, functionLine, functionColumn } = this.#slice;
    const name = strings[functionName[index] as number] ?? '';
    return { name, line: functionLine[index] as number, column: functionColumn[index] as number };
  }

  functionOf(frame: number): number {
    return this.#slice.frameFunction[frame] as number;
  }

  positionOf(frame: number): { line: number; column: number } {
    return { line: this.#slice.frameLine[frame] as number, column: this.#slice.frameColumn[frame] as number };
  }

  /** For all rows of the function. Before its frames are placed. */
  rename(index: number, name: string): void {
    this.#name[index] = this.#string(name);
  }

  /** Puts a frame where the map says; undefined leaves it where it is. */
  place(frame: number, position: Position | undefined, start: Position | undefined): void {
    this.#frameFunction[frame] = this.#row(this.functionOf(frame), position?.file ?? '', start);
    if (!position) return;
    this.#frameLine[frame] = position.line;
    this.#frameColumn[frame] = position.column;
  }

  finish(): Slice {
    const slice = this.#slice;
    return {
      ...slice,
      strings: this.#strings,
      functionName: Uint32Array.from(this.#name),
      functionFile: Uint32Array.from(this.#file),
      functionLine: Uint32Array.from(this.#line),
      functionColumn: Uint32Array.from(this.#column),
      functionKind: Uint8Array.from(this.#origin, (index) => slice.functionKind[index] as number),
      functionMapKind: new Uint8Array(this.#name.length),
      functionMapUrl: new Uint32Array(this.#name.length),
      frameFunction: this.#frameFunction,
      frameLine: this.#frameLine,
      frameColumn: this.#frameColumn,
    };
  }

  #row(index: number, file: string, start: Position | undefined): number {
    let rows = this.#rows.get(index);
    if (!rows) {
      rows = new Map();
      this.#rows.set(index, rows);
    }
    let row = rows.get(file);
    if (row === undefined) {
      row = rows.size === 0 ? index : this.#origin.push(index) - 1;
      rows.set(file, row);
      const own = this.#slice;
      const isStart = file !== '' && start?.file === file;
      this.#name[row] = this.#name[index] as number;
      this.#file[row] = file === '' ? (own.functionFile[index] as number) : this.#string(file);
      this.#line[row] = file === '' ? (own.functionLine[index] as number) : isStart ? start.line : 0;
      this.#column[row] = file === '' ? (own.functionColumn[index] as number) : isStart ? start.column : 0;
    }
    return row;
  }

  #string(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#strings.push(text) - 1;
      this.#ids.set(text, id);
    }
    return id;
  }
}
