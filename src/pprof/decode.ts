// pprof bytes (gzipped or not) -> Profile. The input may be a stranger's file: every length, wire type, id and index is checked, what comes out
// is complete (see schema.ts), and all else is a StrobeError ERR_PROFILE_INVALID that names the source and says what is wrong with it.
// Memory is bounded twice: by the unpacked size, and by the number of things that the bytes turn into.
//
// Numbers: ids may be any uint64. Addresses, times and label numbers are exact. Sample values and periods are doubles (see `Sample.values`).
// Records refer to each other in any order of the file, so one scan notes where each is, and they are read in the order of their references.

import { invalid, unpack } from './container';
import {
  emptyProfile,
  FUNCTION,
  type Func,
  LABEL,
  type Label,
  LINE,
  type Line,
  LOCATION,
  type Location,
  MAPPING,
  type Mapping,
  PROFILE,
  type Profile,
  SAMPLE,
  type Sample,
  VALUE_TYPE,
  type ValueType,
} from './schema';
import { Wire, WireError } from './wire';

// Units of `Wire.spend` that a record costs beside its lists.
const RECORD_UNITS = 8;

export interface DecodeOptions {
  /** Refuse what unpacks to more; default 1 GiB. */
  maxBytes?: number;
}

/**
 * @param source what messages call the input: its file name
 * @throws StrobeError ERR_PROFILE_INVALID
 */
export function decode(bytes: Uint8Array, source: string, options: DecodeOptions = {}): Profile {
  const wire = new Wire(unpack(bytes, source, options.maxBytes));
  try {
    return new Decoder(wire).profile();
  } catch (error) {
    const problem = wire.describe(error);
    if (problem === undefined) throw error;
    throw invalid(source, problem, error);
  }
}

/** Ids of one kind of record to indexes. 0 is no id. */
class Ids {
  readonly #what: string;
  readonly #indexes = new Map<number | bigint, number>();

  constructor(what: string) {
    this.#what = what;
  }

  define(id: number | bigint): void {
    if (id === 0) throw new WireError(`a ${this.#what} has no id`);
    if (this.#indexes.has(id)) throw new WireError(`two ${this.#what}s have the id ${id}`);
    this.#indexes.set(id, this.#indexes.size);
  }

  index(id: number | bigint, referrer: string): number {
    const index = this.#indexes.get(id);
    if (index === undefined) throw new WireError(`a ${referrer} refers to ${this.#what} ${id}, which is not in the profile`);
    return index;
  }
}

class Decoder {
  readonly #wire: Wire;
  readonly #profile = emptyProfile();
  readonly #strings: string[] = [];
  readonly #mappingIds = new Ids('mapping');
  readonly #functionIds = new Ids('function');
  readonly #locationIds = new Ids('location');

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  profile(): Profile {
    const { records, indexes } = this.#scan();
    const profile = this.#profile;
    // All string indexes wait for the table, which may be anywhere.
    if (this.#strings.length > 0 && this.#strings[0] !== '') throw new WireError('its string table does not begin with the empty string');
    profile.dropFrames = this.#string(indexes.dropFrames);
    profile.keepFrames = this.#string(indexes.keepFrames);
    profile.defaultSampleType = this.#string(indexes.defaultSampleType);
    profile.docUrl = this.#string(indexes.docUrl);
    profile.comments = indexes.comments.map((index) => this.#string(index));

    for (const at of records[PROFILE.sampleType] ?? []) profile.sampleTypes.push(this.#valueType(at));
    if (profile.sampleTypes.length === 0) throw new WireError('it has no sample types');
    for (const at of records[PROFILE.periodType] ?? []) profile.periodType = this.#valueType(at);
    for (const at of records[PROFILE.mapping] ?? []) profile.mappings.push(this.#mapping(at));
    for (const at of records[PROFILE.function] ?? []) profile.functions.push(this.#func(at));
    for (const at of records[PROFILE.location] ?? []) profile.locations.push(this.#location(at));
    for (const at of records[PROFILE.sample] ?? []) profile.samples.push(this.#sample(at));
    return profile;
  }

  /** Reads the strings and the plain fields, and notes where the records are. */
  #scan() {
    const wire = this.#wire;
    const records: number[][] = [];
    const indexes = { dropFrames: 0, keepFrames: 0, defaultSampleType: 0, docUrl: 0, comments: [] } as {
      [name in 'dropFrames' | 'keepFrames' | 'defaultSampleType' | 'docUrl']: number | bigint;
    } & { comments: (number | bigint)[] };
    while (wire.next()) {
      switch (wire.field) {
        case PROFILE.sampleType:
        case PROFILE.sample:
        case PROFILE.mapping:
        case PROFILE.location:
        case PROFILE.function:
        case PROFILE.periodType: {
          wire.spend(RECORD_UNITS);
          const marks = records[wire.field] ?? [];
          records[wire.field] = marks;
          marks.push(wire.mark());
          break;
        }
        case PROFILE.stringTable:
          this.#strings.push(wire.string());
          break;
        case PROFILE.dropFrames:
          indexes.dropFrames = wire.uint();
          break;
        case PROFILE.keepFrames:
          indexes.keepFrames = wire.uint();
          break;
        case PROFILE.timeNanos:
          this.#profile.timeNanos = BigInt(wire.int());
          break;
        case PROFILE.durationNanos:
          this.#profile.durationNanos = wire.double();
          break;
        case PROFILE.period:
          this.#profile.period = wire.double();
          break;
        case PROFILE.comment:
          wire.uints(indexes.comments);
          break;
        case PROFILE.defaultSampleType:
          indexes.defaultSampleType = wire.uint();
          break;
        case PROFILE.docUrl:
          indexes.docUrl = wire.uint();
          break;
        default:
          wire.skip();
      }
    }
    return { records, indexes };
  }

  #valueType(at: number): ValueType {
    const wire = this.#wire;
    const result: ValueType = { type: '', unit: '' };
    wire.seek(at);
    wire.enter();
    while (wire.next()) {
      if (wire.field === VALUE_TYPE.type) result.type = this.#string(wire.uint());
      else if (wire.field === VALUE_TYPE.unit) result.unit = this.#string(wire.uint());
      else wire.skip();
    }
    return result;
  }

  #mapping(at: number): Mapping {
    const wire = this.#wire;
    const result: Mapping = {
      start: 0n,
      limit: 0n,
      offset: 0n,
      filename: '',
      buildId: '',
      hasFunctions: false,
      hasFilenames: false,
      hasLineNumbers: false,
      hasInlineFrames: false,
    };
    let id: number | bigint = 0;
    wire.seek(at);
    wire.enter();
    while (wire.next()) {
      if (wire.field === MAPPING.id) id = wire.uint();
      else if (wire.field === MAPPING.memoryStart) result.start = BigInt(wire.uint());
      else if (wire.field === MAPPING.memoryLimit) result.limit = BigInt(wire.uint());
      else if (wire.field === MAPPING.fileOffset) result.offset = BigInt(wire.uint());
      else if (wire.field === MAPPING.filename) result.filename = this.#string(wire.uint());
      else if (wire.field === MAPPING.buildId) result.buildId = this.#string(wire.uint());
      else if (wire.field === MAPPING.hasFunctions) result.hasFunctions = wire.bool();
      else if (wire.field === MAPPING.hasFilenames) result.hasFilenames = wire.bool();
      else if (wire.field === MAPPING.hasLineNumbers) result.hasLineNumbers = wire.bool();
      else if (wire.field === MAPPING.hasInlineFrames) result.hasInlineFrames = wire.bool();
      else wire.skip();
    }
    this.#mappingIds.define(id);
    return result;
  }

  #func(at: number): Func {
    const wire = this.#wire;
    const result: Func = { name: '', systemName: '', filename: '', startLine: 0, startColumn: 0 };
    let id: number | bigint = 0;
    wire.seek(at);
    wire.enter();
    while (wire.next()) {
      if (wire.field === FUNCTION.id) id = wire.uint();
      else if (wire.field === FUNCTION.name) result.name = this.#string(wire.uint());
      else if (wire.field === FUNCTION.systemName) result.systemName = this.#string(wire.uint());
      else if (wire.field === FUNCTION.filename) result.filename = this.#string(wire.uint());
      else if (wire.field === FUNCTION.startLine) result.startLine = wire.double();
      else wire.skip();
    }
    this.#functionIds.define(id);
    return result;
  }

  #location(at: number): Location {
    const wire = this.#wire;
    const result: Location = { mapping: -1, address: 0n, lines: [], isFolded: false };
    let id: number | bigint = 0;
    wire.seek(at);
    wire.enter();
    while (wire.next()) {
      if (wire.field === LOCATION.id) id = wire.uint();
      else if (wire.field === LOCATION.mappingId) {
        const mappingId = wire.uint();
        result.mapping = mappingId === 0 ? -1 : this.#mappingIds.index(mappingId, 'location');
      } else if (wire.field === LOCATION.address) result.address = BigInt(wire.uint());
      else if (wire.field === LOCATION.line) result.lines.push(this.#line());
      else if (wire.field === LOCATION.isFolded) result.isFolded = wire.bool();
      else wire.skip();
    }
    this.#locationIds.define(id);
    return result;
  }

  #line(): Line {
    const wire = this.#wire;
    const result: Line = { function: 0, line: 0, column: 0 };
    let functionId: number | bigint = 0;
    wire.spend(RECORD_UNITS);
    const outer = wire.enter();
    while (wire.next()) {
      if (wire.field === LINE.functionId) functionId = wire.uint();
      else if (wire.field === LINE.line) result.line = wire.double();
      else if (wire.field === LINE.column) result.column = wire.double();
      else wire.skip();
    }
    wire.leave(outer);
    result.function = this.#functionIds.index(functionId, 'line');
    return result;
  }

  #sample(at: number): Sample {
    const wire = this.#wire;
    const ids: (number | bigint)[] = [];
    const values: number[] = [];
    const labels: Label[] = [];
    wire.seek(at);
    wire.enter();
    while (wire.next()) {
      if (wire.field === SAMPLE.locationId) wire.uints(ids);
      else if (wire.field === SAMPLE.value) wire.doubles(values);
      else if (wire.field === SAMPLE.label) labels.push(this.#label());
      else wire.skip();
    }
    const types = this.#profile.sampleTypes.length;
    if (values.length !== types) throw new WireError(`a sample has ${values.length} values where the profile has ${types} sample types`);
    return { locations: ids.map((id) => this.#locationIds.index(id, 'sample')), values, labels };
  }

  #label(): Label {
    const wire = this.#wire;
    let key = '';
    let str: string | undefined;
    let num: number | bigint = 0;
    let unit = '';
    wire.spend(RECORD_UNITS);
    const outer = wire.enter();
    while (wire.next()) {
      if (wire.field === LABEL.key) key = this.#string(wire.uint());
      else if (wire.field === LABEL.str) str = this.#string(wire.uint());
      else if (wire.field === LABEL.num) num = wire.int();
      else if (wire.field === LABEL.numUnit) unit = this.#string(wire.uint());
      else wire.skip();
    }
    wire.leave(outer);
    // Some writers set every field: a number wins over an empty string.
    if (str !== undefined && (str !== '' || num === 0)) return { key, str };
    return unit === '' ? { key, num } : { key, num, unit };
  }

  #string(index: number | bigint): string {
    // A message without a table may still refer to the empty string.
    if (index === 0) return '';
    const text = typeof index === 'number' ? this.#strings[index] : undefined;
    if (text === undefined) throw new WireError(`it refers to string ${index}, but its table has ${this.#strings.length}`);
    return text;
  }
}
