// Which colour a frame has, for each way of colouring, and the legend that says what the colours mean, with their shares.

import { KINDS, type Kind } from '../formats/flamegraph/page-data';
import { CATEGORIES, categoryFill, diffFill, KIND_NAMES, kindFill, otherFill, shadeOf } from './colours';
import { UNUSED } from './fold';
import type { Fill } from './graph-paint';
import { type LabelKey, NO_VALUE } from './model';
import { NO_LABEL, type Scene } from './scene';
import { NO_CLASS, tallyBy } from './tally';
import { shown } from './text';
import { ROOT, type Tree } from './tree';

export interface LegendEntry {
  text: string;
  fill: string;
  /** Self value; undefined where the entry is a scale's end. */
  self?: number;
}

export interface Colouring {
  fill: (tree: Tree, node: number) => Fill;
  legend: LegendEntry[];
}

export function colouring(scene: Scene): Colouring {
  const { colour } = scene.state;
  if (colour === 'diff' && scene.isDiff) return byChange(scene);
  if (colour === 'package') return byPackage(scene);
  const label = colour.startsWith('label:') ? scene.model.labelKey(colour.slice('label:'.length)) : undefined;
  return label ? byLabel(scene, label) : byKind(scene);
}

function byKind(scene: Scene): Colouring {
  const { model, theme } = scene;
  const fills = new Array<string>(model.functionCount);
  for (let func = 0; func < model.functionCount; func++) {
    // Functions of one package share a shade: its stretches of the stack hang together.
    const pkg = model.packageName(func);
    fills[func] = kindFill(theme.name, model.kind(func), shadeOf(pkg === '' ? model.name(func) : pkg));
  }
  const tally = tallyBy(scene.tree, KINDS.length, (func) =>
    func < model.functionCount ? (model.columns.functionKind[func] as number) : NO_CLASS,
  );
  const legend = KINDS.map((kind: Kind, i) => ({
    text: KIND_NAMES[kind],
    fill: kindFill(theme.name, kind, 1),
    self: tally.self[i] as number,
    total: tally.total[i] as number,
  }))
    .filter(({ total }) => total > 0)
    .map(({ text, fill, self }) => ({ text, fill, self }));
  const other = otherFill(theme.name);
  return { fill: (tree, node) => fills[tree.func[node] as number] ?? other, legend };
}

/** Functions by package: dependencies by their own, all else by kind. The heaviest have a colour each. */
export function packageClasses(scene: Scene): { names: string[]; classOf: (func: number) => number } {
  const { model } = scene;
  const ids = new Map<string, number>();
  const classes = new Int32Array(model.functionCount);
  for (let func = 0; func < model.functionCount; func++) {
    const pkg = model.packageName(func);
    const name = pkg === '' ? `(${KIND_NAMES[model.kind(func)]})` : pkg;
    let id = ids.get(name);
    if (id === undefined) {
      id = ids.size;
      ids.set(name, id);
    }
    classes[func] = id;
  }
  return { names: [...ids.keys()], classOf: (func) => (func < model.functionCount ? (classes[func] as number) : NO_CLASS) };
}

function byPackage(scene: Scene): Colouring {
  const { names, classOf } = packageClasses(scene);
  const tally = tallyBy(scene.tree, names.length, classOf);
  const order = names.map((_, i) => i).sort((a, b) => (tally.self[b] as number) - (tally.self[a] as number));
  const category = new Int32Array(names.length);
  order.forEach((one, place) => {
    category[one] = place;
  });
  const { name: theme } = scene.theme;
  const legend: LegendEntry[] = order
    .slice(0, CATEGORIES)
    .filter((i) => (tally.total[i] as number) > 0)
    .map((i, place) => ({ text: shown(names[i] as string, 60), fill: categoryFill(theme, place), self: tally.self[i] as number }));
  const rest = order.slice(CATEGORIES).reduce((sum, i) => sum + (tally.self[i] as number), 0);
  if (order.length > CATEGORIES) legend.push({ text: `${order.length - CATEGORIES} more`, fill: otherFill(theme), self: rest });
  return {
    fill: (tree, node) => {
      const own = classOf(tree.func[node] as number);
      return own === NO_CLASS ? otherFill(theme) : categoryFill(theme, category[own] as number);
    },
    legend,
  };
}

/** A frame is painted in parts: as much of its width as each value has of its total. */
function byLabel(scene: Scene, label: LabelKey): Colouring {
  const { tree, theme } = scene;
  const values = scene.valuesBelow(label, ROOT).filter(({ value }) => value !== null);
  const categoryOfValue = new Int32Array(label.values.length).fill(CATEGORIES);
  values.slice(0, CATEGORIES).forEach(({ value }, place) => {
    categoryOfValue[label.values.indexOf(value as string)] = place;
  });
  const parts = CATEGORIES + 1;
  const weights = new Float32Array(tree.size * parts);
  const { rowNode, rowValues } = scene.result;
  for (let row = 0; row < rowNode.length; row++) {
    const node = rowNode[row] as number;
    if (node === UNUSED) continue;
    const value = label.valueOfSet[scene.model.columns.rowSet[row] as number] as number;
    const at = node * parts + (value === NO_VALUE ? CATEGORIES : (categoryOfValue[value] as number));
    for (const column of rowValues) weights[at] = (weights[at] as number) + (column[row] as number);
  }
  for (let node = tree.size - 1; node > ROOT; node--) {
    const up = (tree.parent[node] as number) * parts;
    for (let part = 0; part < parts; part++) weights[up + part] = (weights[up + part] as number) + (weights[node * parts + part] as number);
  }
  const kinds = byKind(scene);
  const fills = Array.from({ length: parts }, (_, part) => (part === CATEGORIES ? otherFill(theme.name) : categoryFill(theme.name, part)));
  const legend: LegendEntry[] = values
    .slice(0, CATEGORIES)
    .map(({ value, total }, place) => ({ text: shown(value as string, 60), fill: fills[place] as string, self: total }));
  const shownTotal = legend.reduce((sum, { self }) => sum + (self ?? 0), 0);
  const whole = scene.valuesBelow(label, ROOT).reduce((sum, { total }) => sum + total, 0);
  if (whole > shownTotal * (1 + 1e-9)) {
    const more = Math.max(0, values.length - CATEGORIES);
    legend.push({ text: more > 0 ? `${more} more, or ${NO_LABEL}` : NO_LABEL, fill: otherFill(theme.name), self: whole - shownTotal });
  }
  return {
    fill: (shownTree, node) => {
      // Callers and callees are other trees, whose rows are not known.
      if (shownTree !== tree) return kinds.fill(shownTree, node);
      let sum = 0;
      for (let part = 0; part < parts; part++) sum += weights[node * parts + part] as number;
      const result: { fill: string; share: number }[] = [];
      for (let part = 0; part < parts; part++) {
        const weight = weights[node * parts + part] as number;
        if (weight > 0) result.push({ fill: fills[part] as string, share: weight / sum });
      }
      return result.length === 1 ? (result[0]?.fill as string) : result;
    },
    legend,
  };
}

function byChange(scene: Scene): Colouring {
  const { theme, state } = scene;
  return {
    fill: (tree, node) => {
      const [before, after] = tree.sides;
      return diffFill(theme.name, state.palette, scene.change(before?.total[node] ?? 0, after?.total[node] ?? 0));
    },
    legend: [
      { text: 'all gone', fill: diffFill(theme.name, state.palette, -1) },
      { text: 'less', fill: diffFill(theme.name, state.palette, -0.4) },
      { text: 'same', fill: diffFill(theme.name, state.palette, 0) },
      { text: 'more', fill: diffFill(theme.name, state.palette, 0.4) },
      { text: 'new', fill: diffFill(theme.name, state.palette, 1) },
    ],
  };
}
