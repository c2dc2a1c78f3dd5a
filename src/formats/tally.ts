// Self and total value of each function of a profile. Two entries of the profile are one function when name, file and first line are the same.
// In the total of a sample a function counts once, however often it stands in the stack. What has no function (an address that nobody symbolised,
// a sample without a stack) gets a stand-in, so that the self values always add up to the whole. For two versions of a program, functions can be told apart by name and
// file alone: lines move.

import type { Location, Profile, Sample } from '../pprof/schema';
import { plainFile } from './kind';

export interface Tallied {
  name: string;
  file: string;
  /** First line of the function; 0 when not known. */
  line: number;
  self: number;
  total: number;
  /** Self value by executing line. */
  selfLines: Map<number, number>;
  /** The last sample in whose total this function was counted. */
  seen: number;
}

export interface TallyOptions {
  /** False: the first line plays no part in which functions are the same; a row has the line of the first that was seen. Default true. */
  byLine?: boolean;
}

interface LocationFrames {
  /** Innermost first. */
  functions: Tallied[];
  /** Executing line of the innermost. */
  line: number;
}

export class FunctionTally {
  /** In the order of first appearance in the profile's tables. */
  readonly functions: Tallied[] = [];
  readonly #byKey = new Map<string, Tallied>();
  readonly #locations: LocationFrames[];
  readonly #byLine: boolean;
  #sample = 0;

  constructor(profile: Profile, options: TallyOptions = {}) {
    this.#byLine = options.byLine ?? true;
    const functions = profile.functions.map((func) => this.#intern(func.name || '(anonymous)', func.filename, func.startLine));
    this.#locations = profile.locations.map((location) => ({
      functions:
        location.lines.length === 0
          ? [this.#unsymbolised(profile, location)]
          : location.lines.map((line) => functions[line.function] as Tallied),
      line: location.lines[0]?.line ?? 0,
    }));
  }

  /** Counts a sample; returns the function that its self value went to. */
  add(sample: Sample, value: number): Tallied {
    this.#sample++;
    const leaf = this.#locations[sample.locations[0] ?? -1];
    if (!leaf) {
      const none = this.#intern('(no stack)', '', 0);
      none.self += value;
      none.total += value;
      return none;
    }
    for (const index of sample.locations) {
      for (const func of (this.#locations[index] as LocationFrames).functions) {
        if (func.seen === this.#sample) continue;
        func.seen = this.#sample;
        func.total += value;
      }
    }
    const func = leaf.functions[0] as Tallied;
    func.self += value;
    func.selfLines.set(leaf.line, (func.selfLines.get(leaf.line) ?? 0) + value);
    return func;
  }

  #unsymbolised(profile: Profile, location: Location): Tallied {
    const file = profile.mappings[location.mapping]?.filename ?? '';
    return this.#intern(`0x${location.address.toString(16)}`, file, 0);
  }

  #intern(name: string, file: string, line: number): Tallied {
    const key = this.#byLine ? `${name}\n${file}\n${line}` : functionKey(name, file);
    let func = this.#byKey.get(key);
    if (!func) {
      func = { name, file, line, self: 0, total: 0, selfLines: new Map(), seen: 0 };
      this.#byKey.set(key, func);
      this.functions.push(func);
    }
    return func;
  }
}

/** What two versions of one function have in common. A module's URL and a script's path are one file. */
export function functionKey(name: string, file: string): string {
  return JSON.stringify([name, plainFile(file)]);
}

/** The key with the largest value; undefined when there is none. */
export function largestKey<K>(values: Map<K, number>): K | undefined {
  let best: K | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const [key, value] of values) {
    if (value <= most) continue;
    most = value;
    best = key;
  }
  return best;
}
