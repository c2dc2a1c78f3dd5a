// The label picker: every label of the profile with its values and their shares. A value filters, a label groups or colours. Shares of a label are of what the
// filters of the other labels let through, so that another value of the same label can still be picked.

import { humanise } from '../formats/units';
import { button, h, replace } from './dom';
import type { LabelKey } from './model';
import { allowedSets, type LabelValue, type Query } from './query';
import { NO_LABEL, type Scene } from './scene';
import { share, shown } from './text';

export interface LabelsPanelOptions {
  onFilter: (key: string, value: LabelValue) => void;
  onGroup: (key: string) => void;
  onColour: (key: string) => void;
}

/** Trace ids can be as many as samples: more are found by the box. */
const MOST_VALUES = 12;

export class LabelsPanel {
  readonly element: HTMLElement;
  readonly #options: LabelsPanelOptions;
  readonly #list: HTMLElement;
  readonly #search: HTMLInputElement;
  #scene: Scene | undefined;
  /** Keys of which all values are shown. */
  readonly #open = new Set<string>();

  constructor(options: LabelsPanelOptions) {
    this.#options = options;
    this.#list = h('div', { class: 'label-list', tabindex: -1 });
    this.#search = h('input', {
      type: 'search',
      placeholder: 'Find a label value',
      'aria-label': 'find a label value',
      oninput: () => this.#draw(),
    });
    this.element = h('div', { class: 'panel panel-labels' }, h('div', { class: 'panel-bar' }, this.#search), this.#list);
  }

  show(scene: Scene): void {
    this.#scene = scene;
    this.#draw();
  }

  #draw(): void {
    const scene = this.#scene;
    if (!scene) return;
    const { labels } = scene.model;
    if (labels.length === 0) {
      replace(this.#list, h('p', { class: 'empty' }, 'The samples of this profile have no labels.'));
      return;
    }
    const { scrollTop } = this.#list;
    replace(this.#list, ...labels.map((label) => this.#section(scene, label)));
    this.#list.scrollTop = scrollTop;
  }

  #section(scene: Scene, label: LabelKey): HTMLElement | null {
    const wanted = this.#search.value.trim().toLowerCase();
    const values = valuesOf(scene, label);
    const picked = scene.state.filters.get(label.key);
    const found =
      wanted === ''
        ? values
        : values.filter(({ value }) => (value ?? NO_LABEL).toLowerCase().includes(wanted) || label.key.toLowerCase().includes(wanted));
    if (found.length === 0) return null;
    const whole = values.reduce((sum, { total }) => sum + total, 0);
    const limit = this.#open.has(label.key) ? 500 : MOST_VALUES;
    const rows = found.slice(0, limit).map(({ value, total }) => {
      const on = picked?.has(value) ?? false;
      const text = value === null ? NO_LABEL : shown(value, 120);
      const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
      bar.style.width = `${whole === 0 ? 0 : (100 * total) / whole}%`;
      return h(
        'button',
        {
          type: 'button',
          class: 'label-value',
          role: 'checkbox',
          'aria-checked': String(on),
          title: `only ${shown(label.key, 60)} ${text}`,
          onclick: () => this.#options.onFilter(label.key, value),
        },
        bar,
        h('span', { class: `label-text${value === null ? ' none' : ''}` }, text),
        h('span', { class: 'label-number' }, humanise(total, scene.unit)),
        h('span', { class: 'label-share' }, share(total, whole)),
      );
    });
    const grouped = scene.state.groupBy.includes(label.key);
    const coloured = scene.state.colour === `label:${label.key}`;
    return h(
      'section',
      { class: 'label-key' },
      h(
        'header',
        {},
        h('h3', {}, shown(label.key, 60)),
        button('Group', 'First rows of the graph by this label', () => this.#options.onGroup(label.key), {
          'aria-pressed': String(grouped),
        }),
        button('Colour', 'Frames coloured by the shares of its values', () => this.#options.onColour(label.key), {
          'aria-pressed': String(coloured),
        }),
      ),
      ...rows,
      found.length > rows.length &&
        button(`${found.length - rows.length} more values`, 'Show them', () => this.#more(label.key), { class: 'more-values' }),
    );
  }

  #more(key: string): void {
    this.#open.add(key);
    this.#draw();
  }
}

/** Values with what they are worth under the other labels' filters; values that are picked stay, also when they are worth nothing. */
function valuesOf(scene: Scene, label: LabelKey): { value: LabelValue; total: number }[] {
  const { model, state } = scene;
  const others: Query['filters'] = new Map(state.filters);
  others.delete(label.key);
  const allowed = allowedSets(model, others);
  const { rowSet, values } = model.columns;
  const columns = scene.isDiff ? [values[2 * state.type], values[2 * state.type + 1]] : [values[state.type]];
  const bySet = new Float64Array(allowed.length);
  for (const column of columns) {
    if (!column) continue;
    for (let row = 0; row < rowSet.length; row++) {
      const set = rowSet[row] as number;
      if (allowed[set]) bySet[set] = (bySet[set] as number) + (column[row] as number);
    }
  }
  const totals = new Float64Array(label.values.length + 1);
  bySet.forEach((total, set) => {
    const index = label.valueOfSet[set] as number;
    const at = index < 0 ? label.values.length : index;
    totals[at] = (totals[at] as number) + total;
  });
  const picked = state.filters.get(label.key);
  const result: { value: LabelValue; total: number }[] = [];
  totals.forEach((total, i) => {
    const value = i === label.values.length ? null : (label.values[i] as string);
    if (total > 0 || picked?.has(value)) result.push({ value, total });
  });
  return result.sort((a, b) => b.total - a.total);
}
