// The ids of one stack, encoded. Samples along the trie share their callers: of a stack like the one before only the part that differs is encoded anew. So a node of the
// trie is encoded once, not once for each sample above it. The bytes stand at the end of the buffer: they grow towards the leaf, which comes first.

const FIRST_CAPACITY = 4096;
const MAX_VARINT_32 = 5;

export class StackBytes {
  bytes = Buffer.alloc(FIRST_CAPACITY);
  start = FIRST_CAPACITY;
  /** Where the bytes of the locations from each index on begin. */
  #offsets = new Uint32Array(FIRST_CAPACITY / MAX_VARINT_32);

  get end(): number {
    return this.bytes.length;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** The ids (index + 1) of `locations` from `start` on; from `same` on they are those of the call before. */
  take(locations: number[], start: number, same: number): this {
    const count = locations.length;
    if (count >= this.#offsets.length) this.#grow(count);
    const bytes = this.bytes;
    const offsets = this.#offsets;
    offsets[count] = bytes.length;
    let at = offsets[same] as number;
    for (let i = same - 1; i >= start; i--) {
      const id = (locations[i] as number) + 1;
      at -= id < 2 ** 7 ? 1 : id < 2 ** 14 ? 2 : id < 2 ** 21 ? 3 : id < 2 ** 28 ? 4 : 5;
      let rest = id;
      let place = at;
      while (rest > 127) {
        bytes[place++] = (rest & 127) | 128;
        rest >>>= 7;
      }
      bytes[place] = rest;
      offsets[i] = at;
    }
    this.start = offsets[start] as number;
    return this;
  }

  /** Before the first of a profile's stacks that is as long: what was there is encoded anew by a call with all of it. */
  #grow(count: number): void {
    const old = this.bytes;
    const oldOffsets = this.#offsets;
    this.#offsets = new Uint32Array((count + 1) * 2);
    this.bytes = Buffer.alloc(this.#offsets.length * MAX_VARINT_32);
    old.copy(this.bytes, this.bytes.length - old.length);
    oldOffsets.forEach((offset, i) => {
      this.#offsets[i] = offset + this.bytes.length - old.length;
    });
  }
}
