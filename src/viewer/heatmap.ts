// The heat map on the screen: a column a second (or more), a row a part of it, darker where more was sampled. A range is picked by dragging or by two clicks from
// its first cell to its last, in the order of time; a click on the axis takes the whole column.

import { humanise } from '../formats/units';
import { heatFill, type Theme } from './colours';
import { h } from './dom';
import type { Heat } from './heat';

export interface HeatMapOptions {
  theme: () => Theme;
  unit: () => string;
  /** Buckets; null: all of the run. */
  onRange: (range: [from: number, to: number] | null) => void;
}

const AXIS_HEIGHT = 16;
const LEFT = 38;
const FONT = '11px system-ui, sans-serif';
const LEAST_LABEL_GAP = 56;

export class HeatMap {
  readonly element: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #note: HTMLElement;
  readonly #options: HeatMapOptions;
  #heat: Heat | undefined;
  #range: [number, number] | null = null;
  /** Cells, in the order of time. */
  #anchor: number | undefined;
  #hover: number | undefined;
  #cursor: number | undefined;
  #dragging = false;

  constructor(options: HeatMapOptions) {
    this.#options = options;
    this.#canvas = h('canvas', {
      tabindex: 0,
      role: 'application',
      'aria-roledescription': 'heat map',
      'aria-label': 'Heat map over time: arrows move, Shift and arrows select, Enter takes the cell, Escape takes the whole run',
    });
    this.#note = h('div', { class: 'heat-note', 'aria-live': 'polite' });
    this.element = h('section', { class: 'heat', 'aria-label': 'heat map over time' }, this.#canvas, this.#note);
    new ResizeObserver(() => this.draw()).observe(this.#canvas);
    this.#listen();
  }

  /** How many columns fit. */
  get room(): number {
    return Math.max(20, Math.floor((this.#canvas.clientWidth - LEFT) / 3));
  }

  show(heat: Heat, range: [number, number] | null): void {
    this.#heat = heat;
    this.#range = range;
    this.#hover = undefined;
    this.draw();
  }

  /** Where a cell is drawn, in pixels of the page: for tests. */
  boxOf(column: number, row: number): { x: number; y: number; width: number; height: number } | undefined {
    const grid = this.#grid();
    if (!grid) return undefined;
    const bounds = this.#canvas.getBoundingClientRect();
    return {
      x: bounds.left + LEFT + column * grid.cellWidth,
      y: bounds.top + row * grid.cellHeight,
      width: grid.cellWidth,
      height: grid.cellHeight,
    };
  }

  draw(): void {
    const heat = this.#heat;
    const grid = this.#grid();
    const context = this.#canvas.getContext('2d');
    if (!heat || !grid || !context) return;
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const theme = this.#options.theme();
    context.fillStyle = theme.background;
    context.fillRect(0, 0, clientWidth, clientHeight);
    const { cellWidth, cellHeight } = grid;
    const [from, to] = this.#picked();
    const gap = cellWidth > 5 ? 0.5 : 0;
    const last = Math.ceil(heat.endBucket / heat.cellBuckets);
    for (let cell = 0; cell < last; cell++) {
      const value = heat.cells[cell] as number;
      const column = Math.floor(cell / heat.rows);
      const row = cell % heat.rows;
      const inside = cell >= from && cell < to;
      context.globalAlpha = inside || from === to ? 1 : 0.35;
      // Less than linear: one sample must be told from none.
      context.fillStyle = value === 0 ? (theme.name === 'light' ? '#f0f2f4' : '#20252b') : heatFill(theme.name, (value / heat.max) ** 0.8);
      context.fillRect(LEFT + column * cellWidth, row * cellHeight, cellWidth - gap, cellHeight - (cellHeight > 4 ? 0.5 : 0));
    }
    context.globalAlpha = 1;
    this.#outline(context, from, to, theme.accent, 2);
    const pointed = this.#hover ?? this.#cursor;
    if (pointed !== undefined) this.#outline(context, pointed, pointed + 1, theme.text, 1);
    this.#axes(context, theme);
    this.#say();
  }

  #grid() {
    const heat = this.#heat;
    const { clientWidth, clientHeight } = this.#canvas;
    if (!heat || clientWidth === 0) return undefined;
    // A short run is not drawn across the whole width: its cells would look like something else.
    const cellWidth = Math.min(24, (clientWidth - LEFT) / heat.columns);
    return { cellWidth, cellHeight: (clientHeight - AXIS_HEIGHT) / heat.rows };
  }

  #outline(context: CanvasRenderingContext2D, from: number, to: number, colour: string, width: number): void {
    const heat = this.#heat as Heat;
    const grid = this.#grid();
    if (!grid || from >= to) return;
    context.strokeStyle = colour;
    context.lineWidth = width;
    const { cellWidth, cellHeight } = grid;
    const path = new Path2D();
    // The range runs down a column, then on in the next: its edge is drawn column by column.
    for (let column = Math.floor(from / heat.rows); column * heat.rows < to; column++) {
      const top = Math.max(from - column * heat.rows, 0);
      const bottom = Math.min(to - column * heat.rows, heat.rows);
      path.rect(LEFT + column * cellWidth, top * cellHeight, cellWidth, (bottom - top) * cellHeight);
    }
    context.stroke(path);
  }

  #axes(context: CanvasRenderingContext2D, theme: Theme): void {
    const heat = this.#heat as Heat;
    const grid = this.#grid();
    if (!grid) return;
    context.font = FONT;
    context.fillStyle = theme.text;
    context.textBaseline = 'top';
    const columnMs = heat.rows * heat.cellBuckets * heat.bucketMs;
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((columns) => columns * grid.cellWidth >= LEAST_LABEL_GAP) ?? 1000;
    for (let column = 0; column < heat.columns; column += step) {
      context.fillText(clock(column * columnMs, columnMs), LEFT + column * grid.cellWidth, this.#canvas.clientHeight - AXIS_HEIGHT + 3);
    }
    context.fillText('0', 4, 0);
    context.textBaseline = 'bottom';
    context.fillText(humanise(columnMs * 1e6, 'nanoseconds'), 4, this.#canvas.clientHeight - AXIS_HEIGHT);
  }

  /** Cells from, to (not included) that are selected, also while a range is dragged. */
  #picked(): [number, number] {
    const heat = this.#heat as Heat;
    const end = this.#hover ?? this.#cursor;
    if (this.#anchor !== undefined && end !== undefined) return [Math.min(this.#anchor, end), Math.max(this.#anchor, end) + 1];
    if (!this.#range) return [0, 0];
    return [Math.floor(this.#range[0] / heat.cellBuckets), Math.ceil(this.#range[1] / heat.cellBuckets)];
  }

  #say(): void {
    const heat = this.#heat as Heat;
    const cellMs = heat.cellBuckets * heat.bucketMs;
    const pointed = this.#hover ?? this.#cursor;
    const [from, to] = this.#picked();
    const span = (first: number, end: number) => {
      let sum = 0;
      for (let cell = first; cell < end; cell++) sum += heat.cells[cell] ?? 0;
      return `${clock(first * cellMs, cellMs)} to ${clock(end * cellMs, cellMs)}: ${humanise(sum, this.#options.unit())}`;
    };
    const parts = [`cell ${humanise(cellMs * 1e6, 'nanoseconds')}, at most ${humanise(heat.max, this.#options.unit())}`];
    if (from < to) parts.unshift(`selected ${span(from, to)}`);
    else if (pointed !== undefined) parts.unshift(span(pointed, pointed + 1));
    else parts.unshift('drag, or click twice, to see the stacks of a time range');
    this.#note.textContent = parts.join(' · ');
  }

  #cellAt(event: PointerEvent): { cell: number; onAxis: boolean } | undefined {
    const heat = this.#heat;
    const grid = this.#grid();
    if (!heat || !grid) return undefined;
    const bounds = this.#canvas.getBoundingClientRect();
    const column = Math.max(0, Math.min(heat.columns - 1, Math.floor((event.clientX - bounds.left - LEFT) / grid.cellWidth)));
    const y = event.clientY - bounds.top;
    const row = Math.max(0, Math.min(heat.rows - 1, Math.floor(y / grid.cellHeight)));
    const last = Math.ceil(heat.endBucket / heat.cellBuckets) - 1;
    return { cell: Math.max(0, Math.min(last, column * heat.rows + row)), onAxis: y > bounds.height - AXIS_HEIGHT };
  }

  #listen(): void {
    const canvas = this.#canvas;
    canvas.addEventListener('pointerdown', (event) => {
      const at = this.#cellAt(event);
      if (!at || event.button !== 0) return;
      const heat = this.#heat as Heat;
      if (at.onAxis) {
        const column = Math.floor(at.cell / heat.rows);
        this.#take(column * heat.rows, (column + 1) * heat.rows);
        return;
      }
      canvas.setPointerCapture(event.pointerId);
      this.#dragging = true;
      this.#hover = at.cell;
      // The second click of two ends the range that the first began.
      if (this.#anchor === undefined) this.#anchor = at.cell;
      else this.#finish(at.cell);
      this.draw();
    });
    canvas.addEventListener('pointermove', (event) => {
      const at = this.#cellAt(event);
      if (!at || at.cell === this.#hover) return;
      this.#hover = at.cell;
      this.draw();
    });
    canvas.addEventListener('pointerup', (event) => {
      const at = this.#cellAt(event);
      const dragged = this.#dragging && at && this.#anchor !== undefined && at.cell !== this.#anchor;
      this.#dragging = false;
      if (dragged) this.#finish(at.cell);
      else if (event.pointerType === 'touch') this.#hover = at?.cell;
    });
    canvas.addEventListener('pointerleave', () => {
      if (this.#anchor !== undefined) return;
      this.#hover = undefined;
      this.draw();
    });
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => {
      this.#cursor = undefined;
      if (this.#dragging) return;
      this.#anchor = undefined;
      this.draw();
    });
  }

  #key(event: KeyboardEvent): void {
    const heat = this.#heat;
    if (!heat) return;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, ArrowRight: heat.rows, ArrowLeft: -heat.rows };
    const step = steps[event.key];
    const last = Math.ceil(heat.endBucket / heat.cellBuckets) - 1;
    if (step !== undefined) {
      const at = this.#cursor ?? 0;
      if (event.shiftKey && this.#anchor === undefined) this.#anchor = at;
      this.#hover = undefined;
      this.#cursor = this.#cursor === undefined ? 0 : Math.max(0, Math.min(last, at + step));
    } else if (event.key === 'Enter' || event.key === ' ') {
      if (this.#cursor === undefined) return;
      this.#anchor ??= this.#cursor;
      this.#finish(this.#cursor);
    } else if (event.key === 'Escape') {
      this.#anchor = undefined;
      if (this.#range) this.#options.onRange(null);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  #finish(cell: number): void {
    const anchor = this.#anchor as number;
    this.#anchor = undefined;
    this.#dragging = false;
    this.#take(Math.min(anchor, cell), Math.max(anchor, cell) + 1);
  }

  #take(from: number, to: number): void {
    const { cellBuckets } = this.#heat as Heat;
    this.#hover = undefined;
    this.#options.onRange([from * cellBuckets, to * cellBuckets]);
  }
}

/** Minutes and seconds since the start; as fine as `grain`. */
export function clock(ms: number, grain: number): string {
  const seconds = ms / 1000;
  const digits = grain >= 1000 ? 0 : grain >= 100 ? 1 : grain >= 10 ? 2 : 3;
  const whole = Math.floor(seconds / 60);
  const rest = (seconds - 60 * whole).toFixed(digits);
  if (whole === 0) return `${rest} s`;
  const padded = rest.padStart(digits === 0 ? 2 : digits + 3, '0');
  return whole < 60 ? `${whole}:${padded}` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}:${padded}`;
}
