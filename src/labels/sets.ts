// Sets of labels: checked, merged, and known to the engine by a small number.
//
// A set is immutable. Equal sets of a process have one id in the engine's table; here a cache of bounded size saves the way there. The table is bounded, too: a set
// that found no room has the id NO_ROOM, one whose place was taken since has a stale generation; the profile shows both as `(evicted)`, and counts them.

import { StrobeError } from '../errors';
import { EMPTY_SET, type LabelSet } from '../label';
import { labelEngine, labelMemory } from './engine';

export type LabelValue = string | number | boolean;
export type Labels = Readonly<Record<string, LabelValue>>;

export const MAX_LABELS = 64;
export const MAX_NAME_BYTES = 128;
export const MAX_VALUE_BYTES = 1024;

/** Labels of strobe's own in the profile. */
const RESERVED = new Set(['thread_name', 'thread_id', 'trace_id', 'span_id', 'local_root_span_id', 'gc', 'strobe_labels']);

const NO_ROOM = -1;
/** Ids of the engine's table: internLabels puts a generation and an id into one number. */
const SET_IDS = 65536;

function refuse(message: string): never {
  throw new StrobeError('ERR_INVALID_OPTION', message);
}

/** UTF-8 bytes are counted only where there may be too many. */
function longerThan(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes);
}

function checkedValue(name: string, value: unknown): string {
  if (name === '') refuse('labels: a label needs a name that is not empty');
  if (longerThan(name, MAX_NAME_BYTES)) refuse(`labels: the name '${name.slice(0, 40)}…' is longer than ${MAX_NAME_BYTES} bytes`);
  if (RESERVED.has(name)) refuse(`labels: '${name}' is strobe's own; choose another name`);
  let text: string;
  if (typeof value === 'string') text = value;
  else if (typeof value === 'number' || typeof value === 'boolean') text = String(value);
  else refuse(`labels: '${name}' must be a string, a number or a boolean, got ${value === null ? 'null' : typeof value}`);
  if (longerThan(text, MAX_VALUE_BYTES)) refuse(`labels: the value of '${name}' is longer than ${MAX_VALUE_BYTES} bytes; shorten it`);
  return text;
}

function keyOf(names: string[], labels: Record<string, string>): string {
  let key = '';
  for (const name of names) {
    const value = labels[name] as string;
    key += `${name.length}:${name}${value.length}:${value}`;
  }
  return key;
}

/** Two generations: what was used since the last turn, and before. Both together are bounded; a set that is used stays. */
const CACHED = 2048;
let young = new Map<string, LabelSet>();
let old = new Map<string, LabelSet>();

/** The set is still the one that the engine knows by its number; then it is marked as used. */
export function living(set: LabelSet): boolean {
  const table = labelMemory();
  if (!table || set.key === '') return true;
  if (set.id <= 0 || table.generations[set.id] !== set.generation) return false;
  table.used[set.id] = 1;
  return true;
}

function intern(key: string, names: string[], labels: Record<string, string>): LabelSet {
  const engine = labelEngine();
  let id = 0;
  let generation = 0;
  if (engine) {
    const interned = engine.internLabels(names.flatMap((name) => [name, labels[name] as string]));
    id = interned % SET_IDS || NO_ROOM;
    // As the array of generations has it: 32 bits with a sign.
    generation = Math.floor(interned / SET_IDS) | 0;
  }
  return { id, generation, labels: Object.freeze(labels), key };
}

function setOf(labels: Record<string, string>): LabelSet {
  const names = Object.keys(labels).sort();
  if (names.length === 0) return EMPTY_SET;
  const key = keyOf(names, labels);
  let set = young.get(key);
  if (set && living(set)) return set;
  set = old.get(key);
  if (!set || !living(set)) set = intern(key, names, labels);
  if (young.size >= CACHED) {
    old = young;
    young = new Map();
  }
  young.set(key, set);
  return set;
}

/**
 * What was merged last, by outer set, names and values: work that is labelled again and again in the same way finds its set without merging, sorting and a key (a
 * tenth of the time). Each has one place; which one need not be fair, only cheap.
 */
interface Merge {
  outer: LabelSet;
  names: string[];
  values: unknown[];
  set: LabelSet;
}
/** A power of two. */
const MERGES = 1024;
/** Of more names nothing is kept: what is kept is bounded. */
const MERGED_NAMES = 8;
const merges: (Merge | undefined)[] = new Array(MERGES).fill(undefined);

function mergePlace(outer: LabelSet, names: string[], labels: Labels): number {
  let mark = outer.id;
  for (let at = 0; at < names.length; at++) {
    const value = labels[names[at] as string];
    // What tells values apart mostly stands at their ends. Where there is no such character its code is NaN, and 0 as bits.
    if (typeof value === 'string') {
      const end =
        value.charCodeAt(value.length - 1) ^ (value.charCodeAt(value.length - 2) * 37) ^ (value.charCodeAt(value.length - 3) * 101);
      mark = Math.imul(mark, 31) + end + value.length;
    } else if (typeof value === 'number') mark = Math.imul(mark, 31) + value;
  }
  return (mark ^ (mark >>> 9)) & (MERGES - 1);
}

function merged(place: number, outer: LabelSet, names: string[], labels: Labels): LabelSet | undefined {
  const merge = merges[place];
  if (merge === undefined || merge.outer !== outer || merge.names.length !== names.length) return undefined;
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    if (merge.names[at] !== name || merge.values[at] !== labels[name]) return undefined;
  }
  return living(merge.set) ? merge.set : undefined;
}

/** `outer`'s labels with `labels` over them. */
export function mergeSets(outer: LabelSet, labels: Labels): LabelSet {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    refuse(
      `labels must be an object of names and values, got ${labels === null ? 'null' : Array.isArray(labels) ? 'an array' : typeof labels}`,
    );
  }
  const names = Object.keys(labels);
  const place = names.length > 0 && names.length <= MERGED_NAMES ? mergePlace(outer, names, labels) : -1;
  const known = place >= 0 ? merged(place, outer, names, labels) : undefined;
  if (known) return known;

  const all: Record<string, string> = Object.assign(Object.create(null), outer.labels);
  // Read once: a getter may say something else the next time.
  const values = names.map((name) => labels[name]);
  names.forEach((name, at) => {
    all[name] = checkedValue(name, values[at]);
  });
  const count = Object.keys(all).length;
  if (count > MAX_LABELS)
    refuse(`labels: at most ${MAX_LABELS} labels at a time, these would be ${count}; drop some, or set fewer outside`);
  const set = setOf(all);
  if (place >= 0) merges[place] = { outer, names, values, set };
  return set;
}

/** Labels that came from the engine or from spans: what is not allowed is left out, nothing is thrown. */
export function mergeLenient(outer: LabelSet, labels: Record<string, LabelValue>): LabelSet {
  const merged: Record<string, string> = Object.assign(Object.create(null), outer.labels);
  for (const name of Object.keys(labels)) {
    if (Object.keys(merged).length >= MAX_LABELS && !(name in merged)) break;
    try {
      merged[name] = checkedValue(name, labels[name]);
    } catch {
      // Too long, of another type, or a name of strobe's own: this label is not shown, the others are.
    }
  }
  return setOf(merged);
}
