// Folds the profile's tree of frames into the tree that is drawn: nodes of one function under one caller become one node (or stay apart by line).
//
// From the root down, a node at a time: the children of all members of the node are sorted into classes by their function, with a table that has a slot for each
// function and is never cleared, and each class becomes a child. No hashing: a million nodes fold in a fraction of a second, which is what lets the page
// open, filter and regroup without a server (docs/flamegraph.md has the figures).

import type { Model } from './model';
import { NONE, ROOT, type TreeParts } from './tree';

/** In rowNode: a row that the query leaves out. */
export const UNUSED = 0xffffffff;
const NOBODY = 0xffffffff;
/** Longer lists of children are sorted by the library. */
const INSERTION_SORT = 12;

export class Folder {
  readonly rowNode: Uint32Array;
  readonly #model: Model;
  readonly #lines: boolean;
  readonly #rowValues: Float64Array[];
  readonly #rank: Uint32Array;
  #capacity = 1 << 14;
  #size = 1;
  #parent = new Uint32Array(this.#capacity);
  #func = new Uint32Array(this.#capacity);
  #line = new Uint32Array(this.#capacity);
  #firstChild = new Uint32Array(this.#capacity);
  #nextSibling = new Uint32Array(this.#capacity);
  /** New node -> the first of the profile's nodes that it stands for; the others follow by #nextMember. */
  #member = new Uint32Array(this.#capacity);

  // By node of the profile.
  readonly #nextMember: Uint32Array;
  readonly #profileChild: Uint32Array;
  readonly #profileSibling: Uint32Array;
  readonly #folded: Uint32Array;
  /** The last `add` that the node is in. */
  readonly #addedIn: Uint32Array;
  #adds = 0;

  // By function, or by frame where lines stay apart.
  readonly #classMember: Uint32Array;
  readonly #classOf: Uint32Array;
  readonly #classes: number[] = [];

  constructor(model: Model, lines: boolean, rowValues: Float64Array[], rank: Uint32Array) {
    const { nodeParent, rowNode, frameFunction } = model.columns;
    this.#model = model;
    this.#lines = lines;
    this.#rowValues = rowValues;
    this.#rank = rank;
    this.rowNode = new Uint32Array(rowNode.length).fill(UNUSED);
    this.#nextMember = new Uint32Array(nodeParent.length);
    this.#profileChild = new Uint32Array(nodeParent.length);
    this.#profileSibling = new Uint32Array(nodeParent.length);
    this.#folded = new Uint32Array(nodeParent.length);
    this.#addedIn = new Uint32Array(nodeParent.length);
    const classes = lines ? frameFunction.length : model.functionCount;
    this.#classMember = new Uint32Array(classes);
    this.#classOf = new Uint32Array(classes).fill(NOBODY);
    this.#func[ROOT] = rank.length - 1;
  }

  /** Appends children of these functions, in this order, to a node that has none; returns the first. */
  addChildren(parent: number, funcs: number[]): number {
    const first = this.#size;
    for (const func of funcs) this.#append(parent, func, 0);
    this.#chain(parent, first);
    return first;
  }

  /** Folds the stacks of these rows (sorted by node) below `base`, which has no children yet. */
  add(rows: number[], base: number): void {
    this.#adds++;
    this.#useAncestors(rows);
    this.#folded[ROOT] = base;
    this.#member[base] = ROOT;
    this.#nextMember[ROOT] = NOBODY;
    const pending = [base];
    while (pending.length > 0) {
      const node = pending.pop() as number;
      const first = this.#size;
      this.#foldChildren(node);
      for (let child = first; child < this.#size; child++) pending.push(child);
    }
    const { rowNode } = this.#model.columns;
    for (const row of rows) this.rowNode[row] = this.#folded[rowNode[row] as number] as number;
  }

  parts(): TreeParts {
    const size = this.#size;
    const selfs = this.#rowValues.map((values) => {
      const self = new Float64Array(size);
      for (let row = 0; row < values.length; row++) {
        const node = this.rowNode[row] as number;
        if (node !== UNUSED) self[node] = (self[node] as number) + (values[row] as number);
      }
      return self;
    });
    return {
      size,
      selfs,
      parent: this.#parent.slice(0, size),
      func: this.#func.slice(0, size),
      line: this.#line.slice(0, size),
      firstChild: this.#firstChild.slice(0, size),
      nextSibling: this.#nextSibling.slice(0, size),
    };
  }

  /** Links every node above a row into its parent's list of children. */
  #useAncestors(rows: number[]): void {
    const { rowNode, nodeParent } = this.#model.columns;
    const adds = this.#adds;
    const addedIn = this.#addedIn;
    this.#profileChild[ROOT] = NONE;
    addedIn[ROOT] = adds;
    for (const row of rows) {
      let node = rowNode[row] as number;
      let below = NONE;
      while (addedIn[node] !== adds) {
        addedIn[node] = adds;
        // Only the node that it was reached from, until another one reaches it.
        this.#profileChild[node] = below;
        if (below !== NONE) this.#profileSibling[below] = NONE;
        below = node;
        node = nodeParent[node] as number;
      }
      if (below !== NONE) {
        this.#profileSibling[below] = this.#profileChild[node] as number;
        this.#profileChild[node] = below;
      }
    }
  }

  #foldChildren(node: number): void {
    const { nodeFrame, frameFunction, frameLine } = this.#model.columns;
    const classOf = this.#classOf;
    const classMember = this.#classMember;
    // One list for all nodes: a new one for each of a million is work for the garbage collector.
    const classes = this.#classes;
    classes.length = 0;
    for (let member = this.#member[node] as number; member !== NOBODY; member = this.#nextMember[member] as number) {
      for (let child = this.#profileChild[member] as number; child !== NONE; child = this.#profileSibling[child] as number) {
        const frame = nodeFrame[child] as number;
        const own = this.#lines ? frame : (frameFunction[frame] as number);
        if (classOf[own] !== node) {
          classOf[own] = node;
          classMember[own] = NOBODY;
          classes.push(own);
        }
        this.#nextMember[child] = classMember[own] as number;
        classMember[own] = child;
      }
    }
    if (classes.length === 0) return;
    if (classes.length > 1) this.#sort(classes);
    const first = this.#size;
    for (const own of classes) {
      const made = this.#append(node, this.#lines ? (frameFunction[own] as number) : own, this.#lines ? (frameLine[own] as number) : 0);
      const member = classMember[own] as number;
      this.#member[made] = member;
      for (let one = member; one !== NOBODY; one = this.#nextMember[one] as number) this.#folded[one] = made;
    }
    this.#chain(node, first);
  }

  /** By the rank of the function, then by line. */
  #sort(classes: number[]): void {
    const { frameFunction, frameLine } = this.#model.columns;
    const rank = this.#rank;
    const before = this.#lines
      ? (a: number, b: number) =>
          (rank[frameFunction[a] as number] as number) - (rank[frameFunction[b] as number] as number) ||
          (frameLine[a] as number) - (frameLine[b] as number)
      : (a: number, b: number) => (rank[a] as number) - (rank[b] as number);
    if (classes.length > INSERTION_SORT) {
      classes.sort(before);
      return;
    }
    for (let i = 1; i < classes.length; i++) {
      const one = classes[i] as number;
      let at = i - 1;
      for (; at >= 0 && before(classes[at] as number, one) > 0; at--) classes[at + 1] = classes[at] as number;
      classes[at + 1] = one;
    }
  }

  #append(parent: number, func: number, line: number): number {
    if (this.#size === this.#capacity) this.#grow();
    const node = this.#size++;
    this.#parent[node] = parent;
    this.#func[node] = func;
    this.#line[node] = line;
    return node;
  }

  /** The nodes from `first` on are the children. */
  #chain(parent: number, first: number): void {
    if (first === this.#size) return;
    this.#firstChild[parent] = first;
    for (let node = first; node < this.#size - 1; node++) this.#nextSibling[node] = node + 1;
  }

  #grow(): void {
    this.#capacity *= 2;
    const grown = (column: Uint32Array<ArrayBuffer>) => {
      const result = new Uint32Array(this.#capacity);
      result.set(column);
      return result;
    };
    this.#parent = grown(this.#parent);
    this.#func = grown(this.#func);
    this.#line = grown(this.#line);
    this.#firstChild = grown(this.#firstChild);
    this.#nextSibling = grown(this.#nextSibling);
    this.#member = grown(this.#member);
  }
}
