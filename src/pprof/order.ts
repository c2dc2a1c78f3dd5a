// The order in which a profile's tables are written. Any would do for a reader; gzip sees 32 KiB back, so what is alike must stand together: functions by file and
// line, frames by function and line, samples along the stack trie, so that each shares its callers with the one before. A third of the bytes.

import type { Children } from './children';
import type { TupleTable } from './intern';

const ROOT = 0;
const NONE = 0xffffffff;

/** Ids in the order of writing, and each frame's place in it. Functions are (name, file, line, column), frames (function, line, column). */
export function orderFrames(functions: TupleTable, frames: TupleTable, strings: string[]) {
  const fileRank = new Map<number, number>();
  for (let id = 0; id < functions.size; id++) fileRank.set(functions.at(id, 1), 0);
  const byText = (a: number, b: number) => ((strings[a] as string) < (strings[b] as string) ? -1 : 1);
  [...fileRank.keys()].sort(byText).forEach((file, rank) => {
    fileRank.set(file, rank);
  });
  const functionFile = Uint32Array.from({ length: functions.size }, (_, id) => fileRank.get(functions.at(id, 1)) as number);
  const functionOrder = sorted(
    functions.size,
    (a, b) =>
      (functionFile[a] as number) - (functionFile[b] as number) ||
      functions.at(a, 2) - functions.at(b, 2) ||
      functions.at(a, 3) - functions.at(b, 3) ||
      a - b,
  );
  const functionRank = ranks(functionOrder);
  const frameFunction = Uint32Array.from({ length: frames.size }, (_, id) => functionRank[frames.at(id, 0)] as number);
  const frameOrder = sorted(
    frames.size,
    (a, b) =>
      (frameFunction[a] as number) - (frameFunction[b] as number) || frames.at(a, 1) - frames.at(b, 1) || frames.at(a, 2) - frames.at(b, 2),
  );
  return { functions: functionOrder, frames: frameOrder, frameRank: ranks(frameOrder) };
}

function sorted(size: number, compare: (a: number, b: number) => number): Uint32Array {
  return Uint32Array.from({ length: size }, (_, id) => id).sort(compare);
}

function ranks(order: Uint32Array): Uint32Array {
  const rank = new Uint32Array(order.length);
  for (let at = 0; at < order.length; at++) rank[order[at] as number] = at;
  return rank;
}

/** `locations` from `start` on: the stack, leaf first; valid during the call. From `same` on it is what it was in the call before, at the same places. */
export type WriteRow = (row: number, locations: number[], start: number, same: number) => void;

/** Calls `write` for each row: along the trie, or by number (`keepOrder`). A row's first element is its node. */
export function orderRows(nodes: Children, rows: TupleTable, frameRank: Uint32Array, keepOrder: boolean, write: WriteRow): void {
  const depth = new Uint32Array(nodes.size);
  let deepest = 0;
  for (let node = ROOT + 1; node < nodes.size; node++) {
    depth[node] = (depth[nodes.parent(node)] as number) + 1;
    deepest = Math.max(deepest, depth[node] as number);
  }
  // The way to the current node, filled from its end: a slice of it is leaf first.
  const way: number[] = [];
  for (let i = 0; i < deepest; i++) way.push(0);
  if (keepOrder) {
    for (let row = 0; row < rows.size; row++) {
      const leaf = rows.at(row, 0);
      let at = deepest - (depth[leaf] as number);
      const start = at;
      for (let node = leaf; node !== ROOT; node = nodes.parent(node)) way[at++] = frameRank[nodes.frame(node)] as number;
      write(row, way, start, deepest);
    }
    return;
  }
  const rowOf = new Uint32Array(nodes.size).fill(NONE);
  const nextRow = new Uint32Array(rows.size);
  for (let row = rows.size - 1; row >= 0; row--) {
    const node = rows.at(row, 0);
    nextRow[row] = rowOf[node] as number;
    rowOf[node] = row;
  }
  // Of the nodes on the way, the root first: each look into a column of a large trie is a miss of the cache.
  const above = new Uint32Array(deepest + 1);
  let at = 0;
  let node = ROOT;
  let same = deepest;
  for (;;) {
    const start = deepest - at;
    above[at] = node;
    if (node !== ROOT) {
      way[start] = frameRank[nodes.frame(node)] as number;
      same = Math.max(same, start + 1);
    }
    for (let row = rowOf[node] as number; row !== NONE; row = nextRow[row] as number) {
      write(row, way, start, same);
      same = start;
    }
    let next = nodes.first(node);
    if (next !== 0) at++;
    else {
      while (at > 0 && next === 0) {
        next = nodes.next(above[at] as number);
        if (next === 0) at--;
      }
      if (at === 0) return;
    }
    node = next;
  }
}
