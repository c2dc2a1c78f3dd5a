// JSON of a stranger, read with care: what is not as the format has it becomes an ERR_PROFILE_INVALID that names the file, the place in it and what stands there.

import { StrobeError } from '../../errors';

/** The names of the formats, as messages have them. */
export type JsonFormat = 'V8 .cpuprofile' | 'speedscope file' | 'Firefox profile' | 'profile in JSON';

export function invalidJson(source: string, format: JsonFormat, problem: string, cause?: unknown): StrobeError {
  return new StrobeError(
    'ERR_PROFILE_INVALID',
    `${source} is not a valid ${format}: ${problem}`,
    cause === undefined ? undefined : { cause },
  );
}

/**
 * @throws StrobeError ERR_PROFILE_INVALID: no JSON, or cut off
 */
export function parseJson(bytes: Uint8Array, source: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const tooLong = bytes.length > 2 ** 29 - 25;
    throw invalidJson(
      source,
      'profile in JSON',
      tooLong ? 'it is larger than the 512 MiB that one text may have' : 'it is not UTF-8',
      cause,
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidJson(source, 'profile in JSON', endsInside(text) ? 'it ends too early (truncated file)' : whereItStops(cause), cause);
  }
}

/** V8 puts a piece of the file into its message; the place is what helps. */
function whereItStops(cause: unknown): string {
  const [, at] = /position (\d+)/.exec((cause as Error).message) ?? [];
  return at === undefined ? 'its JSON is damaged' : `its JSON is damaged at character ${at}`;
}

/** True when brackets or a string are still open at the end. */
function endsInside(text: string): boolean {
  let open = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x22) {
      for (i++; i < text.length && text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
      if (i >= text.length) return true;
    } else if (char === 0x7b || char === 0x5b) open++;
    else if (char === 0x7d || char === 0x5d) open--;
    if (open < 0) return false;
  }
  return open > 0;
}

/** Checked access. `path` is where the value stands: `threads[2].samples`. */
export class JsonReader {
  constructor(
    readonly source: string,
    readonly format: JsonFormat,
  ) {}

  fail(problem: string): never {
    throw invalidJson(this.source, this.format, problem);
  }

  object(value: unknown, path: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail(`${path} must be an object, not ${shown(value)}`);
    return value as Record<string, unknown>;
  }

  array(value: unknown, path: string): unknown[] {
    if (!Array.isArray(value)) this.fail(`${path} must be an array, not ${shown(value)}`);
    return value;
  }

  /** A finite number. */
  number(value: unknown, path: string): number {
    if (typeof value !== 'number' || !Number.isFinite(value)) this.fail(`${path} must be a number, not ${shown(value)}`);
    return value;
  }

  string(value: unknown, path: string): string {
    if (typeof value !== 'string') this.fail(`${path} must be a string, not ${shown(value)}`);
    return value;
  }

  /** A whole number from 0 to `length - 1`. */
  index(value: unknown, length: number, path: string, of: string): number {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= length)
      this.fail(`${path} is ${shown(value)}, but there are ${length} ${of}`);
    return value;
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
