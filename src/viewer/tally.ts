// Self and total values by function (or by package, file, kind: any class of functions), read off a tree. In a total a class counts once a stack, however often
// it stands there.

import { ROOT, type Tree } from './tree';

export interface Tally {
  /** By class. */
  self: Float64Array;
  total: Float64Array;
  /** Of a difference: before, after. */
  sides: { self: Float64Array; total: Float64Array }[];
}

/** Nodes of no class. */
export const NO_CLASS = -1;

/** @param classOf function or group -> class, NO_CLASS for what is not counted */
export function tallyBy(tree: Tree, classes: number, classOf: (func: number) => number): Tally {
  const pairs = [{ self: tree.self, total: tree.total }, ...(tree.sides.length > 1 ? tree.sides : [])];
  const results = pairs.map(() => ({ self: new Float64Array(classes), total: new Float64Array(classes) }));
  // How many ancestors of the current node are of a class.
  const open = new Uint32Array(classes);
  const ancestors: number[] = [];
  for (let i = 1; i < tree.size; i++) {
    const node = tree.order[i] as number;
    while (ancestors.length >= (tree.depth[node] as number)) {
      const left = ancestors.pop() as number;
      if (left !== NO_CLASS) open[left] = (open[left] as number) - 1;
    }
    const own = classOf(tree.func[node] as number);
    if (own !== NO_CLASS) {
      const outermost = open[own] === 0;
      open[own] = (open[own] as number) + 1;
      for (let p = 0; p < pairs.length; p++) {
        const { self, total } = pairs[p] as (typeof pairs)[number];
        const result = results[p] as (typeof results)[number];
        result.self[own] = (result.self[own] as number) + (self[node] as number);
        if (outermost) result.total[own] = (result.total[own] as number) + (total[node] as number);
      }
    }
    ancestors.push(own);
  }
  const [first, ...sides] = results as [Tally, ...Tally[]];
  return { self: first.self, total: first.total, sides };
}

/** What the matching functions' stacks are worth together, each stack once. */
export function matchedTotal(tree: Tree, matches: Uint8Array): number {
  let sum = 0;
  let i = 1;
  while (i < tree.size) {
    const node = tree.order[i] as number;
    if (matches[tree.func[node] as number]) {
      sum += tree.total[node] as number;
      i = tree.exit[node] as number;
    } else {
      i++;
    }
  }
  return sum;
}

/** Nodes of a function that have no ancestor of it. */
export function outermostNodes(tree: Tree, func: number): number[] {
  const result: number[] = [];
  let i = 0;
  while (i < tree.size) {
    const node = tree.order[i] as number;
    if (tree.func[node] === func && node !== ROOT) {
      result.push(node);
      i = tree.exit[node] as number;
    } else {
      i++;
    }
  }
  return result;
}
