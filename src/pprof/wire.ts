// A protobuf reader for input that is not trusted: protobufjs's Reader, narrowed to the message that is being read, with each wire type checked,
// 64-bit integers kept exact, and a budget on how many things the input may turn into. Throws `WireError` (and the Reader's RangeError at the end of
// the input, which `describe` words).

import { Reader } from 'protobufjs/minimal';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const MAX_FIELD = 2 ** 29 - 1;

/** Allocation units that one input may use; a unit is some eight bytes here, so about half a gibibyte. */
const BUDGET = 64 * 2 ** 20;

export class WireError extends Error {}

export class Wire {
  readonly #reader: Reader;
  readonly #whole: number;
  #budget = BUDGET;
  /** Of the field that `next` found. */
  field = 0;
  type = 0;

  constructor(bytes: Uint8Array) {
    this.#reader = Reader.create(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    this.#whole = bytes.length;
  }

  /** Moves to the next field of the message; false at its end. The caller reads or skips the field. */
  next(): boolean {
    const reader = this.#reader;
    if (reader.pos >= reader.len) return false;
    const tag = Number(this.#uint());
    this.field = Math.floor(tag / 8);
    this.type = tag & 7;
    if (this.field === 0 || this.field > MAX_FIELD) throw new WireError(`there is a field number ${this.field} (near byte ${reader.pos})`);
    return true;
  }

  skip(): void {
    if (this.type === VARINT) this.#reader.skip();
    else if (this.type === FIXED64) this.#reader.skip(8);
    else if (this.type === FIXED32) this.#reader.skip(4);
    else if (this.type === BYTES) this.#reader.skip(this.#length());
    else throw this.#unexpected();
  }

  /** Enters the message of the field; `leave` wants what it returns. */
  enter(): number {
    this.#expect(BYTES);
    const outer = this.#reader.len;
    const length = this.#length();
    this.#reader.len = this.#reader.pos + length;
    return outer;
  }

  leave(outer: number): void {
    this.#reader.len = outer;
  }

  /** Where the body of this length-delimited field begins (its length prefix), for `seek`; skips it. */
  mark(): number {
    this.#expect(BYTES);
    const at = this.#reader.pos;
    this.skip();
    return at;
  }

  /** Back to a marked field, as if `next` had just found it. */
  seek(at: number): void {
    this.#reader.len = this.#whole;
    this.#reader.pos = at;
    this.type = BYTES;
  }

  string(): string {
    this.#expect(BYTES);
    const start = this.#reader.pos;
    const length = this.#length();
    this.#reader.pos = start;
    this.spend(4 + (length >>> 3));
    return this.#reader.string();
  }

  /** A uint64: a number where that is exact, else a bigint. */
  uint(): number | bigint {
    this.#expect(VARINT);
    return this.#uint();
  }

  /** An int64: a number where that is exact, else a bigint. */
  int(): number | bigint {
    this.#expect(VARINT);
    return this.#int();
  }

  /** An int64 as a double. */
  double(): number {
    return Number(this.int());
  }

  bool(): boolean {
    return Number(this.uint()) !== 0;
  }

  /** One element of a repeated uint64, or a packed run of them. */
  uints(into: (number | bigint)[]): void {
    if (this.type === VARINT) {
      this.spend(1);
      into.push(this.#uint());
      return;
    }
    const outer = this.enter();
    while (this.#reader.pos < this.#reader.len) {
      this.spend(1);
      into.push(this.#uint());
    }
    this.leave(outer);
  }

  /** The same for int64, as doubles. */
  doubles(into: number[]): void {
    if (this.type === VARINT) {
      this.spend(1);
      into.push(Number(this.#int()));
      return;
    }
    const outer = this.enter();
    while (this.#reader.pos < this.#reader.len) {
      this.spend(1);
      into.push(Number(this.#int()));
    }
    this.leave(outer);
  }

  spend(units: number): void {
    this.#budget -= units;
    if (this.#budget < 0) throw new WireError('it holds more samples, frames and strings than strobe can read at once');
  }

  /** The wording of an error that reading threw; undefined when it is not about the input. */
  describe(error: unknown): string | undefined {
    if (error instanceof WireError) return error.message;
    if (error instanceof RangeError || (error instanceof Error && /^invalid \w+ encoding/.test(error.message))) {
      return `the data ends or breaks off inside a record (near byte ${this.#reader.pos} of ${this.#whole}): truncated, damaged, or another format`;
    }
    return undefined;
  }

  #uint(): number | bigint {
    const reader = this.#reader;
    const first = reader.buf[reader.pos];
    if (first !== undefined && first < 0x80 && reader.pos < reader.len) {
      reader.pos++;
      return first;
    }
    const { low, high } = reader.uint64();
    const top = high >>> 0;
    if (top < 2 ** 21) return top * 2 ** 32 + (low >>> 0);
    return (BigInt(top) << 32n) | BigInt(low >>> 0);
  }

  #int(): number | bigint {
    const bits = this.#uint();
    if (typeof bits === 'number') return bits;
    const value = BigInt.asIntN(64, bits);
    return value >= Number.MIN_SAFE_INTEGER && value < 0n ? Number(value) : value;
  }

  /** The length prefix, checked against what is left of the message. */
  #length(): number {
    const reader = this.#reader;
    const length = Number(this.#uint());
    if (length > reader.len - reader.pos) throw new RangeError('length past the end');
    return length;
  }

  #expect(type: number): void {
    if (this.type !== type) throw this.#unexpected();
  }

  #unexpected(): WireError {
    return new WireError(
      `field ${this.field} has wire type ${this.type}, which no pprof profile has there (near byte ${this.#reader.pos}): damaged, or another format`,
    );
  }
}
