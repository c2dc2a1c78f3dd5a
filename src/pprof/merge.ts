// Profiles of several processes or times -> one. The rules are those of the pprof tool (profile/merge.go): the profiles must measure the same things;
// values of the same stack with the same labels are summed; the time is the earliest, the duration is the sum, the period the largest.
// Ids, mappings and addresses of foreign profiles survive: a mapping is the same when its file (or build id), size and offset are, wherever
// the loader put it, and addresses move with it.

import { StrobeError } from '../errors';
import { DoubleColumn, TupleTable } from './intern';
import { emptyProfile, type Label, type Mapping, type Profile, type Sample } from './schema';
import { totalsFromComments, totalsToComments } from './totals';

export interface NamedProfile {
  /** For messages: the file. */
  name: string;
  profile: Profile;
}

const PAGE = 0x1000n;
const ROOT = 0;
const NOTHING = 0xffffffff;

/**
 * The inputs are left as they are; one is fine (its equal stacks are folded).
 * @throws StrobeError ERR_INVALID_OPTION for none, ERR_PROFILE_INVALID for profiles that measure different things (names both)
 */
export function mergeProfiles(inputs: NamedProfile[]): Profile {
  const [first, ...others] = inputs;
  if (!first) throw new StrobeError('ERR_INVALID_OPTION', 'merge needs at least one profile');
  for (const other of others) requireCompatible(first, other);
  const merger = new Merger(first.profile);
  for (const { profile } of inputs) merger.add(profile);
  return merger.take();
}

function requireCompatible(one: NamedProfile, other: NamedProfile): void {
  const [a, b] = [measures(one.profile), measures(other.profile)];
  if (a === b) return;
  throw new StrobeError(
    'ERR_PROFILE_INVALID',
    `${one.name} and ${other.name} cannot be merged, they measure different things: ${a} against ${b}. Merge only profiles of one kind.`,
  );
}

function measures({ sampleTypes, periodType }: Profile): string {
  const types = sampleTypes.map(({ type, unit }) => `${type}/${unit}`).join(', ');
  return periodType.type === '' ? types : `${types} (period ${periodType.type}/${periodType.unit})`;
}

/** Dense ids of things that have a string key; the things are kept in the order of their ids. */
class Table<T> {
  readonly items: T[] = [];
  readonly #ids = new Map<string, number>();

  intern(key: string, make: () => T): number {
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.items.length;
      this.#ids.set(key, id);
      this.items.push(make());
    }
    return id;
  }
}

class Merger {
  readonly #result: Profile = emptyProfile();
  readonly #mappings = new Table<Mapping>();
  readonly #functions = new Table<Profile['functions'][number]>();
  readonly #locations = new Table<Profile['locations'][number]>();
  readonly #labelSets = new Table<Label[]>();
  /** (parent node, location): root is node 0. The inner end of a stack is its deepest node. */
  readonly #nodes = new TupleTable(2);
  /** (node, label set). */
  readonly #rows = new TupleTable(2);
  readonly #columns: DoubleColumn[];
  readonly #comments: string[] = [];

  constructor(first: Profile) {
    const { sampleTypes, periodType, defaultSampleType, dropFrames, keepFrames, docUrl } = first;
    Object.assign(this.#result, { sampleTypes, periodType, defaultSampleType, dropFrames, keepFrames, docUrl });
    this.#columns = sampleTypes.map(() => new DoubleColumn());
    this.#nodes.intern(NOTHING, NOTHING);
  }

  add(profile: Profile): void {
    const result = this.#result;
    const { timeNanos } = profile;
    if (timeNanos !== 0n && (result.timeNanos === 0n || timeNanos < result.timeNanos)) result.timeNanos = timeNanos;
    result.durationNanos += profile.durationNanos;
    result.period = Math.max(result.period, profile.period);
    result.defaultSampleType ||= profile.defaultSampleType;
    result.docUrl ||= profile.docUrl;
    for (const comment of profile.comments) this.#comments.push(comment);

    const locations = this.#foldLocations(profile);
    for (const sample of profile.samples) this.#addSample(sample, locations);
  }

  take(): Profile {
    const result = this.#result;
    const { totals, others } = totalsFromComments(this.#comments);
    result.comments = [...totalsToComments(totals), ...new Set(others)];
    result.mappings = this.#mappings.items;
    result.functions = this.#functions.items;
    result.locations = this.#locations.items;
    for (let row = 0; row < this.#rows.size; row++) {
      const locations: number[] = [];
      for (let node = this.#rows.at(row, 0); node !== ROOT; node = this.#nodes.at(node, 0)) locations.push(this.#nodes.at(node, 1));
      result.samples.push({
        locations,
        values: this.#columns.map((column) => column.at(row)),
        labels: this.#labelSets.items[this.#rows.at(row, 1)] as Label[],
      });
    }
    return result;
  }

  #addSample(sample: Sample, locations: number[]): void {
    let node = ROOT;
    for (let depth = sample.locations.length - 1; depth >= 0; depth--) {
      node = this.#nodes.intern(node, locations[sample.locations[depth] as number] as number);
    }
    const labels = this.#labelSets.intern(labelsKey(sample.labels), () => sample.labels);
    const row = this.#rows.intern(node, labels);
    sample.values.forEach((value, type) => {
      this.#columns[type]?.add(row, value);
    });
  }

  /** Input location -> merged location. */
  #foldLocations(profile: Profile): number[] {
    const mappings = profile.mappings.map((mapping) => this.#mappings.intern(mappingKey(mapping), () => mapping));
    const functions = profile.functions.map((func) =>
      this.#functions.intern(JSON.stringify([func.name, func.systemName, func.filename, func.startLine, func.startColumn]), () => func),
    );
    return profile.locations.map((location) => {
      const mapping = location.mapping < 0 ? -1 : (mappings[location.mapping] as number);
      const address = BigInt.asUintN(64, location.address + this.#moved(profile, location.mapping, mapping));
      const lines = location.lines.map((line) => ({ ...line, function: functions[line.function] as number }));
      const lineKeys = lines.map((line) => `${line.function}:${line.line}:${line.column}`);
      const key = `${mapping} ${address} ${location.isFolded} ${lineKeys.join(' ')}`;
      return this.#locations.intern(key, () => ({ mapping, address, lines, isFolded: location.isFolded }));
    });
  }

  /** How far the merged mapping lies from the input's: the loader puts one file at another address in each process. */
  #moved(profile: Profile, from: number, to: number): bigint {
    if (from < 0) return 0n;
    return (this.#mappings.items[to] as Mapping).start - (profile.mappings[from] as Mapping).start;
  }
}

/** A mapping without file and build id is a stand-in of a writer that has none; the stand-ins are one. */
function mappingKey(mapping: Mapping): string {
  const file = mapping.buildId || mapping.filename;
  if (file === '') return '';
  const size = (mapping.limit - mapping.start + PAGE - 1n) / PAGE;
  return `${size} ${mapping.offset} ${file}`;
}

/** Equal for equal label sets in any order. */
function labelsKey(labels: Label[]): string {
  if (labels.length === 0) return '';
  return labels
    .map(({ key, str, num, unit }) => JSON.stringify(str !== undefined ? [key, str] : [key, String(num ?? 0), unit ?? '', 0]))
    .sort()
    .join(' ');
}
