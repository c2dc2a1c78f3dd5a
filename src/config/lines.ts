// On which line of a TOML file each key stands, for messages: the parser gives values without positions. Run after the parser took the file, so the syntax is
// known to be good; keys inside an inline table or an array have the line of the key that holds it.

/** Path -> line, 1-based. A table of an array is `name[0]`, `name[1]` …: `telemetry.profiling.exporters[1].endpoint`. */
export type Lines = Map<string, number>;

const KEY_PARTS = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+)/g;
/** A key, then what follows its `=`. */
const ASSIGNMENT = /^\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_.\s-])+?)\s*=(.*)$/;
const HEADER = /^\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$/;

export function findLines(toml: string): Lines {
  const lines: Lines = new Map();
  const tables = new Map<string, number>();
  let prefix = '';
  let open = { depth: 0, quotes: '' };
  for (const [index, line] of toml.split(/\r?\n/).entries()) {
    if (open.depth > 0 || open.quotes !== '') {
      open = scan(line, open);
      continue;
    }
    const header = HEADER.exec(line);
    if (header) {
      prefix = resolve(split(header[2] ?? ''), tables, header[1] === '[[');
      lines.set(prefix, index + 1);
      continue;
    }
    const [, key, value = ''] = ASSIGNMENT.exec(line) ?? [];
    if (key === undefined) continue;
    const path = [...(prefix === '' ? [] : [prefix]), ...split(key)].join('.');
    if (!lines.has(path)) lines.set(path, index + 1);
    open = scan(value, open);
  }
  return lines;
}

/** The line of a key, or of the nearest table around it; 0 when nothing is known. */
export function lineOf(lines: Lines, path: string): number {
  for (let at = path; at !== ''; at = at.replace(/\.?[^.]*$/, '')) {
    const line = lines.get(at) ?? lines.get(at.replace(/\[\d+\]$/, ''));
    if (line !== undefined) return line;
  }
  return 0;
}

function split(key: string): string[] {
  return [...key.matchAll(KEY_PARTS)].map(([, double, single, bare]) => double ?? single ?? bare ?? '');
}

/** The path with the indexes of arrays of tables. */
function resolve(parts: string[], tables: Map<string, number>, isElement: boolean): string {
  let path = '';
  for (const [index, part] of parts.entries()) {
    path = path === '' ? part : `${path}.${part}`;
    const last = index === parts.length - 1;
    if (last && isElement) tables.set(path, (tables.get(path) ?? -1) + 1);
    const element = tables.get(path);
    if (element !== undefined) path += `[${element}]`;
  }
  return path;
}

/** What stays open at the end of a line: brackets, or a text of several lines. */
function scan(text: string, { depth, quotes }: { depth: number; quotes: string }): { depth: number; quotes: string } {
  for (let at = 0; at < text.length; at++) {
    if (quotes !== '') {
      if (text[at] === '\\' && quotes.startsWith('"')) at++;
      else if (text.startsWith(quotes, at)) {
        at += quotes.length - 1;
        quotes = '';
      }
      continue;
    }
    const char = text[at] as string;
    if (char === '#') break;
    if (char === '"' || char === "'") {
      quotes = text.startsWith(char.repeat(3), at) ? char.repeat(3) : char;
      at += quotes.length - 1;
    } else if (char === '[' || char === '{') depth++;
    else if (char === ']' || char === '}') depth--;
  }
  // A text in single quotes ends on its line.
  return { depth, quotes: quotes.length === 3 ? quotes : '' };
}
