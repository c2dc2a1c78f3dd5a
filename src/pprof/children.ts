// The stack trie of a profile in the making: (parent, frame) -> node. Node 0 is the root; a parent's id is smaller than its children's.
//
// Most nodes have one child or two, and a new stack is a chain of new nodes: a list of children that lie beside each other finds them without a hash, whose random
// places in a large table cost more than all the rest of merging. A parent with many children has them in a hash table.

import { TupleTable } from './intern';

const FIRST_CAPACITY = 1024;
/** So many children are looked at one by one. */
const MOST_IN_LIST = 12;

export class Children {
  #frame: Uint32Array;
  #parent: Uint32Array;
  /** 0: none, the root is nobody's child. */
  #first: Uint32Array;
  #next: Uint32Array;
  #wide: Uint8Array;
  #size = 1;
  readonly #table = new TupleTable(2);
  /** Of the table's tuples. */
  readonly #node: number[] = [];

  constructor(expected = FIRST_CAPACITY) {
    const capacity = Math.max(FIRST_CAPACITY, expected);
    this.#frame = new Uint32Array(capacity);
    this.#parent = new Uint32Array(capacity);
    this.#first = new Uint32Array(capacity);
    this.#next = new Uint32Array(capacity);
    this.#wide = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  parent(node: number): number {
    return this.#parent[node] as number;
  }

  frame(node: number): number {
    return this.#frame[node] as number;
  }

  /** For a walk: the first child, and the next child of the same parent; 0 at the end. */
  first(node: number): number {
    return this.#first[node] as number;
  }

  next(node: number): number {
    return this.#next[node] as number;
  }

  intern(parent: number, frame: number): number {
    if (this.#wide[parent]) {
      const id = this.#table.intern(parent, frame);
      if (id === this.#node.length) this.#node.push(this.#add(parent, frame));
      return this.#node[id] as number;
    }
    let seen = 0;
    for (let child = this.#first[parent] as number; child !== 0; child = this.#next[child] as number) {
      if (this.#frame[child] === frame) return child;
      seen++;
    }
    if (seen === MOST_IN_LIST) {
      this.#widen(parent);
      return this.intern(parent, frame);
    }
    return this.#add(parent, frame);
  }

  #widen(parent: number): void {
    this.#wide[parent] = 1;
    for (let child = this.#first[parent] as number; child !== 0; child = this.#next[child] as number) {
      this.#table.intern(parent, this.#frame[child] as number);
      this.#node.push(child);
    }
  }

  #add(parent: number, frame: number): number {
    const node = this.#size++;
    if (node === this.#frame.length) this.#grow();
    this.#frame[node] = frame;
    this.#parent[node] = parent;
    this.#next[node] = this.#first[parent] as number;
    this.#first[parent] = node;
    return node;
  }

  #grow(): void {
    const longer = <T extends Uint32Array | Uint8Array>(column: T, copy: T): T => {
      copy.set(column);
      return copy;
    };
    const capacity = this.#frame.length * 2;
    this.#frame = longer(this.#frame, new Uint32Array(capacity));
    this.#parent = longer(this.#parent, new Uint32Array(capacity));
    this.#first = longer(this.#first, new Uint32Array(capacity));
    this.#next = longer(this.#next, new Uint32Array(capacity));
    this.#wide = longer(this.#wide, new Uint8Array(capacity));
  }
}
