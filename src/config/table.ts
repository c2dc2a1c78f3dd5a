// A table of the configuration file while it is read: every read names a key, what was not read and is not known is an error with its line and the nearest
// right key. Texts may hold `${VAR}`, taken from the environment when they are read; a variable that is not set is an error that names it. Values are
// never shown: any of them may be a secret.

import { StrobeError } from '../errors';
import { didYouMean } from '../nearest';
import { type Lines, lineOf } from './lines';

export interface Source {
  /** As the user named it. */
  file: string;
  lines: Lines;
  env: Record<string, string | undefined>;
}

export class Table {
  constructor(
    readonly source: Source,
    /** '' for the file itself. */
    readonly path: string,
    readonly values: Record<string, unknown>,
  ) {}

  /** @throws StrobeError ERR_INVALID_OPTION that names file, line, key */
  refuse(key: string, problem: string): never {
    const path = [this.path, key].filter((part) => part !== '').join('.');
    const line = lineOf(this.source.lines, path);
    throw new StrobeError('ERR_INVALID_OPTION', `${this.source.file}${line > 0 ? ` line ${line}` : ''}: ${path} ${problem}`);
  }

  /** Every key must be one of `known`. */
  only(known: readonly string[]): this {
    for (const key of Object.keys(this.values)) {
      if (!known.includes(key)) this.refuse(key, `is not known${didYouMean(key, known)} Known here: ${known.join(', ')}`);
    }
    return this;
  }

  has(key: string): boolean {
    return this.values[key] !== undefined;
  }

  flag(key: string): boolean | undefined {
    const value = this.values[key];
    if (value !== undefined && typeof value !== 'boolean') this.refuse(key, `must be true or false, got ${kindOf(value)}`);
    return value as boolean | undefined;
  }

  number(key: string): number | undefined {
    const value = this.values[key];
    if (value !== undefined && typeof value !== 'number') this.refuse(key, `must be a number, got ${kindOf(value)}`);
    return value as number | undefined;
  }

  text(key: string): string | undefined {
    const value = this.values[key];
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return this.refuse(key, `must be a text in quotes, got ${kindOf(value)}`);
    return this.#expand(key, value);
  }

  texts(key: string): string[] | undefined {
    const value = this.values[key];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) return this.refuse(key, 'must be an array of texts');
    return (value as string[]).map((item) => this.#expand(key, item));
  }

  table(key: string): Table | undefined {
    const value = this.values[key];
    if (value === undefined) return undefined;
    if (!isTable(value)) return this.refuse(key, `must be a table, got ${kindOf(value)}`);
    return new Table(this.source, [this.path, key].filter((part) => part !== '').join('.'), value);
  }

  /** An array of tables, `[[…]]`. */
  tables(key: string): Table[] {
    const value = this.values[key];
    if (value === undefined) return [];
    if (!Array.isArray(value) || !value.every(isTable)) return this.refuse(key, `must be an array of tables: [[${this.path}.${key}]]`);
    return value.map((item, index) => new Table(this.source, `${this.path}.${key}[${index}]`, item));
  }

  /** All of its keys, as texts. */
  record(): Record<string, string> {
    return Object.fromEntries(Object.keys(this.values).map((key) => [key, this.text(key) ?? '']));
  }

  #expand(key: string, text: string): string {
    return text.replace(/\$(\$?)\{([^}]*)\}/g, (whole, escaped: string, name: string) => {
      // `$${` is a plain `${`.
      if (escaped !== '') return whole.slice(1);
      const value = this.source.env[name];
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
        this.refuse(key, `holds \${${name}}, which is no name of a variable; write $\${ for a plain \${`);
      if (value === undefined) this.refuse(key, `needs the environment variable ${name}, which is not set`);
      return value as string;
    });
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function kindOf(value: unknown): string {
  if (value instanceof Date) return 'a date';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'a table' : typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}
