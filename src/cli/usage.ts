// What all commands share: how arguments are refused, how errors become exit codes, how files are read and how output leaves.
// Data goes to stdout, messages to stderr. Exit code 0 done, 1 a file or the work failed, 2 the command line is wrong.

import { readFile } from 'node:fs/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { StrobeError } from '../errors';
import { ioError } from '../export/io-error';
import { readAnyProfile } from '../formats/convert/read';
import { labelKeys } from '../formats/labels';
import type { Profile } from '../pprof/schema';

/** The command line is wrong; the message names the option and the way out. */
export class UsageError extends Error {}

const CHUNK_CHARACTERS = 64 * 1024;

/** `parseArgs` (strict, as it is by default), with its errors as UsageError. */
export function parse<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    // Node's first sentence names the option; the rest explains Node.
    if (!(error instanceof Error) || !String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')) throw error;
    const [sentence = ''] = error.message.split(/\. |\n/);
    throw new UsageError(sentence.charAt(0).toLowerCase() + sentence.slice(1));
  }
}

/** Runs a command's body; its expected errors become a message and an exit code, a bug of ours stays an exception. */
export async function runCommand(name: string, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`strobe ${name}: ${error.message}\nstrobe ${name} --help shows the options and examples\n`);
      return 2;
    }
    if (error instanceof StrobeError) {
      process.stderr.write(`strobe ${name}: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

/**
 * A whole number of an option.
 * @throws UsageError
 */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not '${text}'`);
  }
  return value;
}

/**
 * `k=v` of an option; the value may hold further `=`.
 * @throws UsageError
 */
export function keyValue(option: string, text: string): { key: string; value: string } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`${option} must be KEY=VALUE, not '${text}' (for example ${option} thread_name=main)`);
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

/**
 * A pprof file, or what other tools write: .cpuprofile, speedscope's and Firefox's JSON.
 * @throws StrobeError ERR_IO, ERR_PROFILE_INVALID; both name the file
 */
export async function readProfile(path: string): Promise<Profile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw ioError('read', path, cause);
  }
  return readAnyProfile(bytes, path).profile;
}

/**
 * The index of the sample type that --type names.
 * @throws UsageError with the profile's types
 */
export function sampleTypeIndex({ sampleTypes }: Profile, wanted: string): number {
  const index = sampleTypes.findIndex(({ type }) => type === wanted);
  if (index < 0)
    throw new UsageError(`--type must be one of ${sampleTypes.map(({ type }) => type).join(', ')} for this profile, not '${wanted}'`);
  return index;
}

/** A misspelt label gives an empty result, which must not look like "no CPU was used": says which labels there are. */
export function warnOfUnknownLabels(command: string, profiles: Profile[], wanted: string[]): void {
  const known = [...new Set(profiles.flatMap(labelKeys))].sort();
  for (const key of wanted) {
    if (known.includes(key)) continue;
    const there = known.length > 0 ? `its labels are: ${known.join(', ')}` : 'its samples have no labels';
    process.stderr.write(`strobe ${command}: no sample of the profile has the label '${key}'; ${there}\n`);
  }
}

/** Writes to stdout and waits for it. A reader that closes early (`| head`) ends the output, and that is no error. */
export async function writeOut(parts: Iterable<string>): Promise<void> {
  let pending = '';
  for (const part of parts) {
    pending += part;
    if (pending.length < CHUNK_CHARACTERS) continue;
    if (!(await writeChunk(pending))) return;
    pending = '';
  }
  if (pending !== '') await writeChunk(pending);
}

/** The same for pieces of which some are bytes. */
export async function writeOutBytes(parts: Iterable<string | Uint8Array>): Promise<void> {
  for (const part of parts) if (part.length > 0 && !(await writeChunk(part))) return;
}

let guarded = false;

/** False when nobody reads any more. */
function writeChunk(text: string | Uint8Array): Promise<boolean> {
  // The error comes to the callback and, unhandled, as an event that would end the process.
  if (!guarded) process.stdout.on('error', () => undefined);
  guarded = true;
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error) resolve(true);
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') resolve(false);
      else reject(ioError('write', 'to standard output', error));
    });
  });
}
