// A short message at the edge of the page, gone by itself.
//
// Contract: reads nothing of the page, writes its own element. Called by the app and, through it, by the keys.

import { h } from './dom';

const SHOWN_MS = 1800;

export class Toast {
  readonly element = h('div', { class: 'toast', role: 'status', hidden: true });

  say(text: string): void {
    this.element.textContent = text;
    this.element.hidden = false;
    setTimeout(() => {
      // Not a later one.
      if (this.element.textContent === text) this.element.hidden = true;
    }, SHOWN_MS);
  }
}
