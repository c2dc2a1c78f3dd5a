// Checks of an exporter's options: every refusal is a StrobeError ERR_INVALID_OPTION that names the exporter, the option, what was given and what is
// allowed. What may be a secret is never shown.

import { StrobeError } from '../errors';
import { didYouMean } from '../nearest';

/** What was given, as it reads in a message: "100" (a string), NaN, an array. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)} (a string)`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export class Checks {
  readonly #given: Record<string, unknown>;

  /** @throws StrobeError ERR_INVALID_OPTION: no object, or a key that is not known */
  constructor(
    readonly who: string,
    given: unknown,
    known: readonly string[],
    readonly prefix = '',
  ) {
    if (!isRecord(given)) this.refuse(`takes an object of options, got ${shown(given)}`);
    this.#given = given as Record<string, unknown>;
    for (const key of Object.keys(this.#given)) {
      if (!known.includes(key)) {
        this.refuse(
          `unknown option '${prefix}${key}'${didYouMean(key, known)} Known options: ${known.map((name) => prefix + name).join(', ')}`,
        );
      }
    }
  }

  refuse(message: string): never {
    throw new StrobeError('ERR_INVALID_OPTION', `${this.who}: ${message}`);
  }

  /** The value as given. */
  raw(name: string): unknown {
    return this.#given[name];
  }

  /** A text that is not empty; undefined when it is not given. */
  text(name: string, { what = 'a string that is not empty', secret = false } = {}): string | undefined {
    const value = this.#given[name];
    if (value === undefined) return undefined;
    // A secret that is wrong in form is said to be there, and no more.
    if (typeof value !== 'string' || value === '') {
      this.refuse(`${this.prefix}${name} must be ${what}, got ${secret && typeof value !== 'string' ? `a ${typeof value}` : shown(value)}`);
    }
    return value as string;
  }

  /** A number from `least` to `most`. */
  flag(name: string, fallback: boolean): boolean {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') return this.refuse(`${name} must be true or false, got ${shown(value)}`);
    return value;
  }

  number(name: string, { least, most, fallback, unit, whole = false }: NumberRule): number {
    return this.optionalNumber(name, { least, most, unit, whole }) ?? fallback;
  }

  optionalNumber(name: string, { least, most, unit, whole = false }: Omit<NumberRule, 'fallback'>): number | undefined {
    const value = this.#given[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      this.refuse(`${this.prefix}${name} must be a ${whole ? 'whole ' : ''}number from ${least} to ${most} (${unit}), got ${shown(value)}`);
    }
    return value as number;
  }

  choice<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.#given[name];
    if (value === undefined) return fallback;
    if (!allowed.includes(value as T)) {
      this.refuse(`${this.prefix}${name} must be ${allowed.map((one) => `'${one}'`).join(' or ')}, got ${shown(value)}`);
    }
    return value as T;
  }

  /** An object of strings; {} when it is not given. Values are never shown. */
  texts(name: string): Record<string, string> {
    const value = this.#given[name];
    if (value === undefined) return {};
    if (!isRecord(value)) this.refuse(`${this.prefix}${name} must be an object of strings, got ${shown(value)}`);
    for (const [key, text] of Object.entries(value as object)) {
      if (typeof text !== 'string') this.refuse(`${this.prefix}${name}.${key} must be a string, got a ${typeof text}`);
    }
    return { ...(value as Record<string, string>) };
  }

  /** The checks of an object inside the options; undefined when it is not given. */
  inner(name: string, known: readonly string[]): Checks | undefined {
    const value = this.#given[name];
    if (value === undefined) return undefined;
    if (!isRecord(value)) this.refuse(`${this.prefix}${name} must be an object (${known.join(', ')}), got ${shown(value)}`);
    return new Checks(this.who, value, known, `${this.prefix}${name}.`);
  }
}

export interface NumberRule {
  least: number;
  most: number;
  fallback: number;
  unit: string;
  whole?: boolean;
}
