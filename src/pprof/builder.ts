// Merges the slices of one subscriber (a window, a whole run, a snapshot) into one profile of one mode. A slice's ids mean nothing outside it, so
// each slice's tables are folded into the builder's own: functions by (name, file, line, column), frames by (function, line, column), stack nodes by
// (parent, frame), rows by (node, thread, kind of garbage collection, labels). Nodes and rows, of which there are many, are the addon's (`ProfileTables`). `take` gives the profile and starts empty: what was built is the caller's, nothing is kept.
// Only what a sample of this mode stands on is folded; the other mode's stacks cost nothing.

import { GC_KINDS, loadNative, type ProfileTables, type Slice, type SliceTotals } from '../native';
import { type BuiltTables, keepBuilt } from './built';
import { TupleTable } from './intern';
import { orderFrames } from './order';
import { Rates } from './rates';
import { emptyProfile, type Label, type Profile, type Sample } from './schema';
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
/** Of stacks some hundred frames deep, and more than a location's numbers need: room that is not used is never touched. */
const BYTES_A_SAMPLE = 256;
const BYTES_A_LOCATION = 32;
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
    return this.#tables.empty;
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
    this.#tables = new Tables(Math.min(tables.expectedNodes(), MOST_EXPECTED));
    return tables.profile(this.#mode, this.#keepOrder);
  }
}

class Tables {
  readonly #strings = new Map<string, number>();
  readonly #functions = new TupleTable(4);
  readonly #frames = new TupleTable(3);
  /** (kernel thread id, name). */
  readonly #threads = new TupleTable(2);
  /** The text of the labels, as JSON of [key, value, key, value, …]; 0 is none. */
  readonly #labels = new Map<string, number>([['[]', 0]]);
  readonly native: ProfileTables;
  /** No sample of the mode came. */
  empty = true;
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
    this.native = new (loadNative().ProfileTables)(expectedNodes);
  }

  /** Of the next window. */
  expectedNodes(): number {
    try {
      return this.native.nodes();
    } catch {
      // There was no memory for these; `profile` says so.
      return 0;
    }
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
    const threads = Uint32Array.from(slice.threads, ({ tid, name }) => this.#threads.intern(tid, this.#string(name)));
    const labels = Uint32Array.from(this.#foldLabels(slice));
    const { sampleMode, sampleNode, sampleThread, sampleCount, sampleWeightNs } = slice;
    this.empty &&= !sampleMode.includes(mode);
    return this.native.add(
      sampleMode,
      sampleNode,
      sampleThread,
      slice.sampleGc ?? new Uint8Array(sampleMode.length),
      slice.sampleLabel ?? new Uint32Array(sampleMode.length),
      sampleCount,
      sampleWeightNs,
      mode,
      nodes,
      threads,
      labels,
    );
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
    for (const id of order.functions) {
      result.functions.push({
        name: strings[this.#functions.at(id, 0)] as string,
        systemName: '',
        filename: strings[this.#functions.at(id, 1)] as string,
        startLine: this.#functions.at(id, 2),
        startColumn: this.#functions.at(id, 3),
      });
    }
    keepBuilt(result, {
      samples: this.#samples(order.frameRank, strings, keepOrder),
      locations: this.#locations(order.frames, order.functionRank),
    });
    return result;
  }

  #samples(frameRank: Uint32Array, strings: string[], keepOrder: boolean): NonNullable<BuiltTables['samples']> {
    const native = this.native;
    const { node, thread, gc, labels: userLabels, count, weightNs } = native.rows();
    const weights = roundWeights(weightNs, thread, this.#threads.size);
    const { labels, of } = this.#labelSets(thread, gc, userLabels, strings);
    return {
      expectedBytes: node.length * BYTES_A_SAMPLE,
      objects: () => {
        const { parent, frame } = native.trie();
        const stack = (leaf: number) => {
          const locations: number[] = [];
          for (let at = leaf; at !== ROOT; at = parent[at] as number) locations.push(frameRank[frame[at] as number] as number);
          return locations;
        };
        const sample = (row: number): Sample => ({
          locations: stack(node[row] as number),
          values: [count[row] as number, weights[row] as number],
          labels: labels[of[row] as number] as Label[],
        });
        return keepOrder ? Array.from(node, (_, row) => sample(row)) : Array.from(native.order(node), sample);
      },
      bytes: (labelBytes) => {
        const sets = labels.map(labelBytes);
        let end = 0;
        const ends = Uint32Array.from(sets, ({ length }) => {
          end += length;
          return end;
        });
        const bytes = Buffer.concat(sets);
        return (out) => native.encode(node, of, count, weights, frameRank, ends, bytes, keepOrder, out);
      },
    };
  }

  /** `frames`: ids in the order of writing. */
  #locations(frames: Uint32Array, functionRank: Uint32Array): NonNullable<BuiltTables['locations']> {
    const functions = new Uint32Array(frames.length);
    const lines = new Uint32Array(frames.length);
    const columns = new Uint32Array(frames.length);
    for (let at = 0; at < frames.length; at++) {
      const frame = frames[at] as number;
      const func = this.#frames.at(frame, 0);
      functions[at] = functionRank[func] as number;
      const line = this.#frames.at(frame, 1);
      // An unknown position inside the function shows as the function's own; a column goes with its line, never with another.
      lines[at] = line || this.#functions.at(func, 2);
      columns[at] = line ? this.#frames.at(frame, 2) : this.#functions.at(func, 3);
    }
    return {
      expectedBytes: frames.length * BYTES_A_LOCATION,
      objects: () =>
        Array.from(functions, (id, at) => ({
          mapping: -1,
          address: 0n,
          lines: [{ function: id, line: lines[at] as number, column: columns[at] as number }],
          isFolded: false,
        })),
      bytes: (out) => loadNative().encodeLocations(functions, lines, columns, out),
    };
  }

  /** What rows carry, each set once, and which of them each row has. */
  #labelSets(threads: Uint32Array, gcs: Uint32Array, users: Uint32Array, strings: string[]): { labels: Label[][]; of: Uint32Array } {
    const userLabels = [...this.#labels.keys()].map(toLabels);
    const origins = new TupleTable(3);
    const labels: Label[][] = [];
    const of = new Uint32Array(threads.length);
    for (let row = 0; row < of.length; row++) {
      const [thread, kind, user] = [threads[row] as number, gcs[row] as number, users[row] as number];
      const origin = origins.intern(thread, kind, user);
      of[row] = origin;
      const gc = GC_KINDS[kind];
      labels[origin] ??= [
        { key: 'thread_name', str: strings[this.#threads.at(thread, 1)] as string },
        { key: 'thread_id', num: this.#threads.at(thread, 0) },
        ...(gc ? [{ key: 'gc', str: gc }] : []),
        ...(userLabels[user] as Label[]),
      ];
    }
    return { labels, of };
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
    const used = this.native.used(nodeParent, nodeFrame, sampleNode, sampleMode, mode, slice.frameFunction.length);
    const frames = new Uint32Array(slice.frameFunction.length).fill(NOTHING);
    const functions = new Uint32Array(slice.functionName.length).fill(NOTHING);
    for (let frame = 0; frame < frames.length; frame++) if (used.frames[frame]) frames[frame] = this.#foldFrame(slice, frame, functions);
    return this.native.fold(nodeParent, nodeFrame, used.nodes, frames);
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
