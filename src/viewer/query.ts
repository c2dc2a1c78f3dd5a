// A query (what the reader chose: sample type, label filters, groups, time range, lines) on a model -> the tree of all that it lets through, and which node each
// row of the profile came to.

import { Folder } from './fold';
import { type Model, NO_VALUE } from './model';
import { completeTree, ROOT, type Tree } from './tree';

/** A label value; null for samples without the label. */
export type LabelValue = string | null;

export interface Query {
  /** Index of the sample type. */
  type: number;
  /** Any of the values of a key, and every key. */
  filters: Map<string, Set<LabelValue>>;
  /** Label keys, outermost first: their values become the first rows of the graph. */
  groupBy: string[];
  /** Buckets of the time line, the second not included. The values are then those of the time line: of the last sample type. */
  range: [from: number, to: number] | null;
  /** A frame for each executing line of a function. */
  lines: boolean;
  /** Of a difference: what a frame's width is. */
  width: 'both' | 'before' | 'after';
  /** Of a difference: before counts as if both totals were equal. */
  normalised: boolean;
}

export interface Group {
  key: string;
  value: LabelValue;
}

export interface Result {
  tree: Tree;
  /** func - functionCount is the index. */
  groups: Group[];
  /** Row -> node of its leaf; UNUSED for rows that the query leaves out. */
  rowNode: Uint32Array;
  /** Row values, a column a side. */
  rowValues: Float64Array[];
  /** Of a difference: what `before` was multiplied with in widths and comparisons. */
  scale: number;
  /** Function or group -> place among siblings. */
  rank: Uint32Array;
}

export function runQuery(model: Model, query: Query, isDiff: boolean): Result {
  const { columns } = model;
  const rows = columns.rowNode.length;
  const allowed = allowedSets(model, query.filters);
  const rowValues = valuesOf(model, query, isDiff, allowed);
  const { groupOfSet, chains, groups } = groupSets(model, query.groupBy);
  const byGroup: number[][] = chains.map(() => []);
  for (let row = 0; row < rows; row++) {
    if (rowValues.some((values) => (values[row] as number) > 0)) byGroup[groupOfSet[columns.rowSet[row] as number] as number]?.push(row);
  }
  const rank = ranksOf(model, groups, groupTotals(byGroup, chains, rowValues, groups.length));
  const folder = new Folder(model, query.lines, rowValues, rank);
  const bases = groupNodes(folder, chains, rank, model.functionCount, byGroup);
  byGroup.forEach((members, chain) => {
    if (members.length > 0) folder.add(members, bases[chain] as number);
  });
  const scale = isDiff && query.normalised ? scaleOf(rowValues) : 1;
  const tree = completeTree(folder.parts(), widths(query.width, scale));
  return { tree, groups, rowNode: folder.rowNode, rowValues, scale, rank };
}

/** The rows of the graph that stand for label values: chain -> its innermost node. Without groups that is the root. */
function groupNodes(folder: Folder, chains: number[][], rank: Uint32Array, functionCount: number, byGroup: number[][]): number[] {
  const bases = new Array<number>(chains.length).fill(ROOT);
  const levels = chains[0]?.length ?? 0;
  for (let level = 0; level < levels; level++) {
    const children = new Map<number, Map<number, number[]>>();
    chains.forEach((chain, id) => {
      if (byGroup[id]?.length === 0) return;
      const base = bases[id] as number;
      const func = functionCount + (chain[level] as number);
      const ofBase = children.get(base) ?? new Map<number, number[]>();
      children.set(base, ofBase);
      ofBase.set(func, [...(ofBase.get(func) ?? []), id]);
    });
    for (const [base, ofBase] of children) {
      const funcs = [...ofBase.keys()].sort((a, b) => (rank[a] as number) - (rank[b] as number));
      const first = folder.addChildren(base, funcs);
      funcs.forEach((func, i) => {
        for (const id of ofBase.get(func) as number[]) bases[id] = first + i;
      });
    }
  }
  return bases;
}

/** The sample type that the time line's values are in. */
export function timeType(model: Model): number {
  return model.columns.values.length - 1;
}

export function allowedSets(model: Model, filters: Query['filters']): Uint8Array {
  const allowed = new Uint8Array(model.columns.setEnd.length).fill(1);
  for (const [key, values] of filters) {
    const label = model.labelKey(key);
    for (let set = 0; set < allowed.length; set++) {
      const index = label?.valueOfSet[set] ?? NO_VALUE;
      const value = index === NO_VALUE ? null : (label?.values[index] as string);
      if (!values.has(value)) allowed[set] = 0;
    }
  }
  return allowed;
}

function valuesOf(model: Model, { type, range }: Query, isDiff: boolean, allowed: Uint8Array): Float64Array[] {
  const { values, rowSet, time } = model.columns;
  const filtered = (column: Float64Array) => column.map((value, row) => (allowed[rowSet[row] as number] ? value : 0));
  if (isDiff) return [filtered(values[2 * type] as Float64Array), filtered(values[2 * type + 1] as Float64Array)];
  if (!range || !time) return [filtered(values[type] as Float64Array)];
  const inRange = new Float64Array(rowSet.length);
  for (let i = lowerBound(time.bucket, range[0]); i < time.bucket.length && (time.bucket[i] as number) < range[1]; i++) {
    const row = time.row[i] as number;
    inRange[row] = (inRange[row] as number) + (time.value[i] as number);
  }
  return [filtered(inRange)];
}

/** The first index whose value is not below `wanted`. */
export function lowerBound(sorted: Uint32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Label sets -> group chains: the values of the keys, outermost first. */
function groupSets(model: Model, keys: string[]) {
  const sets = model.columns.setEnd.length;
  const groups: Group[] = [];
  const groupIds = new Map<string, number>();
  const chains: number[][] = [];
  const chainIds = new Map<string, number>();
  const groupOfSet = new Uint32Array(sets);
  for (let set = 0; set < sets; set++) {
    const chain = keys.map((key, level) => {
      const label = model.labelKey(key);
      const index = label?.valueOfSet[set] ?? NO_VALUE;
      const id = `${level} ${index}`;
      let group = groupIds.get(id);
      if (group === undefined) {
        group = groups.length;
        groupIds.set(id, group);
        groups.push({ key, value: index === NO_VALUE ? null : (label?.values[index] as string) });
      }
      return group;
    });
    const text = chain.join(' ');
    let id = chainIds.get(text);
    if (id === undefined) {
      id = chains.length;
      chainIds.set(text, id);
      chains.push(chain);
    }
    groupOfSet[set] = id;
  }
  return { groupOfSet, chains, groups };
}

function groupTotals(byGroup: number[][], chains: number[][], rowValues: Float64Array[], count: number): Float64Array {
  const totals = new Float64Array(count);
  byGroup.forEach((members, chain) => {
    let sum = 0;
    for (const row of members) for (const values of rowValues) sum += values[row] as number;
    for (const group of chains[chain] as number[]) totals[group] = (totals[group] as number) + sum;
  });
  return totals;
}

/** Functions by name; groups, which never stand among functions, by value, largest first; the root last. */
function ranksOf(model: Model, groups: Group[], totals: Float64Array): Uint32Array {
  const rank = new Uint32Array(model.functionCount + groups.length + 1);
  rank.set(model.rank);
  const order = groups.map((_, id) => id).sort((a, b) => (totals[b] as number) - (totals[a] as number) || a - b);
  order.forEach((group, place) => {
    rank[model.functionCount + group] = model.functionCount + place;
  });
  rank[rank.length - 1] = rank.length - 1;
  return rank;
}

function scaleOf([before, after]: Float64Array[]): number {
  const sum = (values: Float64Array | undefined) => values?.reduce((a, b) => a + b, 0) ?? 0;
  const [totalBefore, totalAfter] = [sum(before), sum(after)];
  return totalBefore > 0 && totalAfter > 0 ? totalAfter / totalBefore : 1;
}

function widths(width: Query['width'], scale: number): number[] {
  if (width === 'before') return [scale, 0];
  if (width === 'after') return [0, 1];
  return [scale / 2, 1 / 2];
}
