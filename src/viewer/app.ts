// The page: holds the state, makes scenes of it, and hands them to the parts. One way for everything: a part asks for a change, the change makes a new state, the
// state goes to the address and to every part.

import type { PageHead } from '../formats/flamegraph/page-data';
import { chips, controls, header, helpDialog, legend } from './bars';
import { THEMES, type Theme } from './colours';
import { changeText, frameContent, nodeValues, spoken, stackText } from './describe';
import { append, button, h, replace } from './dom';
import { type Colouring, colouring } from './fills';
import { FramePanel } from './frame-panel';
import { FunctionsPanel } from './functions-panel';
import { GraphView } from './graph';
import { heatCells } from './heat';
import { clock, HeatMap } from './heatmap';
import { LabelsPanel } from './labels-panel';
import type { Model } from './model';
import { allowedSets, runQuery, timeType } from './query';
import { sandwich } from './sandwich';
import { Scene } from './scene';
import { type Found, search } from './search';
import { fromFragment, type Limits, type State, toFragment, toggleFilter } from './state';
import { matchedTotal } from './tally';
import { share, shown } from './text';
import { childrenOf, pathTo, ROOT, type Tree } from './tree';

const SEARCH_DELAY_MS = 120;
const TOUCH_TIP_MARGIN = 12;
/** State that the tree depends on; a change of anything else draws it anew without a query. */
const QUERY_KEYS: (keyof State)[] = ['profile', 'type', 'filters', 'groupBy', 'range', 'lines', 'width', 'normalised'];

export class App {
  readonly #head: PageHead;
  readonly #limits: Limits;
  readonly #loadModel: (profile: number) => Promise<Model>;
  readonly #models = new Map<number, Model>();
  #state: State;
  #scene: Scene | undefined;
  #colouring: Colouring = { fill: () => '', legend: [] };
  #found: Found | undefined;
  #match = -1;
  /** The frame that keys and panel speak of. */
  #current: { tree: Tree; node: number } | undefined;
  #searchTimer = 0;

  readonly #header = h('header', { class: 'facts-box' });
  readonly #buttons = h('div', { class: 'header-buttons' });
  readonly #controls = h('div', { class: 'controls' });
  readonly #chips = h('div', { class: 'status' });
  readonly #search = h('input', {
    type: 'search',
    id: 'search',
    placeholder: 'Search, or /pattern/',
    'aria-label': 'search functions, packages, files',
    spellcheck: 'false',
    autocomplete: 'off',
  });
  readonly #matched = h('output', { class: 'matched', for: 'search' });
  readonly #legend = h('div', { class: 'legend-box' });
  readonly #crumbs = h('nav', { class: 'crumbs', 'aria-label': 'view' });
  readonly #live = h('div', { class: 'live', 'aria-live': 'polite' });
  readonly #tip = h('div', { class: 'tip', role: 'tooltip', hidden: true });
  readonly #toast = h('div', { class: 'toast', role: 'status', hidden: true });
  readonly #help = helpDialog();
  readonly #main: GraphView;
  readonly #callers: GraphView;
  readonly #callees: GraphView;
  readonly #mainBox = h('div', { class: 'view view-flame' });
  readonly #sandwichBox = h('div', { class: 'view view-sandwich', hidden: true });
  readonly #empty = h('p', { class: 'empty empty-graph', hidden: true });
  readonly #heat: HeatMap;
  readonly #functions: FunctionsPanel;
  readonly #labels: LabelsPanel;
  readonly #frame: FramePanel;
  readonly #side = h('aside', { class: 'side', 'data-open': 'false' });
  readonly #tabs = h('div', { class: 'tabs', role: 'tablist' });
  #sandwichTrees: { callers: Tree; callees: Tree } | undefined;

  constructor(root: HTMLElement, head: PageHead, loadModel: (profile: number) => Promise<Model>) {
    this.#head = head;
    this.#limits = {
      isDiff: head.kind === 'diff',
      types: head.profiles.map(({ types }) => types.length),
      shown: head.profiles.map(({ shown }) => shown),
    };
    this.#loadModel = loadModel;
    this.#state = fromFragment(location.hash, this.#limits);
    this.#main = this.#graph('flame graph', 0, () => this.#scene?.tree);
    this.#callers = this.#graph('callers', 1, () => this.#sandwichTrees?.callers);
    this.#callees = this.#graph('callees', 0, () => this.#sandwichTrees?.callees);
    this.#heat = new HeatMap({
      theme: () => this.#theme(),
      unit: () => this.#timeUnit(),
      onRange: (range) => this.change({ range }, true),
    });
    this.#functions = new FunctionsPanel({
      onFunction: (func) => this.#pickFunction(func),
      onSandwich: (func) => this.#openSandwich(func),
      onSearch: (text) => this.#searchFor(text),
    });
    this.#labels = new LabelsPanel({
      onFilter: (key, value) => {
        const filters = new Map([...this.#state.filters].map(([one, values]) => [one, new Set(values)]));
        toggleFilter(filters, key, value);
        this.change({ filters }, true);
      },
      onGroup: (key) =>
        this.change(
          {
            groupBy: this.#state.groupBy.includes(key)
              ? this.#state.groupBy.filter((one) => one !== key)
              : [...this.#state.groupBy, key].slice(-2),
            zoom: [],
            part: null,
          },
          true,
        ),
      onColour: (key) =>
        this.change({ colour: this.#state.colour === `label:${key}` ? (this.#limits.isDiff ? 'diff' : 'kind') : `label:${key}` }),
    });
    this.#frame = new FramePanel({
      onSandwich: (func) => this.#openSandwich(func),
      onCopy: () => void this.#copy(),
      onZoom: (node) => this.#main.zoomTo(node),
      onFind: (func) => this.#searchFor(this.#scene?.rawName(func) ?? ''),
    });
    this.#assemble(root);
    this.#listen();
  }

  async start(): Promise<void> {
    this.#applyTheme();
    this.#drawHeader();
    await this.#apply(undefined);
  }

  change(change: Partial<State>, push = false): void {
    const old = this.#state;
    this.#state = { ...old, ...change };
    this.#writeAddress(push);
    void this.#apply(old);
  }

  /** For tests and measurements: where something is drawn, in pixels of the page. */
  get probe() {
    return {
      frame: (name: string) => this.#boxOfName(this.#main, this.#scene?.tree, name),
      caller: (name: string) => this.#boxOfName(this.#callers, this.#sandwichTrees?.callers, name),
      callee: (name: string) => this.#boxOfName(this.#callees, this.#sandwichTrees?.callees, name),
      cell: (column: number, row: number) => this.#heat.boxOf(column, row),
      total: () => this.#scene?.total,
      nodes: () => this.#scene?.tree.size,
      part: () => this.#main.part,
      selected: () => this.#current && this.#scene?.rawName(this.#current.tree.func[this.#current.node] as number),
    };
  }

  #boxOfName(view: GraphView, tree: Tree | undefined, name: string) {
    const scene = this.#scene;
    if (!scene || !tree) return undefined;
    let best: number | undefined;
    for (let node = 0; node < tree.size; node++) {
      if (scene.rawName(tree.func[node] as number) !== name) continue;
      if (best === undefined || (tree.total[node] as number) > (tree.total[best] as number)) best = node;
    }
    return best === undefined ? undefined : view.boxOf(best);
  }

  async #apply(old: State | undefined): Promise<void> {
    const { profile } = this.#state;
    let model = this.#models.get(profile);
    if (!model) {
      model = await this.#loadModel(profile);
      this.#models.set(profile, model);
      // The reader went on meanwhile: that change draws.
      if (this.#state.profile !== profile) return;
    }
    this.#tidy(model);
    const state = this.#state;
    const queried = !old || !this.#scene || QUERY_KEYS.some((key) => old[key] !== state[key]);
    const head = this.#head.profiles[profile] as PageHead['profiles'][number];
    const result = queried ? runQuery(model, state, this.#limits.isDiff) : (this.#scene as Scene).result;
    this.#scene = new Scene(model, head, state, result, this.#limits.isDiff, this.#theme());
    if (!old || old.profile !== profile) this.#drawHeader();
    this.#colouring = colouring(this.#scene);
    if (this.#search.value !== state.search) this.#search.value = state.search;
    this.#found = search(this.#scene, state.search);
    this.#drawGraph(queried, old);
    this.#drawHeat(model, queried);
    this.#drawBars(model);
    this.#drawPanels();
  }

  /** What the address names and this profile has not is left out. */
  #tidy(model: Model): void {
    const state = this.#state;
    const filters: State['filters'] = new Map();
    for (const [key, values] of state.filters) {
      const label = model.labelKey(key);
      const known = [...values].filter((value) => label && (value === null || label.values.includes(value)));
      if (known.length > 0) filters.set(key, new Set(known));
    }
    const same = filters.size === state.filters.size && [...filters].every(([key, values]) => values.size === state.filters.get(key)?.size);
    if (!same) state.filters = filters;
    if (state.groupBy.some((key) => !model.labelKey(key))) state.groupBy = state.groupBy.filter((key) => model.labelKey(key));
    if (state.func !== null && state.func >= model.functionCount) state.func = null;
    if (state.func === null) state.view = 'flame';
    const { time } = model.columns;
    if (state.range && (!time || state.range[0] > (time.bucket.at(-1) ?? -1))) state.range = null;
    // The time line has the values of one sample type.
    if (state.range) state.type = timeType(model);
    if (state.colour.startsWith('label:') && !model.labelKey(state.colour.slice('label:'.length)))
      state.colour = this.#limits.isDiff ? 'diff' : 'kind';
  }

  #drawGraph(queried: boolean, old: State | undefined): void {
    const scene = this.#scene as Scene;
    const { state, tree } = scene;
    const empty = scene.total <= 0;
    this.#empty.hidden = !empty;
    this.#empty.textContent =
      state.filters.size > 0 || state.range ? 'Nothing passes the filters.' : 'This profile holds no samples of this type.';
    this.#mainBox.hidden = state.view !== 'flame' || empty;
    this.#sandwichBox.hidden = state.view !== 'sandwich' || empty;
    if (queried) {
      this.#current = undefined;
      this.#frame.clear();
    }
    if (queried || old?.flame !== state.flame) {
      this.#main.show(tree, state.flame);
      this.#applyZoom(scene);
    } else if (old && (old.zoom.join('.') !== state.zoom.join('.') || old.part?.join() !== state.part?.join()) && !this.#zooming) {
      this.#applyZoom(scene);
    }
    this.#main.draw();
    if (state.view === 'sandwich' && state.func !== null) {
      if (queried || old?.func !== state.func || old?.view !== 'sandwich' || !this.#sandwichTrees) {
        const { isDiff, result } = scene;
        const weights = !isDiff
          ? [1]
          : state.width === 'before'
            ? [result.scale, 0]
            : state.width === 'after'
              ? [0, 1]
              : [result.scale / 2, 0.5];
        this.#sandwichTrees = sandwich(tree, state.func, weights, result.rank);
        this.#callers.show(this.#sandwichTrees.callers, true);
        this.#callees.show(this.#sandwichTrees.callees, false);
      }
      this.#callers.draw();
      this.#callees.draw();
    }
  }

  #zooming = false;

  #applyZoom(scene: Scene): void {
    const { zoom, part } = scene.state;
    this.#zooming = true;
    if (zoom.length > 0) {
      const node = nodeOfPath(scene.tree, zoom);
      this.#main.zoomTo(node);
      if (node !== ROOT) this.#setCurrent(scene.tree, node, this.#main);
    } else if (part) {
      this.#main.showPart(part[0], part[1]);
    } else {
      this.#main.zoomTo(undefined);
    }
    this.#zooming = false;
  }

  #drawHeat(model: Model, queried: boolean): void {
    const { time, rowSet } = model.columns;
    this.#heat.element.hidden = !time || time.bucket.length === 0;
    if (!time || this.#heat.element.hidden) return;
    if (queried) this.#heat.show(heatCells(time, rowSet, allowedSets(model, this.#state.filters), this.#heat.room), this.#state.range);
    else this.#heat.draw();
  }

  #drawHeader(): void {
    const profile = this.#head.profiles[this.#state.profile] as PageHead['profiles'][number];
    replace(this.#header, ...header(this.#head, profile));
    replace(
      this.#buttons,
      button(this.#theme().name === 'dark' ? 'Light' : 'Dark', 'Light or dark (t)', () => this.#turnTheme()),
      button('?', 'Keys and help (?)', () => this.#help.showModal(), { 'aria-label': 'help' }),
    );
  }

  #drawBars(model: Model): void {
    const scene = this.#scene as Scene;
    const focused = document.activeElement?.id;
    replace(this.#controls, ...controls(this.#head, model, scene.state, (change, push) => this.change(change, push)));
    // The menu that was just used keeps the focus.
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const column = scene.isDiff ? undefined : model.columns.values[scene.state.type];
    const whole = column ? column.reduce((sum, value) => sum + value, 0) : scene.total;
    replace(this.#chips, ...chips(scene, whole, this.#rangeText(model), (change, push) => this.change(change, push)));
    replace(this.#legend, legend(this.#colouring.legend, scene.total));
    this.#drawMatched();
    this.#drawCrumbs();
  }

  #drawCrumbs(): void {
    const scene = this.#scene as Scene;
    if (scene.state.view !== 'sandwich' || scene.state.func === null) {
      const [from, to] = this.#main.part;
      const zoomed = to - from < 0.999999;
      replace(
        this.#crumbs,
        zoomed
          ? button('Whole graph', 'Zoom out (0)', () => this.#main.zoomTo(undefined), { class: 'back' })
          : h('span', { class: 'hint' }, 'Click a frame to zoom'),
      );
      return;
    }
    const tally = scene.functions();
    const { func } = scene.state;
    const [before, after] = tally.sides;
    const value =
      before && after
        ? changeText(scene, before.total[func] as number, after.total[func] as number)
        : `total ${scene.value(tally.total[func] as number)}, ${share(tally.total[func] as number, scene.total)}`;
    replace(
      this.#crumbs,
      button('Whole graph', 'Back to the graph (g)', () => this.change({ view: 'flame' }, true), { class: 'back' }),
      h('span', { class: 'hint' }, 'Callers and callees of ', h('b', {}, shown(scene.rawName(func), 80)), ` · ${value}`),
    );
  }

  #drawMatched(): void {
    const scene = this.#scene as Scene;
    const found = this.#found;
    this.#matched.classList.toggle('problem', found !== undefined && 'problem' in found);
    if (!found) this.#matched.textContent = '';
    else if ('problem' in found) this.#matched.textContent = found.problem;
    else {
      const total = matchedTotal(scene.tree, found.matches);
      this.#matched.textContent = `${share(total, scene.total)} matched`;
      this.#matched.title = `${scene.value(total)} in stacks with ${found.count} matching function${found.count === 1 ? '' : 's'}`;
    }
  }

  #drawPanels(): void {
    const scene = this.#scene as Scene;
    const { panel } = scene.state;
    replace(this.#tabs);
    const names: [State['panel'], string][] = [
      ['functions', 'Table'],
      ['labels', scene.state.filters.size > 0 ? `Labels (${scene.state.filters.size})` : 'Labels'],
      ['frame', 'Frame'],
    ];
    for (const [id, name] of names) {
      append(this.#tabs, [
        button(name, name, () => this.#openPanel(id, true), { role: 'tab', 'aria-selected': String(id === panel), 'data-panel': id }),
      ]);
    }
    for (const [id, { element }] of [
      ['functions', this.#functions],
      ['labels', this.#labels],
      ['frame', this.#frame],
    ] as const)
      element.hidden = id !== panel;
    if (panel === 'functions') this.#functions.show(scene, this.#found && 'matches' in this.#found ? this.#found.matches : undefined);
    else if (panel === 'labels') this.#labels.show(scene);
    else this.#drawFrame();
  }

  #drawFrame(): void {
    const scene = this.#scene as Scene;
    if (this.#current) this.#frame.showNode(scene, this.#current.tree, this.#current.node);
    else if (this.#pickedFunction !== undefined && this.#pickedFunction < scene.model.functionCount)
      this.#frame.showFunction(scene, this.#pickedFunction);
    else this.#frame.clear();
  }

  /** @param byTab a second tap on a tab closes the sheet of a narrow screen */
  #openPanel(panel: State['panel'], byTab = false): void {
    const open = this.#side.dataset.open === 'true';
    this.#side.dataset.open = String(!(byTab && open && panel === this.#state.panel));
    if (panel !== this.#state.panel) this.change({ panel });
  }

  #pickedFunction: number | undefined;

  #pickFunction(func: number): void {
    this.#pickedFunction = func;
    this.#functions.select(func);
    if (this.#state.view === 'sandwich') this.#openSandwich(func);
    else this.#main.draw();
  }

  #openSandwich(func: number): void {
    this.#pickedFunction = func;
    this.#side.dataset.open = 'false';
    this.change({ view: 'sandwich', func }, true);
  }

  #searchFor(text: string): void {
    this.change({ search: text });
  }

  #setCurrent(tree: Tree, node: number, view: GraphView): void {
    const scene = this.#scene as Scene;
    this.#current = { tree, node };
    for (const other of [this.#main, this.#callers, this.#callees]) other.select(other === view ? node : undefined);
    this.#live.textContent = spoken(scene, tree, node);
    const func = tree.func[node] as number;
    this.#pickedFunction = func < scene.model.functionCount ? func : undefined;
    this.#functions.select(this.#pickedFunction);
    if (this.#state.panel === 'frame') this.#drawFrame();
  }

  #graph(label: string, skipRows: number, treeOf: () => Tree | undefined): GraphView {
    const withTree = <T>(use: (scene: Scene, tree: Tree) => T, otherwise: T): T => {
      const tree = treeOf();
      return this.#scene && tree ? use(this.#scene, tree) : otherwise;
    };
    const isMatch = (tree: Tree, node: number) =>
      this.#found !== undefined && 'matches' in this.#found && this.#found.matches[tree.func[node] as number] === 1;
    const view: GraphView = new GraphView({
      label,
      skipRows,
      colours: () => this.#theme(),
      fill: (node) => withTree((_, tree) => (isMatch(tree, node) ? this.#theme().match : this.#colouring.fill(tree, node)), ''),
      text: (node) => withTree((scene, tree) => scene.frameText(tree.func[node] as number, tree.line[node] as number), ''),
      textColour: (node) => withTree((_, tree) => (isMatch(tree, node) ? this.#theme().matchText : this.#theme().frameText), ''),
      dimmed: (node) =>
        withTree((_, tree) => {
          if (this.#found && 'matches' in this.#found) return !isMatch(tree, node) && node !== ROOT;
          // A function that was picked in the table stands out.
          return (
            this.#pickedFunction !== undefined &&
            !this.#current &&
            this.#state.view === 'flame' &&
            tree.func[node] !== this.#pickedFunction &&
            node !== ROOT
          );
        }, false),
      onHover: (node, event) => withTree((scene, tree) => this.#hover(scene, tree, node, event), undefined),
      onSelect: (node, how) =>
        withTree((scene, tree) => {
          this.#setCurrent(tree, node, view);
          if (how === 'touch') this.#touchTip(scene, tree, node, view);
          else this.#tip.hidden = true;
        }, undefined),
      onZoom: (node) => {
        if (view !== this.#main || this.#zooming) return;
        const scene = this.#scene;
        if (!scene) return;
        this.#tip.hidden = true;
        const zoom = node === undefined ? [] : fragmentPath(scene.tree, node);
        const [from, to] = view.part;
        const part: State['part'] = node === undefined && to - from < 0.999999 ? [from, to] : null;
        this.#state = { ...this.#state, zoom, part };
        this.#writeAddress(node !== undefined);
        this.#drawCrumbs();
      },
      onKey: (key) => this.#key(key),
    });
    return view;
  }

  #hover(scene: Scene, tree: Tree, node: number | undefined, event?: PointerEvent): void {
    if (node === undefined || !event) {
      this.#tip.hidden = true;
      return;
    }
    replace(this.#tip, ...frameContent(scene, tree, node));
    this.#placeTip(event.clientX, event.clientY);
  }

  /** Fixed at the upper or lower edge, away from the finger. */
  #touchTip(scene: Scene, tree: Tree, node: number, view: GraphView): void {
    replace(this.#tip, ...frameContent(scene, tree, node), h('div', { class: 'tip-hint' }, 'Tap again to zoom'));
    const box = view.boxOf(node);
    this.#placeTip(TOUCH_TIP_MARGIN, (box?.y ?? 0) + (box?.height ?? 0));
  }

  #placeTip(x: number, y: number): void {
    this.#tip.hidden = false;
    const { offsetWidth, offsetHeight } = this.#tip;
    const left = Math.max(4, Math.min(x + 14, innerWidth - offsetWidth - 4));
    const below = y + 18;
    const top = below + offsetHeight < innerHeight - 4 ? below : Math.max(4, y - offsetHeight - 12);
    this.#tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  #key(key: string): boolean {
    const scene = this.#scene;
    if (!scene) return false;
    const func = this.#current ? (this.#current.tree.func[this.#current.node] as number) : this.#pickedFunction;
    const actions: Record<string, () => void> = {
      '/': () => {
        this.#search.focus();
        this.#search.select();
      },
      '?': () => this.#help.showModal(),
      i: () => this.change({ flame: !this.#state.flame }),
      l: () => this.change({ lines: !this.#state.lines, zoom: [], part: null }),
      t: () => this.#turnTheme(),
      g: () => this.change({ view: 'flame' }, true),
      s: () => {
        if (func !== undefined && func < scene.model.functionCount) this.#openSandwich(func);
        else this.#say('Pick a function first');
      },
      c: () => void this.#copy(),
      '0': () => this.#main.zoomTo(undefined),
      Escape: () => this.#takeBack(),
    };
    const action = actions[key];
    action?.();
    return action !== undefined;
  }

  /** One thing at a time: tool tip, search, sandwich, zoom, picked function, time range. */
  #takeBack(): void {
    const state = this.#state;
    if (!this.#tip.hidden && matchMedia('(pointer: coarse)').matches) this.#tip.hidden = true;
    else if (state.search !== '') this.change({ search: '' });
    else if (state.view === 'sandwich') this.change({ view: 'flame' }, true);
    else if (state.zoom.length > 0 || state.part) this.#main.zoomTo(undefined);
    else if (this.#pickedFunction !== undefined) {
      this.#pickedFunction = undefined;
      this.#functions.select(undefined);
      this.#main.draw();
    } else if (state.range) this.change({ range: null }, true);
  }

  async #copy(): Promise<void> {
    const current = this.#current;
    if (!current || !this.#scene) {
      this.#say('Pick a frame first');
      return;
    }
    const text = stackText(this.#scene, current.tree, current.node);
    this.#say((await copyText(text)) ? 'Stack copied' : 'This browser does not let the page copy');
  }

  #say(text: string): void {
    this.#toast.textContent = text;
    this.#toast.hidden = false;
    setTimeout(() => {
      if (this.#toast.textContent === text) this.#toast.hidden = true;
    }, 1800);
  }

  #theme(): Theme {
    const wanted = this.#state.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    return THEMES[wanted];
  }

  #applyTheme(): void {
    document.documentElement.dataset.theme = this.#theme().name;
  }

  #turnTheme(): void {
    this.change({ theme: this.#theme().name === 'dark' ? 'light' : 'dark' });
    this.#applyTheme();
    this.#drawHeader();
  }

  #timeUnit(): string {
    return this.#head.profiles[this.#state.profile]?.types.at(-1)?.unit ?? '';
  }

  #rangeText(model: Model): string | undefined {
    const { time } = model.columns;
    const { range } = this.#state;
    if (!time || !range) return undefined;
    return `${clock(range[0] * time.bucketMs, time.bucketMs)} to ${clock(range[1] * time.bucketMs, time.bucketMs)}`;
  }

  #writeAddress(push: boolean): void {
    const text = toFragment(this.#state, this.#limits);
    const address = text === '' ? location.href.replace(/#.*$/, '') : `#${text}`;
    if (`#${text}` === location.hash) return;
    // A browser that counts calls refuses the hundredth in a burst: the address is then behind, the page is not.
    try {
      if (push) history.pushState(null, '', address);
      else history.replaceState(null, '', address);
    } catch {
      return;
    }
  }

  #listen(): void {
    const follow = () => {
      const old = this.#state;
      this.#state = fromFragment(location.hash, this.#limits);
      this.#applyTheme();
      void this.#apply(
        same(old, this.#state)
          ? { ...this.#state, zoom: old.zoom, part: old.part, view: old.view, func: old.func, flame: old.flame }
          : undefined,
      );
      this.#drawHeader();
    };
    addEventListener('popstate', follow);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#applyTheme();
      this.#drawHeader();
      void this.#apply(this.#state);
    });
    this.#search.addEventListener('input', () => {
      clearTimeout(this.#searchTimer);
      this.#match = -1;
      this.#searchTimer = window.setTimeout(() => this.change({ search: this.#search.value }), SEARCH_DELAY_MS);
    });
    this.#search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#nextMatch(event.shiftKey ? -1 : 1);
      else if (event.key === 'Escape') {
        this.change({ search: '' });
        this.#main.element.focus({ preventScroll: true });
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    document.addEventListener('keydown', (event) => {
      const { target } = event;
      const typing = target instanceof HTMLInputElement || target instanceof HTMLSelectElement || this.#help.open;
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (this.#key(event.key)) event.preventDefault();
    });
    addEventListener('blur', () => {
      this.#tip.hidden = true;
    });
  }

  /** The matching frames by their width, the widest first. */
  #nextMatch(step: number): void {
    clearTimeout(this.#searchTimer);
    if (this.#search.value !== this.#state.search) this.change({ search: this.#search.value });
    const scene = this.#scene;
    const found = this.#found;
    if (!scene || !found || !('matches' in found)) return;
    const { tree } = scene;
    const nodes: number[] = [];
    for (let i = 1; i < tree.size; i++) {
      const node = tree.order[i] as number;
      if (!found.matches[tree.func[node] as number]) continue;
      nodes.push(node);
      i = (tree.exit[node] as number) - 1;
    }
    if (nodes.length === 0) return;
    nodes.sort((a, b) => (tree.total[b] as number) - (tree.total[a] as number));
    this.#match = (this.#match + step + nodes.length) % nodes.length;
    const node = nodes[this.#match] as number;
    // Its caller gives the neighbourhood.
    this.#main.zoomTo(tree.parent[node] as number);
    this.#setCurrent(tree, node, this.#main);
  }

  #assemble(root: HTMLElement): void {
    const options = h('details', { class: 'options' }, h('summary', {}, 'Options'), this.#controls);
    const wide = matchMedia('(min-width: 900px)');
    const fit = () => {
      options.open = wide.matches;
    };
    wide.addEventListener('change', fit);
    fit();
    const bars = h(
      'div',
      { class: 'bars' },
      this.#header,
      h('div', { class: 'search' }, this.#search, this.#matched),
      this.#buttons,
      options,
    );
    append(this.#mainBox, [this.#main.element]);
    append(this.#sandwichBox, [
      h('div', { class: 'half-title' }, 'callers'),
      this.#callers.element,
      h('div', { class: 'half-title' }, 'callees'),
      this.#callees.element,
    ]);
    append(this.#side, [this.#tabs, this.#functions.element, this.#labels.element, this.#frame.element]);
    const stage = h('main', { class: 'stage' }, this.#crumbs, this.#mainBox, this.#sandwichBox, this.#empty, this.#legend);
    replace(
      root,
      bars,
      this.#chips,
      this.#heat.element,
      h('div', { class: 'body' }, stage, this.#side),
      this.#live,
      this.#tip,
      this.#toast,
      this.#help,
    );
  }
}

/** Queries that give one tree: only what is looked at differs. */
function same(a: State, b: State): boolean {
  const text = ({ profile, type, groupBy, range, lines, width, normalised, filters }: State) =>
    JSON.stringify([profile, type, groupBy, range, lines, width, normalised, [...filters].map(([key, values]) => [key, [...values]])]);
  return text(a) === text(b);
}

/** From the root's child down; `function:line` where frames are split by line. */
function fragmentPath(tree: Tree, node: number): string[] {
  return pathTo(tree, node)
    .slice(1)
    .map((one) => `${tree.func[one]}${tree.line[one] ? `:${tree.line[one]}` : ''}`);
}

/** As deep as the path leads in this tree. */
function nodeOfPath(tree: Tree, path: string[]): number {
  let node = ROOT;
  for (const step of path) {
    const [func, line = 0] = step.split(':').map(Number);
    const child = childrenOf(tree, node).find((one) => tree.func[one] === func && tree.line[one] === line);
    if (child === undefined) return node;
    node = child;
  }
  return node;
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No permission, or no such interface: the old way needs a field with the text.
    const field = h('textarea', { class: 'copy-field', 'aria-hidden': 'true' });
    field.value = text;
    document.body.appendChild(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}

export { nodeValues };
