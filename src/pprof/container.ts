// What stands around a pprof message: gzip, or nothing. Gives the message's bytes, or says what the file is instead, because the usual mistake is
// to hand over a profile of another format, and "invalid wire type 3" helps nobody.

import { gunzipSync } from 'node:zlib';
import { StrobeError } from '../errors';

/** A profile that unpacks to more is refused: nobody has such a profile, but a gzip of 1 MiB can claim to. */
export const MAX_UNPACKED_BYTES = 2 ** 30;

/** First bytes of files that people take for a pprof profile. None of them can begin a valid one. */
const FOREIGN: [magic: string, is: string][] = [
  ['\x1f\x8b', 'gzip inside gzip: unpack it once with gunzip'],
  ['\x89PNG', 'a PNG image'],
  ['\x7fELF', 'an ELF binary, not a profile of one'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['\x28\xb5\x2f\xfd', 'zstd-compressed: unpack it with zstd -d'],
  ['FLR\0', 'a Java Flight Recorder file'],
  ['PERFILE2', 'a perf.data file'],
  ['%PDF', 'a PDF document'],
  ['<', 'an HTML, SVG or XML document'],
];

const TEXT_PROBE_BYTES = 256;

/**
 * The protobuf bytes inside `bytes`; `source` is the name for messages.
 * @throws StrobeError ERR_PROFILE_INVALID
 */
export function unpack(bytes: Uint8Array, source: string, maxBytes = MAX_UNPACKED_BYTES): Uint8Array {
  const message = ungzip(bytes, source, maxBytes);
  const foreign = nameForeign(message);
  if (foreign) throw invalid(source, `it is ${foreign}`);
  return message;
}

/**
 * What is inside the gzip; bytes without one as they are. At least one byte.
 * @throws StrobeError ERR_PROFILE_INVALID
 */
export function ungzip(bytes: Uint8Array, source: string, maxBytes = MAX_UNPACKED_BYTES): Uint8Array {
  if (bytes.length === 0) throw invalid(source, 'it is empty (0 bytes)');
  const message = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzip(bytes, source, maxBytes) : bytes;
  if (message.length === 0) throw invalid(source, 'it unpacks to 0 bytes');
  if (message.length > maxBytes) throw invalid(source, tooLarge(maxBytes));
  return message;
}

export function invalid(source: string, problem: string, cause?: unknown): StrobeError {
  return new StrobeError(
    'ERR_PROFILE_INVALID',
    `${source} is not a valid pprof profile: ${problem}`,
    cause === undefined ? undefined : { cause },
  );
}

function gunzip(bytes: Uint8Array, source: string, maxBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw invalid(source, tooLarge(maxBytes), cause);
    if (code === 'Z_BUF_ERROR') throw invalid(source, 'its gzip data ends too early (truncated file)', cause);
    throw invalid(source, `its gzip data is damaged (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
}

function tooLarge(maxBytes: number): string {
  return `it unpacks to more than ${maxBytes >= 2 ** 20 ? `${maxBytes / 2 ** 20} MiB` : `${maxBytes} bytes`}, the limit`;
}

/** What the bytes are when they are surely not pprof, else undefined. */
function nameForeign(message: Uint8Array): string | undefined {
  const head = Buffer.from(message.buffer, message.byteOffset, Math.min(message.length, TEXT_PROBE_BYTES)).toString('latin1');
  for (const [magic, is] of FOREIGN) if (head.startsWith(magic)) return is;

  const text = head.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (text.startsWith('{') || text.startsWith('[')) {
    if (text.startsWith('{"snapshot"')) return 'a V8 heap snapshot (JSON): open it in Chrome DevTools';
    if (text.startsWith('{"head"')) return 'a V8 .heapprofile (JSON): open it in Chrome DevTools';
    if (text.startsWith('{"nodes"')) return 'a V8 .cpuprofile (JSON): open it in Chrome DevTools or speedscope';
    return 'JSON (a .cpuprofile, a .heapprofile or a report?)';
  }
  // A message of printable characters only is possible but has no field that a profile needs: every short length is a control character.
  if (/^[\t\n\r\x20-\x7e]+$/.test(head)) return 'a text file';
  return undefined;
}
