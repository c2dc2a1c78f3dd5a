// From a script to the text of its map: what V8 knows of the script's comment, a data: URL, a file beside it. Nothing is ever fetched.

import { dirname, isAbsolute, join, normalize } from 'node:path';
import { mapComment } from './comment';
import { dataOf } from './data-url';
import { OpenFile, type ReadLimits, readFile } from './files';
import { MapProblem } from './problem';
import { hasScheme, pathOfFileUrl, readings } from './sources';

/** `Slice.functionMapKind`. */
export const MAP_KIND = { none: 0, url: 1, inFile: 2 } as const;

export interface Script {
  /** Path or URL, as in the slice. */
  file: string;
  kind: number;
  /** For MAP_KIND.url. */
  url: string;
}

export interface MapText {
  text: Uint8Array;
  /** Path or URL of what the text stands in. */
  base: string;
}

const LONGEST_PATH = 4096;
const DATA = 'data:';

/** @throws MapProblem */
export function readMap({ file, kind, url }: Script, limits: ReadLimits): MapText {
  if (kind === MAP_KIND.url) {
    return isData(url.slice(0, DATA.length))
      ? { text: dataOf(Buffer.from(url), limits.maxBytes), base: file }
      : readBeside(file, url, limits);
  }
  if (!isAbsolute(file)) throw new MapProblem('missing', `${shown(file)} is no file: its map can't be looked for`);
  const found = commentIn(file, limits);
  if (!found) throw new MapProblem('missing', `${shown(file)} names no map`);
  if (isData(found.toString('latin1', 0, DATA.length))) return { text: dataOf(found, limits.maxBytes), base: file };
  return readBeside(file, found.toString('utf8', 0, LONGEST_PATH + 1), limits);
}

const isData = (start: string) => start.toLowerCase() === DATA;

function commentIn(path: string, limits: ReadLimits): Buffer | undefined {
  const file = new OpenFile(path, limits);
  try {
    return mapComment(file);
  } finally {
    file.close();
  }
}

/** A map in a file of its own. */
function readBeside(script: string, url: string, limits: ReadLimits): MapText {
  let problem: unknown;
  for (const path of candidates(script, url)) {
    try {
      return { text: readFile(path, limits), base: path };
    } catch (error) {
      problem = error;
      if (!(error instanceof MapProblem && error.kind === 'missing')) break;
    }
  }
  throw problem;
}

function candidates(script: string, url: string): string[] {
  if (url.length > LONGEST_PATH) throw new MapProblem('failed', 'its URL is too long for a file');
  if (hasScheme(url)) {
    const path = /^file:/i.test(url) ? pathOfFileUrl(url) : undefined;
    if (path === undefined) throw new MapProblem('failed', `${shown(url)} is not fetched: only files are read`);
    return [path];
  }
  if (url.startsWith('//')) throw new MapProblem('failed', `${shown(url)} is not fetched: only files are read`);
  if (isAbsolute(url)) return readings(url).map(normalize);
  if (!isAbsolute(script)) throw new MapProblem('missing', `${shown(url)} is relative to ${shown(script)}, which is no file`);
  return readings(url).map((reading) => join(dirname(script), reading));
}

/** A message is no place for a data: URL. */
function shown(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
