// What the writers of other formats share: their options, what they give, units, and the sentences about what a format cannot hold.

import { StrobeError } from '../../errors';
import { type Label, type Profile, shownSampleType, type ValueType } from '../../pprof/schema';
import { labelKeys } from '../labels';

export interface WriteOptions {
  /** Index of the one sample type to write; default all that the format holds, the shown one first. */
  sampleType?: number;
  /** For titles: the input's name. */
  title?: string;
}

export interface Written {
  /** The file, in pieces. */
  parts: string[];
  /** What the format has no place for, a sentence each. */
  notes: string[];
}

/** Nanoseconds that one of a pprof time unit has. */
export const NANOS: Record<string, number> = { nanoseconds: 1, microseconds: 1e3, milliseconds: 1e6, seconds: 1e9 };
export const TIME_UNITS = Object.keys(NANOS);

/** Index of the sample type that counts samples, or -1. `sample` is what other profilers for Node call it. */
export function countType({ sampleTypes }: Profile): number {
  return sampleTypes.findIndex(({ type, unit }) => unit === 'count' && /^samples?$/.test(type));
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function wantTime({ sampleTypes }: Profile, index: number, format: string): ValueType {
  const type = sampleTypes[index] as ValueType;
  if (NANOS[type.unit] !== undefined) return type;
  const times = sampleTypes.filter(({ unit }) => NANOS[unit] !== undefined).map(({ type }) => type);
  throw new StrobeError(
    'ERR_INVALID_OPTION',
    `a ${format} holds time, and the sample type ${type.type} is in ${type.unit || 'no unit'}: ${
      times.length > 0 ? `choose --type ${times.join(' or --type ')}` : 'convert to speedscope or pprof'
    }`,
  );
}

/** The types that a multi-type format gets: the shown one first. */
export function typesToWrite(profile: Profile, options: WriteOptions): number[] {
  if (options.sampleType !== undefined) return [options.sampleType];
  const shown = shownSampleType(profile);
  return [shown, ...profile.sampleTypes.keys()].filter((type, i, all) => all.indexOf(type) === i);
}

/** One sentence for each thing that is in the profile and not in the format. */
export function takenNotes(profile: Profile, has: { format: string; labels: string[]; types: number[] }): string[] {
  const notes: string[] = [];
  const lost = labelKeys(profile).filter((key) => !has.labels.includes(key));
  if (lost.length > 0)
    notes.push(
      `${has.format} has no place for the label${lost.length > 1 ? 's' : ''} ${lost.join(', ')}; --label picks one value, .pb.gz keeps all`,
    );
  const types = profile.sampleTypes.flatMap(({ type }, i) => (has.types.includes(i) ? [] : [type]));
  if (types.length > 0) notes.push(`not written: the sample type${types.length > 1 ? 's' : ''} ${types.join(', ')}`);
  const negative = profile.samples.filter(({ values }) => has.types.some((type) => (values[type] ?? 0) < 0)).length;
  if (negative > 0)
    notes.push(`left out: ${negative} sample${negative > 1 ? 's' : ''} with a negative value, which ${has.format} cannot hold`);
  return notes;
}

/** A part of the profile that is a profile of its own in formats without labels: one thread, one sample type. */
export interface Track {
  /** Index of the sample type. */
  type: number;
  thread: Label[];
  title: string;
  /** Indexes of samples. */
  rows: number[];
}

const THREAD_KEYS = ['thread_name', 'thread_id'];

/** By thread (most value first), and for each by type. */
export function tracks(profile: Profile, types: number[]): Track[] {
  const threads = new Map<string, { thread: Label[]; rows: number[]; value: number }>();
  profile.samples.forEach((sample, row) => {
    const thread = sample.labels.filter(({ key }) => THREAD_KEYS.includes(key));
    const key = JSON.stringify(thread.map(({ key, str, num }) => [key, str ?? String(num ?? 0)]));
    let found = threads.get(key);
    if (!found) {
      found = { thread, rows: [], value: 0 };
      threads.set(key, found);
    }
    found.rows.push(row);
    found.value += sample.values[types[0] as number] ?? 0;
  });
  if (threads.size === 0) threads.set('', { thread: [], rows: [], value: 0 });
  const sorted = [...threads.values()].sort((a, b) => b.value - a.value);
  return types.flatMap((type) =>
    sorted.map(({ thread, rows }) => ({ type, thread, title: titleOf(thread, profile.sampleTypes[type] as ValueType), rows })),
  );
}

function titleOf(thread: Label[], { type }: ValueType): string {
  const name = thread.find(({ key }) => key === 'thread_name')?.str;
  const id = thread.find(({ key }) => key === 'thread_id');
  const who = [name, id && `(${id.str ?? id.num})`].filter(Boolean).join(' ');
  return who === '' ? type : `${who}: ${type}`;
}

/** The extension that lets our reader restore types and threads; other readers pass over it. */
export interface TrackFacts {
  sampleTypes: ValueType[];
  defaultSampleType: string;
  tracks: { type: number; thread_name?: string; thread_id?: number | string }[];
}

export function trackFacts(profile: Profile, list: Track[]): TrackFacts {
  return {
    sampleTypes: profile.sampleTypes,
    defaultSampleType: profile.defaultSampleType,
    tracks: list.map(({ type, thread }) => {
      const facts: TrackFacts['tracks'][number] = { type };
      for (const { key, str, num } of thread) {
        if (key === 'thread_name' && str !== undefined) facts.thread_name = str;
        else if (key === 'thread_id') facts.thread_id = str ?? (typeof num === 'bigint' ? num.toString() : (num ?? 0));
      }
      return facts;
    }),
  };
}

/** The facts of a file, when they fit it; a stranger's, or damaged ones, are undefined. */
export function readTrackFacts(json: unknown, length: number): TrackFacts | undefined {
  const facts = json as TrackFacts | undefined;
  if (typeof facts !== 'object' || facts === null || !Array.isArray(facts.sampleTypes) || !Array.isArray(facts.tracks)) return undefined;
  const isText = (value: unknown) => typeof value === 'string';
  const typesFit = facts.sampleTypes.length > 0 && facts.sampleTypes.every((type) => isText(type?.type) && isText(type?.unit));
  const tracksFit =
    facts.tracks.length === length &&
    facts.tracks.every(
      (track) =>
        Number.isInteger(track?.type) &&
        track.type >= 0 &&
        track.type < facts.sampleTypes.length &&
        (track.thread_name === undefined || isText(track.thread_name)) &&
        (track.thread_id === undefined || isText(track.thread_id) || Number.isSafeInteger(track.thread_id)),
    );
  if (!typesFit || !tracksFit || !isText(facts.defaultSampleType)) return undefined;
  return facts;
}

/** The labels that a track's samples carried. */
export function trackLabels({ thread_name, thread_id }: TrackFacts['tracks'][number]): Label[] {
  const labels: Label[] = [];
  if (thread_name !== undefined) labels.push({ key: 'thread_name', str: thread_name });
  if (typeof thread_id === 'number') labels.push({ key: 'thread_id', num: thread_id });
  else if (thread_id !== undefined) labels.push({ key: 'thread_id', str: thread_id });
  return labels;
}
