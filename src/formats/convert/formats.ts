// The formats that `strobe convert` writes: their names, the endings of files that mean them, and one function for all.

import { StrobeError } from '../../errors';
import { encode, encodeGzip } from '../../pprof/encode';
import type { Profile } from '../../pprof/schema';
import { collapsedLines } from '../collapsed';
import { labelKeys } from '../labels';
import { writeCpuProfile } from './cpuprofile';
import { writeFirefox } from './firefox';
import { writeSpeedscope } from './speedscope';
import { takenNotes, typesToWrite, type WriteOptions } from './write';

export const OUTPUT_FORMATS = ['collapsed', 'speedscope', 'firefox', 'cpuprofile', 'pprof'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** A `.gz` behind one of these is a gzip around it. */
const ENDINGS: [ending: RegExp, format: OutputFormat][] = [
  [/\.(pb|pprof|prof)$/, 'pprof'],
  [/\.cpuprofile$/, 'cpuprofile'],
  [/\.speedscope(\.json)?$/, 'speedscope'],
  [/\.(firefox|profile)(\.json)?$/, 'firefox'],
  [/\.(collapsed|folded)(\.txt)?$|^stacks\.txt$|[\\/]stacks\.txt$/, 'collapsed'],
];

/** For messages: what ending means what. */
export const ENDINGS_HELP = '.pb.gz or .pprof (pprof), .cpuprofile, .speedscope.json, .firefox.json, .collapsed or .folded';

/** The format that a file's name says; undefined when it says none. */
export function formatOf(path: string): OutputFormat | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, '');
  return ENDINGS.find(([ending]) => ending.test(name))?.[1];
}

export interface Conversion {
  /** Whole, in pieces; pprof is one piece of bytes. */
  parts: (string | Uint8Array)[];
  /** What the format has no place for, a sentence each. */
  notes: string[];
}

/** @throws StrobeError ERR_INVALID_OPTION when the profile has nothing that the format can hold */
export function convertTo(format: OutputFormat, profile: Profile, options: WriteOptions & { raw?: boolean } = {}): Conversion {
  switch (format) {
    case 'pprof':
      return { parts: [options.raw ? encode(onlyType(profile, options)) : encodeGzip(onlyType(profile, options))], notes: [] };
    case 'collapsed': {
      const [type = 0] = typesToWrite(profile, options);
      const threads = labelKeys(profile).includes('thread_name');
      const lines = [...collapsedLines(profile, { threads, sampleType: type })].map((line) => `${line}\n`);
      return {
        parts: lines,
        notes: takenNotes(profile, { format: 'a list of collapsed stacks', labels: ['thread_name', 'thread_id'], types: [type] }),
      };
    }
    case 'speedscope':
      return writeSpeedscope(profile, options);
    case 'firefox':
      return writeFirefox(profile, options);
    case 'cpuprofile':
      return writeCpuProfile(profile, options);
    default:
      throw new StrobeError('ERR_INVALID_OPTION', `no such format: ${String(format)}; formats: ${OUTPUT_FORMATS.join(', ')}`);
  }
}

function onlyType(profile: Profile, { sampleType }: WriteOptions): Profile {
  if (sampleType === undefined) return profile;
  const types = profile.sampleTypes.slice(sampleType, sampleType + 1);
  return {
    ...profile,
    sampleTypes: types,
    defaultSampleType: types[0]?.type ?? '',
    samples: profile.samples.map((sample) => ({ ...sample, values: [sample.values[sampleType] ?? 0] })),
  };
}
