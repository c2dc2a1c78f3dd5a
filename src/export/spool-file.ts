// One spooled entry as a file: a line that names the format, a line of JSON (what the sender needs beside the body), the body. It is read as if anybody had
// written it: lengths and a digest are checked, links are not followed.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { MAX_BODY_BYTES, type Payload } from './payload';

const FORMAT = 'strobe-spool 1\n';
const MAX_HEAD_BYTES = 64 * 1024;

export class DamagedEntry extends Error {}

function digest(head: string, body: Uint8Array): string {
  return createHash('sha256').update(head).update(body).digest('hex').slice(0, 32);
}

/** The file's bytes, in parts. */
export function entryParts({ head, body }: Payload): Uint8Array[] {
  const text = JSON.stringify(head);
  return [Buffer.from(`${FORMAT}${digest(text, body)} ${body.length} ${text}\n`), body];
}

/** Writes a file that must not be there yet, for this user's eyes only. Throws the system's error; what was written then is the caller's to remove. */
export function writeEntry(path: string, parts: Uint8Array[]): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
    }
  } finally {
    closeSync(file);
  }
}

/** @throws DamagedEntry when it is not what an entry should be; the system's error when it can't be read */
export function readEntry(path: string, size: number): Payload {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw new DamagedEntry('it is a symbolic link');
    throw error;
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new DamagedEntry('it is no file');
    if (found.size !== size || size > MAX_BODY_BYTES + MAX_HEAD_BYTES) throw new DamagedEntry(`it has ${found.size} bytes, not ${size}`);
    const bytes = Buffer.allocUnsafe(size);
    for (let at = 0; at < size; ) {
      const read = readSync(file, bytes, at, size - at, at);
      if (read === 0) throw new DamagedEntry('it ends too early');
      at += read;
    }
    return parse(bytes);
  } finally {
    closeSync(file);
  }
}

function parse(bytes: Buffer): Payload {
  const end = bytes.subarray(0, FORMAT.length + MAX_HEAD_BYTES).indexOf(10, FORMAT.length);
  const [, sum, length, text = ''] = /^([0-9a-f]{32}) (\d+) (.*)$/.exec(bytes.toString('utf8', FORMAT.length, end)) ?? [];
  if (end < 0 || bytes.toString('latin1', 0, FORMAT.length) !== FORMAT || sum === undefined)
    throw new DamagedEntry('it is of another format');
  const body = bytes.subarray(end + 1);
  if (body.length !== Number(length) || digest(text, body) !== sum) throw new DamagedEntry('its content is not what was written');
  // Past the digest: it is what we wrote.
  return { head: JSON.parse(text) as Record<string, string>, body };
}
