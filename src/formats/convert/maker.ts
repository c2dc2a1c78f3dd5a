// Frames of other formats -> Profile. Functions, frames and stacks are interned, equal stacks with equal labels are one sample. Input of strangers: a file of
// a few megabytes can describe stacks of terabytes (a long chain, and every sample at its end), so what comes out is bounded, too.

import { DoubleColumn, TupleTable } from '../../pprof/intern';
import { emptyProfile, type Label, type Profile, type ValueType } from '../../pprof/schema';
import { position } from './frames';

const NOTHING = 0xffffffff;
/** Frames on all stacks together; half a gigabyte as an array of arrays. */
const MOST_FRAMES = 64 * 2 ** 20;

/** No frame: the parent of outermost ones. */
export const ROOT = 0;

export class ProfileMaker {
  readonly #profile: Profile = emptyProfile();
  readonly #functions = new Map<string, number>();
  readonly #frames = new TupleTable(3);
  readonly #nodes = new TupleTable(2);
  readonly #depths: number[] = [0];
  readonly #labelSets = new Map<string, number>();
  readonly #labels: Label[][] = [];
  readonly #rows = new TupleTable(2);
  readonly #columns: DoubleColumn[];

  constructor(sampleTypes: ValueType[]) {
    this.#profile.sampleTypes = sampleTypes;
    this.#columns = sampleTypes.map(() => new DoubleColumn());
    this.#nodes.intern(NOTHING, NOTHING);
  }

  /** @param line and column: of the function's beginning, 1-based; 0 when not known */
  func(name: string, file: string, line: number, column = 0): number {
    const [startLine, startColumn] = [position(line), position(column)];
    const key = JSON.stringify([name, file, startLine, startColumn]);
    let id = this.#functions.get(key);
    if (id === undefined) {
      id = this.#functions.size;
      this.#functions.set(key, id);
      this.#profile.functions.push({ name: name || '(anonymous)', systemName: '', filename: file, startLine, startColumn });
    }
    return id;
  }

  /** `func` executing at this place; an unknown line shows as the function's own. */
  frame(func: number, line = 0, column = 0): number {
    const own = this.#profile.functions[func];
    const known = position(line) > 0;
    return this.#frames.intern(func, known ? line : (own?.startLine ?? 0), known ? position(column) : (own?.startColumn ?? 0));
  }

  /** The stack that has `frame` on top of the stack `parent`. */
  push(parent: number, frame: number): number {
    const id = this.#nodes.intern(parent, frame);
    if (id === this.#depths.length) this.#depths.push((this.#depths[parent] as number) + 1);
    return id;
  }

  /** Adds to the sample of this stack with these labels, in one sample type. */
  add(stack: number, type: number, value: number, labels: Label[] = []): void {
    const key = labels.length === 0 ? '' : JSON.stringify(labels.map(({ key, str, num }) => [key, str ?? Number(num ?? 0)]));
    let set = this.#labelSets.get(key);
    if (set === undefined) {
      set = this.#labels.length;
      this.#labelSets.set(key, set);
      this.#labels.push(labels);
    }
    this.#columns[type]?.add(this.#rows.intern(stack, set), value);
  }

  /** @throws TooLarge */
  take(facts: Partial<Pick<Profile, 'timeNanos' | 'durationNanos' | 'period' | 'periodType' | 'defaultSampleType'>>): Profile {
    const profile = Object.assign(this.#profile, facts);
    for (let id = 0; id < this.#frames.size; id++) {
      const [func, line, column] = [0, 1, 2].map((element) => this.#frames.at(id, element)) as [number, number, number];
      profile.locations.push({ mapping: -1, address: 0n, lines: [{ function: func, line, column }], isFolded: false });
    }
    let frames = 0;
    for (let row = 0; row < this.#rows.size; row++) {
      const leaf = this.#rows.at(row, 0);
      frames += this.#depths[leaf] as number;
      if (frames > MOST_FRAMES) throw new TooLarge(`its stacks hold more than ${MOST_FRAMES} frames together, the limit`);
      const locations: number[] = [];
      for (let node = leaf; node !== ROOT; node = this.#nodes.at(node, 0)) locations.push(this.#nodes.at(node, 1));
      const values = this.#columns.map((column) => Math.round(column.at(row)));
      if (values.every((value) => value === 0)) continue;
      profile.samples.push({ locations, values, labels: this.#labels[this.#rows.at(row, 1)] as Label[] });
    }
    return profile;
  }
}

export class TooLarge extends Error {}
