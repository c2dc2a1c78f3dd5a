// A profile as other formats want it: stacks of single frames, outermost first. A location with inlined functions becomes several frames, an address that
// nobody symbolised becomes a frame of its own, and equal ones are one.

import { TupleTable } from '../../pprof/intern';
import type { Profile } from '../../pprof/schema';

export interface FlatFunction {
  name: string;
  file: string;
  /** First line and column, 1-based; 0 when not known. */
  line: number;
  column: number;
}

export interface FlatFrame {
  /** Index of the function. */
  func: number;
  /** Executing line and column, 1-based; 0 when not known. */
  line: number;
  column: number;
  /** 0 for a real function, 1 for what is inlined into it, 2 for what is inlined into that … */
  inlineDepth: number;
}

export interface FlatProfile {
  functions: FlatFunction[];
  frames: FlatFrame[];
  /** By location: indexes of frames, outermost first. */
  locations: number[][];
}

export function flatten(profile: Profile): FlatProfile {
  const functions: FlatFunction[] = profile.functions.map(({ name, filename, startLine, startColumn }) => ({
    name: name || '(anonymous)',
    file: filename,
    line: startLine,
    column: startColumn,
  }));
  const addresses = new Map<string, number>();
  const table = new TupleTable(4);
  const frames: FlatFrame[] = [];
  const intern = (func: number, line: number, column: number, inlineDepth: number): number => {
    const id = table.intern(func, line, column, inlineDepth);
    if (id === frames.length) frames.push({ func, line, column, inlineDepth });
    return id;
  };
  const locations = profile.locations.map((location) => {
    if (location.lines.length === 0) {
      const name = `0x${location.address.toString(16)}`;
      const file = profile.mappings[location.mapping]?.filename ?? '';
      const key = `${name} ${file}`;
      let func = addresses.get(key);
      if (func === undefined) {
        func = functions.length;
        addresses.set(key, func);
        functions.push({ name, file, line: 0, column: 0 });
      }
      return [intern(func, 0, 0, 0)];
    }
    const depth = location.lines.length - 1;
    return location.lines.map(({ function: func, line, column }, i) => intern(func, position(line), position(column), depth - i)).reverse();
  });
  return { functions, frames, locations };
}

const MOST = 0xffffffff;

/** A line or column of a stranger's file as a whole number from 0 (not known) on. */
export function position(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < MOST ? value : 0;
}

/** The frames of a sample's stack, outermost first. */
export function stackOf(flat: FlatProfile, locations: number[]): number[] {
  const stack: number[] = [];
  for (let depth = locations.length - 1; depth >= 0; depth--) {
    for (const frame of flat.locations[locations[depth] as number] as number[]) stack.push(frame);
  }
  return stack;
}
