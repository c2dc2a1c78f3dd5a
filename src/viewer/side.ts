// The side: tabs, and below them the panel that is open (the table of functions, the label picker, the current frame). A sheet on a narrow screen.
//
// Contract: reads the page, writes its own elements; asks for everything else by `change` and the other options. The app calls `draw` after each change, the graphs
// (through the app) `showCurrent`.

import { append, button, h, replace } from './dom';
import { FramePanel } from './frame-panel';
import { FunctionsPanel } from './functions-panel';
import { LabelsPanel } from './labels-panel';
import type { Page } from './page';
import type { LabelValue } from './query';
import type { Scene } from './scene';
import { type Change, type State, toggleFilter } from './state';

export interface SideOptions {
  change: Change;
  /** A function was picked in the table. */
  onPick: (func: number) => void;
  onSandwich: (func: number) => void;
  onZoom: (node: number) => void;
  onCopy: () => void;
}

export class Side {
  readonly element = h('aside', { class: 'side', 'data-open': 'false' });
  readonly #page: Page;
  readonly #options: SideOptions;
  readonly #tabs = h('div', { class: 'tabs', role: 'tablist' });
  readonly #functions: FunctionsPanel;
  readonly #labels: LabelsPanel;
  readonly #frame: FramePanel;

  constructor(page: Page, options: SideOptions) {
    this.#page = page;
    this.#options = options;
    const { change, onPick, onSandwich, onZoom, onCopy } = options;
    this.#functions = new FunctionsPanel({ onFunction: onPick, onSandwich, onSearch: (search) => change({ search }) });
    this.#labels = new LabelsPanel({
      onFilter: (key, value) => this.#toggleFilter(key, value),
      onGroup: (key) => this.#toggleGroup(key),
      onColour: (key) => change({ colour: page.state.colour === `label:${key}` ? (page.limits.isDiff ? 'diff' : 'kind') : `label:${key}` }),
    });
    this.#frame = new FramePanel({ onSandwich, onCopy, onZoom, onFind: (func) => change({ search: page.scene?.rawName(func) ?? '' }) });
    append(this.element, [this.#tabs, this.#functions.element, this.#labels.element, this.#frame.element]);
  }

  draw(): void {
    const scene = this.#page.scene as Scene;
    const { panel, filters } = scene.state;
    replace(this.#tabs);
    const names: [State['panel'], string][] = [
      ['functions', 'Table'],
      ['labels', filters.size > 0 ? `Labels (${filters.size})` : 'Labels'],
      ['frame', 'Frame'],
    ];
    for (const [id, name] of names) {
      append(this.#tabs, [
        button(name, name, () => this.#open(id), { role: 'tab', 'aria-selected': String(id === panel), 'data-panel': id }),
      ]);
    }
    for (const [id, { element }] of [
      ['functions', this.#functions],
      ['labels', this.#labels],
      ['frame', this.#frame],
    ] as const)
      element.hidden = id !== panel;
    if (panel === 'functions') this.#functions.show(scene, this.#page.matches);
    else if (panel === 'labels') this.#labels.show(scene);
    else this.#drawFrame();
  }

  /** The table's row of the picked function, and the frame's panel where it is open. */
  showCurrent(): void {
    this.showPicked();
    if (this.#page.state.panel === 'frame') this.#drawFrame();
  }

  showPicked(): void {
    this.#functions.select(this.#page.picked);
  }

  /** The frame that the panel shows is of a tree that is no more. */
  clearFrame(): void {
    this.#frame.clear();
  }

  /** The sheet of a narrow screen goes out of the way. */
  close(): void {
    this.element.dataset.open = 'false';
  }

  #drawFrame(): void {
    const { current, picked } = this.#page;
    const scene = this.#page.scene as Scene;
    if (current) this.#frame.showNode(scene, current.tree, current.node);
    else if (picked !== undefined && picked < scene.model.functionCount) this.#frame.showFunction(scene, picked);
    else this.#frame.clear();
  }

  #open(panel: State['panel']): void {
    const { state } = this.#page;
    // A second tap on a tab closes the sheet of a narrow screen.
    const closes = this.element.dataset.open === 'true' && panel === state.panel;
    this.element.dataset.open = String(!closes);
    if (panel !== state.panel) this.#options.change({ panel });
  }

  #toggleFilter(key: string, value: LabelValue): void {
    const filters = new Map([...this.#page.state.filters].map(([one, values]) => [one, new Set(values)]));
    toggleFilter(filters, key, value);
    this.#options.change({ filters }, true);
  }

  #toggleGroup(key: string): void {
    const { groupBy } = this.#page.state;
    const wanted = groupBy.includes(key) ? groupBy.filter((one) => one !== key) : [...groupBy, key].slice(-2);
    this.#options.change({ groupBy: wanted, zoom: [], part: null }, true);
  }
}
