// The boxes that bars.ts fills: header and buttons, the controls behind "Options", what is filtered, and the legend.
//
// Contract: reads the page, writes its own elements, asks for changes by `change`. The app calls `draw` after each change, `drawHeader` when profile or theme is
// another.

import { chips, controls, header, legend } from './bars';
import { button, h, replace } from './dom';
import { clock } from './heatmap';
import type { Model } from './model';
import type { Page } from './page';
import type { Scene } from './scene';
import type { Change, State } from './state';

export interface ToolbarOptions {
  change: Change;
  onTheme: () => void;
  onHelp: () => void;
}

export class Toolbar {
  readonly element: HTMLElement;
  readonly chips = h('div', { class: 'status' });
  readonly legend = h('div', { class: 'legend-box' });
  readonly #page: Page;
  readonly #options: ToolbarOptions;
  readonly #header = h('header', { class: 'facts-box' });
  readonly #buttons = h('div', { class: 'header-buttons' });
  readonly #controls = h('div', { class: 'controls' });

  /** @param search stands between header and buttons */
  constructor(page: Page, search: HTMLElement, options: ToolbarOptions) {
    this.#page = page;
    this.#options = options;
    const more = h('details', { class: 'options' }, h('summary', {}, 'Options'), this.#controls);
    const wide = matchMedia('(min-width: 900px)');
    const fit = () => {
      more.open = wide.matches;
    };
    wide.addEventListener('change', fit);
    fit();
    this.element = h('div', { class: 'bars' }, this.#header, search, this.#buttons, more);
  }

  drawHeader(): void {
    const { head, profile, theme } = this.#page;
    replace(this.#header, ...header(head, profile));
    replace(
      this.#buttons,
      button(theme.name === 'dark' ? 'Light' : 'Dark', 'Light or dark (t)', () => this.#options.onTheme()),
      button('?', 'Keys and help (?)', () => this.#options.onHelp(), { 'aria-label': 'help' }),
    );
  }

  draw(model: Model): void {
    const scene = this.#page.scene as Scene;
    const { change } = this.#options;
    const focused = document.activeElement?.id;
    replace(this.#controls, ...controls(this.#page.head, model, scene.state, change));
    // The menu that was just used keeps the focus.
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const column = scene.isDiff ? undefined : model.columns.values[scene.state.type];
    const whole = column ? column.reduce((sum, value) => sum + value, 0) : scene.total;
    replace(this.chips, ...chips(scene, whole, rangeText(model, scene.state), change));
    replace(this.legend, legend(this.#page.colouring.legend, scene.total));
  }
}

function rangeText(model: Model, { range }: State): string | undefined {
  const { time } = model.columns;
  if (!time || !range) return undefined;
  return `${clock(range[0] * time.bucketMs, time.bucketMs)} to ${clock(range[1] * time.bucketMs, time.bucketMs)}`;
}
