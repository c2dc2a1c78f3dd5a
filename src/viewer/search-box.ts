// The search box: its field, how much of the graph matches, and the way from match to match.
//
// Contract: reads the page (the state's text, what is found); asks the app for a new text by `change` and for a frame by `onMatch`. The app calls `draw` after each
// change, the keys `focus`.

import { h } from './dom';
import type { Page } from './page';
import type { Scene } from './scene';
import type { Change } from './state';
import { matchedTotal } from './tally';
import { share } from './text';
import type { Tree } from './tree';

const DELAY_MS = 120;

export interface SearchBoxOptions {
  change: Change;
  onMatch: (tree: Tree, node: number) => void;
  /** Escape: the keys are the graph's again. */
  onLeave: () => void;
}

export class SearchBox {
  readonly element: HTMLElement;
  readonly #page: Page;
  readonly #options: SearchBoxOptions;
  readonly #field = h('input', {
    type: 'search',
    id: 'search',
    placeholder: 'Search, or /pattern/',
    'aria-label': 'search functions, packages, files',
    spellcheck: 'false',
    autocomplete: 'off',
  });
  readonly #matched = h('output', { class: 'matched', for: 'search' });
  #match = -1;
  #timer = 0;

  constructor(page: Page, options: SearchBoxOptions) {
    this.#page = page;
    this.#options = options;
    this.element = h('div', { class: 'search' }, this.#field, this.#matched);
    this.#listen();
  }

  focus(): void {
    this.#field.focus();
    this.#field.select();
  }

  draw(): void {
    const scene = this.#page.scene as Scene;
    const { found } = this.#page;
    if (this.#field.value !== scene.state.search) this.#field.value = scene.state.search;
    this.#matched.classList.toggle('problem', found !== undefined && 'problem' in found);
    if (!found) this.#matched.textContent = '';
    else if ('problem' in found) this.#matched.textContent = found.problem;
    else {
      const total = matchedTotal(scene.tree, found.matches);
      this.#matched.textContent = `${share(total, scene.total)} matched`;
      this.#matched.title = `${scene.value(total)} in stacks with ${found.count} matching function${found.count === 1 ? '' : 's'}`;
    }
  }

  #listen(): void {
    this.#field.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#match = -1;
      this.#timer = window.setTimeout(() => this.#options.change({ search: this.#field.value }), DELAY_MS);
    });
    this.#field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#nextMatch(event.shiftKey ? -1 : 1);
      else if (event.key === 'Escape') {
        this.#options.change({ search: '' });
        this.#options.onLeave();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** The matching frames by their width, the widest first. */
  #nextMatch(step: number): void {
    clearTimeout(this.#timer);
    if (this.#field.value !== this.#page.state.search) this.#options.change({ search: this.#field.value });
    const { scene, matches } = this.#page;
    if (!scene || !matches) return;
    const { tree } = scene;
    const nodes: number[] = [];
    for (let i = 1; i < tree.size; i++) {
      const node = tree.order[i] as number;
      if (!matches[tree.func[node] as number]) continue;
      nodes.push(node);
      i = (tree.exit[node] as number) - 1;
    }
    if (nodes.length === 0) return;
    nodes.sort((a, b) => (tree.total[b] as number) - (tree.total[a] as number));
    this.#match = (this.#match + step + nodes.length) % nodes.length;
    this.#options.onMatch(tree, nodes[this.#match] as number);
  }
}
