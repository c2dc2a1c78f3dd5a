// Stacks of one or two profiles as one tree: a node is a function under its caller, its value what passed through it. Line numbers play no part: in a tree of lines
// every hot function would fall into pieces.

import { DoubleColumn, TupleTable } from '../pprof/intern';
import type { Profile } from '../pprof/schema';
import { type FlatFunction, type FlatProfile, flatten, stackOf } from './convert/frames';
import { plainFile } from './kind';

const NOTHING = 0xffffffff;
export const TREE_ROOT = 0;

export interface CallTreeOptions {
  /** False: functions are the same when name and file are, wherever they begin (for two versions of a program). Default true. */
  byLine?: boolean;
}

export class CallTree {
  readonly functions: FlatFunction[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #nodes = new TupleTable(2);
  readonly #values: DoubleColumn[];
  readonly #self: DoubleColumn[];
  readonly #children: number[][] = [[]];
  readonly #byLine: boolean;

  /** @param inputs how many profiles the tree compares: the columns of its values */
  constructor(inputs: number, options: CallTreeOptions = {}) {
    this.#byLine = options.byLine ?? true;
    this.#values = Array.from({ length: inputs }, () => new DoubleColumn());
    this.#self = Array.from({ length: inputs }, () => new DoubleColumn());
    this.#nodes.intern(NOTHING, NOTHING);
  }

  /** Adds a profile's values of one sample type to a column, each times `scale`. Negative values are no part of a picture. */
  add(profile: Profile, type: number, input = 0, scale = 1): void {
    const flat = flatten(profile);
    const functions = this.#foldFunctions(flat);
    for (const sample of profile.samples) {
      const value = (sample.values[type] ?? 0) * scale;
      if (!(value > 0)) continue;
      let node = TREE_ROOT;
      this.#values[input]?.add(node, value);
      for (const frame of stackOf(flat, sample.locations)) {
        node = this.#child(node, functions[flat.frames[frame]?.func as number] as number);
        this.#values[input]?.add(node, value);
      }
      this.#self[input]?.add(node, value);
    }
  }

  children(node: number): readonly number[] {
    return this.#children[node] as number[];
  }

  /** Of the node's function; undefined for the root. */
  func(node: number): FlatFunction | undefined {
    return node === TREE_ROOT ? undefined : this.functions[this.#nodes.at(node, 1)];
  }

  /** What passed through the node, and what ended in it. */
  value(node: number, input = 0): number {
    return this.#values[input]?.at(node) ?? 0;
  }

  self(node: number, input = 0): number {
    return this.#self[input]?.at(node) ?? 0;
  }

  #child(parent: number, func: number): number {
    const node = this.#nodes.intern(parent, func);
    if (node === this.#children.length) {
      this.#children.push([]);
      this.#children[parent]?.push(node);
    }
    return node;
  }

  #foldFunctions(flat: FlatProfile): number[] {
    return flat.functions.map((func) => {
      const file = plainFile(func.file);
      const key = JSON.stringify(this.#byLine ? [func.name, file, func.line] : [func.name, file]);
      let id = this.#byKey.get(key);
      if (id === undefined) {
        id = this.functions.push({ ...func, file }) - 1;
        this.#byKey.set(key, id);
      }
      return id;
    });
  }
}
