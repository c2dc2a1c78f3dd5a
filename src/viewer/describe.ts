// What a frame is, in words: for the tool tip, the panel, the screen reader and the clipboard.

import { type Child, h } from './dom';
import type { LabelKey } from './model';
import { NO_LABEL, type Scene } from './scene';
import { points, share, shown } from './text';
import { pathTo, ROOT, type Tree } from './tree';

const MOST_LABELS = 6;
const MOST_VALUES = 3;
/** They say something where there is one value; a thread's id stands beside its name. */
const QUIET_KEYS = ['thread_id', 'trace_id', 'span_id', 'local_root_span_id'];

/** Rows of [what, value, share]. */
export function measures(
  scene: Scene,
  node: { self: number; total: number; sides: { self: number; total: number }[] },
): [string, string, string][] {
  if (!scene.isDiff) {
    return [
      ['total', scene.value(node.total), share(node.total, scene.total)],
      ['self', scene.value(node.self), share(node.self, scene.total)],
    ];
  }
  const [before, after] = node.sides as [{ self: number; total: number }, { self: number; total: number }];
  const [allBefore, allAfter] = [scene.sideTotal(0), scene.sideTotal(1)];
  return [
    ['before', scene.value(before.total), share(before.total, allBefore)],
    ['after', scene.value(after.total), share(after.total, allAfter)],
    ['change', changeText(scene, before.total, after.total), ''],
    ['self before', scene.value(before.self), share(before.self, allBefore)],
    ['self after', scene.value(after.self), share(after.self, allAfter)],
  ];
}

/** Points of the share when normalised, else the difference with its sign. */
export function changeText(scene: Scene, before: number, after: number): string {
  if (scene.state.normalised) return points(part(after, scene.sideTotal(1)) - part(before, scene.sideTotal(0)));
  return `${after === before ? '±' : after > before ? '+' : '−'}${scene.value(Math.abs(after - before))}`;
}

const part = (value: number, whole: number): number => (whole === 0 ? 0 : value / whole);

export function nodeValues(tree: Tree, node: number) {
  return {
    self: tree.self[node] as number,
    total: tree.total[node] as number,
    sides: tree.sides.map(({ self, total }) => ({ self: self[node] as number, total: total[node] as number })),
  };
}

export function measureTable(rows: [string, string, string][]): HTMLElement {
  return h(
    'dl',
    { class: 'measures' },
    ...rows.flatMap(([what, value, shares]) => [
      h('dt', {}, what),
      h('dd', {}, h('b', {}, value), shares === '' ? '' : h('span', {}, shares)),
    ]),
  );
}

/** `agent researcher 82 %, planner 10 %, 2 more` for each label that says something of the frames below the node. */
export function labelLines(scene: Scene, node: number): { key: LabelKey; text: string }[] {
  const lines: { key: LabelKey; text: string }[] = [];
  for (const key of scene.model.labels) {
    if (lines.length === MOST_LABELS) break;
    const values = scene.valuesBelow(key, node);
    const named = values.filter(({ value }) => value !== null);
    if (named.length === 0 || (QUIET_KEYS.includes(key.key) && (named.length > 1 || key.key === 'thread_id'))) continue;
    const whole = values.reduce((sum, { total }) => sum + total, 0);
    const texts = values.slice(0, MOST_VALUES).map(({ value, total }) => {
      const text = value === null ? NO_LABEL : shown(value, 60);
      return values.length === 1 ? text : `${text} ${share(total, whole)}`;
    });
    if (values.length > MOST_VALUES) texts.push(`${values.length - MOST_VALUES} more`);
    lines.push({ key, text: texts.join(', ') });
  }
  return lines;
}

export function frameContent(scene: Scene, tree: Tree, node: number): Child[] {
  const func = tree.func[node] as number;
  const line = tree.line[node] as number;
  const place = scene.isGroup(func) ? '' : line > 0 ? scene.model.place(func, line) : scene.model.place(func);
  // Of callers and callees the rows are not known.
  const labels = tree === scene.tree ? labelLines(scene, node) : [];
  return [
    h('div', { class: 'tip-name' }, shown(scene.rawName(func))),
    place !== '' && h('div', { class: 'tip-place' }, shown(place, 160)),
    node !== ROOT && h('div', { class: 'tip-kind' }, scene.kindText(func)),
    measureTable(measures(scene, nodeValues(tree, node))),
    labels.length > 0 &&
      h('dl', { class: 'tip-labels' }, ...labels.flatMap(({ key, text }) => [h('dt', {}, shown(key.key, 40)), h('dd', {}, text)])),
  ];
}

/** One sentence. */
export function spoken(scene: Scene, tree: Tree, node: number): string {
  const func = tree.func[node] as number;
  const values = measures(scene, nodeValues(tree, node)).map(([what, value, shares]) => `${what} ${value} ${shares}`);
  const place = scene.isGroup(func) ? '' : scene.model.place(func);
  return `${shown(scene.rawName(func), 120)}${place === '' ? '' : `, ${shown(place, 120)}`}, ${values.join(', ')}`;
}

/** The stack as text, innermost first, with names and files as they are. */
export function stackText(scene: Scene, tree: Tree, node: number): string {
  const lines = pathTo(tree, node)
    .filter((one) => one !== ROOT)
    .reverse()
    .map((one) => {
      const func = tree.func[one] as number;
      if (scene.isGroup(func)) return `    [${scene.rawName(func)}]`;
      const line = (tree.line[one] as number) || scene.model.line(func);
      const place = scene.model.fullPlace(func, line);
      return `    at ${scene.rawName(func)}${place === '' ? '' : ` (${place})`}`;
    });
  return `${spoken(scene, tree, node)}\n${lines.join('\n')}\n`;
}
