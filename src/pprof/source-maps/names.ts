// The original names of minified functions. A map gives identifiers their original names, but V8 says where a function starts, behind its name or nowhere near
// one: `function a(b)` starts at the `(`, `a=b=>…` at the `b`, which has a name in the map, too, and the wrong one. So the script's text is asked: the name that V8
// gives the function is looked for right before its start, and only when it stands there, and the map has a name for exactly that place, is it replaced.
// Without a text (a script that is no file), V8's names are kept.
//
// Forms (N is V8's name, | the start):
//   function N|(   function*N|(   N|(   #N|(   get N|(   async N|(       declarations, methods
//   N=|(a)=>  N=function|(  N:function|(  N=async |…  N=class|…           what V8 names after its variable or key
//   a.N=function|(                                                     V8's name is `a.N`: each part has its own
//   class N{… constructor|(     N=class{… constructor|(                 a constructor has its class's name

import type { OpenFile } from './files';
import type { SourceMap } from './source-map';

export interface NamedStart {
  name: string;
  /** 1-based, as V8 has them: columns are UTF-16 units. */
  line: number;
  column: number;
}

/** `line:column` of a function -> its original name, '' for none. */
export type OriginalNames = Map<string, string>;

// Bytes of text before a start: for its name, for a constructor's class.
const NEAR = 512;
const FAR = 256 * 1024;
const PART = '#?[\\p{ID_Start}$_][\\p{ID_Continue}$\\u200c\\u200d]*';
const IDENTIFIER = new RegExp(`^(get |set )?(${PART}(?:\\.${PART})*)$`, 'u');
const CONSTRUCTOR = /(?<![\w$])constructor\s*$/;

export function placeOf({ line, column }: NamedStart): string {
  return `${line}:${column}`;
}

/** Adds to `names` what the map and the text say of each function. */
export function addOriginalNames(names: OriginalNames, functions: NamedStart[], file: OpenFile, map: SourceMap): void {
  const wanted = functions.filter(({ name, line, column }) => line > 0 && column > 0 && IDENTIFIER.test(name));
  for (const place of functions) names.set(placeOf(place), '');
  if (wanted.length === 0) return;
  wanted.sort((a, b) => a.line - b.line || a.column - b.column);
  const text = file.read(0, file.size);
  const offsets = byteOffsets(text, wanted);
  for (const [index, place] of wanted.entries()) {
    const offset = offsets[index] as number;
    if (offset >= 0) names.set(placeOf(place), originalName(text, offset, place, map) ?? '');
  }
}

/** Index of each place's byte, -1 for a place that the text does not have. Places in order; one pass. Lines end as V8 counts them. */
function byteOffsets(text: Buffer, places: NamedStart[]): number[] {
  const offsets: number[] = [];
  let line = 1;
  let column = 1;
  // Node takes the byte order mark off before V8 sees the text.
  let at = text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf ? 3 : 0;
  for (const place of places) {
    while (at < text.length && (line < place.line || (line === place.line && column < place.column))) {
      const byte = text[at] as number;
      const isSeparator = byte === 0xe2 && text[at + 1] === 0x80 && (text[at + 2] === 0xa8 || text[at + 2] === 0xa9);
      if (byte === 0x0a || (byte === 0x0d && text[at + 1] !== 0x0a) || isSeparator) {
        line++;
        column = 1;
      } else {
        // What needs four bytes in UTF-8 needs two units in UTF-16.
        column += byte >= 0xf0 ? 2 : 1;
      }
      at++;
      while (((text[at] ?? 0) & 0xc0) === 0x80) at++;
    }
    offsets.push(line === place.line && column === place.column ? at : -1);
  }
  return offsets;
}

function originalName(text: Buffer, offset: number, place: NamedStart, map: SourceMap): string | undefined {
  const [, accessor = '', name = ''] = IDENTIFIER.exec(place.name) ?? [];
  const near = before(text, offset, NEAR);
  if (CONSTRUCTOR.test(near)) return className(before(text, offset, FAR), name, place, map);
  if (new RegExp(`^class\\s+${escaped(name)}(?![\\w$])`).test(text.toString('utf8', offset, offset + NEAR))) {
    // A class without a constructor of its own starts at `class`.
    return nameAt(map, place, /^class\s+/.exec(text.toString('utf8', offset, offset + NEAR))?.[0].length ?? 0);
  }
  // V8 calls `a.prototype.b=function(` a.b.
  const written = name.split('.').map(escaped).join('(?:\\.prototype)?\\.');
  const pattern = new RegExp(
    `(?<![\\w$#])${written}(?=\\s*(?:[=:]\\s*(?:async\\s*)?)?$|\\s*[=:]\\s*(?:async\\s+)?function\\s*\\*?\\s*$)`,
    'g',
  );
  const found = [...near.matchAll(pattern)].at(-1);
  if (!found) return undefined;
  const leaveOut = found[0].length > name.length ? 'prototype' : '';
  let distance = found.index - near.length;
  let changed = false;
  const parts: string[] = [];
  for (const part of found[0].split('.')) {
    const original = nameAt(map, place, distance);
    distance += part.length + 1;
    if (part === leaveOut) continue;
    changed ||= original !== undefined;
    parts.push(original ?? part);
  }
  return changed ? accessor + parts.join('.') : undefined;
}

/** The nearest class of that name before its constructor. */
function className(text: string, name: string, place: NamedStart, map: SourceMap): string | undefined {
  const pattern = new RegExp(
    `(?:(?<![\\w$])(?<variable>[\\w$]+)\\s*[=:]\\s*)?(?<![\\w$.])class\\s+(?<own>${escaped(name)})(?![\\w$])|(?<![\\w$.])(?<only>${escaped(name)})(?=\\s*[=:]\\s*class(?![\\w$]))`,
    'g',
  );
  const found = [...text.matchAll(pattern)].at(-1);
  if (!found) return undefined;
  const { own, variable } = found.groups ?? {};
  const start = found.index - text.length;
  if (own === undefined) return nameOnLine(text, place, start, map);
  const ownName = nameOnLine(text, place, start + found[0].length - own.length, map);
  // `var a=class b{}`: what esbuild makes of a class that names itself; b is its own invention, `_Class` or without a name in the map.
  const variableName = variable === undefined ? undefined : nameOnLine(text, place, start, map);
  return ownName === undefined || ownName === `_${variableName}` ? variableName : ownName;
}

/** As `nameAt`, for a place that may be on an earlier line. `distance` is negative. */
function nameOnLine(text: string, { line, column }: NamedStart, distance: number, map: SourceMap): string | undefined {
  const between = text.slice(distance);
  const lines = between.split(/\r\n|[\n\r\u2028\u2029]/).length - 1;
  if (lines === 0) return nameAt(map, { name: '', line, column }, distance);
  const lineStart = /[^\n\r\u2028\u2029]*$/.exec(text.slice(0, distance))?.index ?? 0;
  // The line's start must be in the text that was cut out, or the column is not known.
  return lineStart === 0 ? undefined : map.nameAt(line - lines, text.length + distance - lineStart + 1);
}

function nameAt(map: SourceMap, { line, column }: NamedStart, distance: number): string | undefined {
  const original = map.nameAt(line, column + distance);
  return original && IDENTIFIER.test(original) ? original : undefined;
}

function before(text: Buffer, offset: number, bytes: number): string {
  let start = Math.max(0, offset - bytes);
  while (((text[start] ?? 0) & 0xc0) === 0x80) start++;
  return text.toString('utf8', start, offset);
}

function escaped(name: string): string {
  return name.replace(/[.$]/g, '\\$&');
}
