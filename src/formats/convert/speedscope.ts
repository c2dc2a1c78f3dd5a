// speedscope's own JSON. The format: https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts and its JSON schema.
//
// Writing: one `sampled` profile for each thread and sample type, the shown type first. A frame is a function with its first line: with executing lines every
// function would fall into pieces there. `strobe` beside the format's own fields keeps sample types and threads for the way back; speedscope passes over it.
//
// Reading: sampled and evented profiles. Times of any unit become nanoseconds; profiles of one unit are one sample type, told apart by the label thread_name.

import type { Profile, ValueType } from '../../pprof/schema';
import { flatten, stackOf } from './frames';
import { JsonReader } from './json';
import { ProfileMaker, ROOT } from './maker';
import {
  NANOS,
  readTrackFacts,
  type TrackFacts,
  takenNotes,
  trackFacts,
  trackLabels,
  tracks,
  typesToWrite,
  type WriteOptions,
  type Written,
} from './write';

export const SPEEDSCOPE_SCHEMA = 'https://www.speedscope.app/file-format-schema.json';
const FORMAT = 'speedscope file';
/** Units that the format knows. */
const UNITS = ['none', 'nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes'];

export function writeSpeedscope(profile: Profile, options: WriteOptions = {}): Written {
  const flat = flatten(profile);
  const types = typesToWrite(profile, options);
  const list = tracks(profile, types);
  const frames = flat.functions.map(({ name, file, line, column }) => ({
    name,
    ...(file === '' ? {} : { file }),
    ...(line > 0 ? { line } : {}),
    ...(column > 0 ? { col: column } : {}),
  }));
  const head = {
    $schema: SPEEDSCOPE_SCHEMA,
    exporter: 'strobe',
    name: options.title ?? 'profile',
    activeProfileIndex: 0,
    strobe: trackFacts(profile, list),
    shared: { frames },
  };
  // A profile a piece: the whole may be longer than one string can be.
  const text = JSON.stringify(head);
  const parts = [`${text.slice(0, -1)},"profiles":[`];
  list.forEach((track, i) => {
    const samples: number[][] = [];
    const weights: number[] = [];
    let total = 0;
    for (const row of track.rows) {
      const sample = profile.samples[row] as Profile['samples'][number];
      const value = sample.values[track.type] ?? 0;
      if (value <= 0) continue;
      samples.push(stackOf(flat, sample.locations).map((frame) => flat.frames[frame]?.func as number));
      weights.push(value);
      total += value;
    }
    const { unit } = profile.sampleTypes[track.type] as ValueType;
    const written = {
      type: 'sampled',
      name: track.title,
      unit: UNITS.includes(unit) ? unit : 'none',
      startValue: 0,
      endValue: total,
      samples,
      weights,
    };
    parts.push(`${i === 0 ? '' : ','}${JSON.stringify(written)}`);
  });
  parts.push(']}');
  return { parts, notes: takenNotes(profile, { format: 'a speedscope file', labels: ['thread_name', 'thread_id'], types }) };
}

/** @throws StrobeError ERR_PROFILE_INVALID, or TooLarge */
export function readSpeedscope(json: unknown, source: string): Profile {
  const reader = new JsonReader(source, FORMAT);
  const file = reader.object(json, 'the file');
  const frames = reader.array(reader.object(file.shared, 'shared').frames, 'shared.frames');
  const list = reader.array(file.profiles, 'profiles').map((value, i) => reader.object(value, `profiles[${i}]`));
  if (list.length === 0) reader.fail('it has no profiles');
  const facts = readTrackFacts(file.strobe, list.length) ?? strangersFacts(reader, list);
  const maker = new ProfileMaker(facts.sampleTypes);
  const functions = frames.map((value, i) => {
    const frame = reader.object(value, `shared.frames[${i}]`);
    const path = `shared.frames[${i}].file`;
    const place = frame.file === undefined || frame.file === null ? '' : reader.string(frame.file, path);
    return maker.frame(
      maker.func(reader.string(frame.name, `shared.frames[${i}].name`), place, Number(frame.line ?? 0), Number(frame.col ?? 0)),
    );
  });
  list.forEach((profile, i) => {
    const track = facts.tracks[i] as TrackFacts['tracks'][number];
    const unit = reader.string(profile.unit, `profiles[${i}].unit`);
    const target = facts.sampleTypes[track.type] as ValueType;
    const scale = (NANOS[unit] ?? 1) / (NANOS[target.unit] ?? 1);
    const labels = trackLabels(track);
    const add = (stack: number, value: number) => maker.add(stack, track.type, value * scale, labels);
    if (profile.type === 'sampled') readSampled(reader, maker, profile, `profiles[${i}]`, functions, add);
    else if (profile.type === 'evented') readEvented(reader, maker, profile, `profiles[${i}]`, functions, add);
    else reader.fail(`profiles[${i}].type must be 'sampled' or 'evented', not ${JSON.stringify(profile.type ?? null)}`);
  });
  const shown = facts.sampleTypes.find(({ type }) => type === facts.defaultSampleType) ?? facts.sampleTypes.at(-1);
  return maker.take({ periodType: { ...(shown as ValueType) }, defaultSampleType: facts.defaultSampleType });
}

/** What other exporters' files are: a sample type a unit, a thread a profile. */
function strangersFacts(reader: JsonReader, list: Record<string, unknown>[]): TrackFacts {
  const sampleTypes: ValueType[] = [];
  const tracks = list.map((profile, i) => {
    const unit = reader.string(profile.unit, `profiles[${i}].unit`);
    if (!UNITS.includes(unit)) reader.fail(`profiles[${i}].unit must be one of ${UNITS.join(', ')}, not ${JSON.stringify(unit)}`);
    const own: ValueType =
      NANOS[unit] !== undefined
        ? { type: 'wall', unit: 'nanoseconds' }
        : unit === 'bytes'
          ? { type: 'space', unit: 'bytes' }
          : { type: 'samples', unit: 'count' };
    let type = sampleTypes.findIndex((known) => known.type === own.type);
    if (type < 0) type = sampleTypes.push(own) - 1;
    const name = typeof profile.name === 'string' ? profile.name : '';
    return list.length > 1 ? { type, thread_name: name || `profile ${i + 1}` } : { type };
  });
  return { sampleTypes, defaultSampleType: '', tracks };
}

type Add = (stack: number, value: number) => void;

function readSampled(
  reader: JsonReader,
  maker: ProfileMaker,
  profile: Record<string, unknown>,
  path: string,
  functions: number[],
  add: Add,
): void {
  const samples = reader.array(profile.samples, `${path}.samples`);
  const weights = reader.array(profile.weights, `${path}.weights`);
  if (samples.length !== weights.length) reader.fail(`${path} has ${samples.length} samples and ${weights.length} weights`);
  samples.forEach((value, i) => {
    let stack = ROOT;
    for (const index of reader.array(value, `${path}.samples[${i}]`)) {
      stack = maker.push(
        stack,
        functions[reader.index(index, functions.length, `a frame of ${path}.samples[${i}]`, 'shared.frames')] as number,
      );
    }
    add(stack, reader.number(weights[i], `${path}.weights[${i}]`));
  });
}

/** Between two events, the time belongs to the stack that is open. */
function readEvented(
  reader: JsonReader,
  maker: ProfileMaker,
  profile: Record<string, unknown>,
  path: string,
  functions: number[],
  add: Add,
): void {
  let last = reader.number(profile.startValue, `${path}.startValue`);
  const open: { frame: unknown; stack: number }[] = [];
  const top = () => open.at(-1)?.stack ?? ROOT;
  const until = (at: number): void => {
    // Time with nothing open is no sample: speedscope draws a gap there.
    if (at > last && open.length > 0) add(top(), at - last);
    last = at;
  };
  reader.array(profile.events, `${path}.events`).forEach((value, i) => {
    const where = `${path}.events[${i}]`;
    const event = reader.object(value, where);
    const at = reader.number(event.at, `${where}.at`);
    if (at < last) reader.fail(`${where} is at ${at}, before the event ahead of it (${last})`);
    until(at);
    const frame = reader.index(event.frame, functions.length, `${where}.frame`, 'shared.frames');
    if (event.type === 'O') open.push({ frame, stack: maker.push(top(), functions[frame] as number) });
    else if (event.type !== 'C') reader.fail(`${where}.type must be 'O' or 'C'`);
    else if (open.pop()?.frame !== frame) reader.fail(`${where} closes frame ${frame}, which is not the innermost open one`);
  });
  until(Math.max(last, reader.number(profile.endValue, `${path}.endValue`)));
}
