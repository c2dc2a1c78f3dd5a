// What the reader chose, and its text in the address's fragment: a link that opens the same picture. What a fragment says that this page does not know (another
// version's key, a value that is out of range, noise) is left out, piece by piece; nothing of it is ever shown as markup.

import type { Palette } from './colours';
import type { LabelValue } from './query';

export type ColourMode = 'kind' | 'package' | 'diff' | `label:${string}`;

export interface State {
  profile: number;
  type: number;
  view: 'flame' | 'sandwich';
  flame: boolean;
  lines: boolean;
  groupBy: string[];
  filters: Map<string, Set<LabelValue>>;
  /** Buckets. */
  range: [from: number, to: number] | null;
  search: string;
  colour: ColourMode;
  palette: Palette;
  width: 'both' | 'before' | 'after';
  normalised: boolean;
  /** Function of the sandwich. */
  func: number | null;
  /** Functions and groups from the root's child down to what is zoomed to; a line is `function:line`. */
  zoom: string[];
  /** Of a free zoom: shares of the whole. */
  part: [from: number, to: number] | null;
  theme: 'light' | 'dark' | null;
  panel: 'functions' | 'labels' | 'frame';
}

/** How a part asks for another state. `push`: a step that the back button takes back. */
export type Change = (change: Partial<State>, push?: boolean) => void;

export interface Limits {
  isDiff: boolean;
  /** Sample types of each profile. */
  types: number[];
  shown: number[];
}

const MOST_GROUPS = 3;

export function firstState({ isDiff, shown }: Limits): State {
  return {
    profile: 0,
    type: shown[0] ?? 0,
    view: 'flame',
    flame: false,
    lines: false,
    groupBy: [],
    filters: new Map(),
    range: null,
    search: '',
    colour: isDiff ? 'diff' : 'kind',
    palette: 'red-blue',
    width: 'both',
    normalised: true,
    func: null,
    zoom: [],
    part: null,
    theme: null,
    panel: 'functions',
  };
}

export function toFragment(state: State, limits: Limits): string {
  const first = firstState(limits);
  const out = new URLSearchParams();
  if (state.profile !== 0) out.set('p', String(state.profile));
  if (state.type !== limits.shown[state.profile]) out.set('t', String(state.type));
  if (state.view !== first.view) out.set('v', state.view);
  if (state.func !== null) out.set('fn', String(state.func));
  if (state.flame) out.set('up', '1');
  if (state.lines) out.set('l', '1');
  for (const key of state.groupBy) out.append('g', key);
  for (const [key, values] of state.filters)
    for (const value of values) out.append(value === null ? 'n' : 'f', value === null ? key : pair(key, value));
  if (state.range) out.set('r', state.range.join('-'));
  if (state.search !== '') out.set('q', state.search);
  if (state.colour !== first.colour) out.set('c', state.colour);
  if (limits.isDiff) {
    if (state.palette !== first.palette) out.set('pal', state.palette);
    if (state.width !== first.width) out.set('w', state.width);
    if (!state.normalised) out.set('abs', '1');
  }
  if (state.zoom.length > 0) out.set('z', state.zoom.join('.'));
  if (state.part) out.set('x', state.part.map((share) => Number(share.toPrecision(9))).join('_'));
  if (state.theme) out.set('th', state.theme);
  if (state.panel !== first.panel) out.set('s', state.panel);
  return out.toString();
}

export function fromFragment(fragment: string, limits: Limits): State {
  const state = firstState(limits);
  const text = new URLSearchParams(fragment.replace(/^#/, ''));
  const get = (name: string) => text.get(name) ?? '';
  const whole = (name: string, below: number) => {
    const value = Number(get(name));
    return /^\d{1,9}$/.test(get(name)) && value < below ? value : undefined;
  };
  state.profile = whole('p', limits.types.length) ?? 0;
  state.type = whole('t', limits.types[state.profile] ?? 0) ?? limits.shown[state.profile] ?? 0;
  state.func = whole('fn', 2 ** 31) ?? null;
  if (get('v') === 'sandwich' && state.func !== null) state.view = 'sandwich';
  state.flame = get('up') === '1';
  state.lines = get('l') === '1';
  state.groupBy = [...new Set(text.getAll('g'))].slice(0, MOST_GROUPS);
  for (const filter of text.getAll('f')) {
    const found = unpair(filter);
    if (found) addFilter(state.filters, ...found);
  }
  for (const key of text.getAll('n')) addFilter(state.filters, key, null);
  const range = /^(\d{1,10})-(\d{1,10})$/.exec(get('r'));
  if (range && Number(range[1]) < Number(range[2])) state.range = [Number(range[1]), Number(range[2])];
  state.search = get('q').slice(0, 1000);
  const colour = get('c');
  if (colour === 'kind' || colour === 'package' || colour.startsWith('label:') || (limits.isDiff && colour === 'diff'))
    state.colour = colour as ColourMode;
  if (limits.isDiff) {
    if (get('pal') === 'orange-blue') state.palette = 'orange-blue';
    if (get('w') === 'before' || get('w') === 'after') state.width = get('w') as 'before' | 'after';
    state.normalised = get('abs') !== '1';
  }
  if (/^[\d.:]{1,100000}$/.test(get('z'))) state.zoom = get('z').split('.');
  const part = /^([\d.e-]{1,20})_([\d.e-]{1,20})$/.exec(get('x'));
  if (part) {
    const [from, to] = [Number(part[1]), Number(part[2])];
    if (from >= 0 && to <= 1 && from < to) state.part = [from, to];
  }
  if (get('th') === 'light' || get('th') === 'dark') state.theme = get('th') as 'light' | 'dark';
  if (get('s') === 'labels' || get('s') === 'frame') state.panel = get('s') as 'labels' | 'frame';
  return state;
}

export function addFilter(filters: State['filters'], key: string, value: LabelValue): void {
  const values = filters.get(key) ?? new Set();
  values.add(value);
  filters.set(key, values);
}

/** On becomes off; a key without values goes. */
export function toggleFilter(filters: State['filters'], key: string, value: LabelValue): void {
  if (!filters.get(key)?.has(value)) {
    addFilter(filters, key, value);
    return;
  }
  filters.get(key)?.delete(value);
  if (filters.get(key)?.size === 0) filters.delete(key);
}

// `agent=researcher`; an equals sign in the key is escaped.
const pair = (key: string, value: string): string => `${key.replaceAll('%', '%25').replaceAll('=', '%3D')}=${value}`;

function unpair(text: string): [key: string, value: string] | undefined {
  const at = text.indexOf('=');
  return at < 1 ? undefined : [text.slice(0, at).replaceAll('%3D', '=').replaceAll('%25', '%'), text.slice(at + 1)];
}
