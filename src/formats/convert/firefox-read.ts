// The Firefox Profiler's processed profile -> Profile: what profiler.firefox.com saves and samply writes, in any version whose stacks are a table with a prefix
// (all since 2018): tables in each thread or shared (60), file names in the function table or as sources (58), parents as indexes or as distances (66).
//
// A sample counts once, or by its weight. Its time is the profile's interval, as the front end has it; with `tracing-ms` weights it is the weight. Where threads say
// what CPU they used between samples, that is a sample type of its own.

import type { Label, Profile, ValueType } from '../../pprof/schema';
import { position } from './frames';
import { JsonReader } from './json';
import { ProfileMaker, ROOT } from './maker';
import { NANOS, readTrackFacts, type TrackFacts, trackLabels } from './write';

const FORMAT = 'Firefox profile';
const NANOS_PER_MS = 1e6;
const CPU_UNITS: Record<string, number> = { ns: 1, µs: 1000 };

const COUNT: ValueType = { type: 'samples', unit: 'count' };
const WALL: ValueType = { type: 'wall', unit: 'nanoseconds' };
const CPU: ValueType = { type: 'cpu', unit: 'nanoseconds' };
const SPACE: ValueType = { type: 'space', unit: 'bytes' };

type Columns = Record<string, unknown>;

/** @throws StrobeError ERR_PROFILE_INVALID, or TooLarge */
export function readFirefox(json: unknown, source: string): Profile {
  const reader = new JsonReader(source, FORMAT);
  const file = reader.object(json, 'the file');
  const meta = reader.object(file.meta, 'meta');
  const threads = reader.array(file.threads, 'threads').map((value, i) => reader.object(value, `threads[${i}]`));
  const shared = file.shared === undefined ? {} : reader.object(file.shared, 'shared');
  const interval = reader.number(meta.interval, 'meta.interval') * NANOS_PER_MS;
  const facts = readTrackFacts(meta.strobe, threads.length);
  const cpuScale = CPU_UNITS[String((meta.sampleUnits as Columns | undefined)?.threadCPUDelta)];
  const types = facts ? facts.sampleTypes : strangersTypes(threads, cpuScale !== undefined);
  const maker = new ProfileMaker(types);
  let sharedStacks: number[] | undefined;
  const stacksOf = (thread: Columns, path: string): number[] => {
    if (shared.stackTable === undefined) return readStacks(reader, maker, { ...shared, ...thread }, path);
    sharedStacks ??= readStacks(reader, maker, shared, 'shared');
    return sharedStacks;
  };
  threads.forEach((thread, i) => {
    const path = `threads[${i}]`;
    const stacks = stacksOf(thread, path);
    const track = facts?.tracks[i];
    if (track) readOwn(reader, maker, thread, path, stacks, track, types[track.type] as ValueType);
    else readStrangers(reader, maker, { thread, path, stacks, types, interval, cpuScale });
  });
  const shown = types.find(({ type }) => type === facts?.defaultSampleType) ?? types.find(({ type }) => type === 'wall') ?? types.at(-1);
  const startMs = typeof meta.startTime === 'number' && Number.isFinite(meta.startTime) ? meta.startTime : 0;
  const [from, to] = [Number(meta.profilingStartTime ?? 0), Number(meta.profilingEndTime ?? 0)];
  return maker.take({
    timeNanos: startMs > 0 && startMs < 1e15 ? BigInt(Math.floor(startMs)) * BigInt(NANOS_PER_MS) : 0n,
    durationNanos: to > from ? Math.round((to - from) * NANOS_PER_MS) : 0,
    period: Math.max(0, Math.round(interval)),
    periodType: { ...(shown as ValueType) },
    defaultSampleType: facts ? facts.defaultSampleType : types.includes(WALL) ? WALL.type : '',
  });
}

function strangersTypes(threads: Columns[], hasCpuUnit: boolean): ValueType[] {
  const types = [COUNT];
  const weights = threads.map((thread) => (thread.samples as Columns | undefined)?.weightType ?? 'samples');
  if (weights.some((type) => type !== 'bytes')) types.push(WALL);
  if (weights.includes('bytes')) types.push(SPACE);
  if (hasCpuUnit && threads.some((thread) => Array.isArray((thread.samples as Columns | undefined)?.threadCPUDelta))) types.push(CPU);
  return types;
}

/** A file of ours: a thread is a track. */
function readOwn(
  reader: JsonReader,
  maker: ProfileMaker,
  thread: Columns,
  path: string,
  stacks: number[],
  track: TrackFacts['tracks'][number],
  { unit }: ValueType,
): void {
  const samples = reader.object(thread.samples, `${path}.samples`);
  const weights = reader.array(samples.weight, `${path}.samples.weight`);
  const perMs = NANOS[unit] === undefined ? 1 : NANOS_PER_MS / NANOS[unit];
  const labels = trackLabels(track);
  eachStack(reader, samples, path, stacks, (stack, i) => {
    maker.add(stack, track.type, Math.round(reader.number(weights[i], `${path}.samples.weight[${i}]`) * perMs), labels);
  });
}

interface Strangers {
  thread: Columns;
  path: string;
  stacks: number[];
  types: ValueType[];
  /** Nanoseconds. */
  interval: number;
  cpuScale: number | undefined;
}

function readStrangers(reader: JsonReader, maker: ProfileMaker, { thread, path, stacks, types, interval, cpuScale }: Strangers): void {
  const samples = reader.object(thread.samples, `${path}.samples`);
  const weights =
    samples.weight === undefined || samples.weight === null ? undefined : reader.array(samples.weight, `${path}.samples.weight`);
  const weightType = samples.weightType ?? 'samples';
  const cpu = Array.isArray(samples.threadCPUDelta) && cpuScale !== undefined ? samples.threadCPUDelta : undefined;
  const name = typeof thread.name === 'string' ? thread.name : '';
  const labels: Label[] = [{ key: 'thread_name', str: name || '(unnamed thread)' }];
  const { tid } = thread;
  if (typeof tid === 'string') labels.push({ key: 'thread_id', str: tid });
  else if (Number.isSafeInteger(tid)) labels.push({ key: 'thread_id', num: tid as number });
  const [wall, space, cpuType] = [WALL, SPACE, CPU].map((type) => types.indexOf(type)) as [number, number, number];
  eachStack(reader, samples, path, stacks, (stack, i) => {
    // A thread that sleeps, or has just begun: the front end counts no such sample.
    if (stack === ROOT) return;
    const weight = weights ? reader.number(weights[i], `${path}.samples.weight[${i}]`) : 1;
    if (weightType === 'bytes') {
      maker.add(stack, 0, 1, labels);
      maker.add(stack, space, weight, labels);
    } else if (weightType === 'tracing-ms') {
      maker.add(stack, 0, 1, labels);
      maker.add(stack, wall, weight * NANOS_PER_MS, labels);
    } else {
      maker.add(stack, 0, weight, labels);
      maker.add(stack, wall, weight * interval, labels);
    }
    const used = cpu?.[i];
    if (typeof used === 'number' && Number.isFinite(used)) maker.add(stack, cpuType, used * (cpuScale as number), labels);
  });
}

/** A sample without a stack has ROOT. */
function eachStack(
  reader: JsonReader,
  samples: Columns,
  path: string,
  stacks: number[],
  then: (stack: number, sample: number) => void,
): void {
  const column = reader.array(samples.stack, `${path}.samples.stack`);
  column.forEach((value, i) => {
    if (value === null) then(ROOT, i);
    else then(stacks[reader.index(value, stacks.length, `${path}.samples.stack[${i}]`, 'stacks')] as number, i);
  });
}

/** The maker's stack for each entry of the stack table. */
function readStacks(reader: JsonReader, maker: ProfileMaker, tables: Columns, path: string): number[] {
  const stackTable = reader.object(tables.stackTable, `${path}.stackTable`);
  const frames = readFrames(reader, maker, tables, path);
  const frame = reader.array(stackTable.frame, `${path}.stackTable.frame`);
  const isDistance = stackTable.prefixOffset !== undefined;
  const name = `${path}.stackTable.${isDistance ? 'prefixOffset' : 'prefix'}`;
  const parents = reader.array(isDistance ? stackTable.prefixOffset : stackTable.prefix, name);
  const stacks: number[] = [];
  frame.forEach((value, i) => {
    const parent = isDistance ? (parents[i] === 0 ? null : i - reader.number(parents[i], `${name}[${i}]`)) : parents[i];
    // Parents stand before their children: there is no circle.
    const below =
      parent === null || parent === undefined || parent === -1
        ? ROOT
        : (stacks[reader.index(parent, i, `${name}[${i}]`, 'stacks before it')] as number);
    stacks.push(maker.push(below, frames[reader.index(value, frames.length, `${path}.stackTable.frame[${i}]`, 'frames')] as number));
  });
  return stacks;
}

function readFrames(reader: JsonReader, maker: ProfileMaker, tables: Columns, path: string): number[] {
  const strings = reader.array(tables.stringArray ?? tables.stringTable, `${path}.stringArray`);
  const text = (value: unknown, where: string) => reader.string(strings[reader.index(value, strings.length, where, 'strings')], where);
  const funcTable = reader.object(tables.funcTable, `${path}.funcTable`);
  const sources = tables.sources === undefined ? undefined : reader.object(tables.sources, `${path}.sources`);
  const sourceNames = sources ? reader.array(sources.filename, `${path}.sources.filename`) : [];
  const column = (name: string): unknown[] => (Array.isArray(funcTable[name]) ? (funcTable[name] as unknown[]) : []);
  const [files, sourceOf, lines, columns] = ['fileName', 'source', 'lineNumber', 'columnNumber'].map(column) as [
    unknown[],
    unknown[],
    unknown[],
    unknown[],
  ];
  const functions = reader.array(funcTable.name, `${path}.funcTable.name`).map((name, i) => {
    const from = sourceOf[i] ?? null;
    const file =
      from !== null
        ? text(sourceNames[reader.index(from, sourceNames.length, `${path}.funcTable.source[${i}]`, 'sources')], `${path}.sources.filename`)
        : (files[i] ?? null) !== null
          ? text(files[i], `${path}.funcTable.fileName[${i}]`)
          : '';
    return maker.func(text(name, `${path}.funcTable.name[${i}]`), file, position(lines[i]), position(columns[i]));
  });
  const frameTable = reader.object(tables.frameTable, `${path}.frameTable`);
  const frameLines = Array.isArray(frameTable.line) ? frameTable.line : [];
  const frameColumns = Array.isArray(frameTable.column) ? frameTable.column : [];
  return reader.array(frameTable.func, `${path}.frameTable.func`).map((func, i) => {
    const own = functions[reader.index(func, functions.length, `${path}.frameTable.func[${i}]`, 'functions')] as number;
    return maker.frame(own, position(frameLines[i]), position(frameColumns[i]));
  });
}
