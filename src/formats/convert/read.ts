// Bytes of any profile that strobe reads -> Profile. pprof is told from the JSON formats by its first byte, these from each other by their fields. What is none of them is
// named where it is known: the usual mistake is to hand over a file of another kind.

import { MAX_UNPACKED_BYTES, ungzip } from '../../pprof/container';
import { decode } from '../../pprof/decode';
import type { Profile } from '../../pprof/schema';
import { readCpuProfile } from './cpuprofile';
import { readFirefox } from './firefox-read';
import { invalidJson, type JsonFormat, parseJson } from './json';
import { TooLarge } from './maker';
import { readSpeedscope } from './speedscope';

export type InputFormat = 'pprof' | 'cpuprofile' | 'speedscope' | 'firefox';

export interface ReadResult {
  profile: Profile;
  format: InputFormat;
}

type Reader = (json: unknown, source: string) => Profile;

const OPENS_JSON = /^(\xef\xbb\xbf)?\s*[[{]/;
const PROBE_BYTES = 64;

/**
 * @param source what messages call the input: its file name
 * @throws StrobeError ERR_PROFILE_INVALID
 */
export function readAnyProfile(bytes: Uint8Array, source: string): ReadResult {
  const unpacked = ungzip(bytes, source, MAX_UNPACKED_BYTES);
  const head = Buffer.from(unpacked.buffer, unpacked.byteOffset, Math.min(unpacked.length, PROBE_BYTES)).toString('latin1');
  // A pprof message cannot begin with a bracket; heap snapshots are JSON of gigabytes, which `decode` refuses by their first bytes.
  if (!OPENS_JSON.test(head) || /^\s*\{"(snapshot|head)"/.test(head)) return { profile: decode(unpacked, source), format: 'pprof' };
  return readJsonProfile(parseJson(unpacked, source), source);
}

function readJsonProfile(json: unknown, source: string): ReadResult {
  const has = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  const meta = (typeof has.meta === 'object' && has.meta !== null ? has.meta : {}) as Record<string, unknown>;
  if (meta.preprocessedProfileVersion !== undefined) return read('firefox', 'Firefox profile', readFirefox, json, source);
  if ('profiles' in has && 'shared' in has) return read('speedscope', 'speedscope file', readSpeedscope, json, source);
  if ('nodes' in has) return read('cpuprofile', 'V8 .cpuprofile', readCpuProfile, json, source);
  throw invalidJson(
    source,
    'profile in JSON',
    `it is ${nameJson(json, has, meta)}; strobe reads pprof, .cpuprofile, speedscope's and Firefox's processed JSON`,
  );
}

function nameJson(json: unknown, has: Record<string, unknown>, meta: Record<string, unknown>): string {
  if ('traceEvents' in has || (Array.isArray(json) && (json[0] as { ph?: unknown })?.ph !== undefined))
    return 'a Chrome trace: save its CPU profile from DevTools';
  if (meta.version !== undefined && 'threads' in has)
    return 'a raw profile of Firefox: load it in profiler.firefox.com and save it from there';
  if (typeof has.schema === 'string' && has.schema.startsWith('strobe-')) return `a ${has.schema} of strobe, not a profile`;
  if ('flamebearer' in has) return "Pyroscope's flamebearer: download pprof there";
  return 'JSON of another kind';
}

function read(format: InputFormat, name: JsonFormat, reader: Reader, json: unknown, source: string): ReadResult {
  try {
    return { profile: reader(json, source), format };
  } catch (error) {
    if (error instanceof TooLarge) throw invalidJson(source, name, error.message, error);
    throw error;
  }
}
