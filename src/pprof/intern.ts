// Tuples of two to four uint32 -> dense ids 0, 1, 2 …: the one table behind functions, frames, stack nodes and sample rows. Open addressing over
// typed arrays: no string keys, no object a tuple, so that a slice of 50 000 nodes folds in a few milliseconds and leaves the garbage collector alone.

const FIRST_CAPACITY = 64;
const EMPTY = -1;

export class TupleTable {
  readonly #width: number;
  #tuples: Uint32Array;
  #slots: Int32Array;
  #size = 0;

  constructor(width: 2 | 3 | 4) {
    this.#width = width;
    this.#tuples = new Uint32Array(FIRST_CAPACITY * width);
    this.#slots = new Int32Array(FIRST_CAPACITY * 2).fill(EMPTY);
  }

  get size(): number {
    return this.#size;
  }

  /** The tuple's id; a new one is `size` before the call. Elements beyond the width must be left out. */
  intern(a: number, b: number, c = 0, d = 0): number {
    const width = this.#width;
    const tuples = this.#tuples;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash(a, b, c, d) & mask;
    for (let id = slots[slot] as number; id !== EMPTY; id = slots[slot] as number) {
      const at = id * width;
      if (tuples[at] === a && tuples[at + 1] === b && (width < 3 || tuples[at + 2] === c) && (width < 4 || tuples[at + 3] === d)) {
        return id;
      }
      slot = (slot + 1) & mask;
    }
    const id = this.#size++;
    slots[slot] = id;
    const at = id * width;
    tuples[at] = a;
    tuples[at + 1] = b;
    if (width > 2) tuples[at + 2] = c;
    if (width > 3) tuples[at + 3] = d;
    if (this.#size * width === tuples.length) this.#grow();
    return id;
  }

  /** Element `element` of all tuples. */
  column(element: number): Uint32Array {
    const column = new Uint32Array(this.#size);
    for (let id = 0, at = element; id < column.length; id++, at += this.#width) column[id] = this.#tuples[at] as number;
    return column;
  }

  /** Element `element` of the tuple `id`. */
  at(id: number, element: number): number {
    return this.#tuples[id * this.#width + element] as number;
  }

  // Slots are twice the tuples, so the table is never more than half full.
  #grow(): void {
    const width = this.#width;
    const tuples = new Uint32Array(this.#tuples.length * 2);
    tuples.set(this.#tuples);
    const slots = new Int32Array(this.#slots.length * 2).fill(EMPTY);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#size; id++) {
      const at = id * width;
      let slot =
        hash(
          tuples[at] as number,
          tuples[at + 1] as number,
          width > 2 ? (tuples[at + 2] as number) : 0,
          width > 3 ? (tuples[at + 3] as number) : 0,
        ) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#tuples = tuples;
    this.#slots = slots;
  }
}

/** The finaliser of MurmurHash3 over a polynomial of the elements: neighbours (parent, frame) must not land in one run of slots. */
function hash(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(Math.imul(Math.imul(a + 1, 31) + b, 0x9e3779b1) + c, 0x85ebca77) + d;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A column of doubles that grows. */
export class DoubleColumn {
  #values = new Float64Array(FIRST_CAPACITY);

  add(row: number, value: number): void {
    if (row >= this.#values.length) {
      const values = new Float64Array(Math.max(row + 1, this.#values.length * 2));
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[row] = (this.#values[row] as number) + value;
  }

  at(row: number): number {
    return this.#values[row] ?? 0;
  }
}
