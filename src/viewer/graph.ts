// A flame graph on the screen: one canvas that shows a part of a tree, scrolls by rows and zooms by width. It knows trees, fills and texts, not profiles.
//
// The canvas is as large as the part in view and stays there while the element scrolls, so that a stack of 10 000 frames costs no more than one of 30.
// Pointer: click or tap selects and zooms, drag moves what is zoomed, Ctrl + wheel and two fingers zoom freely. Keys: see `#key`.

import { type Look, paintGraph } from './graph-paint';
import { nodeAt, type TextStyle, type View, walk } from './paint';
import { NONE, ROOT, type Tree } from './tree';

export interface GraphOptions extends Look {
  label: string;
  /** Rows at the root that are not shown: callers of a function leave the function out. */
  skipRows: number;
  onHover: (node: number | undefined, event?: PointerEvent) => void;
  onSelect: (node: number, how: 'pointer' | 'keys' | 'touch') => void;
  /** The part that is shown has changed; `node` is what was zoomed to, undefined for a free zoom. */
  onZoom: (node: number | undefined) => void;
  onKey?: (key: string, node: number) => boolean;
}

const FRAME_HEIGHT = 20;
/** A finger is wider than a pointer. */
const TOUCH_FRAME_HEIGHT = 26;
const FONT_SIZE = 12;
const FONT = `${FONT_SIZE}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace`;
const DRAG_THRESHOLD = 4;
/** Deeper zooms meet the grain of doubles. */
const LEAST_SPAN = 1e-9;

export class GraphView {
  readonly element: HTMLElement;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #spacer: HTMLElement;
  readonly #options: GraphOptions;
  #tree: Tree | undefined;
  #flame = false;
  #from = 0;
  #to = 1;
  #selected: number | undefined;
  #hovered: number | undefined;
  #frameHeight = FRAME_HEIGHT;
  #width = 0;
  #height = 0;
  #rows = 1;
  #pending = 0;
  #style: TextStyle = { font: FONT, characterWidth: 7 };
  readonly #pointers = new Map<number, { x: number; y: number }>();
  #drag: { x: number; y: number; from: number; to: number; moved: boolean; distance: number } | undefined;

  constructor(options: GraphOptions) {
    this.#options = options;
    this.#canvas = document.createElement('canvas');
    this.#spacer = document.createElement('div');
    this.#spacer.className = 'graph-spacer';
    this.element = document.createElement('div');
    this.element.className = 'graph';
    this.element.tabIndex = 0;
    this.element.setAttribute('role', 'application');
    this.element.setAttribute('aria-roledescription', 'flame graph');
    this.element.setAttribute('aria-label', options.label);
    this.element.append(this.#canvas, this.#spacer);
    const context = this.#canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('this browser has no 2D canvas');
    this.#context = context;
    if (matchMedia('(pointer: coarse)').matches) this.#frameHeight = TOUCH_FRAME_HEIGHT;
    new ResizeObserver(() => this.resize()).observe(this.element);
    this.element.addEventListener('scroll', () => this.draw(), { passive: true });
    this.#listen();
  }

  get selected(): number | undefined {
    return this.#selected;
  }

  /** Shows another tree, whole. `keepBottom` is for graphs that grow upwards. */
  show(tree: Tree, flame: boolean): void {
    const turned = flame !== this.#flame;
    const fresh = this.#tree === undefined;
    this.#tree = tree;
    this.#flame = flame;
    this.#selected = undefined;
    this.#hovered = undefined;
    this.#setView(0, tree.total[ROOT] as number);
    this.#measureRows();
    if (turned || fresh) this.element.scrollTop = flame ? this.element.scrollHeight : 0;
    this.draw();
  }

  select(node: number | undefined): void {
    this.#selected = node;
    this.draw();
  }

  /** Makes the node as wide as the element; undefined and the root: everything. */
  zoomTo(node: number | undefined): void {
    const tree = this.#tree;
    if (!tree) return;
    const at = node ?? ROOT;
    const start = tree.start[at] as number;
    this.#setView(start, start + (tree.total[at] as number));
    this.#measureRows();
    if (at !== ROOT) this.#scrollTo(at);
    this.draw();
    this.#options.onZoom(at);
  }

  /** The part in view as shares of the whole. */
  get part(): [from: number, to: number] {
    const whole = (this.#tree?.total[ROOT] as number) || 1;
    return [this.#from / whole, this.#to / whole];
  }

  showPart(from: number, to: number): void {
    const whole = (this.#tree?.total[ROOT] as number) || 1;
    this.#setView(from * whole, to * whole);
    this.#measureRows();
    this.draw();
  }

  /** Where a node is drawn, in pixels of the page: for tests and for what points at it. */
  boxOf(node: number): { x: number; y: number; width: number; height: number } | undefined {
    const tree = this.#tree;
    if (!tree) return undefined;
    const scale = this.#width / (this.#to - this.#from);
    const start = tree.start[node] as number;
    const left = Math.max(0, (start - this.#from) * scale);
    const right = Math.min(this.#width, (start + (tree.total[node] as number) - this.#from) * scale);
    const bounds = this.element.getBoundingClientRect();
    const y = this.#rowTop((tree.depth[node] as number) - this.#options.skipRows) - this.element.scrollTop;
    return { x: bounds.left + left, y: bounds.top + y, width: right - left, height: this.#frameHeight };
  }

  resize(): void {
    const { clientWidth, clientHeight } = this.element;
    const ratio = window.devicePixelRatio || 1;
    this.#width = clientWidth;
    this.#height = clientHeight;
    this.#canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.#canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.#canvas.style.width = `${clientWidth}px`;
    this.#canvas.style.height = `${clientHeight}px`;
    // It lies over the spacer, which gives the height to scroll.
    this.#canvas.style.marginBottom = `-${clientHeight}px`;
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.font = FONT;
    this.#style = { font: FONT, characterWidth: this.#context.measureText('0').width };
    const bottom = this.element.scrollHeight - this.element.scrollTop - this.#height;
    this.#measureRows();
    if (this.#flame) this.element.scrollTop = this.element.scrollHeight - this.#height - bottom;
    this.#paint();
  }

  /** Soon: many changes in one frame are drawn once. */
  draw(): void {
    if (this.#pending) return;
    this.#pending = requestAnimationFrame(() => {
      this.#pending = 0;
      this.#paint();
    });
  }

  #view(): View | undefined {
    const tree = this.#tree;
    if (!tree || this.#width === 0) return undefined;
    return { tree, from: this.#from, to: this.#to, width: this.#width, frameHeight: this.#frameHeight, skipRows: this.#options.skipRows };
  }

  #setView(from: number, to: number): void {
    const whole = (this.#tree?.total[ROOT] as number) || 1;
    const span = Math.min(whole, Math.max(to - from, whole * LEAST_SPAN));
    this.#from = Math.max(0, Math.min(from, whole - span));
    this.#to = this.#from + span;
  }

  #measureRows(): void {
    const view = this.#view();
    if (!view) return;
    const fromBottom = this.#spacer.offsetHeight - this.element.scrollTop;
    this.#rows = walk(
      view,
      1,
      0,
      () => undefined,
      () => undefined,
    );
    this.#rows += 1;
    const height = Math.max(this.#rows * this.#frameHeight + 1, this.#height);
    this.#spacer.style.height = `${height}px`;
    if (this.#flame) this.element.scrollTop = height - fromBottom;
  }

  #contentHeight(): number {
    return Math.max(this.#rows * this.#frameHeight + 1, this.#height);
  }

  /** In the scrolled content. */
  #rowTop(row: number): number {
    return this.#flame ? this.#contentHeight() - (row + 1) * this.#frameHeight : row * this.#frameHeight;
  }

  #scrollTo(node: number): void {
    const top = this.#rowTop(((this.#tree as Tree).depth[node] as number) - this.#options.skipRows);
    const { scrollTop } = this.element;
    if (top < scrollTop) this.element.scrollTop = top - this.#frameHeight;
    else if (top + this.#frameHeight > scrollTop + this.#height) this.element.scrollTop = top + 2 * this.#frameHeight - this.#height;
  }

  #paint(): void {
    const view = this.#view();
    if (!view) return;
    const height = this.#frameHeight;
    const { scrollTop } = this.element;
    const firstOnScreen = Math.floor(scrollTop / height) - 1;
    const lastOnScreen = Math.ceil((scrollTop + this.#height) / height) + 1;
    const contentRows = this.#contentHeight() / height;
    const [first, last] = this.#flame
      ? [Math.floor(contentRows - lastOnScreen - 1), Math.ceil(contentRows - firstOnScreen)]
      : [firstOnScreen, lastOnScreen];
    paintGraph(this.#context, view, {
      height: this.#height,
      rows: [Math.max(0, first), last],
      top: (row) => this.#rowTop(row) - scrollTop,
      style: this.#style,
      look: this.#options,
      selected: this.#selected,
      hovered: this.#hovered,
    });
  }

  #at(event: PointerEvent | MouseEvent): number | undefined {
    const view = this.#view();
    if (!view) return undefined;
    const bounds = this.element.getBoundingClientRect();
    const y = event.clientY - bounds.top + this.element.scrollTop;
    const x = event.clientX - bounds.left;
    if (x < 0 || x >= this.#width) return undefined;
    const row = Math.floor((this.#flame ? this.#contentHeight() - y : y) / this.#frameHeight);
    return row < 0 ? undefined : nodeAt(view, x, row);
  }

  #listen(): void {
    const { element } = this;
    element.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.#startDrag(event);
    });
    element.addEventListener('pointermove', (event) => this.#move(event));
    element.addEventListener('pointerup', (event) => this.#release(event));
    const forget = (event: PointerEvent) => {
      this.#pointers.delete(event.pointerId);
      this.#drag = undefined;
    };
    element.addEventListener('pointercancel', forget);
    element.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') this.#hover(undefined);
    });
    element.addEventListener(
      'wheel',
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.#zoomAround(event.clientX, Math.exp(Math.max(-200, Math.min(200, event.deltaY)) / 200));
      },
      { passive: false },
    );
    element.addEventListener('keydown', (event) => this.#key(event));
  }

  #startDrag(event: PointerEvent): void {
    const [one, two] = [...this.#pointers.values()];
    const distance = one && two ? Math.abs(one.x - two.x) : 0;
    this.#drag = { x: event.clientX, y: event.clientY, from: this.#from, to: this.#to, moved: this.#pointers.size > 1, distance };
  }

  #move(event: PointerEvent): void {
    const pointer = this.#pointers.get(event.pointerId);
    const drag = this.#drag;
    if (!pointer || !drag) {
      if (event.pointerType === 'mouse') this.#hover(this.#at(event), event);
      return;
    }
    pointer.x = event.clientX;
    pointer.y = event.clientY;
    const [one, two] = [...this.#pointers.values()];
    if (one && two) {
      const distance = Math.max(10, Math.abs(one.x - two.x));
      if (drag.distance < 10) drag.distance = distance;
      const middle = (one.x + two.x) / 2;
      this.#setView(drag.from, drag.to);
      this.#zoomAround(middle, drag.distance / distance);
      return;
    }
    const moved = event.clientX - drag.x;
    if (!drag.moved && Math.abs(moved) < DRAG_THRESHOLD && Math.abs(event.clientY - drag.y) < DRAG_THRESHOLD) return;
    if (!drag.moved) this.#hover(undefined);
    drag.moved = true;
    if (!this.element.hasPointerCapture(event.pointerId)) this.element.setPointerCapture(event.pointerId);
    const by = (-moved / this.#width) * (drag.to - drag.from);
    if (by === 0 || drag.to - drag.from >= ((this.#tree?.total[ROOT] as number) || 1)) return;
    this.#setView(drag.from + by, drag.to + by);
    this.#measureRows();
    this.draw();
    this.#options.onZoom(undefined);
  }

  #release(event: PointerEvent): void {
    const drag = this.#drag;
    this.#pointers.delete(event.pointerId);
    if (this.#pointers.size > 0) {
      this.#startDrag(event);
      return;
    }
    this.#drag = undefined;
    if (!drag || drag.moved) return;
    const node = this.#at(event);
    if (node === undefined) return;
    const touch = event.pointerType === 'touch';
    // A finger has no hovering: the first tap shows what the frame is, the second zooms.
    const zooms = !touch || node === this.#selected;
    this.select(node);
    this.#options.onSelect(node, touch ? 'touch' : 'pointer');
    if (zooms) this.zoomTo(node);
  }

  #hover(node: number | undefined, event?: PointerEvent): void {
    const changed = node !== this.#hovered;
    this.#hovered = node;
    this.#options.onHover(node, event);
    if (changed) this.draw();
  }

  #zoomAround(clientX: number, factor: number): void {
    const bounds = this.element.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (clientX - bounds.left) / this.#width));
    const middle = this.#from + part * (this.#to - this.#from);
    const span = (this.#to - this.#from) * factor;
    this.#setView(middle - part * span, middle + (1 - part) * span);
    this.#measureRows();
    this.draw();
    this.#options.onZoom(undefined);
  }

  /** Arrows walk the frames that can be seen, Enter zooms, Escape and 0 show everything, + and - zoom freely; other keys go to `onKey`. */
  #key(event: KeyboardEvent): void {
    const tree = this.#tree;
    if (!tree || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#selected ?? ROOT;
    const { key } = event;
    const [down, up] = this.#flame ? ['ArrowUp', 'ArrowDown'] : ['ArrowDown', 'ArrowUp'];
    if (key === down) this.#step(this.#widestChild(at));
    else if (key === up) this.#step(at === ROOT ? undefined : (tree.parent[at] as number));
    else if (key === 'ArrowRight' || key === 'ArrowLeft') this.#step(this.#sibling(at, key === 'ArrowRight'));
    else if (key === 'Home') this.#step(ROOT);
    else if (key === 'Enter' || key === ' ') this.zoomTo(at);
    else if (key === '0') this.zoomTo(undefined);
    else if (key === '+' || key === '=' || key === '-') {
      const bounds = this.element.getBoundingClientRect();
      this.#zoomAround(bounds.left + this.#width / 2, key === '-' ? 1.5 : 1 / 1.5);
    } else if (!this.#options.onKey?.(key, at)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step(node: number | undefined): void {
    if (node === undefined) return;
    this.select(node);
    this.#scrollTo(node);
    this.#options.onSelect(node, 'keys');
  }

  #visible(node: number): boolean {
    const tree = this.#tree as Tree;
    const left = Math.max(this.#from, tree.start[node] as number);
    const right = Math.min(this.#to, (tree.start[node] as number) + (tree.total[node] as number));
    return ((right - left) / (this.#to - this.#from)) * this.#width >= 1;
  }

  #widestChild(node: number): number | undefined {
    const tree = this.#tree as Tree;
    let best: number | undefined;
    for (let child = tree.firstChild[node] as number; child !== NONE; child = tree.nextSibling[child] as number) {
      if (this.#visible(child) && (best === undefined || (tree.total[child] as number) > (tree.total[best] as number))) best = child;
    }
    return best;
  }

  /** The next frame of the same row, across parents. */
  #sibling(node: number, right: boolean): number | undefined {
    const tree = this.#tree as Tree;
    const depth = tree.depth[node] as number;
    const step = right ? 1 : -1;
    for (let i = (tree.enter[node] as number) + step; i > 0 && i < tree.size; i += step) {
      const other = tree.order[i] as number;
      if (tree.depth[other] === depth && this.#visible(other)) return other;
    }
    return undefined;
  }
}
