// The numbers of a text report: what each function, thread and label value cost. `buildReport` computes, `report-text.ts` renders it for people, and
// `reportJson` gives it to programs under a schema that only grows:
//
//   { schema: 'strobe-report/1',
//     sampleType: { type, unit },      all values below are in this unit
//     total,                           of the samples that the filters let through
//     idle,                            the part of it that ended in (idle): a thread that had nothing to do. Functions, threads and groups are without it
//     profileTotal,                    of all samples
//     samples,                         number of samples taken (the `samples/count` value), null when the profile does not say
//     timeUnixMs, durationNanos,       0 when not known
//     filters: [{ key, value }],
//     functions: [{ name, file, line, self, total, selfPercent, totalPercent, hotLine }],   by self, then total; cut by `top`
//     functionsLeftOut,                how many the cut left out
//     threads: [{ name, id, value, percent }],            by value; empty when the samples carry no thread labels
//     groups: null | { label, rows: [{ value, total, percent, topFunction }], rowsLeftOut },     of `by`, cut by `top`;
//                                      the samples without the label are the row with value null
//     engine: { samples, lost, … } }   counts of the strobe engine, empty for foreign profiles
//
// `line` is the function's first line, `hotLine` the line inside it with most self value; 0 when not known. `id` is a thread id or null. Percents are of `total - idle`:
// in a wall profile of a server nearly all is idle, and shares of the rest are what a reader wants. In a CPU profile the loop's own CPU under (idle) is CPU: `idle` is 0.

import { type Profile, type Sample, shownSampleType, type ValueType } from '../pprof/schema';
import { type Totals, totalsFromComments } from '../pprof/totals';
import { countType } from './convert/write';
import { groupText, hasLabels, type LabelFilter, labelText } from './labels';
import { FunctionTally, largestKey, type Tallied } from './tally';

export interface ReportOptions {
  /** Functions (and groups) to keep; default 20. */
  top?: number;
  /** Group by this label. */
  by?: string;
  /** Keep samples that carry these labels: any of the values given for one key, and every key. */
  labels?: LabelFilter[];
  /** Index of the sample type; default the one that the profile names, else its last. */
  sampleType?: number;
}

export interface FunctionRow {
  name: string;
  file: string;
  line: number;
  self: number;
  total: number;
  selfPercent: number;
  totalPercent: number;
  hotLine: number;
}

export interface ThreadRow {
  name: string;
  id: number | null;
  value: number;
  percent: number;
}

export interface GroupRow {
  value: string | null;
  total: number;
  percent: number;
  /** The function with most self value in the group. */
  topFunction: string;
}

export interface Report {
  sampleType: ValueType;
  total: number;
  idle: number;
  profileTotal: number;
  samples: number | null;
  timeUnixMs: number;
  durationNanos: number;
  filters: LabelFilter[];
  functions: FunctionRow[];
  functionsLeftOut: number;
  threads: ThreadRow[];
  groups: { label: string; rows: GroupRow[]; rowsLeftOut: number } | null;
  engine: Totals;
}

export const DEFAULT_TOP = 20;

const NANOS_PER_MS = 1_000_000n;

export function buildReport(profile: Profile, options: ReportOptions = {}): Report {
  const type = options.sampleType ?? shownSampleType(profile);
  const counts = countType(profile);
  const filters = options.labels ?? [];
  const tally = new FunctionTally(profile);
  const threads = new Map<string, ThreadRow>();
  const groups = new Map<string | null, { total: number; self: Map<Tallied, number> }>();
  const isIdle = idleSamples(profile, type);
  let total = 0;
  let idle = 0;
  let profileTotal = 0;
  let samples = 0;

  for (const sample of profile.samples) {
    const value = sample.values[type] ?? 0;
    profileTotal += value;
    if (!hasLabels(sample, filters)) continue;
    total += value;
    samples += sample.values[counts] ?? 0;
    if (isIdle(sample)) {
      idle += value;
      continue;
    }
    const leaf = tally.add(sample, value);
    addThread(threads, sample, value);
    if (options.by === undefined) continue;
    const key = groupText(sample.labels, options.by);
    const group = groups.get(key) ?? { total: 0, self: new Map() };
    groups.set(key, group);
    group.total += value;
    group.self.set(leaf, (group.self.get(leaf) ?? 0) + value);
  }

  const busy = total - idle;
  const share = (value: number) => (busy === 0 ? 0 : (100 * value) / busy);
  const rows = functionRows(tally.functions, share);
  const top = options.top ?? DEFAULT_TOP;
  const groupRows = [...groups]
    .map(([value, { total, self }]) => ({ value, total, percent: share(total), topFunction: largestKey(self)?.name ?? '' }))
    .sort((a, b) => b.total - a.total);
  return {
    sampleType: profile.sampleTypes[type] ?? { type: '', unit: '' },
    total,
    idle,
    profileTotal,
    samples: counts < 0 ? null : samples,
    timeUnixMs: Number(profile.timeNanos / NANOS_PER_MS),
    durationNanos: profile.durationNanos,
    filters,
    functions: rows.slice(0, top),
    functionsLeftOut: Math.max(0, rows.length - top),
    threads: [...threads.values()].map((row) => ({ ...row, percent: share(row.value) })).sort((a, b) => b.value - a.value),
    groups:
      options.by === undefined
        ? null
        : { label: options.by, rows: groupRows.slice(0, top), rowsLeftOut: Math.max(0, groupRows.length - top) },
    engine: totalsFromComments(profile.comments).totals,
  };
}

/** Tells samples whose leaf is the state (idle), in a sample type that measures wall time. */
export function idleSamples(profile: Profile, type: number): (sample: Sample) => boolean {
  const { type: name = '', unit = '' } = profile.sampleTypes[type] ?? {};
  if (name !== 'wall' && !(unit === 'count' && profile.periodType.type === 'wall')) return () => false;
  const isIdle = profile.locations.map(({ lines }) => {
    const func = profile.functions[lines[0]?.function ?? -1];
    return func?.name === '(idle)' && func.filename === '';
  });
  return ({ locations }) => isIdle[locations[0] ?? -1] === true;
}

/** The report as an object for JSON.stringify; the schema stands above. */
export function reportJson(report: Report): { schema: 'strobe-report/1' } & Report {
  return { schema: 'strobe-report/1', ...report };
}

/** Largest first; equal self values by total, then by name, so that two runs on one profile print the same. */
function functionRows(functions: Tallied[], share: (value: number) => number): FunctionRow[] {
  return functions
    .filter(({ self, total }) => self !== 0 || total !== 0)
    .sort((a, b) => b.self - a.self || b.total - a.total || (a.name < b.name ? -1 : 1))
    .map(({ name, file, line, self, total, selfLines }) => ({
      name,
      file,
      line,
      self,
      total,
      selfPercent: share(self),
      totalPercent: share(total),
      hotLine: largestKey(selfLines) ?? 0,
    }));
}

function addThread(threads: Map<string, ThreadRow>, { labels }: Sample, value: number): void {
  const name = labelText(labels, 'thread_name');
  const id = labelText(labels, 'thread_id');
  if (name === null && id === null) return;
  const key = `${id} ${name}`;
  let row = threads.get(key);
  if (!row) {
    row = { name: name ?? '', id: id === null ? null : Number(id), value: 0, percent: 0 };
    threads.set(key, row);
  }
  row.value += value;
}
