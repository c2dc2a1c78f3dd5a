// One profile as the page works with it: its columns, the texts that are shown for functions, and the labels as dense value indexes.

import { type Columns, KINDS, type Kind } from '../formats/flamegraph/page-data';

export const NO_VALUE = -1;

export interface LabelKey {
  key: string;
  /** In the order of first appearance. */
  values: string[];
  /** Set -> index into `values`; NO_VALUE where the set has no such label. */
  valueOfSet: Int32Array;
}

/** Labels of every sample of strobe, or of no use as a first choice: they stand behind the user's own. */
const LAST_KEYS = ['thread_name', 'gc', 'thread_id', 'trace_id', 'span_id', 'local_root_span_id'];
/** What a sample has in place of its labels when they were gone before it was recorded (docs/labels.md). */
const EVICTED_KEY = 'strobe_labels';
const HOME = /^(?:\/(?:home|Users)\/[^/]+|\/root)(?=\/)/;

export class Model {
  readonly columns: Columns;
  readonly functionCount: number;
  /** Function -> its place among all, by name, then file, then line: the order of frames in the graph. */
  readonly rank: Uint32Array;
  readonly labels: LabelKey[];
  readonly #prefix: string;

  constructor(columns: Columns) {
    this.columns = columns;
    this.functionCount = columns.functionName.length;
    this.rank = this.#ranks();
    this.labels = this.#labelKeys();
    this.#prefix = this.#commonFolder();
  }

  name(func: number): string {
    return this.#text(this.columns.functionName[func]);
  }

  file(func: number): string {
    return this.#text(this.columns.functionFile[func]).replace(/^file:\/\//, '');
  }

  line(func: number): number {
    return this.columns.functionLine[func] ?? 0;
  }

  kind(func: number): Kind {
    return KINDS[this.columns.functionKind[func] ?? 0] as Kind;
  }

  packageName(func: number): string {
    return this.#text(this.columns.functionPackage[func]);
  }

  /** `file:line` without what all of the application's files begin with; from the package's folder on for a dependency; '' without a file. */
  place(func: number, line = this.line(func)): string {
    const file = this.shortFile(func);
    return file === '' || line === 0 ? file : `${file}:${line}`;
  }

  shortFile(func: number): string {
    const file = this.file(func);
    const inPackage = file.lastIndexOf('node_modules/');
    if (inPackage >= 0) return file.slice(inPackage + 'node_modules/'.length);
    if (this.#prefix !== '' && file.startsWith(this.#prefix)) return file.slice(this.#prefix.length);
    return file.replace(HOME, '~');
  }

  /** `file:line` in full. */
  fullPlace(func: number, line = this.line(func)): string {
    const file = this.file(func);
    return file === '' || line === 0 ? file : `${file}:${line}`;
  }

  labelKey(key: string): LabelKey | undefined {
    return this.labels.find((label) => label.key === key);
  }

  #text(index: number | undefined): string {
    return this.columns.strings[index ?? 0] ?? '';
  }

  #ranks(): Uint32Array {
    const order = Array.from({ length: this.functionCount }, (_, func) => func);
    const { functionName, functionFile, functionLine, strings } = this.columns;
    // Ranks of texts first: comparing numbers is ten times cheaper than comparing texts again and again.
    const byText = strings.map((_, i) => i).sort((a, b) => ((strings[a] as string) < (strings[b] as string) ? -1 : 1));
    const textRank = new Uint32Array(strings.length);
    byText.forEach((text, place) => {
      textRank[text] = place;
    });
    const rankOf = (text: number | undefined) => textRank[text ?? 0] as number;
    order.sort(
      (a, b) =>
        rankOf(functionName[a]) - rankOf(functionName[b]) ||
        rankOf(functionFile[a]) - rankOf(functionFile[b]) ||
        (functionLine[a] as number) - (functionLine[b] as number) ||
        a - b,
    );
    const rank = new Uint32Array(order.length);
    order.forEach((func, place) => {
      rank[func] = place;
    });
    return rank;
  }

  #labelKeys(): LabelKey[] {
    const { setEnd, setKey, setValue, strings } = this.columns;
    const byKey = new Map<string, { label: LabelKey; index: Map<string, number> }>();
    const put = (set: number, key: string, value: string) => {
      let entry = byKey.get(key);
      if (!entry) {
        entry = { label: { key, values: [], valueOfSet: new Int32Array(setEnd.length).fill(NO_VALUE) }, index: new Map() };
        byKey.set(key, entry);
      }
      let index = entry.index.get(value);
      if (index === undefined) {
        index = entry.label.values.length;
        entry.index.set(value, index);
        entry.label.values.push(value);
      }
      entry.label.valueOfSet[set] = index;
    };
    const evicted: [set: number, value: string][] = [];
    for (let set = 0, at = 0; set < setEnd.length; set++) {
      for (; at < (setEnd[set] as number); at++) {
        const key = strings[setKey[at] as number] as string;
        const value = strings[setValue[at] as number] as string;
        if (key === EVICTED_KEY) evicted.push([set, value]);
        put(set, key, value);
      }
    }
    for (const [set, value] of evicted) {
      for (const key of [...byKey.keys()]) {
        if (key === EVICTED_KEY || LAST_KEYS.includes(key)) continue;
        if (byKey.get(key)?.label.valueOfSet[set] === NO_VALUE) put(set, key, value);
      }
    }
    const place = (key: string) => LAST_KEYS.indexOf(key) + (key === EVICTED_KEY ? LAST_KEYS.length + 1 : 0);
    return [...byKey.values()].map(({ label }) => label).sort((a, b) => place(a.key) - place(b.key) || (a.key < b.key ? -1 : 1));
  }

  /** What the folders of all files of the application begin with, up to and with a `/`; '' for fewer than two files. */
  #commonFolder(): string {
    let prefix: string | undefined;
    let files = 0;
    for (let func = 0; func < this.functionCount; func++) {
      const file = this.file(func);
      if (this.kind(func) !== 'application' || !file.includes('/')) continue;
      files++;
      const folder = file.slice(0, file.lastIndexOf('/') + 1);
      if (prefix === undefined) prefix = folder;
      while (!folder.startsWith(prefix)) prefix = prefix.slice(0, prefix.lastIndexOf('/', prefix.length - 2) + 1);
    }
    return files < 2 || prefix === '/' ? '' : (prefix ?? '');
  }
}
