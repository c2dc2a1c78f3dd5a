// What the page holds at one moment: the state that the reader chose, the scene that follows from it, and what in it is picked. Every part reads from here.
//
// Contract: the app alone calls what changes the state or makes a scene, and draws afterwards. Graphs and app write `current` and `picked`; a new tree has no
// current frame. Writes the address, draws nothing.

import type { PageHead, ProfileHead } from '../formats/flamegraph/page-data';
import { readAddress, writeAddress } from './address';
import { THEMES, type Theme } from './colours';
import { type Colouring, colouring } from './fills';
import type { Model } from './model';
import { runQuery } from './query';
import { Scene } from './scene';
import { type Found, search } from './search';
import type { Limits, State } from './state';
import { tidy } from './tidy';
import type { Tree } from './tree';

/** State that the tree depends on; a change of anything else draws it anew without a query. */
const QUERY_KEYS: (keyof State)[] = ['profile', 'type', 'filters', 'groupBy', 'range', 'lines', 'width', 'normalised'];

export class Page {
  readonly head: PageHead;
  readonly limits: Limits;
  readonly #loadModel: (profile: number) => Promise<Model>;
  readonly #models = new Map<number, Model>();
  #state: State;
  #scene: Scene | undefined;
  #colouring: Colouring = { fill: () => '', legend: [] };
  #found: Found | undefined;
  /** The frame that keys and panel speak of. */
  current: { tree: Tree; node: number } | undefined;
  /** The function of the current frame, or one that was picked in the table. */
  picked: number | undefined;

  constructor(head: PageHead, loadModel: (profile: number) => Promise<Model>) {
    this.head = head;
    this.limits = {
      isDiff: head.kind === 'diff',
      types: head.profiles.map(({ types }) => types.length),
      shown: head.profiles.map(({ shown }) => shown),
    };
    this.#loadModel = loadModel;
    this.#state = readAddress(this.limits);
  }

  get state(): State {
    return this.#state;
  }

  /** undefined until the first profile is loaded. */
  get scene(): Scene | undefined {
    return this.#scene;
  }

  get colouring(): Colouring {
    return this.#colouring;
  }

  get found(): Found | undefined {
    return this.#found;
  }

  /** By function and group: 1 where the search matches; undefined without a search, and for one that can't be run. */
  get matches(): Uint8Array | undefined {
    return this.#found && 'matches' in this.#found ? this.#found.matches : undefined;
  }

  get profile(): ProfileHead {
    return this.head.profiles[this.#state.profile] as ProfileHead;
  }

  get theme(): Theme {
    const wanted = this.#state.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
    return THEMES[wanted];
  }

  /** A new state, and its address. */
  set(change: Partial<State>, push: boolean): void {
    this.#state = { ...this.#state, ...change };
    writeAddress(this.#state, this.limits, push);
  }

  /**
   * The state that the address asks for.
   * @returns what `show` compares it with; undefined where the query is another
   */
  follow(): State | undefined {
    const old = this.#state;
    this.#state = readAddress(this.limits);
    if (!sameQuery(old, this.#state)) return undefined;
    return { ...this.#state, zoom: old.zoom, part: old.part, view: old.view, func: old.func, flame: old.flame };
  }

  /** Only what was loaded before: a change of a profile that is here is drawn at once. */
  modelOf(profile: number): Model | undefined {
    return this.#models.get(profile);
  }

  async load(profile: number): Promise<Model> {
    const model = await this.#loadModel(profile);
    this.#models.set(profile, model);
    return model;
  }

  /**
   * The scene of the state.
   * @param model of the state's profile
   * @param old the state before; undefined: everything is new
   * @returns whether the query ran: the tree is another
   */
  show(model: Model, old: State | undefined): boolean {
    const { isDiff } = this.limits;
    tidy(this.#state, model, isDiff);
    const state = this.#state;
    const queried = !old || !this.#scene || QUERY_KEYS.some((key) => old[key] !== state[key]);
    const result = queried ? runQuery(model, state, isDiff) : (this.#scene as Scene).result;
    this.#scene = new Scene(model, this.profile, state, result, isDiff, this.theme);
    this.#colouring = colouring(this.#scene);
    this.#found = search(this.#scene, state.search);
    // It was of the tree before.
    if (queried) this.current = undefined;
    return queried;
  }
}

/** Queries that give one tree: only what is looked at differs. */
function sameQuery(a: State, b: State): boolean {
  const text = ({ profile, type, groupBy, range, lines, width, normalised, filters }: State) =>
    JSON.stringify([profile, type, groupBy, range, lines, width, normalised, [...filters].map(([key, values]) => [key, [...values]])]);
  return text(a) === text(b);
}
