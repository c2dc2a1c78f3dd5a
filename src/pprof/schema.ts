// The pprof data model, in memory and on the wire. Field numbers are those of
// https://github.com/google/pprof/blob/main/proto/profile.proto (package perftools.profiles).
//
// In memory, references are indexes into the profile's own arrays (the wire has ids there); -1 means "none". A `Profile` that the builder, the
// reader or the merge gives is complete: every index is in range, every sample has one value a sample type.

/** Field numbers; the number of a repeated field is the same packed and unpacked. */
export const PROFILE = {
  sampleType: 1,
  sample: 2,
  mapping: 3,
  location: 4,
  function: 5,
  stringTable: 6,
  dropFrames: 7,
  keepFrames: 8,
  timeNanos: 9,
  durationNanos: 10,
  periodType: 11,
  period: 12,
  comment: 13,
  defaultSampleType: 14,
  docUrl: 15,
} as const;
export const VALUE_TYPE = { type: 1, unit: 2 } as const;
export const SAMPLE = { locationId: 1, value: 2, label: 3 } as const;
export const LABEL = { key: 1, str: 2, num: 3, numUnit: 4 } as const;
export const MAPPING = {
  id: 1,
  memoryStart: 2,
  memoryLimit: 3,
  fileOffset: 4,
  filename: 5,
  buildId: 6,
  hasFunctions: 7,
  hasFilenames: 8,
  hasLineNumbers: 9,
  hasInlineFrames: 10,
} as const;
export const LOCATION = { id: 1, mappingId: 2, address: 3, line: 4, isFolded: 5 } as const;
export const LINE = { functionId: 1, line: 2, column: 3 } as const;
export const FUNCTION = { id: 1, name: 2, systemName: 3, filename: 4, startLine: 5 } as const;

export interface ValueType {
  type: string;
  unit: string;
}

/** Either a string (`str`) or a number (`num`, with an optional `unit`). A number is a bigint only where a double would round it. */
export interface Label {
  key: string;
  str?: string;
  num?: number | bigint;
  unit?: string;
}

export interface Sample {
  /** Indexes of locations, leaf first. */
  locations: number[];
  /**
   * One for each sample type. Doubles: exact up to 2^53 (104 days in nanoseconds, 8 PiB), beyond that the nearest double (off by less than
   * 1 part in 10^15), never wrapped; the encoder writes the limit of int64 for what lies past it.
   */
  values: number[];
  /** Samples may share one array: replace it, don't change it. */
  labels: Label[];
}

export interface Line {
  /** Index of the function. */
  function: number;
  /** 1-based; 0 when not known. */
  line: number;
  column: number;
}

export interface Location {
  /** Index of the mapping, or -1. */
  mapping: number;
  /** 0n in profiles of strobe. */
  address: bigint;
  /** Innermost inlined frame first; the last entry is the caller of the others, the real function. Empty when not symbolised. */
  lines: Line[];
  isFolded: boolean;
}

export interface Func {
  name: string;
  /** The mangled name; '' in profiles of strobe, which keeps pprof from demangling JavaScript names. */
  systemName: string;
  filename: string;
  /** 1-based; 0 when not known. */
  startLine: number;
  /** 1-based; 0 when not known. Of the builder only (source maps need it): profile.proto has no field for it. */
  startColumn: number;
}

export interface Mapping {
  start: bigint;
  limit: bigint;
  offset: bigint;
  filename: string;
  buildId: string;
  hasFunctions: boolean;
  hasFilenames: boolean;
  hasLineNumbers: boolean;
  hasInlineFrames: boolean;
}

export interface Profile {
  sampleTypes: ValueType[];
  samples: Sample[];
  mappings: Mapping[];
  locations: Location[];
  functions: Func[];
  /** Since the Unix epoch (past 2^53, so a bigint); 0n when not known. */
  timeNanos: bigint;
  durationNanos: number;
  periodType: ValueType;
  period: number;
  comments: string[];
  /** The `type` of one of `sampleTypes`, or ''. */
  defaultSampleType: string;
  /** Regular expressions of frames that a viewer hides; '' for none. */
  dropFrames: string;
  keepFrames: string;
  docUrl: string;
}

export function emptyProfile(): Profile {
  return {
    sampleTypes: [],
    samples: [],
    mappings: [],
    locations: [],
    functions: [],
    timeNanos: 0n,
    durationNanos: 0,
    periodType: { type: '', unit: '' },
    period: 0,
    comments: [],
    defaultSampleType: '',
    dropFrames: '',
    keepFrames: '',
    docUrl: '',
  };
}

/** The index of the sample type that a reader shows first: the default one, else the last (as the pprof tool does). */
export function shownSampleType(profile: Profile): number {
  const wanted = profile.sampleTypes.findIndex((type) => type.type === profile.defaultSampleType);
  return wanted >= 0 ? wanted : profile.sampleTypes.length - 1;
}
