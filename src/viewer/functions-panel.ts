// The table beside the graph: functions, packages or files with their self and total values (of a difference: before, after, change).

import { changeText } from './describe';
import { type Child, choice, h, replace } from './dom';
import { packageClasses } from './fills';
import type { Scene } from './scene';
import { Table } from './table';
import { NO_CLASS, type Tally, tallyBy } from './tally';
import { share, shown } from './text';

type Level = 'function' | 'package' | 'file';

export interface FunctionsPanelOptions {
  /** A function's row was picked. */
  onFunction: (func: number) => void;
  onSandwich: (func: number) => void;
  /** A package's or file's row was picked: its frames are searched for. */
  onSearch: (text: string) => void;
}

interface Rows {
  /** Classes, in the order shown. */
  order: number[];
  tally: Tally;
  name: (row: number) => string;
  place: (row: number) => string;
}

export class FunctionsPanel {
  readonly element: HTMLElement;
  readonly #options: FunctionsPanelOptions;
  readonly #bar: HTMLElement;
  readonly #note: HTMLElement;
  #table: Table;
  #scene: Scene | undefined;
  #level: Level = 'function';
  #sort = 'self';
  #selected: number | undefined;
  #matches: Uint8Array | undefined;
  #rows: Rows | undefined;

  constructor(options: FunctionsPanelOptions) {
    this.#options = options;
    this.#bar = h('div', { class: 'panel-bar' });
    this.#note = h('div', { class: 'panel-note' });
    this.#table = this.#makeTable(false);
    this.element = h('div', { class: 'panel panel-functions' }, this.#bar, this.#table.element, this.#note);
  }

  /** @param matches by function: only those are listed */
  show(scene: Scene, matches: Uint8Array | undefined): void {
    const first = this.#scene === undefined;
    if (first && scene.isDiff) {
      const table = this.#makeTable(true);
      this.#table.element.replaceWith(table.element);
      this.#table = table;
      this.#sort = 'change';
    }
    this.#scene = scene;
    this.#matches = matches;
    this.#update(first);
  }

  select(func: number | undefined): void {
    this.#selected = func;
    this.#table.draw();
  }

  #makeTable(isDiff: boolean): Table {
    const columns = isDiff
      ? [
          { id: 'change', title: 'Change', help: 'After less before: in shares of the totals when normalised' },
          { id: 'after', title: 'After', help: 'Total value in the later profile' },
          { id: 'name', title: 'Name', help: 'Sorts by name' },
        ]
      : [
          { id: 'self', title: 'Self', help: 'In the function itself, without what it called' },
          { id: 'total', title: 'Total', help: 'With what it called; once a stack, also in a recursion' },
          { id: 'name', title: 'Name', help: 'Sorts by name' },
        ];
    return new Table({
      label: 'functions',
      columns,
      cells: (row) => this.#cells(row),
      isSelected: (row) => this.#level === 'function' && this.#rows?.order[row] === this.#selected,
      onSort: (id) => {
        this.#sort = id;
        this.#update(true);
      },
      onPick: (row) => this.#pick(row),
      onOpen: (row) => {
        if (this.#level === 'function') this.#options.onSandwich(this.#rows?.order[row] as number);
      },
    });
  }

  #pick(row: number): void {
    const id = this.#rows?.order[row];
    if (id === undefined) return;
    if (this.#level === 'function') this.#options.onFunction(id);
    else this.#options.onSearch((this.#rows as Rows).name(id));
  }

  #update(top: boolean): void {
    const scene = this.#scene as Scene;
    replace(
      this.#bar,
      choice<Level>(
        'rows of the table',
        [
          { value: 'function', text: 'Functions', title: 'A row a function' },
          { value: 'package', text: 'Packages', title: 'A row a package; what belongs to none by its kind' },
          { value: 'file', text: 'Files', title: 'A row a file' },
        ],
        this.#level,
        (level) => {
          this.#level = level;
          this.#update(true);
        },
      ),
    );
    this.#rows =
      this.#level === 'function' ? this.#functions(scene) : this.#level === 'package' ? this.#packages(scene) : this.#files(scene);
    const { order } = this.#rows;
    this.#note.textContent = `${order.length} ${this.#level}${order.length === 1 ? '' : 's'}${this.#matches ? ' found' : ''}`;
    this.#table.show(order.length, this.#sort, top);
  }

  #functions(scene: Scene): Rows {
    const { model } = scene;
    const tally = scene.functions();
    return {
      tally,
      ...this.#ordered(
        tally,
        model.functionCount,
        (func) => model.name(func),
        (func) => !this.#matches || this.#matches[func] === 1,
      ),
      place: (func) => model.place(func),
    };
  }

  #packages(scene: Scene): Rows {
    const { names, classOf } = packageClasses(scene);
    const tally = tallyBy(scene.tree, names.length, classOf);
    return { tally, ...this.#ordered(tally, names.length, (id) => names[id] as string), place: () => '' };
  }

  #files(scene: Scene): Rows {
    const { model } = scene;
    const ids = new Map<string, number>();
    const classes = Int32Array.from({ length: model.functionCount }, (_, func) => {
      const file = model.shortFile(func);
      if (file === '') return NO_CLASS;
      if (!ids.has(file)) ids.set(file, ids.size);
      return ids.get(file) as number;
    });
    const names = [...ids.keys()];
    const tally = tallyBy(scene.tree, names.length, (func) => classes[func] ?? NO_CLASS);
    return { tally, ...this.#ordered(tally, names.length, (id) => names[id] as string), place: () => '' };
  }

  #ordered(tally: Tally, count: number, name: (id: number) => string, allowed: (id: number) => boolean = () => true) {
    const any = (id: number) => (tally.total[id] as number) > 0 || tally.sides.some(({ total }) => (total[id] as number) > 0);
    const order: number[] = [];
    for (let id = 0; id < count; id++) if (any(id) && allowed(id)) order.push(id);
    const weight = this.#weight(tally);
    if (this.#sort === 'name') {
      const names = new Map(order.map((id) => [id, name(id).toLowerCase()]));
      order.sort((a, b) => ((names.get(a) as string) < (names.get(b) as string) ? -1 : 1));
    } else {
      order.sort((a, b) => weight(b) - weight(a) || (tally.total[b] as number) - (tally.total[a] as number) || a - b);
    }
    return { order, name };
  }

  #weight(tally: Tally): (id: number) => number {
    const scene = this.#scene as Scene;
    const [before, after] = tally.sides;
    if (before && after) {
      if (this.#sort === 'after') return (id) => after.total[id] as number;
      const { scale } = scene.result;
      // What changed most, in either direction, in the function itself.
      return (id) => Math.abs((after.self[id] as number) - scale * (before.self[id] as number));
    }
    return this.#sort === 'total' ? (id) => tally.total[id] as number : (id) => tally.self[id] as number;
  }

  #cells(row: number): Child[] {
    const scene = this.#scene as Scene;
    const { order, tally, name, place } = this.#rows as Rows;
    const id = order[row] as number;
    const text = shown(name(id), 160);
    const where = shown(place(id), 160);
    const named = h(
      'div',
      { class: 'named', title: where === '' ? text : `${text}\n${where}` },
      h('span', { class: 'row-name' }, text),
      h('span', { class: 'row-place' }, where),
    );
    const [before, after] = tally.sides;
    if (before && after) {
      const [selfBefore, selfAfter] = [before.self[id] as number, after.self[id] as number];
      const change = scene.change(selfBefore, selfAfter);
      return [
        h(
          'div',
          { class: `value ${change > 0 ? 'more' : change < 0 ? 'less' : ''}` },
          h('b', {}, changeText(scene, selfBefore, selfAfter)),
          h('span', {}, 'self'),
        ),
        value(scene.value(after.total[id] as number), share(after.total[id] as number, scene.sideTotal(1))),
        named,
      ];
    }
    return [
      value(scene.value(tally.self[id] as number), share(tally.self[id] as number, scene.total)),
      value(scene.value(tally.total[id] as number), share(tally.total[id] as number, scene.total)),
      named,
    ];
  }
}

function value(text: string, shares: string): HTMLElement {
  return h('div', { class: 'value' }, h('b', {}, text), h('span', {}, shares));
}
