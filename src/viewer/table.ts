// A long list: rows of one height, only those in view are in the document. It draws cells of text; what they mean is the caller's.

import { append, type Child, h, replace } from './dom';

export interface Column {
  id: string;
  title: string;
  /** What it means, for the header's tool tip. */
  help: string;
}

export interface TableOptions {
  label: string;
  columns: Column[];
  /** The cells of a row, one for each column. */
  cells: (row: number) => Child[];
  isSelected: (row: number) => boolean;
  onSort: (id: string) => void;
  onPick: (row: number) => void;
  /** Enter or double click. */
  onOpen: (row: number) => void;
}

const ROW_HEIGHT = 40;
/** Rows drawn above and below what is seen. */
const MARGIN_ROWS = 6;

export class Table {
  readonly element: HTMLElement;
  readonly #options: TableOptions;
  readonly #head: HTMLElement;
  readonly #body: HTMLElement;
  readonly #rows: HTMLElement;
  #count = 0;
  #cursor = 0;
  #sort = '';

  constructor(options: TableOptions) {
    this.#options = options;
    this.#head = h('div', { class: 'table-head', role: 'row' });
    this.#rows = h('div', { class: 'table-rows' });
    this.#body = h('div', { class: 'table-body', tabindex: 0, role: 'rowgroup', 'aria-label': options.label }, this.#rows);
    this.element = h('div', { class: 'table', role: 'table', 'aria-label': options.label }, this.#head, this.#body);
    this.#body.addEventListener('scroll', () => this.draw(), { passive: true });
    this.#body.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(this.#body);
  }

  show(count: number, sort: string, top = true): void {
    this.#count = count;
    this.#sort = sort;
    this.#cursor = Math.min(this.#cursor, Math.max(0, count - 1));
    replace(this.#head);
    for (const { id, title, help } of this.#options.columns) {
      const sorted = id === sort;
      append(this.#head, [
        h(
          'button',
          {
            type: 'button',
            role: 'columnheader',
            class: `cell cell-${id}`,
            title: help,
            'aria-sort': sorted ? 'descending' : 'none',
            onclick: () => this.#options.onSort(id),
          },
          sorted ? `${title} ↓` : title,
        ),
      ]);
    }
    this.element.setAttribute('aria-rowcount', String(count));
    this.#rows.style.height = `${count * ROW_HEIGHT}px`;
    if (top) this.#body.scrollTop = 0;
    this.draw();
  }

  draw(): void {
    const first = Math.max(0, Math.floor(this.#body.scrollTop / ROW_HEIGHT) - MARGIN_ROWS);
    const last = Math.min(this.#count, Math.ceil((this.#body.scrollTop + this.#body.clientHeight) / ROW_HEIGHT) + MARGIN_ROWS);
    const rows: HTMLElement[] = [];
    for (let row = first; row < last; row++) {
      const element = h('div', {
        class: 'table-row',
        role: 'row',
        'aria-rowindex': row + 1,
        'aria-selected': String(this.#options.isSelected(row)),
        'data-cursor': row === this.#cursor,
        onclick: () => {
          this.#cursor = row;
          this.#options.onPick(row);
        },
        ondblclick: () => this.#options.onOpen(row),
      });
      element.style.top = `${row * ROW_HEIGHT}px`;
      this.#options.cells(row).forEach((cell, i) => {
        append(element, [h('div', { class: `cell cell-${this.#options.columns[i]?.id}`, role: 'cell' }, cell)]);
      });
      rows.push(element);
    }
    this.#rows.replaceChildren(...rows);
  }

  get sort(): string {
    return this.#sort;
  }

  #key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.#body.clientHeight / ROW_HEIGHT) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -this.#count,
      End: this.#count,
    };
    const step = steps[event.key];
    if (step !== undefined && this.#count > 0) {
      this.#cursor = Math.max(0, Math.min(this.#count - 1, this.#cursor + step));
      const top = this.#cursor * ROW_HEIGHT;
      if (top < this.#body.scrollTop) this.#body.scrollTop = top;
      else if (top + ROW_HEIGHT > this.#body.scrollTop + this.#body.clientHeight)
        this.#body.scrollTop = top + ROW_HEIGHT - this.#body.clientHeight;
      this.#options.onPick(this.#cursor);
    } else if (event.key === 'Enter' && this.#count > 0) {
      this.#options.onOpen(this.#cursor);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
