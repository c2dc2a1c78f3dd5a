// Profiles -> columns of the page: functions, frames, one prefix tree for all stacks, label sets, rows. One builder takes one profile, or the two of a
// difference (their values stand side by side, so that every filter of the page works on both).
//
// What cannot be shown is counted, not dropped silently: `negative` is the number of values below 0 (a profile that is itself a difference has them), which
// a flame graph has no width for.

import { DoubleColumn, TupleTable } from '../../pprof/intern';
import type { Label, Location, Profile } from '../../pprof/schema';
import { hasLabels, type LabelFilter } from '../labels';
import type { Timeline } from '../timeline';
import { originOf } from './kinds';
import { type Columns, NO_FRAME, type TimeColumns } from './page-data';

const ROOT = 0;
const NO_ROW = 0xffffffff;

export class TreeBuilder {
  /** Values left out because they are below 0. */
  negative = 0;
  readonly #strings = new Map<string, number>([['', 0]]);
  /** (name, file, first line, native). */
  readonly #functions = new TupleTable(4);
  /** (function, line). */
  readonly #frames = new TupleTable(2);
  /** (parent, frame). */
  readonly #nodes = new TupleTable(2);
  /** The text of a label set: JSON of [[key, value], …], sorted. */
  readonly #sets = new Map<string, number>();
  readonly #rows = new TupleTable(2);
  readonly #values: DoubleColumn[];
  readonly #labels: LabelFilter[];
  #time: TimeColumns | null = null;

  /** @param valueColumns sample types, twice as many for a difference */
  constructor(valueColumns: number, labels: LabelFilter[] = []) {
    this.#values = Array.from({ length: valueColumns }, () => new DoubleColumn());
    this.#labels = labels;
    this.#nodes.intern(NO_FRAME, NO_FRAME);
  }

  /** @param columns where each of the profile's values goes; -1 for nowhere */
  add(profile: Profile, columns: number[], timeline?: Timeline): void {
    const frames = profile.locations.map((location) => this.#framesOf(profile, location));
    const sets = new Map<Label[], number>();
    const rowOf = new Uint32Array(timeline ? profile.samples.length : 0).fill(NO_ROW);
    profile.samples.forEach((sample, index) => {
      if (!hasLabels(sample, this.#labels)) return;
      let node = ROOT;
      for (let depth = sample.locations.length - 1; depth >= 0; depth--) {
        for (const frame of frames[sample.locations[depth] as number] as number[]) node = this.#nodes.intern(node, frame);
      }
      if (node === ROOT) node = this.#nodes.intern(ROOT, this.#frame('(no stack)', '', 0, 0, false));
      let set = sets.get(sample.labels);
      if (set === undefined) {
        set = this.#set(sample.labels);
        sets.set(sample.labels, set);
      }
      const row = this.#rows.intern(node, set);
      if (timeline) rowOf[index] = row;
      columns.forEach((column, type) => {
        const value = sample.values[type] ?? 0;
        if (value < 0) this.negative++;
        else if (column >= 0) this.#values[column]?.add(row, value);
      });
    });
    if (timeline) this.#time = timeColumns(timeline, rowOf);
  }

  columns(): Columns {
    const order = this.#depthFirst();
    const nodeParent = new Uint32Array(order.length);
    const nodeFrame = new Uint32Array(order.length);
    const place = new Uint32Array(order.length);
    order.forEach((node, at) => {
      place[node] = at;
      nodeFrame[at] = this.#nodes.at(node, 1);
      nodeParent[at] = node === ROOT ? 0 : (place[this.#nodes.at(node, 0)] as number);
    });
    // Rows by node: neighbours differ by little.
    const rows = Uint32Array.from({ length: this.#rows.size }, (_, row) => row);
    const nodeOf = (row: number) => place[this.#rows.at(row, 0)] as number;
    rows.sort((a, b) => nodeOf(a) - nodeOf(b) || a - b);
    const rowPlace = new Uint32Array(rows.length);
    rows.forEach((row, at) => {
      rowPlace[row] = at;
    });

    // Before the strings are listed: it adds to them.
    const functions = this.#functionColumns();
    const sets = this.#setColumns();
    const time = this.#time;
    return {
      ...functions,
      frameFunction: column(this.#frames, 0),
      frameLine: column(this.#frames, 1),
      nodeParent,
      nodeFrame,
      rowNode: rows.map(nodeOf),
      rowSet: rows.map((row) => this.#rows.at(row, 1)),
      values: this.#values.map((values) => Float64Array.from(rows, (row) => values.at(row))),
      ...sets,
      time: time && { ...time, row: time.row.map((row) => rowPlace[row] as number) },
      strings: [...this.#strings.keys()],
    };
  }

  /** Nodes, each after its parent and followed by its whole subtree; children in the order of their first sample. */
  #depthFirst(): Uint32Array {
    const size = this.#nodes.size;
    const firstChild = new Uint32Array(size);
    const nextSibling = new Uint32Array(size);
    for (let node = size - 1; node > ROOT; node--) {
      const parent = this.#nodes.at(node, 0);
      nextSibling[node] = firstChild[parent] as number;
      firstChild[parent] = node;
    }
    const order = new Uint32Array(size);
    let filled = 1;
    for (let node = firstChild[ROOT] as number; node !== ROOT; ) {
      order[filled++] = node;
      let next = firstChild[node] as number;
      while (next === 0 && node !== ROOT) {
        next = nextSibling[node] as number;
        if (next === 0) node = this.#nodes.at(node, 0);
      }
      node = next;
    }
    return order;
  }

  /** Root first: the last line of a location is the caller of the others. */
  #framesOf(profile: Profile, { lines, mapping, address }: Location): number[] {
    const mapped = profile.mappings[mapping]?.filename ?? '';
    if (lines.length === 0) return [this.#frame(`0x${address.toString(16)}`, mapped, 0, 0, true)];
    return lines
      .map(({ function: index, line }) => {
        const func = profile.functions[index];
        const file = func?.filename ?? '';
        const isNative = file === '' && SHARED.test(mapped);
        return this.#frame(func?.name || '(anonymous)', isNative ? mapped : file, func?.startLine ?? 0, line, isNative);
      })
      .reverse();
  }

  #frame(name: string, file: string, startLine: number, line: number, isNative: boolean): number {
    const func = this.#functions.intern(this.#string(name), this.#string(file), uint32(startLine), isNative ? 1 : 0);
    return this.#frames.intern(func, uint32(line));
  }

  #set(labels: Label[]): number {
    // A key given twice keeps its first value, as everywhere (labels.ts).
    const byKey = new Map<string, string>();
    for (const { key, str, num } of labels) if (!byKey.has(key)) byKey.set(key, str ?? String(num ?? 0));
    const text = JSON.stringify([...byKey].sort(([a], [b]) => (a < b ? -1 : 1)));
    let id = this.#sets.get(text);
    if (id === undefined) {
      id = this.#sets.size;
      this.#sets.set(text, id);
    }
    return id;
  }

  #setColumns(): Pick<Columns, 'setEnd' | 'setKey' | 'setValue'> {
    const keys: number[] = [];
    const values: number[] = [];
    const setEnd = new Uint32Array(this.#sets.size);
    for (const [text, id] of this.#sets) {
      for (const [key, value] of JSON.parse(text) as [string, string][]) {
        keys.push(this.#string(key));
        values.push(this.#string(value));
      }
      setEnd[id] = keys.length;
    }
    return { setEnd, setKey: Uint32Array.from(keys), setValue: Uint32Array.from(values) };
  }

  #functionColumns(): Pick<Columns, 'functionName' | 'functionFile' | 'functionLine' | 'functionKind' | 'functionPackage'> {
    const size = this.#functions.size;
    const texts = [...this.#strings.keys()];
    const functionKind = new Uint32Array(size);
    const functionPackage = new Uint32Array(size);
    for (let id = 0; id < size; id++) {
      const name = texts[this.#functions.at(id, 0)] as string;
      const origin = originOf(name, texts[this.#functions.at(id, 1)] as string, this.#functions.at(id, 3) === 1);
      functionKind[id] = origin.kind;
      functionPackage[id] = this.#string(origin.package);
    }
    return {
      functionName: column(this.#functions, 0),
      functionFile: column(this.#functions, 1),
      functionLine: column(this.#functions, 2),
      functionKind,
      functionPackage,
    };
  }

  #string(text: string): number {
    let id = this.#strings.get(text);
    if (id === undefined) {
      id = this.#strings.size;
      this.#strings.set(text, id);
    }
    return id;
  }
}

const SHARED = /(?:\.node|\.so(?:\.\d+)*|\.dylib|\.dll)$/i;

function column(table: TupleTable, element: number): Uint32Array {
  return Uint32Array.from({ length: table.size }, (_, id) => table.at(id, element));
}

/** Lines of a stranger's profile may be any int64; what is no line is not known. */
function uint32(value: number): number {
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff ? value : 0;
}

/** Entries of samples that the label filter left out go. */
function timeColumns({ startUnixMs, bucketMs, bucket, sample, value }: Timeline, rowOf: Uint32Array): TimeColumns {
  const kept: number[] = [];
  for (let i = 0; i < sample.length; i++) if ((rowOf[sample[i] as number] ?? NO_ROW) !== NO_ROW) kept.push(i);
  return {
    startUnixMs,
    bucketMs,
    bucket: Uint32Array.from(kept, (i) => bucket[i] as number),
    row: Uint32Array.from(kept, (i) => rowOf[sample[i] as number] as number),
    value: Float64Array.from(kept, (i) => value[i] as number),
  };
}
