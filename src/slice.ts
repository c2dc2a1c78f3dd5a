// What passes between the engine and the encoder: slices, as the collector cuts them (native/stack/slice.h), and the tables that they are merged into. Shapes only;
// `native.ts` has the calls.

/** What a function is; columns `Slice.functionKind` hold the index. */
export const FUNCTION_KINDS = ['js', 'script', 'builtin', 'regexp', 'wasm', 'stub', 'vm'] as const;
export type FunctionKind = (typeof FUNCTION_KINDS)[number];

/** What kind of garbage collection; columns `Slice.sampleGc` hold the index. The first stands for none; a step is marking or sweeping outside of a collection. */
export const GC_KINDS = [
  '',
  'scavenge',
  'minor-mark-sweep',
  'mark-sweep-compact',
  'incremental-marking',
  'weak-callbacks',
  'step',
] as const;

/**
 * One immutable, numbered piece of the profile, cut by the collector. Columns of one table have one length.
 * Ids (of functions, frames, nodes, threads, strings) are indexes into this slice's own tables and mean nothing outside it.
 */
export interface Slice {
  /** 1, 2, 3 … in this process; a gap means that a slice was dropped because nobody took it (see `NativeStats.droppedSlices`). */
  number: number;
  /** Wall clock of the cut before and of this cut, milliseconds since the Unix epoch. */
  startUnixMs: number;
  endUnixMs: number;
  /** Rate while the slice was recorded (at its end, when it changed in between). */
  frequencyHz: number;
  /** Rates that began in this slice: at the start, asked for by setFrequency, or by the overhead budget. Left out: none. */
  rateChanges?: RateChange[];
  /** `strings[0]` is ''. */
  strings: string[];
  functionName: Uint32Array;
  functionFile: Uint32Array;
  /** First line and column of the function, 1-based; 0 when not known. */
  functionLine: Uint32Array;
  functionColumn: Uint32Array;
  functionKind: Uint8Array;
  /**
   * Whether the function's script names a source map: 0 no; 1 yes, its URL is `strings[functionMapUrl]`; 2 yes, but the engine does not have the URL (too long,
   * as an inline map is, or unreadable): it stands in the script's file. Left out: none does.
   */
  functionMapKind?: Uint8Array;
  functionMapUrl?: Uint32Array;
  frameFunction: Uint32Array;
  /** Executing line and column, 1-based; 0 when not known. */
  frameLine: Uint32Array;
  frameColumn: Uint32Array;
  /** The stack trie. Node 0 is the root, no frame; every other node's parent has a smaller index. A stack is the way from a node to the root, leaf first. */
  nodeParent: Uint32Array;
  nodeFrame: Uint32Array;
  threads: { tid: number; name: string }[];
  /**
   * What samples carry: the user's labels, `trace_id`, `span_id`, `local_root_span_id` (hex), `strobe_labels` = `(evicted)` for labels that were gone. Row i has the
   * pairs labelEnd[i - 1] to labelEnd[i] of labelKey and labelValue (strings); row 0 has none. Left out: no sample has any.
   */
  labelEnd?: Uint32Array;
  labelKey?: Uint32Array;
  labelValue?: Uint32Array;
  /** One row for each distinct (node, thread, mode, garbage collection, label). */
  sampleNode: Uint32Array;
  sampleThread: Uint32Array;
  /** Row of the label tables. */
  sampleLabel?: Uint32Array;
  /** 0 CPU, 1 wall. */
  sampleMode: Uint8Array;
  /** Index into GC_KINDS: the garbage collection that the row's samples were taken in, 0 for none (or one whose kind is not known). */
  sampleGc: Uint8Array;
  sampleCount: Uint32Array;
  /** CPU (or wall) time of the row, nanoseconds. */
  sampleWeightNs: Float64Array;
  /** When samples were taken, where that was asked for: milliseconds since `startUnixMs`, row of the sample table, nanoseconds. In any order. */
  timeMs?: Float64Array;
  timeSample?: Uint32Array;
  timeWeightNs?: Float64Array;
  /** Of the CPU profile. */
  totals: SliceTotals;
  /** Of the wall profile. Left out: not recorded. */
  wallTotals?: SliceTotals;
}

export interface RateChange {
  unixMs: number;
  hz: number;
  why: 'start' | 'asked' | 'budget';
}

export interface SliceTotals {
  /** Samples recorded, lost ones not among them. */
  samples: number;
  /** Samples that found their ring full; their CPU stands in the slice under a `(lost)` frame. */
  lost: number;
  truncated: number;
  frames: number;
  unresolvedFrames: number;
  /** Samples whose caller V8 had lost and that got it back. */
  mended: number;
}

/**
 * The stack trie and the rows of a profile in the making, outside the JavaScript heap (native/stack/profile_trie.h, profile_rows.h). Node 0 is the root, a parent's id is
 * smaller than its children's; ids of frames, threads and labels are the caller's. Columns that don't fit together are a TypeError.
 */
export interface ProfileTables {
  /** How many nodes the trie has. */
  nodes(): number;
  /** Of a slice's nodes and frames (`frames` of them) those that stand on the stack of a sample of `mode`: 1, others 0. */
  used(
    nodeParent: Uint32Array,
    nodeFrame: Uint32Array,
    sampleNode: Uint32Array,
    sampleMode: Uint8Array,
    mode: number,
    frames: number,
  ): { nodes: Uint8Array; frames: Uint8Array };
  /** A slice's nodes -> nodes here, for those with `used`; 0 for the others. `ownFrames`: the slice's frames -> the caller's. */
  fold(nodeParent: Uint32Array, nodeFrame: Uint32Array, used: Uint8Array, ownFrames: Uint32Array): Uint32Array;
  /**
   * Adds a slice's samples of `mode`: one row for each distinct (node, thread, kind of garbage collection, labels).
   * @returns for each sample its row; 0xffffffff for those of the other mode
   */
  add(
    sampleMode: Uint8Array,
    sampleNode: Uint32Array,
    sampleThread: Uint32Array,
    sampleGc: Uint8Array,
    sampleLabel: Uint32Array,
    sampleCount: Uint32Array,
    sampleWeightNs: Float64Array,
    mode: number,
    ownNodes: Uint32Array,
    ownThreads: Uint32Array,
    ownLabels: Uint32Array,
  ): Uint32Array;
  /** Copies of the rows' columns. */
  rows(): {
    node: Uint32Array;
    thread: Uint32Array;
    gc: Uint32Array;
    labels: Uint32Array;
    count: Float64Array;
    weightNs: Float64Array;
  };
  /** Rows, each by its node, in the order of a walk along the trie. */
  order(rowNode: Uint32Array): Uint32Array;
  /** Copies of the trie's columns. */
  trie(): { parent: Uint32Array; frame: Uint32Array };
  /**
   * Rows as the bytes of profile.proto's `sample` fields; a location's id is `frameRank[frame] + 1`, a row's labels are the bytes
   * `labelEnd[rowLabels[row] - 1]` (0 for the first) to `labelEnd[rowLabels[row]]` of labelBytes, its values count and weight. `keepOrder`: by number, else along the trie.
   * @returns how many bytes they are; when these are more than `out` has, what is in it means nothing: call again with so much room
   */
  encode(
    rowNode: Uint32Array,
    rowLabels: Uint32Array,
    rowCount: Float64Array,
    rowWeight: Float64Array,
    frameRank: Uint32Array,
    labelEnd: Uint32Array,
    labelBytes: Uint8Array,
    keepOrder: boolean,
    out: Uint8Array,
  ): number;
}
