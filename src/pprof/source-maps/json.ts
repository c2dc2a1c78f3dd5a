// Walks JSON in its bytes, without making values of it. A map of 64 MiB is mostly `sourcesContent`, which nobody here reads: parsed whole it would cost
// the encoder's heap several times its size. What is wanted is found by its range and parsed alone; what is not is stepped over. Nothing recurses, whatever
// the nesting. Stepping over is lenient (it does not mind `[}`), but an end before the value's end is refused.

import { broken } from './problem';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
// A longer key is none of ours.
const LONGEST_KEY = 64;

const isSpace = (byte: number | undefined) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

export function skipSpace(bytes: Uint8Array, at: number): number {
  while (isSpace(bytes[at])) at++;
  return at;
}

function stringEnd(bytes: Uint8Array, at: number): number {
  for (at++; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) return at + 1;
    if (bytes[at] === BACKSLASH) at++;
  }
  throw broken('it ends inside a string');
}

/** Index behind the value that starts at `at`. */
function valueEnd(bytes: Uint8Array, at: number): number {
  let depth = 0;
  const start = at;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = stringEnd(bytes, at) - 1;
      if (depth === 0) return at + 1;
    } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth++;
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      if (depth === 0) break;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || byte === COLON || isSpace(byte))) {
      break;
    }
  }
  if (depth > 0) throw broken('it ends too early');
  if (at === start) throw broken('a value is missing');
  return at;
}

/** Index behind the separator or the end: `last` says which. */
function next(bytes: Uint8Array, at: number, close: number): { at: number; last: boolean } {
  at = skipSpace(bytes, at);
  if (bytes[at] === COMMA) return { at: skipSpace(bytes, at + 1), last: false };
  if (bytes[at] === close) return { at: at + 1, last: true };
  throw broken('its JSON is not valid');
}

/** Calls `visit` with each member's key and the range of its value; returns the index behind the object. */
export function members(bytes: Uint8Array, at: number, visit: (key: string, start: number, end: number) => void): number {
  if (bytes[at] !== OPEN_OBJECT) throw broken('an object is missing');
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_OBJECT) return at + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) throw broken('its JSON is not valid');
    const keyEnd = stringEnd(bytes, at);
    const key = keyEnd - at <= LONGEST_KEY ? (textOf(bytes, at, keyEnd) ?? '') : '';
    at = skipSpace(bytes, keyEnd);
    if (bytes[at] !== COLON) throw broken('its JSON is not valid');
    const start = skipSpace(bytes, at + 1);
    const end = valueEnd(bytes, start);
    visit(key, start, end);
    const after = next(bytes, end, CLOSE_OBJECT);
    at = after.at;
    if (after.last) return at;
  }
}

/** Calls `visit` with the range of each element; returns the index behind the array. */
export function elements(bytes: Uint8Array, at: number, visit: (start: number, end: number) => void): number {
  if (bytes[at] !== OPEN_ARRAY) throw broken('an array is missing');
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_ARRAY) return at + 1;
  for (;;) {
    const end = valueEnd(bytes, at);
    visit(at, end);
    const after = next(bytes, end, CLOSE_ARRAY);
    at = after.at;
    if (after.last) return at;
  }
}

/** The value in a range; undefined when it is not valid. For short ranges. */
export function parsed(bytes: Uint8Array, start: number, end: number): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The string in a range; undefined for any other value. */
export function textOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  const value = bytes[start] === QUOTE ? parsed(bytes, start, end) : undefined;
  return typeof value === 'string' ? value : undefined;
}

// Every 16th element's place is kept: an array of 30 million zeros must not cost more than its own text.
const STEP = 16;
const NO_PLACES = new Uint32Array(0);

/** An array of strings that are parsed one at a time, when asked for. `start` is the index of its `[`, or -1 for an empty list. */
export class StringList {
  readonly #bytes: Uint8Array;
  #places = NO_PLACES;
  #length = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    if (start < 0) return;
    elements(bytes, start, (place) => {
      if (this.#length % STEP === 0) this.#addPlace(this.#length / STEP, place);
      this.#length++;
    });
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes held besides the text. */
  get size(): number {
    return this.#places.byteLength;
  }

  /** undefined for an index outside the list and for an element that is no string. */
  at(index: number): string | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    let at = this.#places[Math.floor(index / STEP)] as number;
    for (let i = index - (index % STEP); i < index; i++) at = next(this.#bytes, valueEnd(this.#bytes, at), CLOSE_ARRAY).at;
    return textOf(this.#bytes, at, valueEnd(this.#bytes, at));
  }

  #addPlace(index: number, place: number): void {
    if (index === this.#places.length) {
      const places = new Uint32Array(Math.max(4, index * 2));
      places.set(this.#places);
      this.#places = places;
    }
    this.#places[index] = place;
  }
}
