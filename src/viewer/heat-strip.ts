// The heat map's place on the page: there where the profile has a time line, with the samples that the label filters let through.
//
// Contract: reads the page, writes its own element, asks for a time range by `change`. The app calls `draw` after each change.

import { heatCells } from './heat';
import { HeatMap } from './heatmap';
import type { Model } from './model';
import type { Page } from './page';
import { allowedSets } from './query';
import type { Change } from './state';

export class HeatStrip {
  readonly map: HeatMap;
  readonly #page: Page;

  constructor(page: Page, change: Change) {
    this.#page = page;
    this.map = new HeatMap({
      theme: () => page.theme,
      // The time line is of the last sample type.
      unit: () => page.profile.types.at(-1)?.unit ?? '',
      onRange: (range) => change({ range }, true),
    });
  }

  get element(): HTMLElement {
    return this.map.element;
  }

  /** @param queried filters or range may be others: the cells are counted anew */
  draw(model: Model, queried: boolean): void {
    const { time, rowSet } = model.columns;
    this.element.hidden = !time || time.bucket.length === 0;
    if (!time || this.element.hidden) return;
    const { filters, range } = this.#page.state;
    if (queried) this.map.show(heatCells(time, rowSet, allowedSets(model, filters), this.map.room), range);
    else this.map.draw();
  }
}
