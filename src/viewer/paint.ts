// Draws the part of a tree that is in view on a canvas, and finds the node at a point. What is narrower than a pixel is not descended into: neighbours of that
// size are drawn as one grey block, so that the work is bounded by the pixels and not by the tree.

import { NONE, ROOT, type Tree } from './tree';

export interface View {
  tree: Tree;
  /** Part of the root's width that is shown, in its unit. */
  from: number;
  to: number;
  /** CSS pixels. */
  width: number;
  frameHeight: number;
  /** Rows from the root on that are not shown: 1 leaves out the root. */
  skipRows: number;
}

export interface Painted {
  node: number;
  x: number;
  width: number;
  row: number;
}

/** Narrower nodes are merged with their neighbours. */
const LEAST_WIDTH = 1;
/** A gap between frames, where there is room for one. */
const GAP_FROM_WIDTH = 3;

/** Calls `frame` for each node that is drawn and `merged` for each block of merged ones, and says which row is the last with one. */
export function walk(
  view: View,
  firstRow: number,
  lastRow: number,
  frame: (node: number, x: number, width: number, row: number) => void,
  merged: (x: number, width: number, row: number) => void,
): number {
  const { tree, from, to, width, skipRows } = view;
  const { firstChild, nextSibling, start, total, depth } = tree;
  const scale = width / (to - from);
  let deepest = 0;
  const stack: number[] = [ROOT];
  if (skipRows === 0) frame(ROOT, 0, width, 0);
  while (stack.length > 0) {
    const parent = stack.pop() as number;
    const row = (depth[parent] as number) + 1 - skipRows;
    const drawn = row >= firstRow && row <= lastRow;
    let runStart = 0;
    let runEnd = -1;
    for (let node = firstChild[parent] as number; node !== NONE; node = nextSibling[node] as number) {
      const left = start[node] as number;
      if (left >= to) break;
      const right = left + (total[node] as number);
      if (right <= from || right <= left) continue;
      const x = Math.max(0, (left - from) * scale);
      const end = Math.min(width, (right - from) * scale);
      if (end - x < LEAST_WIDTH) {
        if (runEnd < 0) runStart = x;
        // A gap of a frame that was drawn ends the run.
        runEnd = end;
        continue;
      }
      if (runEnd > 0 && drawn && runEnd - runStart >= LEAST_WIDTH / 2) merged(runStart, runEnd - runStart, row);
      runEnd = -1;
      if (row > deepest) deepest = row;
      if (drawn) frame(node, x, end - x, row);
      if (firstChild[node] !== NONE) stack.push(node);
    }
    if (runEnd > 0) {
      if (row > deepest) deepest = row;
      if (drawn && runEnd - runStart >= LEAST_WIDTH / 2) merged(runStart, runEnd - runStart, row);
    }
  }
  return deepest;
}

/** The node that `walk` puts at (x, row); undefined for none, and for merged ones. */
export function nodeAt({ tree, from, to, width, skipRows }: View, x: number, row: number): number | undefined {
  const target = row + skipRows;
  const at = from + (x / width) * (to - from);
  const least = (LEAST_WIDTH * (to - from)) / width;
  let node = ROOT;
  for (let depth = 0; depth < target; depth++) {
    let child = tree.firstChild[node] as number;
    while (child !== NONE && (tree.start[child] as number) + (tree.total[child] as number) <= at) child = tree.nextSibling[child] as number;
    if (child === NONE || (tree.start[child] as number) > at) return undefined;
    const visible =
      Math.min(to, (tree.start[child] as number) + (tree.total[child] as number)) - Math.max(from, tree.start[child] as number);
    if (visible < least) return undefined;
    node = child;
  }
  return target === 0 && skipRows > 0 ? undefined : node;
}

export interface TextStyle {
  font: string;
  /** Of one ASCII character, CSS pixels: the font has one width. */
  characterWidth: number;
}

const TEXT_PADDING = 4;

/** `text` cut to what fits, '' when that says nothing. */
export function fitText(text: string, width: number, style: TextStyle, measure: (text: string) => number): string {
  const room = width - 2 * TEXT_PADDING;
  const characters = Math.floor(room / style.characterWidth);
  if (characters < 2) return '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the ASCII range
  if (/^[\x00-\x7f]*$/.test(text)) {
    if (text.length <= characters) return text;
    return characters < 3 ? text.slice(0, characters) : `${text.slice(0, characters - 1)}…`;
  }
  let short = text.length > 2 * characters ? text.slice(0, 2 * characters) : text;
  if (short === text && measure(text) <= room) return text;
  while (short.length > 0 && measure(`${short}…`) > room)
    short = short.slice(0, short.length > 20 ? Math.floor(short.length * 0.9) : short.length - 1);
  short = short.replace(/[\ud800-\udbff]$/, '');
  return short.length < 2 ? '' : `${short}…`;
}

export function drawFrame(
  context: CanvasRenderingContext2D,
  { x, width, y, height }: { x: number; width: number; y: number; height: number },
  fill: string | { fill: string; share: number }[],
): void {
  const gap = width >= GAP_FROM_WIDTH ? 1 : 0;
  if (typeof fill === 'string') {
    context.fillStyle = fill;
    context.fillRect(x, y, width - gap, height - 1);
    return;
  }
  let at = x;
  for (const part of fill) {
    const wide = (width - gap) * part.share;
    context.fillStyle = part.fill;
    context.fillRect(at, y, wide, height - 1);
    at += wide;
  }
}

export { TEXT_PADDING };
