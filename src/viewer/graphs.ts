// The graphs on the stage: the flame graph, or callers and callees of one function (the sandwich). Here is decided which of them is shown, what the flame graph is
// zoomed to, and which frame is the current one.
//
// Contract: reads the page; writes its `current` and `picked` when a frame is selected. A zoom by the reader goes out by `onZoomed`. The app calls `draw` after each
// change; search, panels and keys come here, through the app, for a zoom or a frame.

import { spoken } from './describe';
import { append, h } from './dom';
import { frameLook } from './frame-look';
import { GraphView } from './graph';
import type { Page } from './page';
import { type Sandwich, sandwich } from './sandwich';
import type { Scene } from './scene';
import type { State } from './state';
import type { Tip } from './tip';
import { ROOT, type Tree } from './tree';
import { nodeOfPath, zoomPath } from './zoom-path';

export interface GraphsOptions {
  /** Another frame is the current one. */
  onCurrent: () => void;
  /** @param push a step that the back button takes back */
  onZoomed: (zoomed: Pick<State, 'zoom' | 'part'>, push: boolean) => void;
  onKey: (key: string) => boolean;
}

export class Graphs {
  readonly main: GraphView;
  readonly callers: GraphView;
  readonly callees: GraphView;
  /** Says the current frame to those who can't see it. */
  readonly live = h('div', { class: 'live', 'aria-live': 'polite' });
  /** What stands on the stage; one of them is shown. */
  readonly elements: HTMLElement[];
  readonly #page: Page;
  readonly #tip: Tip;
  readonly #options: GraphsOptions;
  readonly #mainBox = h('div', { class: 'view view-flame' });
  readonly #sandwichBox = h('div', { class: 'view view-sandwich', hidden: true });
  readonly #empty = h('p', { class: 'empty empty-graph', hidden: true });
  #sandwich: Sandwich | undefined;
  /** It is the state that zooms, not the reader. */
  #zooming = false;

  constructor(page: Page, tip: Tip, options: GraphsOptions) {
    this.#page = page;
    this.#tip = tip;
    this.#options = options;
    this.main = this.#graph('flame graph', 0, () => page.scene?.tree);
    this.callers = this.#graph('callers', 1, () => this.#sandwich?.callers);
    this.callees = this.#graph('callees', 0, () => this.#sandwich?.callees);
    append(this.#mainBox, [this.main.element]);
    append(this.#sandwichBox, [
      h('div', { class: 'half-title' }, 'callers'),
      this.callers.element,
      h('div', { class: 'half-title' }, 'callees'),
      this.callees.element,
    ]);
    this.elements = [this.#mainBox, this.#sandwichBox, this.#empty];
  }

  /** Callers and callees that were shown last. */
  get sandwich(): Sandwich | undefined {
    return this.#sandwich;
  }

  /**
   * @param queried the tree is another
   * @param old the state before; undefined: everything is new
   */
  draw(queried: boolean, old: State | undefined): void {
    const scene = this.#page.scene as Scene;
    const { state } = scene;
    const empty = scene.total <= 0;
    this.#empty.hidden = !empty;
    this.#empty.textContent =
      state.filters.size > 0 || state.range ? 'Nothing passes the filters.' : 'This profile holds no samples of this type.';
    this.#mainBox.hidden = state.view !== 'flame' || empty;
    this.#sandwichBox.hidden = state.view !== 'sandwich' || empty;
    if (queried || old?.flame !== state.flame) {
      this.main.show(scene.tree, state.flame);
      this.#applyZoom(scene);
    } else if (old && (old.zoom.join('.') !== state.zoom.join('.') || old.part?.join() !== state.part?.join()) && !this.#zooming) {
      this.#applyZoom(scene);
    }
    this.main.draw();
    if (state.view === 'sandwich' && state.func !== null) {
      if (queried || old?.func !== state.func || old?.view !== 'sandwich' || !this.#sandwich) {
        this.#sandwich = sandwich(scene.tree, state.func, sideWeights(scene), scene.result.rank);
        this.callers.show(this.#sandwich.callers, true);
        this.callees.show(this.#sandwich.callees, false);
      }
      this.callers.draw();
      this.callees.draw();
    }
  }

  zoomOut(): void {
    this.main.zoomTo(undefined);
  }

  /** A frame of the flame graph becomes the current one, its neighbours with it. */
  goTo(tree: Tree, node: number): void {
    // Its caller gives the neighbourhood.
    this.main.zoomTo(tree.parent[node] as number);
    this.#setCurrent(tree, node, this.main);
  }

  #applyZoom(scene: Scene): void {
    const { zoom, part } = scene.state;
    this.#zooming = true;
    if (zoom.length > 0) {
      const node = nodeOfPath(scene.tree, zoom);
      this.main.zoomTo(node);
      if (node !== ROOT) this.#setCurrent(scene.tree, node, this.main);
    } else if (part) {
      this.main.showPart(part[0], part[1]);
    } else {
      this.main.zoomTo(undefined);
    }
    this.#zooming = false;
  }

  #setCurrent(tree: Tree, node: number, view: GraphView): void {
    const page = this.#page;
    const scene = page.scene as Scene;
    page.current = { tree, node };
    for (const other of [this.main, this.callers, this.callees]) other.select(other === view ? node : undefined);
    this.live.textContent = spoken(scene, tree, node);
    const func = tree.func[node] as number;
    page.picked = func < scene.model.functionCount ? func : undefined;
    this.#options.onCurrent();
  }

  #graph(label: string, skipRows: number, treeOf: () => Tree | undefined): GraphView {
    const page = this.#page;
    const view: GraphView = new GraphView({
      label,
      skipRows,
      ...frameLook(page, treeOf),
      onHover: (node, event) => {
        const tree = treeOf();
        if (page.scene && tree) this.#tip.hover(page.scene, tree, node, event);
      },
      onSelect: (node, how) => {
        const tree = treeOf();
        if (!page.scene || !tree) return;
        this.#setCurrent(tree, node, view);
        if (how === 'touch') this.#tip.touch(page.scene, tree, node, view.boxOf(node));
        else this.#tip.hide();
      },
      onZoom: (node) => {
        if (view === this.main && !this.#zooming) this.#zoomed(node);
      },
      onKey: (key) => this.#options.onKey(key),
    });
    return view;
  }

  #zoomed(node: number | undefined): void {
    const { scene } = this.#page;
    if (!scene) return;
    this.#tip.hide();
    const zoom = node === undefined ? [] : zoomPath(scene.tree, node);
    const [from, to] = this.main.part;
    const part: State['part'] = node === undefined && to - from < 0.999999 ? [from, to] : null;
    this.#options.onZoomed({ zoom, part }, node !== undefined);
  }
}

/** Of a difference: what before and after count in a frame's width. */
function sideWeights({ isDiff, result, state }: Scene): number[] {
  if (!isDiff) return [1];
  if (state.width === 'before') return [result.scale, 0];
  return state.width === 'after' ? [0, 1] : [result.scale / 2, 0.5];
}
