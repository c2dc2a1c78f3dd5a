// The bytes behind a `data:` URL, made from the URL's bytes: a map of 60 MB in a comment must not pass through the heap. https://www.rfc-editor.org/rfc/rfc2397

import { broken, MapProblem } from './problem';

const COMMA = 0x2c;
const PERCENT = 0x25;
// A multiple of four: base64 can be cut there.
const CHUNK = 2 ** 20;

/** @throws MapProblem */
export function dataOf(url: Buffer, maxBytes: number): Buffer {
  const comma = url.indexOf(COMMA);
  if (comma < 0) throw broken('its data: URL has no comma');
  const isBase64 = /;\s*base64\s*$/i.test(url.toString('latin1', 0, comma));
  const data = unescaped(url.subarray(comma + 1));
  const length = isBase64 ? Math.floor((data.length * 3) / 4) : data.length;
  if (length > maxBytes) throw new MapProblem('failed', `is larger than ${Math.round(maxBytes / 2 ** 20)} MiB`);
  return isBase64 ? fromBase64(data) : data;
}

function unescaped(text: Buffer): Buffer {
  if (!text.includes(PERCENT)) return text;
  const out = Buffer.allocUnsafeSlow(text.length);
  let to = 0;
  for (let at = 0; at < text.length; at++) {
    const high = text[at] === PERCENT ? hexDigit(text[at + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(text[at + 2]);
    out[to++] = low < 0 ? (text[at] as number) : high * 16 + low;
    if (low >= 0) at += 2;
  }
  return out.subarray(0, to);
}

/** -1 for anything else. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function fromBase64(text: Buffer): Buffer {
  const out = Buffer.allocUnsafeSlow(Math.ceil((text.length * 3) / 4));
  let to = 0;
  for (let at = 0; at < text.length; at += CHUNK) to += out.write(text.toString('latin1', at, at + CHUNK), to, 'base64');
  return out.subarray(0, to);
}
