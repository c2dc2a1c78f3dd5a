// Merges the slices of one subscriber (a window, a whole run, a snapshot) into one profile of one mode. A slice's ids mean nothing outside it, so
// each slice's tables are folded into the builder's own: functions by (name, file, line, column), frames by (function, line, column), stack nodes by
// (parent, frame), rows by (node, thread, kind of garbage collection). `take` gives the profile and starts empty: what was built is the caller's, nothing is kept.
// Only what a sample of this mode stands on is folded; the other mode's stacks cost nothing.

import { GC_KINDS, type Slice, type SliceTotals } from '../native';
import { Children } from './children';
import { DoubleColumn, TupleTable } from './intern';
import { orderFrames, orderRows } from './order';
import { Rates } from './rates';
import { streamSamples } from './sample-stream';
import { emptyProfile, type Label, type Location, type Profile } from './schema';
import { totalsToComments } from './totals';
import { roundWeights } from './weights';

export type BuilderMode = 'cpu' | 'wall';

export interface BuilderOptions {
  mode: BuilderMode;
  /** Samples stay in the order of what `add` returned; otherwise they stand in the order that packs best. */
  keepOrder?: boolean;
}

const SLICE_MODE = { cpu: 0, wall: 1 } as const;

const ROOT = 0;
// No frame and no function has this id.
const NOTHING = 0xffffffff;
/** A row that is not in the profile. */
export const NO_SAMPLE = 0xffffffff;
/** One large window is not held against all that follow. */
const MOST_EXPECTED = 2 ** 18;
const NANOS_PER_MS = 1e6;
const NANOS_PER_SECOND = 1e9;

export class ProfileBuilder {
  readonly #mode: BuilderMode;
  readonly #keepOrder: boolean;
  #tables = new Tables(0);

  constructor(options: BuilderOptions) {
    this.#mode = options.mode;
    this.#keepOrder = options.keepOrder ?? false;
  }

  /** True when no sample of this mode came since the start or the last `take`. */
  get empty(): boolean {
    return this.#tables.rows.size === 0;
  }

  /**
   * Slices may come in any order. The slice is not kept.
   * @returns for each of the slice's sample rows the index of its sample in the profile; NO_SAMPLE for rows of the other mode
   */
  add(slice: Slice): Uint32Array {
    return this.#tables.add(slice, SLICE_MODE[this.#mode]);
  }

  take(): Profile {
    const tables = this.#tables;
    // The next window is like this one: it need not grow.
    this.#tables = new Tables(Math.min(tables.nodes, MOST_EXPECTED));
    return tables.profile(this.#mode, this.#keepOrder);
  }
}

class Tables {
  readonly #strings = new Map<string, number>();
  readonly #functions = new TupleTable(4);
  readonly #frames = new TupleTable(3);
  readonly #nodes: Children;
  /** (kernel thread id, name). */
  readonly #threads = new TupleTable(2);
  /** The text of the labels, as JSON of [key, value, key, value, …]; 0 is none. */
  readonly #labels = new Map<string, number>([['[]', 0]]);
  /** (node, thread, garbage collection, labels). */
  readonly rows = new TupleTable(4);
  readonly #counts = new DoubleColumn();
  readonly #weights = new DoubleColumn();
  #startMs = Number.POSITIVE_INFINITY;
  #endMs = Number.NEGATIVE_INFINITY;
  #frequencyHz = 0;
  readonly #rates = new Rates();
  #slices = 0;
  readonly #totals: SliceTotals = {
    samples: 0,
    lost: 0,
    truncated: 0,
    frames: 0,
    unresolvedFrames: 0,
    mended: 0,
  };

  constructor(expectedNodes: number) {
    this.#nodes = new Children(expectedNodes);
  }

  get nodes(): number {
    return this.#nodes.size;
  }

  add(slice: Slice, mode: number): Uint32Array {
    this.#slices++;
    this.#startMs = Math.min(this.#startMs, slice.startUnixMs);
    // With a rate that changed on the way, the profile says the latest one.
    if (slice.endUnixMs >= this.#endMs) this.#frequencyHz = slice.frequencyHz;
    this.#endMs = Math.max(this.#endMs, slice.endUnixMs);
    const totals = mode === SLICE_MODE.cpu ? slice.totals : slice.wallTotals;
    if (totals) for (const name of Object.keys(this.#totals) as (keyof SliceTotals)[]) this.#totals[name] += totals[name] ?? 0;
    this.#rates.add(slice);

    const nodes = this.#foldNodes(slice, mode);
    const threads = slice.threads.map(({ tid, name }) => this.#threads.intern(tid, this.#string(name)));
    const labels = this.#foldLabels(slice);
    const { sampleMode, sampleNode, sampleThread, sampleLabel, sampleGc, sampleCount, sampleWeightNs } = slice;
    const ownRows = new Uint32Array(sampleNode.length).fill(NO_SAMPLE);
    for (let row = 0; row < sampleNode.length; row++) {
      if (sampleMode[row] !== mode) continue;
      const own = this.rows.intern(
        nodes[sampleNode[row] as number] as number,
        threads[sampleThread[row] as number] as number,
        sampleGc?.[row] ?? 0,
        labels[sampleLabel?.[row] ?? 0] as number,
      );
      this.#counts.add(own, sampleCount[row] as number);
      this.#weights.add(own, sampleWeightNs[row] as number);
      ownRows[row] = own;
    }
    return ownRows;
  }

  profile(mode: BuilderMode, keepOrder: boolean): Profile {
    const result = emptyProfile();
    const timeUnit = { type: mode, unit: 'nanoseconds' };
    result.sampleTypes = [{ type: 'samples', unit: 'count' }, timeUnit];
    result.periodType = { ...timeUnit };
    result.period = this.#frequencyHz > 0 ? Math.round(NANOS_PER_SECOND / this.#frequencyHz) : 0;
    if (this.#slices > 0) {
      // Split, because milliseconds x 1e6 is past what a double counts exactly.
      const wholeMs = Math.floor(this.#startMs);
      result.timeNanos = BigInt(wholeMs) * BigInt(NANOS_PER_MS) + BigInt(Math.round((this.#startMs - wholeMs) * NANOS_PER_MS));
      result.durationNanos = Math.max(0, Math.round((this.#endMs - this.#startMs) * NANOS_PER_MS));
    }
    const { samples, lost, truncated, frames, unresolvedFrames, mended } = this.#totals;
    result.comments = totalsToComments({ samples, lost, truncated, frames, unresolved_frames: unresolvedFrames, mended });

    result.comments.push(...this.#rates.comments(this.#startMs));

    const strings = [...this.#strings.keys()];
    const order = orderFrames(this.#functions, this.#frames, strings);
    const functionRank = new Uint32Array(order.functions.length);
    order.functions.forEach((id, rank) => {
      functionRank[id] = rank;
      result.functions.push({
        name: strings[this.#functions.at(id, 0)] as string,
        systemName: '',
        filename: strings[this.#functions.at(id, 1)] as string,
        startLine: this.#functions.at(id, 2),
        startColumn: this.#functions.at(id, 3),
      });
    });
    for (const id of order.frames) result.locations.push(this.#location(id, functionRank));

    const labelsOf = this.#labelReader(strings);
    const weights = roundWeights(
      this.rows.size,
      (row) => this.#weights.at(row),
      (row) => this.rows.at(row, 1),
      this.#threads.size,
    );
    streamSamples(result, (visit) =>
      orderRows(this.#nodes, this.rows, order.frameRank, keepOrder, (row, locations, start, same) =>
        visit(locations, start, same, [this.#counts.at(row), weights[row] as number], labelsOf(row)),
      ),
    );
    return result;
  }

  /** Row -> its labels; rows with the same ones share an array. */
  #labelReader(strings: string[]): (row: number) => Label[] {
    const userLabels = [...this.#labels.keys()].map(toLabels);
    const origins = new TupleTable(3);
    const made: Label[][] = [];
    return (row) => {
      const [thread, kind, user] = [this.rows.at(row, 1), this.rows.at(row, 2), this.rows.at(row, 3)];
      const origin = origins.intern(thread, kind, user);
      const gc = GC_KINDS[kind];
      made[origin] ??= [
        { key: 'thread_name', str: strings[this.#threads.at(thread, 1)] as string },
        { key: 'thread_id', num: this.#threads.at(thread, 0) },
        ...(gc ? [{ key: 'gc', str: gc }] : []),
        ...(userLabels[user] as Label[]),
      ];
      return made[origin];
    };
  }

  /** The slice's label rows -> own ids. */
  #foldLabels({ strings, labelEnd, labelKey, labelValue }: Slice): number[] {
    const own = [0];
    if (!labelEnd || !labelKey || !labelValue) return own;
    for (let row = 1; row < labelEnd.length; row++) {
      const pairs: string[] = [];
      for (let at = labelEnd[row - 1] as number; at < (labelEnd[row] as number); at++) {
        pairs.push(strings[labelKey[at] as number] as string, strings[labelValue[at] as number] as string);
      }
      const text = JSON.stringify(pairs);
      let id = this.#labels.get(text);
      if (id === undefined) {
        id = this.#labels.size;
        this.#labels.set(text, id);
      }
      own.push(id);
    }
    return own;
  }

  /** Slice node -> own node, for the nodes on the stack of a sample of `mode`. */
  #foldNodes(slice: Slice, mode: number): Uint32Array {
    const { nodeParent, nodeFrame, sampleMode, sampleNode } = slice;
    const used = new Uint8Array(nodeParent.length);
    for (let row = 0; row < sampleNode.length; row++) if (sampleMode[row] === mode) used[sampleNode[row] as number] = 1;
    // A parent's index is smaller, so one pass down marks all ancestors, one pass up finds every parent folded already.
    for (let node = nodeParent.length - 1; node > ROOT; node--) if (used[node]) used[nodeParent[node] as number] = 1;

    const frames = new Uint32Array(slice.frameFunction.length).fill(NOTHING);
    const functions = new Uint32Array(slice.functionName.length).fill(NOTHING);
    const nodes = new Uint32Array(nodeParent.length);
    nodes[ROOT] = ROOT;
    for (let node = ROOT + 1; node < nodeParent.length; node++) {
      if (!used[node]) continue;
      const frame = nodeFrame[node] as number;
      if (frames[frame] === NOTHING) frames[frame] = this.#foldFrame(slice, frame, functions);
      nodes[node] = this.#nodes.intern(nodes[nodeParent[node] as number] as number, frames[frame] as number);
    }
    return nodes;
  }

  #foldFrame(slice: Slice, frame: number, functions: Uint32Array): number {
    const func = slice.frameFunction[frame] as number;
    if (functions[func] === NOTHING) {
      functions[func] = this.#functions.intern(
        this.#string(slice.strings[slice.functionName[func] as number] as string),
        this.#string(slice.strings[slice.functionFile[func] as number] as string),
        slice.functionLine[func] as number,
        slice.functionColumn[func] as number,
      );
    }
    return this.#frames.intern(functions[func] as number, slice.frameLine[frame] as number, slice.frameColumn[frame] as number);
  }

  #location(frame: number, functionRank: Uint32Array): Location {
    const func = this.#frames.at(frame, 0);
    let line = this.#frames.at(frame, 1);
    let column = this.#frames.at(frame, 2);
    // An unknown position inside the function shows as the function's own; a column goes with its line, never with another.
    if (line === 0) {
      line = this.#functions.at(func, 2);
      column = this.#functions.at(func, 3);
    }
    return { mapping: -1, address: 0n, lines: [{ function: functionRank[func] as number, line, column }], isFolded: false };
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

function toLabels(text: string): Label[] {
  const pairs = JSON.parse(text) as string[];
  const labels: Label[] = [];
  for (let i = 0; i < pairs.length; i += 2) labels.push({ key: pairs[i] as string, str: pairs[i + 1] as string });
  return labels;
}
