// From what a map says of a source to the name that the user knows: an absolute path where it is a file, else the URL as the map has it.

import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

// A longer name is no file and no help.
const LONGEST = 4096;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

export function hasScheme(text: string): boolean {
  return SCHEME.test(text);
}

/** undefined for a file: URL that is no path here (another host). */
export function pathOfFileUrl(url: string): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}

/**
 * Names in maps and in comments are URLs by the letter and paths by custom. The path that is there is meant; both readings are returned, the literal one first.
 */
export function readings(text: string): string[] {
  try {
    const decoded = decodeURIComponent(text.replace(/[?#].*$/s, ''));
    return decoded === text || decoded === '' ? [text] : [text, decoded];
  } catch {
    return [text];
  }
}

/**
 * @param root the map's sourceRoot
 * @param base path or URL of the file that the map's text stands in
 * @returns undefined when the map says nothing usable
 */
export function resolveSource(source: string | undefined, root: string, base: string): string | undefined {
  if (source === undefined || source === '' || source.length > LONGEST) return undefined;
  const isComplete = hasScheme(source) || isAbsolute(source);
  const text = isComplete || root === '' ? source : `${root}${root.endsWith('/') ? '' : '/'}${source}`;
  if (text.startsWith('file:')) return pathOfFileUrl(text) ?? text;
  if (hasScheme(text)) return text;
  if (isAbsolute(text)) return existingReading(normalize(text));
  if (isAbsolute(base)) return existingReading(join(dirname(base), text));
  return relativeToUrl(text, base);
}

function existingReading(path: string): string {
  if (!path.includes('%')) return path;
  return readings(path).find((reading) => !reading.includes('\0') && existsSync(reading)) ?? path;
}

/** A script that is no file: what is relative to its URL, or the text as it is. */
function relativeToUrl(text: string, base: string): string {
  try {
    return new URL(text, base).href;
  } catch {
    return text;
  }
}
