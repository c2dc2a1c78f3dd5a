// One source map, read from its text: https://tc39.es/ecma426/. A map with sections is a list of parts, a plain one is one part. Kept are the mappings, the
// names and the sources, as text, in one block of memory outside the heap; everything else of the map (the sources' contents above all) is let go.

import { elements, members, parsed, StringList, skipSpace, textOf } from './json';
import { Mappings, type Segment } from './mappings';
import { broken, MapProblem } from './problem';
import { resolveSource } from './sources';

export interface Position {
  /** Path or URL. */
  file: string;
  /** 1-based. */
  line: number;
  column: number;
}

export interface ParseLimits {
  /** Of the map's memory. */
  maxBytes: number;
  outOfTime: () => boolean;
}

/** Where a part's texts stand; -1 for none. */
interface Outline {
  line: number;
  column: number;
  root: string;
  mappings: [number, number];
  names: [number, number];
  sources: [number, number];
}

interface Part {
  line: number;
  column: number;
  root: string;
  mappings: Mappings;
  names: StringList;
  sources: StringList;
}

// Sections inside sections are no longer in the standard; tools that concatenate made them, two deep.
const DEEPEST_NESTING = 4;
// Objects of a part, measured with a map of 20,000 small sections.
const PART_BYTES = 400;
const LONGEST_ROOT = 4096;
const NOWHERE: [number, number] = [-1, -1];
const MOST = 0x7fffffff;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;

export class SourceMap {
  readonly #base: string;
  readonly #parts: Part[] = [];
  /** Memory held. */
  readonly bytes: number;
  /** Whether `nameAt` may find any. */
  readonly hasNames: boolean;

  /**
   * @param text the map's JSON, UTF-8
   * @param base path or URL of the file that the text stands in: sources are relative to it
   * @throws MapProblem
   */
  constructor(text: Uint8Array, base: string, { maxBytes, outOfTime }: ParseLimits) {
    this.#base = base;
    const outlines = new Outlines(text, maxBytes).found;
    let bytes = 0;
    for (const { mappings, names, sources } of outlines) bytes += PART_BYTES + length(mappings) + length(names) + length(sources);
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    const kept = new Uint8Array(bytes - outlines.length * PART_BYTES);
    let at = 0;
    const keep = ([start, end]: [number, number]): [number, number] => {
      if (start < 0) return NOWHERE;
      kept.set(text.subarray(start, end), at);
      at += end - start;
      return [at - (end - start), at];
    };
    for (const { line, column, root, ...ranges } of outlines) {
      const mappings = unquoted(kept, keep(ranges.mappings));
      const part = {
        line,
        column,
        root,
        mappings: new Mappings(kept, ...mappings, outOfTime),
        names: new StringList(kept, keep(ranges.names)[0]),
        sources: new StringList(kept, keep(ranges.sources)[0]),
      };
      bytes += part.mappings.size + part.names.size + part.sources.size;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      this.#parts.push(part);
    }
    this.bytes = bytes;
    this.hasNames = this.#parts.some(({ names }) => names.length > 0);
  }

  /** What stands at a generated position (1-based): the nearest segment at or before it on its line. undefined when that is from no file. */
  find(line: number, column: number): Position | undefined {
    const hit = this.#segment(line, column);
    if (!hit || hit.segment.source < 0) return undefined;
    const file = resolveSource(hit.part.sources.at(hit.segment.source), hit.part.root, this.#base);
    if (file === undefined) return undefined;
    return { file, line: hit.segment.line + 1, column: hit.segment.originalColumn + 1 };
  }

  /** The original name of the identifier that starts exactly at a generated position (1-based). */
  nameAt(line: number, column: number): string | undefined {
    const hit = this.#segment(line, column);
    return hit?.isExact && hit.segment.name >= 0 ? hit.part.names.at(hit.segment.name) : undefined;
  }

  /** A section owns what stands between its start and the next one's. */
  #segment(line: number, column: number): { part: Part; segment: Segment; isExact: boolean } | undefined {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const part = this.#parts[middle] as Part;
      if (part.line < line - 1 || (part.line === line - 1 && part.column <= column - 1)) low = middle + 1;
      else high = middle;
    }
    const part = this.#parts[low - 1];
    if (!part) return undefined;
    const ownColumn = column - 1 - (part.line === line - 1 ? part.column : 0);
    const segment = part.mappings.find(line - 1 - part.line, ownColumn);
    return segment && { part, segment, isExact: segment.column === ownColumn };
  }
}

/** First reading: where everything stands. */
class Outlines {
  readonly found: Outline[] = [];
  readonly #text: Uint8Array;
  readonly #maxParts: number;

  constructor(text: Uint8Array, maxBytes: number) {
    this.#text = text;
    this.#maxParts = maxBytes / PART_BYTES;
    const end = skipSpace(text, this.#map(documentStart(text), 0, 0, 0));
    if (end < text.length) throw broken('something stands behind it');
  }

  #map(at: number, line: number, column: number, depth: number): number {
    const text = this.#text;
    const own: Outline = { line, column, root: '', mappings: NOWHERE, names: NOWHERE, sources: NOWHERE };
    let version: unknown;
    let sections = -1;
    const end = members(text, at, (key, start, end) => {
      if (key === 'version') version = end - start < 16 ? parsed(text, start, end) : undefined;
      else if (key === 'mappings') own.mappings = [start, end];
      else if (key === 'names' && text[start] !== 0x6e) own.names = [start, end];
      else if (key === 'sources') own.sources = [start, end];
      else if (key === 'sourceRoot') own.root = end - start <= LONGEST_ROOT ? (textOf(text, start, end) ?? '') : '';
      else if (key === 'sections') sections = start;
    });
    if (version !== 3 && version !== '3') throw broken(`its version is ${version === undefined ? 'missing' : 'not 3'}`);
    if (sections >= 0) {
      this.#sections(sections, line, column, depth + 1);
      return end;
    }
    if (own.mappings[0] < 0 || text[own.mappings[0]] !== QUOTE) throw broken('it has no mappings');
    if (own.sources[0] < 0) throw broken('it has no sources');
    const last = this.found.at(-1);
    if (last && (line < last.line || (line === last.line && column < last.column))) throw broken('its sections are not in order');
    if (this.found.length >= this.#maxParts) throw tooLarge(this.#maxParts * PART_BYTES);
    this.found.push(own);
    return end;
  }

  #sections(at: number, line: number, column: number, depth: number): void {
    const text = this.#text;
    if (depth > DEEPEST_NESTING) throw broken('its sections are nested too deeply');
    elements(text, at, (start) => {
      let map = -1;
      let offset: { line?: unknown; column?: unknown } = {};
      members(text, start, (key, from, end) => {
        if (key === 'map') map = from;
        else if (key === 'offset' && end - from < 256) offset = Object(parsed(text, from, end));
      });
      // A section may name another file's map instead; the standard has dropped it.
      if (map < 0) throw broken('a section has no map');
      const [lines, columns] = [offset.line, offset.column].map(wholeNumber) as [number, number];
      this.#map(map, line + lines, lines === 0 ? column + columns : columns, depth);
    });
  }
}

function wholeNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MOST) throw broken("a section's offset is no place");
  return value;
}

function tooLarge(maxBytes: number): MapProblem {
  return new MapProblem('failed', `needs more than ${Math.round(maxBytes / 2 ** 20)} MiB`);
}

function length([start, end]: [number, number]): number {
  return end - start;
}

/** Behind a byte order mark and the `)]}'` line that keeps browsers from running a map as a script. */
function documentStart(text: Uint8Array): number {
  let at = text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf ? 3 : 0;
  if (text[at] === 0x29 && text[at + 1] === 0x5d && text[at + 2] === 0x7d) {
    const lineEnd = text.indexOf(0x0a, at);
    at = lineEnd < 0 ? text.length : lineEnd;
  }
  return skipSpace(text, at);
}

/** The range inside the quotes. The only escape with a reason to be there is `\/`; it is undone in place. */
function unquoted(bytes: Uint8Array, [start, end]: [number, number]): [number, number] {
  const text = bytes.subarray(start + 1, end - 1);
  let to = text.indexOf(BACKSLASH);
  if (to < 0) return [start + 1, end - 1];
  for (let at = to; at < text.length; at++) {
    if (text[at] === BACKSLASH && text[++at] !== SLASH) throw broken('its mappings are no base64 numbers');
    text[to++] = text[at] as number;
  }
  return [start + 1, start + 1 + to];
}
