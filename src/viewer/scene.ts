// What is shown at one moment: a model, the query's result, and what follows from both. Everything that draws reads from here; a change makes a new scene.

import type { ProfileHead } from '../formats/flamegraph/page-data';
import { humanise } from '../formats/units';
import { KIND_NAMES, type Theme } from './colours';
import { UNUSED } from './fold';
import { type LabelKey, type Model, NO_VALUE } from './model';
import type { Group, Result } from './query';
import type { State } from './state';
import { type Tally, tallyBy } from './tally';
import { shown } from './text';
import { ROOT, type Tree } from './tree';

export interface LineRow {
  line: number;
  self: number;
  total: number;
}

export interface ValueShare {
  value: string | null;
  total: number;
}

const ANONYMOUS = '(anonymous)';
export const NO_LABEL = '(no such label)';

export class Scene {
  readonly model: Model;
  readonly head: ProfileHead;
  readonly state: State;
  readonly result: Result;
  readonly isDiff: boolean;
  readonly theme: Theme;
  #functions: Tally | undefined;

  constructor(model: Model, head: ProfileHead, state: State, result: Result, isDiff: boolean, theme: Theme) {
    this.model = model;
    this.head = head;
    this.state = state;
    this.result = result;
    this.isDiff = isDiff;
    this.theme = theme;
  }

  get tree(): Tree {
    return this.result.tree;
  }

  get unit(): string {
    return this.head.types[this.state.type]?.unit ?? '';
  }

  /** Width of everything. */
  get total(): number {
    return this.tree.total[ROOT] as number;
  }

  /** Totals of before and after, in their own scale. */
  sideTotal(side: 0 | 1): number {
    return this.tree.sides[side]?.total[ROOT] ?? 0;
  }

  value(value: number): string {
    return humanise(value, this.unit);
  }

  group(func: number): Group | undefined {
    return this.result.groups[func - this.model.functionCount];
  }

  isGroup(func: number): boolean {
    return func >= this.model.functionCount;
  }

  /** Functions and groups and, last, the root. */
  get functionsAndGroups(): number {
    return this.model.functionCount + this.result.groups.length;
  }

  /** The name as it is; `shown` makes it fit to look at. */
  rawName(func: number): string {
    if (func < this.model.functionCount) return this.model.name(func);
    const group = this.group(func);
    return group ? `${group.key}: ${group.value ?? NO_LABEL}` : 'all';
  }

  /** In a frame: an anonymous function says where it stands, for there are many. */
  frameText(func: number, line = 0): string {
    const name = shown(this.rawName(func), 200);
    if (this.isGroup(func)) return name;
    if (line > 0) return `${name}:${line}`;
    if (name !== ANONYMOUS) return name;
    const place = this.model.place(func);
    return place === '' ? name : `${name} ${shown(place.slice(place.lastIndexOf('/') + 1), 80)}`;
  }

  /** `dependency express`, `Node internal`. */
  kindText(func: number): string {
    if (this.isGroup(func)) return 'label';
    const name = KIND_NAMES[this.model.kind(func)];
    const pkg = this.model.packageName(func);
    return pkg === '' ? name : `${name}: ${shown(pkg, 80)}`;
  }

  functions(): Tally {
    this.#functions ??= tallyBy(this.tree, this.model.functionCount, (func) => (func < this.model.functionCount ? func : -1));
    return this.#functions;
  }

  /** How a node changed, from -1 (gone) to 1 (new); in shares of the totals when normalised. */
  change(before: number, after: number): number {
    const scaled = before * this.result.scale;
    const most = Math.max(scaled, after);
    return most === 0 ? 0 : (after - scaled) / most;
  }

  /** Values of a label below a node of the scene's own tree, largest first. */
  valuesBelow(label: LabelKey, node: number): ValueShare[] {
    const totals = new Float64Array(label.values.length + 1);
    this.#rowsBelow(node, (row, value) => {
      const index = label.valueOfSet[this.model.columns.rowSet[row] as number] as number;
      const at = index === NO_VALUE ? label.values.length : index;
      totals[at] = (totals[at] as number) + value;
    });
    const result: ValueShare[] = [];
    totals.forEach((total, i) => {
      if (total > 0) result.push({ value: i === label.values.length ? null : (label.values[i] as string), total });
    });
    return result.sort((a, b) => b.total - a.total);
  }

  /** Self and total value of a function's executing lines, most self first; in the later profile of a difference. */
  linesOf(func: number): LineRow[] {
    const { columns } = this.model;
    const lines = new Map<number, LineRow>();
    const values = this.result.rowValues.at(-1) as Float64Array;
    const ofFunction = columns.frameFunction.map((one) => (one === func ? 1 : 0));
    for (let row = 0; row < columns.rowNode.length; row++) {
      if (this.result.rowNode[row] === UNUSED) continue;
      const value = values[row] as number;
      const leaf = columns.rowNode[row] as number;
      const seen: number[] = [];
      for (let node = leaf; node !== ROOT; node = columns.nodeParent[node] as number) {
        const frame = columns.nodeFrame[node] as number;
        if (!ofFunction[frame]) continue;
        const line = columns.frameLine[frame] as number;
        let entry = lines.get(line);
        if (!entry) {
          entry = { line, self: 0, total: 0 };
          lines.set(line, entry);
        }
        if (node === leaf) entry.self += value;
        if (!seen.includes(line)) entry.total += value;
        seen.push(line);
      }
    }
    return [...lines.values()].sort((a, b) => b.self - a.self || b.total - a.total);
  }

  #rowsBelow(node: number, visit: (row: number, value: number) => void): void {
    const { rowNode, rowValues } = this.result;
    const enter = this.tree.enter[node] as number;
    const exit = this.tree.exit[node] as number;
    for (let row = 0; row < rowNode.length; row++) {
      const at = rowNode[row] as number;
      if (at === UNUSED) continue;
      const place = this.tree.enter[at] as number;
      if (place < enter || place >= exit) continue;
      let value = 0;
      for (const values of rowValues) value += values[row] as number;
      visit(row, value);
    }
  }
}
