// The `mappings` of a source map: lookups straight in the text. https://tc39.es/ecma426/ (Mappings): lines end with `;`, segments with `,`, a segment is
// 1, 4 or 5 base64 VLQ numbers, each the difference to the one before.
//
// Decoded to arrays, as libraries do, a segment of 6 bytes costs 90: a map of 10 MB would fill 130 MB, and take seconds. Here the text stays text. One
// pass checks it and notes where it stands every 512 bytes; a lookup goes to the note before the position and reads on, at most some hundred bytes. Lines cost
// nothing: a text of 60 million `;` is 60 MB, as it was.
//
// Stricter than libraries in one thing: columns that go backwards are refused (they would have to be sorted, which text can't be).

import { broken, MapProblem } from './problem';

/** Original positions are 0-based here, as in the map. */
export interface Segment {
  /** Of the segment itself, generated. */
  column: number;
  /** -1: this code is from no file. */
  source: number;
  line: number;
  originalColumn: number;
  /** -1: none. */
  name: number;
}

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGITS = new Int8Array(256).fill(-1);
for (let digit = 0; digit < ALPHABET.length; digit++) DIGITS[ALPHABET.charCodeAt(digit)] = digit;
// Six digits hold 29 bits and the sign: more than a file of 64 MiB has columns or lines.
const LAST_SHIFT = 25;
const MOST = 0x7fffffff;

const END = 0;
const LINE = 1;
const SEGMENT = 2;

/** Where reading stands: all fields are those of the segment read last, `fields` is how many numbers it had, 0 when the line had none yet. */
class Cursor {
  at: number;
  line = 0;
  column = 0;
  fields = 0;
  source = 0;
  originalLine = 0;
  originalColumn = 0;
  name = 0;

  constructor(
    readonly bytes: Uint8Array,
    start: number,
    readonly end: number,
  ) {
    this.at = start;
  }

  /** Reads one line's end or one segment. */
  step(): number {
    if (this.at >= this.end) return END;
    if (this.bytes[this.at] === SEMICOLON) {
      this.at++;
      this.line++;
      this.column = 0;
      this.fields = 0;
      return LINE;
    }
    const column = this.#number(this.column);
    if (column < this.column) throw broken('its columns are not in order');
    this.column = column;
    let fields = 1;
    if (this.#inSegment()) {
      this.source = this.#number(this.source);
      this.originalLine = this.#number(this.originalLine);
      this.originalColumn = this.#number(this.originalColumn);
      fields = 4;
      if (this.#inSegment()) {
        this.name = this.#number(this.name);
        fields = 5;
      }
      if (this.#inSegment()) throw broken('a segment has too many numbers');
    }
    this.fields = fields;
    if (this.bytes[this.at] === COMMA && this.at < this.end) {
      this.at++;
      if (!this.#inSegment()) throw broken('a segment is empty');
    }
    return SEGMENT;
  }

  #inSegment(): boolean {
    const byte = this.bytes[this.at];
    return this.at < this.end && byte !== COMMA && byte !== SEMICOLON;
  }

  #number(before: number): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const digit = this.at < this.end ? (DIGITS[this.bytes[this.at++] as number] as number) : -1;
      if (digit < 0) throw broken('its mappings are no base64 numbers');
      if (shift > LAST_SHIFT) throw broken('a number in its mappings is absurd');
      value |= (digit & 31) << shift;
      shift += 5;
      if (digit < 32) break;
    }
    const sum = before + (value & 1 ? -(value >>> 1) : value >>> 1);
    if (sum < 0 || sum > MOST) throw broken('its mappings lead outside any file');
    return sum;
  }
}

const SPAN = 512;
// at, line, column, fields, source, original line, original column, name
const WIDTH = 8;
const NO_NOTES = new Int32Array(0);
/** A question of the time every 64 KiB. */
const NOTES_BETWEEN_QUESTIONS = 128;

export class Mappings {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #notes = NO_NOTES;
  #count = 0;

  /**
   * @param outOfTime asked now and then while the text is checked
   * @throws MapProblem
   */
  constructor(bytes: Uint8Array, start: number, end: number, outOfTime: () => boolean) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    const cursor = new Cursor(bytes, start, end);
    let noted = start;
    while (cursor.step() !== END) {
      if (cursor.at - noted < SPAN) continue;
      noted = cursor.at;
      this.#note(cursor);
      if (this.#count % NOTES_BETWEEN_QUESTIONS === 0 && outOfTime()) throw new MapProblem('skipped', 'no time was left to read it');
    }
  }

  /** Bytes held besides the text. */
  get size(): number {
    return this.#notes.byteLength;
  }

  /** The last segment of the line that starts at or before the column; of several at the column itself the first. 0-based. */
  find(line: number, column: number): Segment | undefined {
    const cursor = this.#before(line, column);
    const found: Segment = { column: 0, source: -1, line: 0, originalColumn: 0, name: -1 };
    let any = cursor.line === line && cursor.fields > 0;
    if (any) take(found, cursor);
    for (let step = cursor.step(); step !== END; step = cursor.step()) {
      if (cursor.line > line) break;
      if (step === LINE || cursor.line < line) continue;
      if (cursor.column > column) break;
      take(found, cursor);
      any = true;
      if (cursor.column === column) break;
    }
    return any ? found : undefined;
  }

  /** Stands at the last note strictly before the position, or at the start. */
  #before(line: number, column: number): Cursor {
    const notes = this.#notes;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const noteLine = notes[middle * WIDTH + 1] as number;
      if (noteLine < line || (noteLine === line && (notes[middle * WIDTH + 2] as number) < column)) low = middle + 1;
      else high = middle;
    }
    const cursor = new Cursor(this.#bytes, this.#start, this.#end);
    if (low === 0) return cursor;
    const note = (low - 1) * WIDTH;
    cursor.at = notes[note] as number;
    cursor.line = notes[note + 1] as number;
    cursor.column = notes[note + 2] as number;
    cursor.fields = notes[note + 3] as number;
    cursor.source = notes[note + 4] as number;
    cursor.originalLine = notes[note + 5] as number;
    cursor.originalColumn = notes[note + 6] as number;
    cursor.name = notes[note + 7] as number;
    return cursor;
  }

  #note(cursor: Cursor): void {
    const { at, line, column, fields, source, originalLine, originalColumn, name } = cursor;
    const place = this.#count++ * WIDTH;
    if (place === this.#notes.length) {
      const notes = new Int32Array(Math.max(4 * WIDTH, place * 2));
      notes.set(this.#notes);
      this.#notes = notes;
    }
    this.#notes.set([at, line, column, fields, source, originalLine, originalColumn, name], place);
  }
}

function take(found: Segment, cursor: Cursor): void {
  found.column = cursor.column;
  found.source = cursor.fields > 1 ? cursor.source : -1;
  found.line = cursor.originalLine;
  found.originalColumn = cursor.originalColumn;
  found.name = cursor.fields > 4 ? cursor.name : -1;
}
