// The tree that is drawn: nodes with self and total values, laid out. Trees are made by `TreeMaker` (the whole graph, callers, callees) and never changed.
//
// A node stands for a function (with `line` also for one executing line of it) or, from `functionCount` on, for a group (a value of a label). A parent's
// index is smaller than its children's; node 0 is the root. Values are doubles in the unit of the sample type.

import { TupleTable } from '../pprof/intern';

export const ROOT = 0;
/** In firstChild and nextSibling, where 0 (the root) can't stand. */
export const NONE = 0;

export interface Tree {
  size: number;
  parent: Uint32Array;
  /** Function, or functionCount + group. The root's is `rootFunction`. */
  func: Uint32Array;
  /** 0 when frames are not split by line. */
  line: Uint32Array;
  depth: Uint32Array;
  /** What the width is made of. */
  total: Float64Array;
  self: Float64Array;
  /** Of a difference: before, after. */
  sides: Side[];
  /** Where the node begins, in the unit of `total`. Children stand side by side from their parent's start on. */
  start: Float64Array;
  firstChild: Uint32Array;
  nextSibling: Uint32Array;
  /** Nodes depth first, children as they stand. */
  order: Uint32Array;
  /** Place in `order`, and the place behind the last node of the subtree. */
  enter: Uint32Array;
  exit: Uint32Array;
  maxDepth: number;
}

export interface Side {
  self: Float64Array;
  total: Float64Array;
}

export class TreeMaker {
  readonly #nodes = new TupleTable(3);
  readonly #columns: Float64Array[];
  #capacity = 1024;

  /** @param columns values a node: 1, or 2 for a difference */
  constructor(columns: number, rootFunction: number) {
    this.#columns = Array.from({ length: columns }, () => new Float64Array(this.#capacity));
    this.#nodes.intern(0xffffffff, rootFunction, 0);
  }

  child(parent: number, func: number, line: number): number {
    return this.#nodes.intern(parent, func, line);
  }

  addSelf(node: number, column: number, value: number): void {
    if (node >= this.#capacity) this.#grow(node);
    const values = this.#columns[column] as Float64Array;
    values[node] = (values[node] as number) + value;
  }

  /**
   * @param weights what a column counts for in the width
   * @param rank function or group -> place among siblings, smaller first
   */
  finish(weights: number[], rank: Uint32Array): Tree {
    const size = this.#nodes.size;
    const parent = new Uint32Array(size);
    const func = new Uint32Array(size);
    const line = new Uint32Array(size);
    for (let node = 0; node < size; node++) {
      func[node] = this.#nodes.at(node, 1);
      line[node] = this.#nodes.at(node, 2);
      if (node !== ROOT) parent[node] = this.#nodes.at(node, 0);
    }
    const selfs = this.#columns.map((column) => grown(column, size));
    return completeTree({ size, parent, func, line, selfs, ...link(parent, func, line, rank) }, weights);
  }

  #grow(node: number): void {
    this.#capacity = Math.max(this.#capacity * 2, node + 1);
    this.#columns.forEach((column, i) => {
      this.#columns[i] = grown(column, this.#capacity);
    });
  }
}

/** What a tree is made from; the rest follows. Children stand in their lists in the order in which they are drawn. */
export interface TreeParts {
  size: number;
  parent: Uint32Array;
  func: Uint32Array;
  line: Uint32Array;
  /** A column a side. */
  selfs: Float64Array[];
  firstChild: Uint32Array;
  nextSibling: Uint32Array;
}

export function completeTree({ size, parent, func, line, selfs, firstChild, nextSibling }: TreeParts, weights: number[]): Tree {
  const depth = new Uint32Array(size);
  let maxDepth = 0;
  for (let node = 1; node < size; node++) {
    const own = (depth[parent[node] as number] as number) + 1;
    depth[node] = own;
    if (own > maxDepth) maxDepth = own;
  }
  const sides = selfs.map((self) => ({ self, total: summedUp(self, parent) }));
  const self = weighed(selfs, weights);
  const total = weighed(
    sides.map((side) => side.total),
    weights,
  );
  const laidOut = layOut(firstChild, nextSibling, parent, total);
  return { size, parent, func, line, depth, total, self, sides, maxDepth, firstChild, nextSibling, ...laidOut };
}

function weighed(columns: Float64Array[], weights: number[]): Float64Array {
  const [first] = columns as [Float64Array];
  if (columns.length === 1) return first;
  return first.map((_, node) => columns.reduce((sum, column, i) => sum + (weights[i] ?? 0) * (column[node] as number), 0));
}

function grown(column: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size);
  result.set(column.subarray(0, size));
  return result;
}

/** Every node's own value and those of all below it. */
function summedUp(self: Float64Array, parent: Uint32Array): Float64Array {
  const total = self.slice();
  for (let node = total.length - 1; node > ROOT; node--) {
    const up = parent[node] as number;
    total[up] = (total[up] as number) + (total[node] as number);
  }
  return total;
}

/** Siblings by rank, then by line: a counting sort of all nodes, then each goes to the front of its parent's list, last first. */
function link(parent: Uint32Array, func: Uint32Array, line: Uint32Array, rank: Uint32Array) {
  const size = parent.length;
  const place = new Uint32Array(rank.length + 1);
  const rankOf = (node: number) => rank[func[node] as number] as number;
  for (let node = 1; node < size; node++) {
    const at = rankOf(node) + 1;
    place[at] = (place[at] as number) + 1;
  }
  for (let i = 1; i < place.length; i++) place[i] = (place[i] as number) + (place[i - 1] as number);
  const sorted = new Uint32Array(Math.max(0, size - 1));
  for (let node = 1; node < size; node++) {
    const at = rankOf(node);
    const slot = place[at] as number;
    place[at] = slot + 1;
    sorted[slot] = node;
  }
  if (line.some((one) => one > 0)) {
    sorted.sort((a, b) => rankOf(a) - rankOf(b) || (line[a] as number) - (line[b] as number));
  }
  const firstChild = new Uint32Array(size);
  const nextSibling = new Uint32Array(size);
  for (let i = sorted.length - 1; i >= 0; i--) {
    const node = sorted[i] as number;
    const up = parent[node] as number;
    nextSibling[node] = firstChild[up] as number;
    firstChild[up] = node;
  }
  return { firstChild, nextSibling };
}

function layOut(firstChild: Uint32Array, nextSibling: Uint32Array, parent: Uint32Array, total: Float64Array) {
  const size = parent.length;
  const start = new Float64Array(size);
  const order = new Uint32Array(size);
  const enter = new Uint32Array(size);
  const exit = new Uint32Array(size);
  let filled = 1;
  let node = firstChild[ROOT] as number;
  while (node !== ROOT) {
    enter[node] = filled;
    order[filled++] = node;
    const child = firstChild[node] as number;
    if (child !== NONE) {
      start[child] = start[node] as number;
      node = child;
      continue;
    }
    // Up until there is a sibling to go on with.
    while (node !== ROOT) {
      exit[node] = filled;
      const sibling = nextSibling[node] as number;
      if (sibling !== NONE) {
        start[sibling] = (start[node] as number) + (total[node] as number);
        node = sibling;
        break;
      }
      node = parent[node] as number;
    }
  }
  exit[ROOT] = filled;
  return { start, order, enter, exit };
}

/** From the root down to the node, both included. */
export function pathTo(tree: Tree, node: number): number[] {
  const path = [node];
  for (let at = node; at !== ROOT; ) {
    at = tree.parent[at] as number;
    path.push(at);
  }
  return path.reverse();
}

export function childrenOf(tree: Tree, node: number): number[] {
  const result: number[] = [];
  for (let child = tree.firstChild[node] as number; child !== NONE; child = tree.nextSibling[child] as number) result.push(child);
  return result;
}
