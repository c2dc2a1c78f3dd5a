// The keys of the page, wherever the focus is but in a field; those that walk and zoom the frames are the graph's own.
//
// Contract: reads the page, writes nothing: every key asks for what it does by the options. The graphs (through the app) hand on what they do not use to `press`.

import type { Page } from './page';
import type { Change } from './state';
import type { Tip } from './tip';

export interface KeysOptions {
  change: Change;
  onSearch: () => void;
  onTheme: () => void;
  onSandwich: (func: number) => void;
  onCopy: () => void;
  onZoomOut: () => void;
  onUnpick: () => void;
  /** Something to tell the reader. */
  onSay: (text: string) => void;
}

export class Keys {
  readonly #page: Page;
  readonly #tip: Tip;
  readonly #help: HTMLDialogElement;
  readonly #options: KeysOptions;

  constructor(page: Page, tip: Tip, help: HTMLDialogElement, options: KeysOptions) {
    this.#page = page;
    this.#tip = tip;
    this.#help = help;
    this.#options = options;
    document.addEventListener('keydown', (event) => {
      const { target } = event;
      const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement || help.open;
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.press(event.key)) event.preventDefault();
    });
  }

  /** @returns whether the key does something */
  press(key: string): boolean {
    const { scene, state, current, picked } = this.#page;
    if (!scene) return false;
    const { change, onSearch, onTheme, onSandwich, onCopy, onZoomOut, onSay } = this.#options;
    const func = current ? (current.tree.func[current.node] as number) : picked;
    const actions: Record<string, () => void> = {
      '/': onSearch,
      '?': () => this.#help.showModal(),
      i: () => change({ flame: !state.flame }),
      l: () => change({ lines: !state.lines, zoom: [], part: null }),
      t: onTheme,
      g: () => change({ view: 'flame' }, true),
      s: () => {
        if (func !== undefined && func < scene.model.functionCount) onSandwich(func);
        else onSay('Pick a function first');
      },
      c: onCopy,
      '0': onZoomOut,
      Escape: () => this.#takeBack(),
    };
    const action = actions[key];
    action?.();
    return action !== undefined;
  }

  /** One thing at a time: tool tip, search, sandwich, zoom, picked function, time range. */
  #takeBack(): void {
    const { state, picked } = this.#page;
    const { change, onZoomOut, onUnpick } = this.#options;
    if (!this.#tip.hidden && matchMedia('(pointer: coarse)').matches) this.#tip.hide();
    else if (state.search !== '') change({ search: '' });
    else if (state.view === 'sandwich') change({ view: 'flame' }, true);
    else if (state.zoom.length > 0 || state.part) onZoomOut();
    else if (picked !== undefined) onUnpick();
    else if (state.range) change({ range: null }, true);
  }
}
