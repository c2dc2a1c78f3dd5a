// What the flame graph page is made from, as both sides see it: the writer (this folder) and the page (src/viewer). Types and shared constants only.
//
// A page holds one JSON block with `PageHead`, which is enough for header and menus, and one block a profile with the gzip of `Columns` (columns.ts),
// in base64, which is unpacked when that profile is shown.
//
// Frames are (function, executing line). Nodes are a prefix tree of frames in depth-first order, node 0 its root, which has no frame. Rows are what the
// profile's samples become: (node of the leaf, label set) with one value a sample type.

import type { ValueType } from '../../pprof/schema';

export interface PageHead {
  schema: 'strobe-page/1';
  title: string;
  /** 'diff': one profile whose rows have two values a sample type, before and after. */
  kind: 'profile' | 'diff';
  profiles: ProfileHead[];
}

export interface ProfileHead {
  name: string;
  types: ValueType[];
  /** Index of the sample type to show first. */
  shown: number;
  facts: Fact[];
  /** 0 when not known. */
  durationNanos: number;
  startUnixMs: number;
}

/** A line of what was recorded. */
export interface Fact {
  name: string;
  value: string;
  /** Something that the reader must know: loss. */
  warn?: boolean;
}

/** What kind of code a function is. The index travels in the data. */
export const KINDS = ['application', 'dependency', 'node', 'builtin', 'wasm', 'gc', 'native', 'engine'] as const;
export type Kind = (typeof KINDS)[number];

/** The columns of one profile. All indexes are checked by nobody: writer and page are one version. */
export interface Columns {
  strings: string[];
  /** Into `strings`. */
  functionName: Uint32Array;
  functionFile: Uint32Array;
  /** First line of the function; 0 when not known. */
  functionLine: Uint32Array;
  /** Into KINDS. */
  functionKind: Uint32Array;
  /** Into `strings`: the package's name; '' for what belongs to none. */
  functionPackage: Uint32Array;
  frameFunction: Uint32Array;
  frameLine: Uint32Array;
  /** A parent's index is smaller than its children's. */
  nodeParent: Uint32Array;
  nodeFrame: Uint32Array;
  rowNode: Uint32Array;
  rowSet: Uint32Array;
  /** One column a sample type; in a difference two: before and after of type 0, before and after of type 1 … */
  values: Float64Array[];
  /** Set s has the entries setEnd[s - 1] (0 for the first) to setEnd[s], each (key, value): indexes into `strings`. */
  setEnd: Uint32Array;
  setKey: Uint32Array;
  setValue: Uint32Array;
  time: TimeColumns | null;
}

/** As Timeline, with rows instead of samples. */
export interface TimeColumns {
  startUnixMs: number;
  bucketMs: number;
  bucket: Uint32Array;
  row: Uint32Array;
  value: Float64Array;
}

/** The root has no frame. */
export const NO_FRAME = 0xffffffff;
