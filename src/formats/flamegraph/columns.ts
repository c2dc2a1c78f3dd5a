// Columns <-> bytes: a JSON head (strings, names and lengths of the columns) and after it the columns as variable-length integers, seven bits a byte, low
// ones first. Differences between neighbours stay small, so that gzip leaves about two bytes a tree node. Pure JavaScript: the page reads with the same code.

import { type Columns, NO_FRAME } from './page-data';

const HEAD_LENGTH_BYTES = 4;

interface Head {
  strings: string[];
  /** Number of entries, in the order of the bytes. */
  lengths: number[];
  /** Columns of `values` that hold other than whole numbers travel as doubles. */
  doubles: boolean[];
  time: { startUnixMs: number; bucketMs: number } | null;
}

export function packColumns(columns: Columns): Uint8Array {
  const out = new Writer();
  const { time } = columns;
  const doubles = [...columns.values, ...(time ? [time.value] : [])].map((values) => !values.every(isShort));
  const lengths: number[] = [];
  const put = (length: number, at: (i: number) => number) => {
    lengths.push(length);
    for (let i = 0; i < length; i++) out.uint(at(i));
  };
  const plain = (column: Uint32Array) => put(column.length, (i) => column[i] as number);
  const stepped = (column: Uint32Array) =>
    put(column.length, (i) => zigzag((column[i] as number) - (i > 0 ? (column[i - 1] as number) : 0)));
  const numbers = (column: Float64Array, asDoubles: boolean) => {
    if (!asDoubles) return put(column.length, (i) => zigzag(column[i] as number));
    lengths.push(column.length);
    out.doubles(column);
  };

  plain(columns.functionName);
  plain(columns.functionFile);
  plain(columns.functionLine);
  plain(columns.functionKind);
  plain(columns.functionPackage);
  plain(columns.frameFunction);
  plain(columns.frameLine);
  // How far up the parent is from the node before: 0 for its child. In depth-first order that is a small number.
  const depth = new Uint32Array(columns.nodeParent.length);
  put(columns.nodeParent.length - 1, (i) => {
    depth[i + 1] = (depth[columns.nodeParent[i + 1] as number] as number) + 1;
    return (depth[i] as number) + 1 - (depth[i + 1] as number);
  });
  put(columns.nodeFrame.length - 1, (i) => columns.nodeFrame[i + 1] as number);
  stepped(columns.rowNode);
  plain(columns.rowSet);
  columns.values.forEach((column, i) => {
    numbers(column, doubles[i] as boolean);
  });
  stepped(columns.setEnd);
  plain(columns.setKey);
  plain(columns.setValue);
  if (time) {
    stepped(time.bucket);
    stepped(time.row);
    numbers(time.value, doubles.at(-1) as boolean);
  }
  const head: Head = {
    strings: columns.strings,
    lengths,
    doubles,
    time: time && { startUnixMs: time.startUnixMs, bucketMs: time.bucketMs },
  };
  return out.finish(JSON.stringify(head));
}

export function unpackColumns(bytes: Uint8Array, valueColumns: number): Columns {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headLength = view.getUint32(0, true);
  const bodyAt = HEAD_LENGTH_BYTES + headLength;
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD_LENGTH_BYTES, bodyAt))) as Head;
  const input = new Reader(bytes, bodyAt);
  let column = 0;
  let valueColumn = 0;
  const length = () => head.lengths[column++] as number;
  const plain = () => {
    const result = new Uint32Array(length());
    for (let i = 0; i < result.length; i++) result[i] = input.uint();
    return result;
  };
  const stepped = () => {
    const result = new Uint32Array(length());
    for (let i = 0, last = 0; i < result.length; i++) {
      last += unzigzag(input.uint());
      result[i] = last;
    }
    return result;
  };
  const numbers = () => {
    const result = new Float64Array(length());
    const asDoubles = head.doubles[valueColumn++];
    for (let i = 0; i < result.length; i++) result[i] = asDoubles ? input.double() : unzigzag(input.uint());
    return result;
  };

  const functionName = plain();
  const functionFile = plain();
  const functionLine = plain();
  const functionKind = plain();
  const functionPackage = plain();
  const frameFunction = plain();
  const frameLine = plain();
  const nodes = length() + 1;
  const nodeParent = new Uint32Array(nodes);
  for (let node = 1; node < nodes; node++) {
    let parent = node - 1;
    for (let up = input.uint(); up > 0; up--) parent = nodeParent[parent] as number;
    nodeParent[node] = parent;
  }
  const nodeFrame = new Uint32Array(length() + 1);
  nodeFrame[0] = NO_FRAME;
  for (let node = 1; node < nodes; node++) nodeFrame[node] = input.uint();
  const rowNode = stepped();
  const rowSet = plain();
  const values = Array.from({ length: valueColumns }, numbers);
  const setEnd = stepped();
  const setKey = plain();
  const setValue = plain();
  const time = head.time && { ...head.time, bucket: stepped(), row: stepped(), value: numbers() };
  return {
    strings: head.strings,
    functionName,
    functionFile,
    functionLine,
    functionKind,
    functionPackage,
    frameFunction,
    frameLine,
    nodeParent,
    nodeFrame,
    rowNode,
    rowSet,
    values,
    setEnd,
    setKey,
    setValue,
    time,
  };
}

// Arithmetic, not bits: what travels as an integer goes up to 2^52.
const isShort = (value: number): boolean => Number.isInteger(value) && Math.abs(value) < 2 ** 52;
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (code: number): number => (code % 2 === 1 ? -(code + 1) / 2 : code / 2);

class Writer {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  uint(value: number): void {
    this.#room(10);
    let rest = value;
    while (rest > 0x7fffffff) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  doubles(values: Float64Array): void {
    this.#room(values.length * 8);
    const view = new DataView(this.#bytes.buffer);
    for (const value of values) {
      view.setFloat64(this.#length, value, true);
      this.#length += 8;
    }
  }

  finish(head: string): Uint8Array {
    const text = new TextEncoder().encode(head);
    const result = new Uint8Array(HEAD_LENGTH_BYTES + text.length + this.#length);
    new DataView(result.buffer).setUint32(0, text.length, true);
    result.set(text, HEAD_LENGTH_BYTES);
    result.set(this.#bytes.subarray(0, this.#length), HEAD_LENGTH_BYTES + text.length);
    return result;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  uint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] as number;
    if (byte < 128) return byte;
    let result = byte & 127;
    let factor = 128;
    do {
      byte = bytes[this.#at++] as number;
      result += (byte & 127) * factor;
      factor *= 128;
    } while (byte > 127);
    return result;
  }

  double(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }
}
