// Header and toolbar: what was recorded, what is shown, and the controls that change it. They are made anew from the state after each change.

import type { PageHead, ProfileHead } from '../formats/flamegraph/page-data';
import { button, type Child, choice, h, menu } from './dom';
import type { LegendEntry } from './fills';
import type { Model } from './model';
import { NO_LABEL, type Scene } from './scene';
import type { Change, ColourMode, State } from './state';
import { share, shown } from './text';

/** What the header says at once; the rest is behind "details". */
const FIRST_FACTS = ['duration', 'rate', 'samples', 'lost', 'only'];

export function header(head: PageHead, profile: ProfileHead): Child[] {
  const first = profile.facts.filter(({ name, warn }) => warn || FIRST_FACTS.includes(name));
  const fact = ({ name, value, warn }: ProfileHead['facts'][number]) =>
    h('span', { class: warn ? 'fact warn' : 'fact' }, h('span', {}, shown(name, 40)), ' ', h('b', {}, shown(value, 80)));
  const details = h('details', { class: 'facts-all' }, h('summary', { title: 'Everything that the profile says of itself' }, 'details'));
  details.appendChild(
    h(
      'dl',
      {},
      ...profile.facts.flatMap(({ name, value, warn }) => [
        h('dt', {}, shown(name, 60)),
        h('dd', { class: warn ? 'warn' : '' }, shown(value)),
      ]),
    ),
  );
  return [
    h('h1', { title: shown(head.title) }, shown(head.title, 120)),
    h('div', { class: 'facts' }, h('div', { class: 'facts-first' }, ...first.map(fact)), profile.facts.length > 0 && details),
  ];
}

/** `cpu`, or `name: cpu` where profiles have types of one name. */
export function typeOptions(head: PageHead): { value: string; text: string }[] {
  const names = head.profiles.flatMap(({ types }) => types.map(({ type }) => type));
  const twice = (name: string) => names.filter((one) => one === name).length > 1;
  return head.profiles.flatMap((profile, p) =>
    profile.types.map(({ type, unit }, t) => ({
      value: `${p}.${t}`,
      text: `${head.profiles.length > 1 && twice(type) ? `${shown(profile.name, 40)}: ` : ''}${shown(type, 40) || 'value'}${unit === '' ? '' : ` (${shown(unit, 20)})`}`,
    })),
  );
}

export function controls(head: PageHead, model: Model, state: State, change: Change): Child[] {
  const keys = model.labels.map(({ key }) => key);
  const isDiff = head.kind === 'diff';
  const keyOptions = keys.map((key) => ({ value: key, text: shown(key, 40) }));
  const colours: { value: ColourMode; text: string }[] = [
    ...(isDiff ? [{ value: 'diff' as const, text: 'change' }] : []),
    { value: 'kind', text: 'kind of code' },
    { value: 'package', text: 'package' },
    ...keyOptions.map(({ value, text }) => ({ value: `label:${value}` as const, text: `label ${text}` })),
  ];
  const types = typeOptions(head);
  return [
    types.length > 1 &&
      menu(
        'Show',
        types,
        `${state.profile}.${state.type}`,
        (value) => {
          const [profile, type] = value.split('.').map(Number) as [number, number];
          change(
            profile === state.profile
              ? { type, range: null }
              : { profile, type, range: null, zoom: [], part: null, func: null, view: 'flame' },
            true,
          );
        },
        { id: 'type' },
      ),
    keys.length > 0 &&
      menu(
        'Group by',
        [{ value: '', text: 'nothing' }, ...keyOptions],
        state.groupBy[0] ?? '',
        (key) => change({ groupBy: key === '' ? [] : [key], zoom: [], part: null }, true),
        { id: 'group' },
      ),
    keys.length > 1 &&
      state.groupBy.length > 0 &&
      menu(
        'then by',
        [{ value: '', text: 'nothing' }, ...keyOptions.filter(({ value }) => value !== state.groupBy[0])],
        state.groupBy[1] ?? '',
        (key) => change({ groupBy: [state.groupBy[0] as string, ...(key === '' ? [] : [key])], zoom: [], part: null }, true),
        { id: 'group2' },
      ),
    menu('Colour by', colours, state.colour, (colour) => change({ colour: colour as ColourMode }), { id: 'colour' }),
    isDiff &&
      menu(
        'Colours',
        [
          { value: 'red-blue', text: 'red, blue' },
          { value: 'orange-blue', text: 'orange, blue (colour-blind)' },
        ],
        state.palette,
        (palette) => change({ palette: palette as State['palette'] }),
        { id: 'palette' },
      ),
    isDiff &&
      menu(
        'Width',
        [
          { value: 'both', text: 'both' },
          { value: 'before', text: 'before' },
          { value: 'after', text: 'after' },
        ],
        state.width,
        (width) => change({ width: width as State['width'] }),
        { id: 'width' },
      ),
    isDiff &&
      choice<string>(
        'comparison',
        [
          { value: 'normalised', text: 'Normalised', title: 'Shares of the totals are compared: a longer recording changes nothing' },
          { value: 'absolute', text: 'Absolute', title: 'Values are compared as they are' },
        ],
        state.normalised ? 'normalised' : 'absolute',
        (value) => change({ normalised: value === 'normalised' }),
      ),
    choice<string>(
      'direction',
      [
        { value: 'down', text: 'Icicle', title: 'Callers above (i)' },
        { value: 'up', text: 'Flame', title: 'Callers below (i)' },
      ],
      state.flame ? 'up' : 'down',
      (value) => change({ flame: value === 'up' }),
    ),
    button('Lines', 'A frame for each executing line of a function (l)', () => change({ lines: !state.lines, zoom: [], part: null }), {
      'aria-pressed': String(state.lines),
      class: 'toggle',
    }),
  ];
}

/** What is filtered, each with a way out, and how much of the profile is left. */
export function chips(scene: Scene, whole: number, rangeText: string | undefined, change: Change): Child[] {
  const { state } = scene;
  const chip = (text: string, title: string, onClick: () => void) =>
    h('button', { type: 'button', class: 'chip', title, onclick: onClick }, text, h('span', { 'aria-hidden': 'true' }, ' ×'));
  const list: Child[] = [];
  for (const [key, values] of state.filters) {
    const text = [...values].map((value) => (value === null ? NO_LABEL : shown(value, 40))).join(' or ');
    list.push(
      chip(`${shown(key, 40)}: ${text}`, 'Remove this filter', () => {
        const filters = new Map(state.filters);
        filters.delete(key);
        change({ filters }, true);
      }),
    );
  }
  if (rangeText !== undefined) list.push(chip(rangeText, 'Show the whole run', () => change({ range: null }, true)));
  const amount = scene.isDiff
    ? `before ${scene.value(scene.sideTotal(0))}, after ${scene.value(scene.sideTotal(1))}`
    : list.length > 0
      ? `${scene.value(scene.total)} of ${scene.value(whole)} (${share(scene.total, whole)})`
      : scene.value(scene.total);
  return [h('div', { class: 'chips' }, ...list), h('div', { class: 'amount', title: 'What the graph holds' }, amount)];
}

export function legend(entries: LegendEntry[], total: number): HTMLElement {
  const list = h('ul', { class: 'legend', 'aria-label': 'colours' });
  for (const { text, fill, self } of entries) {
    const swatch = h('span', { class: 'swatch' });
    swatch.style.backgroundColor = fill;
    list.appendChild(h('li', {}, swatch, text, self !== undefined && h('b', {}, ` ${share(self, total)}`)));
  }
  return list;
}

const KEYS: [string, string][] = [
  ['/', 'search; Enter goes to the next match, Escape ends it'],
  ['arrows', 'walk the frames; across parents with left and right'],
  ['Enter, click', 'zoom to the frame; with a finger: tap twice'],
  ['0', 'everything; Escape takes back one thing at a time'],
  ['+ −, Ctrl + wheel, two fingers', 'zoom freely; drag moves'],
  ['s', 'callers and callees of the function (sandwich)'],
  ['g', 'the whole graph'],
  ['c', 'copy the stack'],
  ['i', 'icicle or flame'],
  ['l', 'frames by line'],
  ['t', 'light or dark'],
];

export function helpDialog(): HTMLDialogElement {
  const dialog = h(
    'dialog',
    { class: 'help', 'aria-label': 'help' },
    h('h2', {}, 'Reading the graph'),
    h(
      'p',
      {},
      'A frame is a function in a stack, as wide as what it and all it called took. What it did itself is where no frame stands below it. Frames of less than a pixel are drawn together in grey.',
    ),
    h('p', {}, 'In the address stands what you look at: send the link with the file.'),
    h('dl', {}, ...KEYS.flatMap(([key, does]) => [h('dt', {}, key), h('dd', {}, does)])),
  );
  dialog.appendChild(button('Close', 'Close (Escape)', () => dialog.close()));
  return dialog;
}
