// V8's .cpuprofile (`node --cpu-prof`, Chrome DevTools, the inspector's Profiler.stop): a call tree, one node a (caller, function), and the node that each
// sample found, with the microseconds since the sample before. The format: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile
//
// Reading. A sample stands for the time until the next one, as Chrome DevTools and speedscope have it; the last one until `endTime`. Lines and columns are
// 0-based there, -1 for none. Which line a sample found is known by node only (`positionTicks`): the node's samples are given its lines in turn, so that the
// numbers are right by node and line. V8 samples wall time, with (idle) and (program) nodes: the sample type is `wall`.
//
// Writing. The format has one thread, one value, and no labels. Where the profile counts samples, a row of n samples becomes n samples, as V8 would have written
// them; a last sample on the root closes the time line. `strobe` beside the format's own fields keeps the type and unit for the way back.

import { TupleTable } from '../../pprof/intern';
import { type Profile, shownSampleType } from '../../pprof/schema';
import { type FlatFunction, flatten, stackOf } from './frames';
import { JsonReader } from './json';
import { ProfileMaker, ROOT } from './maker';
import { countType, NANOS, TIME_UNITS, takenNotes, type WriteOptions, type Written, wantTime } from './write';

const FORMAT = 'V8 .cpuprofile';
const MICRO = 1000;
/** Unix time in microseconds is past this since 2001; V8's own clock counts from the machine's start. */
const LEAST_UNIX_MICROS = 1e15;
/** Above this many samples, rows stay whole. */
const MOST_SAMPLES = 1_000_000;
/** Characters. */
const PIECE = 2 ** 20;

interface Node {
  parent: number;
  children: number[];
  /** Stack of the callers, and the function; -1 for the root, which is no frame. */
  callers: number;
  func: number;
  line: number;
  column: number;
  ticks: { line: number; left: number }[];
  isRoot: boolean;
}

/** @throws StrobeError ERR_PROFILE_INVALID, or TooLarge */
export function readCpuProfile(json: unknown, source: string): Profile {
  const reader = new JsonReader(source, FORMAT);
  const file = reader.object(json, 'the file');
  const { type, unit } = knownType(file.strobe);
  const counted = { type: 'samples', unit: 'count' };
  const maker = new ProfileMaker(file.samples === undefined ? [counted] : [counted, { type, unit }]);
  const ids = new Map<number, number>();
  const nodes = readNodes(reader, maker, file, ids);
  const perMicro = MICRO / (NANOS[unit] as number);
  let samples = 0;
  let total = 0;
  const add = (node: Node, micros: number): void => {
    const stack = stackAt(maker, node);
    const value = Math.round(micros * perMicro);
    maker.add(stack, 0, 1);
    maker.add(stack, 1, value);
    samples++;
    total += value;
  };

  if (file.samples === undefined) return fromHitCounts(reader, maker, nodes, file);
  for (const { node, micros, isLast } of timeline(reader, file, ids)) {
    const found = nodes[node] as Node;
    if (isLast && found.isRoot && micros < 1) continue;
    add(found, micros);
  }
  const start = reader.number(file.startTime ?? 0, 'startTime');
  const end = reader.number(file.endTime ?? start, 'endTime');
  return maker.take({
    timeNanos: start > LEAST_UNIX_MICROS ? BigInt(Math.round(start)) * BigInt(MICRO) : 0n,
    durationNanos: Math.max(0, Math.round((end - start) * MICRO)),
    periodType: { type, unit },
    period: samples === 0 ? 0 : Math.round(total / samples),
  });
}

/** A file without samples (`node.hitCount` only) has counts and no time. */
function fromHitCounts(reader: JsonReader, maker: ProfileMaker, nodes: Node[], file: Record<string, unknown>): Profile {
  const all = file.nodes as { hitCount?: unknown }[];
  nodes.forEach((node, i) => {
    const hits = reader.number(all[i]?.hitCount ?? 0, `nodes[${i}].hitCount`);
    if (hits > 0) maker.add(stackAt(maker, node), 0, hits);
  });
  return maker.take({ periodType: { type: 'samples', unit: 'count' }, period: 1 });
}

function knownType(facts: unknown): { type: string; unit: string } {
  const { type, unit } = (typeof facts === 'object' && facts !== null ? facts : {}) as { type?: unknown; unit?: unknown };
  return typeof type === 'string' && typeof unit === 'string' && TIME_UNITS.includes(unit)
    ? { type, unit }
    : { type: 'wall', unit: 'nanoseconds' };
}

function readNodes(reader: JsonReader, maker: ProfileMaker, file: Record<string, unknown>, ids: Map<number, number>): Node[] {
  const list = reader.array(file.nodes, 'nodes');
  if (list.length === 0) reader.fail('it has no nodes');
  const raw = list.map((value, i) => {
    const node = reader.object(value, `nodes[${i}]`);
    const id = reader.number(node.id, `nodes[${i}].id`);
    if (ids.has(id)) reader.fail(`two nodes have the id ${id}`);
    ids.set(id, i);
    return node;
  });
  const nodes = raw.map((node, i): Node => {
    const frame = reader.object(node.callFrame, `nodes[${i}].callFrame`);
    const name = reader.string(frame.functionName, `nodes[${i}].callFrame.functionName`);
    const url = reader.string(frame.url ?? '', `nodes[${i}].callFrame.url`);
    const line = reader.number(frame.lineNumber ?? -1, `nodes[${i}].callFrame.lineNumber`) + 1;
    const column = reader.number(frame.columnNumber ?? -1, `nodes[${i}].callFrame.columnNumber`) + 1;
    const isRoot = name === '(root)' && url === '';
    const ticks = (node.positionTicks === undefined ? [] : reader.array(node.positionTicks, `nodes[${i}].positionTicks`)).map(
      (value, j) => {
        const tick = reader.object(value, `nodes[${i}].positionTicks[${j}]`);
        return { line: reader.number(tick.line, `positionTicks[${j}].line`), left: reader.number(tick.ticks, `positionTicks[${j}].ticks`) };
      },
    );
    const func = isRoot ? -1 : maker.func(name, url, line, column);
    return { parent: -1, children: [], callers: ROOT, func, line, column, ticks, isRoot };
  });
  link(reader, raw, nodes, ids);
  placeAll(reader, maker, nodes);
  return nodes;
}

/** Chrome writes children, its traces write parents. */
function link(reader: JsonReader, raw: Record<string, unknown>[], nodes: Node[], ids: Map<number, number>): void {
  const adopt = (child: unknown, parent: unknown, path: string): void => {
    const [childAt, parentAt] = [ids.get(child as number), ids.get(parent as number)];
    if (childAt === undefined || parentAt === undefined) reader.fail(`${path} names a node that is not in the file`);
    const node = nodes[childAt] as Node;
    if (node.parent === parentAt) return;
    if (node.parent >= 0) reader.fail(`node ${String(child)} has two parents`);
    node.parent = parentAt;
    (nodes[parentAt] as Node).children.push(childAt);
  };
  raw.forEach((node, i) => {
    if (node.parent !== undefined && node.parent !== null) adopt(node.id, node.parent, `nodes[${i}].parent`);
    if (node.children === undefined) return;
    for (const child of reader.array(node.children, `nodes[${i}].children`)) adopt(child, node.id, `nodes[${i}].children`);
  });
}

/** From the roots down, without recursion: a chain may be as long as the file. */
function placeAll(reader: JsonReader, maker: ProfileMaker, nodes: Node[]): void {
  const open = nodes.flatMap((node, i) => (node.parent < 0 ? [i] : []));
  let placed = 0;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const node = nodes[at] as Node;
    placed++;
    const own = node.func < 0 ? node.callers : maker.push(node.callers, maker.frame(node.func));
    for (const child of node.children) {
      (nodes[child] as Node).callers = own;
      open.push(child);
    }
  }
  if (placed < nodes.length) reader.fail('its nodes form a circle: one is its own caller');
}

/** The stack of the node's next sample, on the line that is its turn. */
function stackAt(maker: ProfileMaker, node: Node): number {
  if (node.func < 0) return node.callers;
  while (node.ticks.length > 0 && (node.ticks[0]?.left ?? 0) < 1) node.ticks.shift();
  const tick = node.ticks[0];
  if (tick) tick.left--;
  return maker.push(node.callers, maker.frame(node.func, tick?.line ?? 0));
}

function* timeline(
  reader: JsonReader,
  file: Record<string, unknown>,
  ids: Map<number, number>,
): Generator<{ node: number; micros: number; isLast: boolean }> {
  const samples = reader.array(file.samples, 'samples');
  const deltas = reader.array(file.timeDeltas, 'timeDeltas');
  if (samples.length !== deltas.length) reader.fail(`it has ${samples.length} samples and ${deltas.length} timeDeltas`);
  const start = reader.number(file.startTime ?? 0, 'startTime');
  let elapsed = 0;
  let ordered = true;
  const times = deltas.map((delta, i) => {
    const micros = reader.number(delta, `timeDeltas[${i}]`);
    if (micros < 0) ordered = false;
    elapsed += micros;
    return elapsed;
  });
  const nodeAt = (i: number): number => {
    const node = ids.get(samples[i] as number);
    if (node === undefined) reader.fail(`samples[${i}] is node ${String(samples[i])}, which is not in the file`);
    return node;
  };
  // Samples of several threads of the profiler may come out of order: by time they add up again, and no time is negative.
  const order = times.map((_, i) => i);
  if (!ordered) order.sort((a, b) => (times[a] as number) - (times[b] as number) || a - b);
  const last = order.length - 1;
  for (let k = 0; k <= last; k++) {
    const i = order[k] as number;
    let micros: number;
    if (k === last) {
      const end = file.endTime === undefined ? undefined : reader.number(file.endTime, 'endTime');
      micros = end === undefined ? 0 : Math.max(0, end - start - (times[i] as number));
    } else if (ordered) micros = deltas[i + 1] as number;
    else micros = (times[order[k + 1] as number] as number) - (times[i] as number);
    yield { node: nodeAt(i), micros, isLast: k === last };
  }
}

/**
 * @throws StrobeError ERR_INVALID_OPTION when the sample type is not a time
 */
export function writeCpuProfile(profile: Profile, options: WriteOptions = {}): Written {
  const type = options.sampleType ?? shownSampleType(profile);
  const { type: name, unit } = wantTime(profile, type, FORMAT);
  const perMicro = MICRO / (NANOS[unit] as number);
  const counts = countType(profile);
  const flat = flatten(profile);
  const tree = new TupleTable(2);
  // A node is a row: a profile of many distinct stacks has millions.
  const nodes: WrittenNode[] = [{ func: -1, hitCount: 0 }];
  tree.intern(0xffffffff, 0xffffffff);
  const child = (parent: number, func: number): number => {
    const node = tree.intern(parent, func);
    if (node < nodes.length) return node;
    nodes.push({ func, hitCount: 0 });
    const caller = nodes[parent] as WrittenNode;
    caller.children ??= [];
    caller.children.push(node + 1);
    return node;
  };

  const whole = profile.samples.reduce((sum, sample) => sum + (counts < 0 ? 1 : Math.max(1, sample.values[counts] ?? 1)), 0);
  const expands = counts >= 0 && whole <= MOST_SAMPLES;
  const samples: number[] = [];
  const deltas: number[] = [0];
  let micros = 0;
  for (const sample of profile.samples) {
    const value = sample.values[type] ?? 0;
    if (value < 0) continue;
    const times = expands ? Math.max(1, Math.round(sample.values[counts] ?? 1)) : 1;
    let node = 0;
    let line = 0;
    for (const index of stackOf(flat, sample.locations)) {
      const frame = flat.frames[index] as (typeof flat.frames)[number];
      node = child(node, frame.func);
      line = frame.line;
    }
    const leaf = nodes[node] as WrittenNode;
    leaf.hitCount += times;
    if (line > 0) {
      leaf.lines ??= new Map();
      leaf.lines.set(line, (leaf.lines.get(line) ?? 0) + times);
    }
    const each = Math.floor(value / times);
    for (let i = 0; i < times; i++) {
      const own = (i < value - each * times ? each + 1 : each) / perMicro;
      samples.push(node + 1);
      deltas.push(own);
      micros += own;
    }
  }
  samples.push(1);
  const startTime = Number(profile.timeNanos / BigInt(MICRO));
  const rest = { startTime, endTime: startTime + micros, samples, timeDeltas: deltas, strobe: { type: name, unit } };
  const notes = takenNotes(profile, { format: 'a .cpuprofile', labels: [], types: [type, ...(expands ? [counts] : [])] });
  return { parts: [...nodeTexts(nodes, flat.functions), `],${JSON.stringify(rest).slice(1)}`], notes };
}

interface WrittenNode {
  /** -1: the root. */
  func: number;
  hitCount: number;
  /** Ids: a node's is its index + 1. */
  children?: number[];
  /** Samples by line. */
  lines?: Map<number, number>;
}

/** The file up to the end of its nodes, in pieces: the whole may be longer than one string can be. */
function nodeTexts(nodes: WrittenNode[], functions: FlatFunction[]): string[] {
  const callFrames = functions.map(({ name, file, line, column }) =>
    JSON.stringify({
      functionName: name === '(anonymous)' ? '' : name,
      scriptId: '0',
      url: file,
      lineNumber: line - 1,
      columnNumber: column - 1,
    }),
  );
  const root = JSON.stringify({ functionName: '(root)', scriptId: '0', url: '', lineNumber: -1, columnNumber: -1 });
  const parts = ['{"nodes":['];
  let text = '';
  nodes.forEach(({ func, hitCount, children = [], lines }, i) => {
    const ticks = lines ? `,"positionTicks":${JSON.stringify([...lines].map(([line, ticks]) => ({ line, ticks })))}` : '';
    const callFrame = func < 0 ? root : (callFrames[func] as string);
    text += `${i === 0 ? '' : ','}{"id":${i + 1},"callFrame":${callFrame},"hitCount":${hitCount},"children":[${children.join()}]${ticks}}`;
    if (text.length < PIECE) return;
    parts.push(text);
    text = '';
  });
  parts.push(text);
  return parts;
}
