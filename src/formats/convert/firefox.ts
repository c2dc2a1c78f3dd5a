// The Firefox Profiler's processed profile (profiler.firefox.com, samply). The format, with its versions:
// https://github.com/firefox-devtools/profiler/blob/main/docs-developer/CHANGELOG-formats.md and src/types/profile.ts there.
//
// Writing: version 60, which every later front end upgrades by itself. A thread there is a thread and a sample type here. Rows are weighted samples, one after
// another on the time line: an aggregated profile does not know when they were taken. Weights are milliseconds for times, bytes, or counts.

import { TupleTable } from '../../pprof/intern';
import type { Profile, ValueType } from '../../pprof/schema';
import { CODE_KINDS, type CodeKind, codeKind, KIND_NAMES } from '../kind';
import { type FlatProfile, flatten, stackOf } from './frames';
import { NANOS, type Track, takenNotes, trackFacts, tracks, typesToWrite, type WriteOptions, type Written } from './write';

/** The tables are shared by the threads since this version. */
const PROCESSED_VERSION = 60;
/** Version of what Firefox itself would have written; only Firefox's own fields depend on it. */
const GECKO_VERSION = 30;
const NANOS_PER_MS = 1e6;

const COLORS: Record<CodeKind, string> = {
  application: 'orange',
  dependency: 'lightblue',
  node: 'green',
  builtin: 'yellow',
  wasm: 'magenta',
  gc: 'red',
  native: 'blue',
  vm: 'grey',
};
const NO_FRAME = 0xffffffff;

export function writeFirefox(profile: Profile, options: WriteOptions = {}): Written {
  const types = typesToWrite(profile, options);
  const list = tracks(profile, types);
  const flat = flatten(profile);
  const strings = new Strings();
  const stacks = new TupleTable(2);
  const startMs = Number(profile.timeNanos / BigInt(NANOS_PER_MS));
  const threads = list.map((track) => JSON.stringify(thread(profile, flat, track, stacks)));
  const shared = { ...tables(flat, stacks, strings), stringArray: strings.list };
  const head = {
    meta: {
      interval: intervalMs(profile),
      startTime: startMs,
      ...(profile.durationNanos > 0 ? { profilingStartTime: 0, profilingEndTime: profile.durationNanos / NANOS_PER_MS } : {}),
      processType: 0,
      product: options.title ?? 'profile',
      importedFrom: 'strobe',
      stackwalk: 1,
      version: GECKO_VERSION,
      preprocessedProfileVersion: PROCESSED_VERSION,
      symbolicated: true,
      usesOnlyOneStackType: true,
      sourceCodeIsNotOnSearchfox: true,
      // The one that is grey is where frames without a category go; there must be one.
      categories: CODE_KINDS.map((kind) => ({ name: KIND_NAMES[kind], color: COLORS[kind], subcategories: ['Other'] })),
      markerSchema: [],
      strobe: trackFacts(profile, list),
    },
    libs: [],
    pages: [],
    shared,
  };
  const parts = [`${JSON.stringify(head).slice(0, -1)},"threads":[`];
  threads.forEach((text, i) => {
    parts.push(i === 0 ? text : `,${text}`);
  });
  parts.push(']}');
  return { parts, notes: takenNotes(profile, { format: 'a Firefox profile', labels: ['thread_name', 'thread_id'], types }) };
}

class Strings {
  readonly list: string[] = [];
  readonly #ids = new Map<string, number>();

  id(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.list.push(text) - 1;
      this.#ids.set(text, id);
    }
    return id;
  }
}

function intervalMs({ period, periodType, sampleTypes }: Profile): number {
  const unit = periodType.unit || sampleTypes.at(-1)?.unit || '';
  const ms = (period * (NANOS[unit] ?? 0)) / NANOS_PER_MS;
  return ms > 0 ? ms : 1;
}

function thread(profile: Profile, flat: FlatProfile, track: Track, stacks: TupleTable): object {
  const { unit } = profile.sampleTypes[track.type] as ValueType;
  const perMs = NANOS[unit] === undefined ? 1 : NANOS_PER_MS / NANOS[unit];
  const weightType = NANOS[unit] !== undefined ? 'tracing-ms' : unit === 'bytes' ? 'bytes' : 'samples';
  const samples = { length: 0, stack: [] as (number | null)[], time: [] as number[], weight: [] as number[], weightType };
  const step = intervalMs(profile);
  let elapsed = 0;
  for (const row of track.rows) {
    const sample = profile.samples[row] as Profile['samples'][number];
    const value = sample.values[track.type] ?? 0;
    if (value <= 0) continue;
    let stack = NO_FRAME;
    for (const frame of stackOf(flat, sample.locations)) stack = stacks.intern(stack, frame);
    samples.length++;
    samples.stack.push(stack === NO_FRAME ? null : stack);
    samples.time.push(elapsed);
    samples.weight.push(value / perMs);
    elapsed += weightType === 'tracing-ms' ? value / perMs : step;
  }
  const id = track.thread.find(({ key }) => key === 'thread_id');
  return {
    name: track.title,
    isMainThread: track.thread.some(({ key, str }) => key === 'thread_name' && str === 'main'),
    processType: 'default',
    processName: 'node',
    processStartupTime: 0,
    processShutdownTime: null,
    registerTime: 0,
    unregisterTime: null,
    pausedRanges: [],
    pid: '0',
    tid: id?.str ?? String(id?.num ?? 0),
    samples,
    markers: { length: 0, category: [], data: [], endTime: [], name: [], phase: [], startTime: [] },
  };
}

function tables(flat: FlatProfile, stacks: TupleTable, strings: Strings): Record<string, unknown> {
  const sources = { ids: new Map<string, number>(), filename: [] as number[] };
  const source = (file: string): number | null => {
    if (file === '') return null;
    let id = sources.ids.get(file);
    if (id === undefined) {
      id = sources.filename.push(strings.id(file)) - 1;
      sources.ids.set(file, id);
    }
    return id;
  };
  const kinds = flat.functions.map(({ name, file }) => codeKind(name, file));
  const isJs = kinds.map((kind) => kind === 'application' || kind === 'dependency' || kind === 'node');
  const { functions, frames } = flat;
  const some = <T>(items: readonly unknown[], value: T): T[] => items.map(() => value);
  const known = (value: number): number | null => (value > 0 ? value : null);
  const funcTable = {
    length: functions.length,
    name: functions.map(({ name }) => strings.id(name)),
    isJS: isJs,
    relevantForJS: some(functions, false),
    resource: some(functions, -1),
    source: functions.map(({ file }) => source(file)),
    lineNumber: functions.map(({ line }) => known(line)),
    columnNumber: functions.map(({ column }) => known(column)),
  };
  const frameTable = {
    length: frames.length,
    address: some(frames, -1),
    inlineDepth: frames.map(({ inlineDepth }) => inlineDepth),
    category: frames.map(({ func }) => CODE_KINDS.indexOf(kinds[func] as CodeKind)),
    subcategory: some(frames, 0),
    func: frames.map(({ func }) => func),
    nativeSymbol: some(frames, null),
    innerWindowID: some(frames, 0),
    line: frames.map(({ line }) => known(line)),
    column: frames.map(({ column }) => known(column)),
  };
  const ids = Array.from({ length: stacks.size }, (_, id) => id);
  const stackTable = {
    length: ids.length,
    frame: ids.map((id) => stacks.at(id, 1)),
    prefix: ids.map((id) => (stacks.at(id, 0) === NO_FRAME ? null : stacks.at(id, 0))),
  };
  return {
    stackTable,
    frameTable,
    funcTable,
    resourceTable: { length: 0, lib: [], name: [], host: [], type: [] },
    nativeSymbols: { length: 0, libIndex: [], address: [], name: [], functionSize: [] },
    sources: { length: sources.filename.length, uuid: some(sources.filename, null), filename: sources.filename },
  };
}
