// The comment that names a script's map, found in its text on disk: `//# sourceMappingURL=…`, the last one that the engine would take
// (V8, Scanner::TryToParseMagicComment: nothing but space may follow the URL on its line, and no quote stands in it).

import type { OpenFile } from './files';

const WORD = Buffer.from('sourceMappingURL=');
const FIRST_PART = 64 * 1024;
const GROWTH = 8;

const isSpace = (byte: number | undefined) => byte === 0x20 || byte === 0x09 || byte === 0x0b || byte === 0x0c;
const isLineEnd = (byte: number | undefined) => byte === undefined || byte === 0x0a || byte === 0x0d;
const isQuote = (byte: number | undefined) => byte === 0x22 || byte === 0x27;

/** The URL's bytes; undefined when there is no such comment. Reads the file's end first: that is where it stands. */
export function mapComment(file: OpenFile): Buffer | undefined {
  for (let length = FIRST_PART; ; length *= GROWTH) {
    const start = Math.max(0, file.size - length);
    const found = lastComment(file.read(start, file.size));
    if (found || start === 0) return found;
  }
}

export function lastComment(text: Buffer): Buffer | undefined {
  for (let at = text.lastIndexOf(WORD); at >= 0; at = at === 0 ? -1 : text.lastIndexOf(WORD, at - 1)) {
    const url = isComment(text, at) ? urlAt(text, at + WORD.length) : undefined;
    if (url) return url;
  }
  return undefined;
}

/** `//#` or `//@`, one space at least. */
function isComment(text: Buffer, at: number): boolean {
  let before = at - 1;
  if (!isSpace(text[before])) return false;
  while (isSpace(text[before])) before--;
  return (text[before] === 0x23 || text[before] === 0x40) && text[before - 1] === 0x2f && text[before - 2] === 0x2f;
}

function urlAt(text: Buffer, at: number): Buffer | undefined {
  while (isSpace(text[at])) at++;
  let end = at;
  while (!isLineEnd(text[end]) && !isSpace(text[end])) {
    if (isQuote(text[end])) return undefined;
    end++;
  }
  let rest = end;
  while (isSpace(text[rest])) rest++;
  return end > at && isLineEnd(text[rest]) ? text.subarray(at, end) : undefined;
}
