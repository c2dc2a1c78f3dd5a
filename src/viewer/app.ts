// The page's parts, wired. One way for everything: a part asks for a change, the change makes a new state, the state goes to the address and to every part.
//
// Contract: made and started once by main.ts; fills the element that it is given. Parts know the page (page.ts) and their options, not each other: what one
// part wants of another goes through here. Only the tool tip is lent to those that hide it.

import type { PageHead } from '../formats/flamegraph/page-data';
import { helpDialog } from './bars';
import { copyText } from './clipboard';
import { Crumbs } from './crumbs';
import { stackText } from './describe';
import { h, replace } from './dom';
import { Graphs } from './graphs';
import { HeatStrip } from './heat-strip';
import { Keys } from './keys';
import type { Model } from './model';
import { Page } from './page';
import { makeProbe } from './probe';
import { SearchBox } from './search-box';
import { Side } from './side';
import type { Change, State } from './state';
import { Tip } from './tip';
import { Toast } from './toast';
import { Toolbar } from './toolbar';

export class App {
  readonly #page: Page;
  readonly #tip = new Tip();
  readonly #toast = new Toast();
  readonly #help = helpDialog();
  readonly #graphs: Graphs;
  readonly #heat: HeatStrip;
  readonly #side: Side;
  readonly #search: SearchBox;
  readonly #toolbar: Toolbar;
  readonly #crumbs: Crumbs;
  readonly #keys: Keys;

  constructor(root: HTMLElement, head: PageHead, loadModel: (profile: number) => Promise<Model>) {
    this.#page = new Page(head, loadModel);
    const page = this.#page;
    const change: Change = (wanted, push) => this.change(wanted, push);
    const onZoomOut = () => this.#graphs.zoomOut();
    const onTheme = () => this.#turnTheme();
    const onSandwich = (func: number) => this.#openSandwich(func);
    const onCopy = () => void this.#copy();
    this.#graphs = new Graphs(page, this.#tip, {
      onCurrent: () => this.#side.showCurrent(),
      onZoomed: (zoomed, push) => {
        // The graph shows it already.
        page.set(zoomed, push);
        this.#crumbs.draw();
      },
      onKey: (key) => this.#keys.press(key),
    });
    this.#heat = new HeatStrip(page, change);
    this.#side = new Side(page, {
      change,
      onPick: (func) => this.#pick(func),
      onSandwich,
      onZoom: (node) => this.#graphs.main.zoomTo(node),
      onCopy,
    });
    this.#search = new SearchBox(page, {
      change,
      onMatch: (tree, node) => this.#graphs.goTo(tree, node),
      onLeave: () => this.#graphs.main.element.focus({ preventScroll: true }),
    });
    this.#toolbar = new Toolbar(page, this.#search.element, { change, onTheme, onHelp: () => this.#help.showModal() });
    this.#crumbs = new Crumbs(page, { change, part: () => this.#graphs.main.part, onZoomOut });
    this.#keys = new Keys(page, this.#tip, this.#help, {
      change,
      onSearch: () => this.#search.focus(),
      onTheme,
      onSandwich,
      onCopy,
      onZoomOut,
      onUnpick: () => this.#pick(undefined),
      onSay: (text) => this.#toast.say(text),
    });
    this.#assemble(root);
    this.#listen();
  }

  async start(): Promise<void> {
    this.#applyTheme();
    this.#toolbar.drawHeader();
    await this.#apply(undefined);
  }

  change(change: Partial<State>, push = false): void {
    const old = this.#page.state;
    this.#page.set(change, push);
    void this.#apply(old);
  }

  /** For tests and measurements: where something is drawn, in pixels of the page. */
  get probe() {
    return makeProbe(this.#page, this.#graphs, this.#heat.map);
  }

  async #apply(old: State | undefined): Promise<void> {
    const page = this.#page;
    const { profile } = page.state;
    const model = page.modelOf(profile) ?? (await page.load(profile));
    // The reader went on meanwhile: that change draws.
    if (page.state.profile !== profile) return;
    const queried = page.show(model, old);
    if (queried) this.#side.clearFrame();
    if (!old || old.profile !== profile) this.#toolbar.drawHeader();
    this.#graphs.draw(queried, old);
    this.#heat.draw(model, queried);
    this.#toolbar.draw(model);
    this.#search.draw();
    this.#crumbs.draw();
    this.#side.draw();
  }

  /** Of the table; undefined: of none. */
  #pick(func: number | undefined): void {
    this.#page.picked = func;
    this.#side.showPicked();
    if (func !== undefined && this.#page.state.view === 'sandwich') this.#openSandwich(func);
    else this.#graphs.main.draw();
  }

  #openSandwich(func: number): void {
    this.#page.picked = func;
    this.#side.close();
    this.change({ view: 'sandwich', func }, true);
  }

  async #copy(): Promise<void> {
    const { current, scene } = this.#page;
    if (!current || !scene) {
      this.#toast.say('Pick a frame first');
      return;
    }
    const text = stackText(scene, current.tree, current.node);
    this.#toast.say((await copyText(text)) ? 'Stack copied' : 'This browser does not let the page copy');
  }

  #turnTheme(): void {
    this.change({ theme: this.#page.theme.name === 'dark' ? 'light' : 'dark' });
    this.#applyTheme();
    this.#toolbar.drawHeader();
  }

  #applyTheme(): void {
    document.documentElement.dataset.theme = this.#page.theme.name;
  }

  #listen(): void {
    addEventListener('popstate', () => {
      const old = this.#page.follow();
      this.#applyTheme();
      void this.#apply(old);
      this.#toolbar.drawHeader();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#applyTheme();
      this.#toolbar.drawHeader();
      void this.#apply(this.#page.state);
    });
    addEventListener('blur', () => this.#tip.hide());
  }

  #assemble(root: HTMLElement): void {
    const { element, chips, legend } = this.#toolbar;
    const stage = h('main', { class: 'stage' }, this.#crumbs.element, ...this.#graphs.elements, legend);
    replace(
      root,
      element,
      chips,
      this.#heat.element,
      h('div', { class: 'body' }, stage, this.#side.element),
      this.#graphs.live,
      this.#tip.element,
      this.#toast.element,
      this.#help,
    );
  }
}
