// The numbers of a comparison: what each function (or label value) had before and after, as shares of the whole or as they are, and whether sampling alone could
// explain the difference (noise.ts). `buildDiff` computes, `diff-text.ts` and `markdown.ts` render for people, `diffJson` gives it to programs:
//
//   { schema: 'strobe-diff/1',
//     sampleType: { type, unit },
//     absolute,                        true: `change` is in the unit; false: in shares of the whole, 0 to 1
//     filters: [{ key, value }],
//     before, after: { total, samples, effectiveSamples, durationNanos },    samples: null when the profile does not say, and then nothing is judged
//     z,                               of the intervals: the whole table is wrong in 5 % of comparisons without a difference
//     functions: [{ name, file, line, self: Change, total: Change }],        by the larger |change| of both; cut by `top`
//     functionsLeftOut,
//     groups: null | { label, rows: [{ value, ...Change }], rowsLeftOut } }  of `by`; the samples without the label are the row with value null
//
//   Change: { before, after,           in the unit
//             beforeShare, afterShare, of the wholes, 0 to 1
//             beforeSamples, afterSamples,     samples behind it, null as above
//             change,                  after - before, in the unit or as a share
//             low, high,               its interval, null where nothing is judged
//             significant }            true: the interval does not hold 0; null: not judged
//
// Functions are the same when name and file are: lines move. Anonymous functions of one file are one row. `line` is the line after, else the one before; 0: not known.

import { type Profile, type Sample, shownSampleType, type ValueType } from '../pprof/schema';
import { countType } from './convert/write';
import { groupText, type LabelFilter, withLabels } from './labels';
import { effectiveSamples, type Measured, shareInterval, valueInterval, zFor } from './noise';
import { FunctionTally, functionKey, type Tallied } from './tally';

export interface DiffOptions {
  /** Rows to keep; default 20. */
  top?: number;
  absolute?: boolean;
  /** Group by this label, too. */
  by?: string;
  labels?: LabelFilter[];
  /** Name of the sample type; default the one that `after` shows. */
  type?: string;
}

export interface Change {
  before: number;
  after: number;
  beforeShare: number;
  afterShare: number;
  beforeSamples: number | null;
  afterSamples: number | null;
  change: number;
  low: number | null;
  high: number | null;
  significant: boolean | null;
}

export interface FunctionChange {
  name: string;
  file: string;
  line: number;
  self: Change;
  total: Change;
}

export interface Side {
  total: number;
  samples: number | null;
  effectiveSamples: number | null;
  durationNanos: number;
}

export interface Diff {
  sampleType: ValueType;
  absolute: boolean;
  filters: LabelFilter[];
  before: Side;
  after: Side;
  z: number;
  functions: FunctionChange[];
  functionsLeftOut: number;
  groups: { label: string; rows: ({ value: string | null } & Change)[]; rowsLeftOut: number } | null;
}

/** A profile's values under one name: the whole, the functions, the groups. */
interface Input {
  whole: Counted;
  functions: Map<string, FunctionCount>;
  groups: Map<string | null, Counted>;
  counts: boolean;
  durationNanos: number;
}

interface Counted extends Measured {
  samples: number;
}

interface FunctionCount {
  func: Tallied;
  self: Counted;
  total: Counted;
}

const NOTHING: Counted = { value: 0, squares: 0, samples: 0 };

/**
 * Indexes of the sample type in both profiles.
 * @returns undefined when one has none of that name and unit
 */
export function commonType(before: Profile, after: Profile, wanted?: string): { before: number; after: number } | undefined {
  const index = wanted === undefined ? shownSampleType(after) : after.sampleTypes.findIndex(({ type }) => type === wanted);
  const type = after.sampleTypes[index];
  const other = before.sampleTypes.findIndex((known) => known.type === type?.type && known.unit === type?.unit);
  return type && other >= 0 ? { before: other, after: index } : undefined;
}

/** @param types as `commonType` gives them */
export function buildDiff(before: Profile, after: Profile, types: { before: number; after: number }, options: DiffOptions = {}): Diff {
  const top = options.top ?? 20;
  const labels = options.labels ?? [];
  const a = measure(withLabels(before, labels), types.before, options.by);
  const b = measure(withLabels(after, labels), types.after, options.by);
  const keys = [...new Set([...b.functions.keys(), ...a.functions.keys()])];
  const groupKeys = options.by === undefined ? [] : [...new Set([...b.groups.keys(), ...a.groups.keys()])];
  const judge = new Judge(a, b, options.absolute ?? false, 2 * keys.length + groupKeys.length);

  const functions = keys
    .map((key): FunctionChange => {
      const [was, is] = [a.functions.get(key), b.functions.get(key)];
      const { name, file, line } = ((is ?? was) as FunctionCount).func;
      return { name, file, line, self: judge.change(was?.self, is?.self), total: judge.change(was?.total, is?.total) };
    })
    .sort((x, y) => order(size(x), size(y)) || (x.name < y.name ? -1 : 1));
  const groups = groupKeys
    .map((value) => ({ value, ...judge.change(a.groups.get(value), b.groups.get(value)) }))
    .sort((x, y) => order(x.change, y.change));
  return {
    sampleType: after.sampleTypes[types.after] as ValueType,
    absolute: options.absolute ?? false,
    filters: labels,
    before: side(a),
    after: side(b),
    z: judge.z,
    functions: functions.slice(0, top),
    functionsLeftOut: Math.max(0, functions.length - top),
    groups:
      options.by === undefined ? null : { label: options.by, rows: groups.slice(0, top), rowsLeftOut: Math.max(0, groups.length - top) },
  };
}

/** The diff as an object for JSON.stringify; the schema stands above. */
export function diffJson(diff: Diff): { schema: 'strobe-diff/1' } & Diff {
  return { schema: 'strobe-diff/1', ...diff };
}

/** The larger change of both. */
function size({ self, total }: FunctionChange): number {
  return Math.abs(self.change) > Math.abs(total.change) ? self.change : total.change;
}

/** Largest first, of equal ones what grew; 0.3 - 0.1 and 0.9 - 0.7 are equal. */
function order(x: number, y: number): number {
  const difference = Math.abs(y) - Math.abs(x);
  return Math.abs(difference) > 1e-9 * Math.abs(x) ? difference : Math.sign(y) - Math.sign(x);
}

function side({ whole, counts, durationNanos }: Input): Side {
  return {
    total: whole.value,
    samples: counts ? whole.samples : null,
    effectiveSamples: counts ? effectiveSamples(whole) : null,
    durationNanos,
  };
}

/**
 * Where no sample type counts samples but the profile has a period of the same type (a value is the sum of periods), the count is value / period.
 * Without both nobody knows how many samples stand behind a value.
 */
function sampleCounter(profile: Profile, type: number): ((sample: Sample) => number) | undefined {
  const counts = countType(profile);
  if (counts >= 0) return ({ values }) => values[counts] ?? 0;
  const { type: name, unit } = profile.sampleTypes[type] as ValueType;
  if (profile.period > 0 && profile.periodType.type === name && profile.periodType.unit === unit)
    return ({ values }) => (values[type] ?? 0) / profile.period;
  return undefined;
}

function measure(profile: Profile, type: number, by: string | undefined): Input {
  const counter = sampleCounter(profile, type);
  // Three tallies go over the same samples, so their functions stand in the same order.
  const tallies = [0, 1, 2].map(() => new FunctionTally(profile, { byLine: false })) as [FunctionTally, FunctionTally, FunctionTally];
  const whole = { ...NOTHING };
  const groups = new Map<string | null, Counted>();
  for (const sample of profile.samples) {
    const value = sample.values[type] ?? 0;
    const samples = counter?.(sample) ?? 0;
    // The samples of a row weigh the same, as far as anybody knows.
    const squares = samples > 0 ? (value * value) / samples : value * value;
    tallies[0].add(sample, value);
    tallies[1].add(sample, squares);
    tallies[2].add(sample, samples);
    addTo(whole, value, squares, samples);
    if (by === undefined) continue;
    const key = groupText(sample.labels, by);
    let group = groups.get(key);
    if (!group) {
      group = { ...NOTHING };
      groups.set(key, group);
    }
    addTo(group, value, squares, samples);
  }
  const [values, squares, samples] = tallies.map(({ functions }) => functions) as [Tallied[], Tallied[], Tallied[]];
  const functions = new Map<string, FunctionCount>();
  values.forEach((func, i) => {
    if (func.self === 0 && func.total === 0) return;
    const [square, count] = [squares[i] as Tallied, samples[i] as Tallied];
    functions.set(functionKey(func.name, func.file), {
      func,
      self: { value: func.self, squares: square.self, samples: count.self },
      total: { value: func.total, squares: square.total, samples: count.total },
    });
  });
  return { whole, functions, groups, counts: counter !== undefined, durationNanos: profile.durationNanos };
}

function addTo(into: Counted, value: number, squares: number, samples: number): void {
  into.value += value;
  into.squares += squares;
  into.samples += samples;
}

class Judge {
  readonly z: number;
  readonly #counts: boolean;
  readonly #effective: [number, number];
  readonly #weight: number;

  constructor(
    private readonly a: Input,
    private readonly b: Input,
    private readonly absolute: boolean,
    comparisons: number,
  ) {
    this.z = zFor(comparisons);
    this.#counts = a.counts && b.counts;
    this.#effective = [effectiveSamples(a.whole), effectiveSamples(b.whole)];
    const samples = a.whole.samples + b.whole.samples;
    this.#weight = samples > 0 ? (a.whole.value + b.whole.value) / samples : 0;
  }

  change(before: Counted = NOTHING, after: Counted = NOTHING): Change {
    const share = (value: number, whole: number) => (whole === 0 ? 0 : value / whole);
    const beforeShare = share(before.value, this.a.whole.value);
    const afterShare = share(after.value, this.b.whole.value);
    const change = this.absolute ? after.value - before.value : afterShare - beforeShare;
    const interval = !this.#counts
      ? null
      : this.absolute
        ? valueInterval(before, after, this.#weight, this.z)
        : shareInterval(clamp(beforeShare), this.#effective[0], clamp(afterShare), this.#effective[1], this.z);
    return {
      before: before.value,
      after: after.value,
      beforeShare,
      afterShare,
      beforeSamples: this.#counts ? before.samples : null,
      afterSamples: this.#counts ? after.samples : null,
      change,
      low: interval ? interval[0] : null,
      high: interval ? interval[1] : null,
      significant: interval ? interval[0] > 0 || interval[1] < 0 : null,
    };
  }
}

/** Profiles with negative values (differences of the pprof tool) have shares beyond the whole. */
function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
