// The tool tip: what a frame is, beside the pointer, or by the frame that a finger tapped.
//
// Contract: reads the scene that it is given, writes its own element. The graphs show and hide it, the keys and the app hide it.

import { frameContent } from './describe';
import { h, replace } from './dom';
import type { Scene } from './scene';
import type { Tree } from './tree';

const TOUCH_MARGIN = 12;

export class Tip {
  readonly element = h('div', { class: 'tip', role: 'tooltip', hidden: true });

  get hidden(): boolean {
    return this.element.hidden;
  }

  hide(): void {
    this.element.hidden = true;
  }

  /** Beside the pointer; without a node there is none. */
  hover(scene: Scene, tree: Tree, node: number | undefined, event?: PointerEvent): void {
    if (node === undefined || !event) {
      this.hide();
      return;
    }
    replace(this.element, ...frameContent(scene, tree, node));
    this.#place(event.clientX, event.clientY);
  }

  /** At the left edge, under the frame that was tapped. */
  touch(scene: Scene, tree: Tree, node: number, frame: { y: number; height: number } | undefined): void {
    replace(this.element, ...frameContent(scene, tree, node), h('div', { class: 'tip-hint' }, 'Tap again to zoom'));
    this.#place(TOUCH_MARGIN, (frame?.y ?? 0) + (frame?.height ?? 0));
  }

  #place(x: number, y: number): void {
    this.element.hidden = false;
    const { offsetWidth, offsetHeight } = this.element;
    const left = Math.max(4, Math.min(x + 14, innerWidth - offsetWidth - 4));
    const below = y + 18;
    const top = below + offsetHeight < innerHeight - 4 ? below : Math.max(4, y - offsetHeight - 12);
    this.element.style.transform = `translate(${left}px, ${top}px)`;
  }
}
