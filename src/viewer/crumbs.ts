// The line over the graph: where the reader is, and the way back to the whole graph.
//
// Contract: reads the page and the part in view, writes its own element, asks for the way back by its options. The app calls `draw` after each change and each zoom.

import { changeText } from './describe';
import { button, h, replace } from './dom';
import type { Page } from './page';
import type { Scene } from './scene';
import type { Change } from './state';
import { share, shown } from './text';

export interface CrumbsOptions {
  change: Change;
  /** The part of the flame graph in view, as shares of the whole. */
  part: () => [from: number, to: number];
  onZoomOut: () => void;
}

export class Crumbs {
  readonly element = h('nav', { class: 'crumbs', 'aria-label': 'view' });
  readonly #page: Page;
  readonly #options: CrumbsOptions;

  constructor(page: Page, options: CrumbsOptions) {
    this.#page = page;
    this.#options = options;
  }

  draw(): void {
    const scene = this.#page.scene as Scene;
    const { view, func } = scene.state;
    if (view !== 'sandwich' || func === null) this.#drawZoom();
    else this.#drawSandwich(scene, func);
  }

  #drawZoom(): void {
    const [from, to] = this.#options.part();
    const zoomed = to - from < 0.999999;
    replace(
      this.element,
      zoomed
        ? button('Whole graph', 'Zoom out (0)', () => this.#options.onZoomOut(), { class: 'back' })
        : h('span', { class: 'hint' }, 'Click a frame to zoom'),
    );
  }

  #drawSandwich(scene: Scene, func: number): void {
    const tally = scene.functions();
    const [before, after] = tally.sides;
    const value =
      before && after
        ? changeText(scene, before.total[func] as number, after.total[func] as number)
        : `total ${scene.value(tally.total[func] as number)}, ${share(tally.total[func] as number, scene.total)}`;
    replace(
      this.element,
      button('Whole graph', 'Back to the graph (g)', () => this.#options.change({ view: 'flame' }, true), { class: 'back' }),
      h('span', { class: 'hint' }, 'Callers and callees of ', h('b', {}, shown(scene.rawName(func), 80)), ` · ${value}`),
    );
  }
}
