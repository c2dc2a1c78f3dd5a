// The panel of one frame, or of one function that was picked in the table: what it is, what it cost, its hottest lines, whose it was, and what can be done.

import { frameContent, measures, measureTable } from './describe';
import { button, type Child, h, replace } from './dom';
import type { Scene } from './scene';
import { share, shown } from './text';
import { ROOT, type Tree } from './tree';

export interface FramePanelOptions {
  onSandwich: (func: number) => void;
  onCopy: () => void;
  onZoom: (node: number) => void;
  onFind: (func: number) => void;
}

const MOST_LINES = 12;

export class FramePanel {
  readonly element: HTMLElement;
  readonly #options: FramePanelOptions;

  constructor(options: FramePanelOptions) {
    this.#options = options;
    this.element = h('div', { class: 'panel panel-frame' });
    this.clear();
  }

  clear(): void {
    replace(this.element, h('p', { class: 'empty' }, 'Pick a frame in the graph, or a function in the table.'));
  }

  showNode(scene: Scene, tree: Tree, node: number): void {
    const func = tree.func[node] as number;
    const isFunction = func < scene.model.functionCount;
    const actions = h(
      'div',
      { class: 'actions' },
      tree === scene.tree && button('Zoom', 'As wide as the graph (Enter)', () => this.#options.onZoom(node)),
      isFunction && button('Callers and callees', 'Sandwich view of the function (s)', () => this.#options.onSandwich(func)),
      node !== ROOT && button('Copy stack', 'The stack as text (c)', () => this.#options.onCopy()),
      isFunction && button('Find all', 'Search for the function', () => this.#options.onFind(func)),
    );
    replace(
      this.element,
      h('div', { class: 'frame-head' }, ...frameContent(scene, tree, node)),
      actions,
      ...(isFunction ? lines(scene, func) : []),
    );
  }

  showFunction(scene: Scene, func: number): void {
    const tally = scene.functions();
    const values = {
      self: tally.self[func] as number,
      total: tally.total[func] as number,
      sides: tally.sides.map(({ self, total }) => ({ self: self[func] as number, total: total[func] as number })),
    };
    const place = scene.model.fullPlace(func);
    replace(
      this.element,
      h(
        'div',
        { class: 'frame-head' },
        h('div', { class: 'tip-name' }, shown(scene.rawName(func))),
        place !== '' && h('div', { class: 'tip-place' }, shown(place)),
        h('div', { class: 'tip-kind' }, scene.kindText(func)),
        measureTable(measures(scene, values)),
      ),
      h(
        'div',
        { class: 'actions' },
        button('Callers and callees', 'Sandwich view of the function (s)', () => this.#options.onSandwich(func)),
        button('Find all', 'Search for the function', () => this.#options.onFind(func)),
      ),
      ...lines(scene, func),
    );
  }
}

function lines(scene: Scene, func: number): Child[] {
  const rows = scene.linesOf(func).filter(({ line }) => line > 0);
  if (rows.length === 0) return [];
  const whole = scene.isDiff ? scene.sideTotal(1) : scene.total;
  const cut = rows.slice(0, MOST_LINES);
  return [
    h('h3', {}, scene.isDiff ? 'Lines of the function, after' : 'Lines of the function'),
    h(
      'table',
      { class: 'lines' },
      h('thead', {}, h('tr', {}, h('th', {}, 'line'), h('th', {}, 'self'), h('th', {}, ''), h('th', {}, 'total'), h('th', {}, ''))),
      h(
        'tbody',
        {},
        ...cut.map(({ line, self, total }) =>
          h(
            'tr',
            {},
            h('td', {}, String(line)),
            h('td', {}, scene.value(self)),
            h('td', {}, share(self, whole)),
            h('td', {}, scene.value(total)),
            h('td', {}, share(total, whole)),
          ),
        ),
      ),
    ),
    rows.length > cut.length && h('p', { class: 'panel-note' }, `${rows.length - cut.length} more lines`),
  ];
}
