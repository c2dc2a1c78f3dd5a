// Protobuf bytes into one growing buffer. protobufjs' Writer makes an object of each number until the message is finished: for a window of a million locations that is
// most of what encoding costs. A message's length stands before it and is known after it: room is kept for it, and a wrong guess moves the message.

const MAX_VARINT = 10;
const TWO_32 = 2 ** 32;

const INT64_LIMIT = 2 ** 63;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

export class ByteWriter {
  #bytes: Buffer;
  #at = 0;
  readonly #open: number[] = [];

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  /** A copy-free view of what was written. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(value: number): void {
    this.#room(MAX_VARINT);
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#at = at;
  }

  /** One varint of 64 bits. A double is rounded to an integer and kept inside int64; a bigint may be any int64 or uint64 (addresses). */
  int(value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.#bits(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
      return;
    }
    const whole = Math.round(value);
    if (whole >= 0 && whole < TWO_32) this.uint32(whole);
    else if (Number.isNaN(whole)) this.uint32(0);
    else if (whole >= INT64_LIMIT) this.int(INT64_MAX);
    else if (whole <= -INT64_LIMIT) this.int(INT64_MIN);
    else this.#bits(whole >>> 0, Math.floor(whole / TWO_32) >>> 0);
  }

  string(text: string): void {
    const length = Buffer.byteLength(text);
    this.uint32(length);
    this.#room(length);
    this.#bytes.write(text, this.#at);
    this.#at += length;
  }

  /** As they are, without a length. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** `write` gets the room that is left, `expected` at least, and says how many bytes it has written; when these are more than it got, it is called again with as much. */
  fill(expected: number, write: (room: Uint8Array) => number): void {
    this.#room(expected);
    let length = write(this.#bytes.subarray(this.#at));
    if (length > this.#bytes.length - this.#at) {
      this.#room(length);
      length = write(this.#bytes.subarray(this.#at));
    }
    this.#at += length;
  }

  /** Begins a message (or a packed run), whose length is written when `close` ends it. `expected`: about its length; a good guess saves moving it. */
  open(expected = 0): void {
    this.#room(MAX_VARINT);
    const kept = varintBytes(expected);
    this.#at += kept;
    this.#open.push(this.#at, kept);
  }

  close(): void {
    const kept = this.#open.pop() as number;
    const start = this.#open.pop() as number;
    const length = this.#at - start;
    const shift = varintBytes(length) - kept;
    if (shift !== 0) {
      this.#room(MAX_VARINT);
      this.#bytes.copyWithin(start + shift, start, this.#at);
    }
    const end = this.#at + shift;
    this.#at = start - kept;
    this.uint32(length);
    this.#at = end;
  }

  #bits(low: number, high: number): void {
    this.#room(MAX_VARINT);
    let [rest, top] = [low, high];
    while (top > 0 || rest > 127) {
      this.#bytes[this.#at++] = (rest & 127) | 128;
      rest = ((rest >>> 7) | (top << 25)) >>> 0;
      top >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #room(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(bytes, 0, 0, this.#at);
    this.#bytes = bytes;
  }
}

export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest >>>= 7) bytes++;
  return bytes;
}
