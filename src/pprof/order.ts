// The order in which a profile's functions and frames are written (native/stack/frame_order.h says which, and why): here the places of files by name, which need strings.

import { loadNative } from '../native';
import type { TupleTable } from './intern';

/** Ids in the order of writing, and each one's place in it. Functions are (name, file, line, column), frames (function, line, column). */
export function orderFrames(functions: TupleTable, frames: TupleTable, strings: string[]) {
  const fileRank = new Map<number, number>();
  const files = functions.column(1);
  for (const file of files) fileRank.set(file, 0);
  const byText = (a: number, b: number) => ((strings[a] as string) < (strings[b] as string) ? -1 : 1);
  [...fileRank.keys()].sort(byText).forEach((file, rank) => {
    fileRank.set(file, rank);
  });
  const order = loadNative().orderFrames(
    files.map((file) => fileRank.get(file) as number),
    functions.column(2),
    functions.column(3),
    frames.column(0),
    frames.column(1),
    frames.column(2),
  );
  return { ...order, functionRank: ranks(order.functions), frameRank: ranks(order.frames) };
}

function ranks(order: Uint32Array): Uint32Array {
  const rank = new Uint32Array(order.length);
  for (let at = 0; at < order.length; at++) rank[order[at] as number] = at;
  return rank;
}
