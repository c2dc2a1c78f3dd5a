// Source maps and slices, made by hand for tests, and what becomes of a slice in the mapper.

import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { DIST, folder } from './helpers.mjs';

const require = createRequire(import.meta.url);
export const { SliceMapper } = require(join(DIST, 'pprof', 'source-maps', 'mapper.js'));
export const { SourceMap } = require(join(DIST, 'pprof', 'source-maps', 'source-map.js'));

export const NO_LIMITS = { maxBytes: 64 * 2 ** 20, outOfTime: () => false };

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function vlq(value) {
  let rest = value < 0 ? -value * 2 + 1 : value * 2;
  let text = '';
  do {
    const digit = rest % 32;
    rest = Math.floor(rest / 32);
    text += ALPHABET[digit + (rest > 0 ? 32 : 0)];
  } while (rest > 0);
  return text;
}

/** `lines[line]` is a list of segments `[column]`, `[column, source, line, column]` or `[column, source, line, column, name]`, all 0-based. */
export function encodeMappings(lines) {
  const before = [0, 0, 0, 0, 0];
  const difference = (value, i) => {
    const encoded = vlq(value - before[i]);
    before[i] = value;
    return encoded;
  };
  return lines
    .map((segments) => {
      before[0] = 0;
      return segments.map((segment) => segment.map(difference).join('')).join();
    })
    .join(';');
}

export function mapOf({ lines, ...rest }) {
  return { version: 3, sources: [], names: [], ...rest, mappings: encodeMappings(lines) };
}

export function inline(text) {
  return `data:application/json;base64,${Buffer.from(text).toString('base64')}`;
}

/**
 * A slice of functions `{ name, file, start: [line, column], kind, url, frames: [[line, column], …] }` (kind, url: of the map). Every frame stands alone on a
 * stack that took one sample of 10 ms.
 */
export function sliceOf(functions, { endUnixMs = Date.now() + 1000, ...rest } = {}) {
  const ids = new Map([['', 0]]);
  const id = (text = '') => {
    if (!ids.has(text)) ids.set(text, ids.size);
    return ids.get(text);
  };
  const frames = functions.flatMap((func, index) => func.frames.map(([line, column]) => ({ index, line, column })));
  const u32 = (values) => Uint32Array.from(values);
  const ones = frames.map(() => 1);
  return {
    number: 1,
    startUnixMs: endUnixMs - 1000,
    endUnixMs,
    frequencyHz: 100,
    functionName: u32(functions.map(({ name }) => id(name))),
    functionFile: u32(functions.map(({ file }) => id(file))),
    functionLine: u32(functions.map(({ start }) => start[0])),
    functionColumn: u32(functions.map(({ start }) => start[1])),
    functionKind: new Uint8Array(functions.length),
    functionMapKind: Uint8Array.from(functions.map(({ kind = 0 }) => kind)),
    functionMapUrl: u32(functions.map(({ url }) => id(url))),
    frameFunction: u32(frames.map(({ index }) => index)),
    frameLine: u32(frames.map(({ line }) => line)),
    frameColumn: u32(frames.map(({ column }) => column)),
    nodeParent: u32([0, ...frames.map(() => 0)]),
    nodeFrame: u32([0, ...frames.keys()]),
    threads: [{ tid: 1, name: 'main' }],
    sampleNode: u32(frames.map((_, index) => index + 1)),
    sampleThread: new Uint32Array(frames.length),
    sampleMode: new Uint8Array(frames.length),
    sampleCount: u32(ones),
    sampleWeightNs: Float64Array.from(ones, () => 10e6),
    totals: { samples: frames.length, lost: 0, truncated: 0, frames: frames.length, unresolvedFrames: 0 },
    strings: [...ids.keys()],
    ...rest,
  };
}

/** The functions' rows as 'name file:line:column'. */
export function rowsOf({ strings, functionName, functionFile, functionLine, functionColumn }) {
  return [...functionName].map(
    (name, index) => `${strings[name]} ${strings[functionFile[index]]}:${functionLine[index]}:${functionColumn[index]}`,
  );
}

/** The frames as 'name file:line:column'. */
export function framesOf({ strings, functionName, functionFile, frameFunction, frameLine, frameColumn }) {
  return [...frameFunction].map(
    (func, frame) => `${strings[functionName[func]]} ${strings[functionFile[func]]}:${frameLine[frame]}:${frameColumn[frame]}`,
  );
}

/** Generated 1:1 -> a.ts 10:5, 1:21 -> a.ts 20:1, 2:5 -> b.ts 7:3, 2:31 -> nowhere. */
export const PLAIN = mapOf({
  sources: ['a.ts', 'b.ts'],
  lines: [
    [
      [0, 0, 9, 4],
      [20, 0, 19, 0],
    ],
    [[4, 1, 6, 2], [30]],
  ],
});

/** A script in a folder of its own, with what stands in `files` beside it. */
export function scriptWith(files = {}, name = 'out.js') {
  const path = join(folder(), name);
  for (const [file, content] of Object.entries({ [name]: 'code();\n', ...files })) {
    mkdirSync(dirname(join(dirname(path), file)), { recursive: true });
    writeFileSync(join(dirname(path), file), typeof content === 'object' && !Buffer.isBuffer(content) ? JSON.stringify(content) : content);
  }
  return path;
}

/** Maps one function of a script, from 1:1, with frames at the given places; gives the mapper, its answer and where the frames are now. */
export function mapped(script, frames, { kind = 1, url = '', mapper = new SliceMapper(), start = [1, 1], name = 'f', ...rest } = {}) {
  const slice = sliceOf([{ name, file: script, start, kind, url, frames }], rest);
  const result = mapper.apply(slice);
  return { mapper, ...result, given: slice, frames: framesOf(result.slice), rows: rowsOf(result.slice) };
}

/** The frame stays where it was, and the count of `kind` says why. */
export function refusedAs(kind, script, options) {
  const { mapper, given, frames, use } = mapped(script, [[1, 3]], options);
  assert.equal(frames, framesOf(given), 'the generated position stays');
  const expected = { loaded: 0, failed: 0, missing: 0, stale: 0, bytes: 0, [kind]: 1 };
  assert.equal(mapper.counts, expected, mapper.firstFailure);
  assert.equal([...use.scripts.values()], [kind]);
  assert.is(mapper.firstFailure !== undefined, kind === 'failed');
  return mapper.firstFailure ?? '';
}
