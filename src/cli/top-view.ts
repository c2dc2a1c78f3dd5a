// The state of `strobe top`'s screen and its lines, without a terminal: what keys do, which rows there are, how they are drawn.

import { labelKeys } from '../formats/labels';
import { buildReport, type Report } from '../formats/report';
import { grouped, humanise, percent } from '../formats/units';
import type { Profile } from '../pprof/schema';
import { cells, safe } from './cells';
import type { Key } from './terminal';

export const TABS = ['functions', 'threads', 'labels'] as const;
export type Tab = (typeof TABS)[number];
const SORTS = ['self', 'total', 'name'] as const;
const MAX_FILTER = 100;
const THREAD_LABELS = ['thread_name', 'thread_id'];
/** All of them: the list scrolls. */
const ALL = Number.MAX_SAFE_INTEGER;

const BOLD = '\x1b[1m';
const INVERSE = '\x1b[7m';
const DIM = '\x1b[2m';
const PLAIN = '\x1b[0m';

/** Lines that are no rows: two of facts, the tabs, the columns' heads, the keys. */
const FRAME_LINES = 5;
const MIN_COLUMNS = 40;
const MIN_ROWS = FRAME_LINES + 1;

const HELP = [
  'f functions   t threads   l labels; l again (or left, right) the next label',
  's             sort by self, total, name',
  '/             filter: names and files that hold a text; Enter keeps it, Escape drops it',
  'space         pause the screen; the process is recorded on',
  'arrows, PgUp, PgDn, Home, End   scroll',
  '?             this help; any key leaves it',
  'q, Ctrl-C     quit',
];

export interface Facts {
  pid: number;
  appName: string;
  mode: string;
  hz: number;
}

interface Row {
  self: number;
  total: number;
  name: string;
  place: string;
}

export class TopView {
  tab: Tab = 'functions';
  sort: (typeof SORTS)[number] = 'self';
  filter = '';
  paused = false;
  #editing = false;
  #help = false;
  #scroll = 0;
  #label: string | undefined;
  #labels: string[] = [];
  /** What is shown, and what came since, while paused. */
  #shown: Profile | undefined;
  #latest: Profile | undefined;
  #report: Report | undefined;
  #note = '';

  constructor(
    readonly facts: Facts,
    label?: string,
  ) {
    this.#label = label;
    if (label !== undefined) this.tab = 'labels';
  }

  update(profile: Profile): void {
    this.#latest = profile;
    if (!this.paused) this.#show(profile);
  }

  /** Stands at the place of the keys. */
  note(text: string): void {
    this.#note = text;
  }

  /** @returns false: quit */
  press(key: Key, rows: number): boolean {
    if (key === 'interrupt') return false;
    if (this.#help) {
      this.#help = false;
      return true;
    }
    if (this.#editing) {
      this.#edit(key);
      return true;
    }
    const page = Math.max(1, rows - FRAME_LINES);
    switch (key) {
      case 'up':
        return this.#move(-1, page);
      case 'down':
        return this.#move(1, page);
      case 'page-up':
        return this.#move(-page, page);
      case 'page-down':
        return this.#move(page, page);
      case 'home':
        return this.#move(-ALL, page);
      case 'end':
        return this.#move(ALL, page);
      case 'left':
      case 'right':
        if (this.tab === 'labels') this.#nextLabel(key === 'right' ? 1 : -1);
        return true;
      case 'escape':
        this.#setFilter('');
        return true;
      default:
        return typeof key === 'object' ? this.#letter(key.text) : true;
    }
  }

  #letter(text: string): boolean {
    switch (text) {
      case 'q':
        return false;
      case '?':
        this.#help = true;
        break;
      case ' ':
        this.paused = !this.paused;
        if (!this.paused && this.#latest) this.#show(this.#latest);
        break;
      case '/':
        this.#editing = true;
        break;
      case 's':
        this.sort = SORTS[(SORTS.indexOf(this.sort) + 1) % SORTS.length] as typeof this.sort;
        // Without functions, self and total are one.
        if (this.tab !== 'functions' && this.sort === 'total') this.sort = 'name';
        this.#scroll = 0;
        break;
      case 'f':
        this.#turnTo('functions');
        break;
      case 't':
        this.#turnTo('threads');
        break;
      case 'l':
        if (this.tab === 'labels') this.#nextLabel(1);
        else this.#turnTo('labels');
        break;
    }
    return true;
  }

  #edit(key: Key): void {
    if (key === 'enter') this.#editing = false;
    else if (key === 'escape') {
      this.#editing = false;
      this.#setFilter('');
    } else if (key === 'backspace') this.#setFilter([...this.filter].slice(0, -1).join(''));
    else if (typeof key === 'object' && this.filter.length < MAX_FILTER) this.#setFilter(this.filter + safe(key.text));
  }

  #setFilter(text: string): void {
    this.filter = text;
    this.#scroll = 0;
  }

  #turnTo(tab: Tab): void {
    this.tab = tab;
    this.#scroll = 0;
    this.#build();
  }

  #nextLabel(step: number): void {
    const count = this.#labels.length;
    if (count === 0) return;
    const at = this.#labels.indexOf(this.#label ?? '');
    this.#label = this.#labels[(Math.max(at, 0) + step + count) % count];
    this.#scroll = 0;
    this.#build();
  }

  #move(by: number, page: number): true {
    const most = Math.max(0, this.#rows().length - page);
    this.#scroll = Math.min(most, Math.max(0, Math.min(this.#scroll, most) + by));
    return true;
  }

  #show(profile: Profile): void {
    this.#shown = profile;
    this.#labels = labelKeys(profile).filter((key) => !THREAD_LABELS.includes(key));
    this.#label ??= this.#labels[0];
    this.#build();
  }

  #build(): void {
    if (!this.#shown) return;
    const by = this.tab === 'labels' ? this.#label : undefined;
    this.#report = buildReport(this.#shown, { top: ALL, ...(by === undefined ? {} : { by }) });
  }

  #rows(): Row[] {
    if (!this.#report) return [];
    const { functions, threads, groups } = this.#report;
    let rows: Row[];
    if (this.tab === 'functions') {
      rows = functions.map(({ self, total, name, file, line }) => ({
        self,
        total,
        name,
        place: file && (line ? `${file}:${line}` : file),
      }));
    } else if (this.tab === 'threads') {
      rows = threads.map(({ name, id, value }) => ({ self: value, total: value, name: id === null ? name : `${name} (${id})`, place: '' }));
    } else {
      rows = (groups?.rows ?? []).map(({ value, total, topFunction }) => ({
        self: total,
        total,
        name: value ?? '(no such label)',
        place: `most in ${topFunction}`,
      }));
    }
    const wanted = this.filter.toLowerCase();
    if (wanted !== '') rows = rows.filter(({ name, place }) => `${name}\n${place}`.toLowerCase().includes(wanted));
    if (this.sort === 'name') rows.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    else if (this.sort === 'total') rows.sort((a, b) => b.total - a.total || b.self - a.self);
    return rows;
  }

  /** The screen's lines. */
  lines(columns: number, rows: number): string[] {
    if (columns < MIN_COLUMNS || rows < MIN_ROWS) return [cells(`strobe top needs ${MIN_COLUMNS} x ${MIN_ROWS}`, columns)];
    const lines = [this.#title(columns), cells(this.#summary(), columns), this.#tabs(columns)];
    const room = rows - FRAME_LINES;
    if (this.#help) return [...lines, '', ...HELP.slice(0, room).map((line) => cells(line, columns))];
    const all = this.#rows();
    this.#scroll = Math.min(this.#scroll, Math.max(0, all.length - room));
    lines.push(`${INVERSE}${this.#heads(columns)}${PLAIN}`);
    for (const row of all.slice(this.#scroll, this.#scroll + room)) lines.push(this.#row(row, columns));
    while (lines.length < rows - 1) lines.push('');
    lines.push(this.#bottom(all.length, room, columns));
    return lines;
  }

  #title(columns: number): string {
    const { pid, appName, mode, hz } = this.facts;
    const name = appName === '' ? '' : ` (${appName})`;
    const text = `strobe top: process ${pid}${name}, ${mode} at ${Number(hz.toFixed(1))} Hz${this.paused ? '  PAUSED' : ''}`;
    return `${BOLD}${cells(text, columns)}${PLAIN}`;
  }

  #summary(): string {
    if (!this.#report) return 'the first samples are on their way';
    const { sampleType, total, idle, samples, durationNanos, engine } = this.#report;
    const parts = [`${sampleType.type}: ${humanise(total - idle, sampleType.unit)}`];
    if (durationNanos > 0) {
      parts[0] += ` in ${humanise(durationNanos, 'nanoseconds')}`;
      if (sampleType.type === 'cpu') parts[0] += ` (${percent(total, durationNanos)} of one core)`;
    }
    if (samples !== null) parts.push(`${grouped(samples)} samples`);
    if (idle > 0) parts.push(`idle ${humanise(idle, sampleType.unit)} beside it`);
    if (engine.lost) parts.push(`LOST ${grouped(engine.lost)} samples`);
    return parts.join(', ');
  }

  #tabs(columns: number): string {
    const label = this.#label === undefined ? 'labels' : `labels: ${this.#label}`;
    const names: Record<Tab, string> = { functions: 'functions', threads: 'threads', labels: label };
    const filter = this.#editing || this.filter !== '' ? `  filter: ${this.filter}${this.#editing ? '_' : ''}` : '';
    const text = `${TABS.map((tab) => (tab === this.tab ? `[${names[tab]}]` : ` ${names[tab]} `)).join(' ')}  sort: ${this.#sortName()}${filter}`;
    return cells(text, columns);
  }

  #sortName(): string {
    return this.tab !== 'functions' && this.sort !== 'name' ? 'value' : this.sort;
  }

  #heads(columns: number): string {
    if (this.tab === 'functions')
      return cells(`${' self %'} ${'self'.padStart(9)} total %  ${this.#names('function', 'file:line', columns - 27)}`, columns);
    return cells(
      `${'value %'} ${'value'.padStart(9)}  ${this.#names(this.tab === 'threads' ? 'thread' : (this.#label ?? 'label'), '', columns - 19)}`,
      columns,
    );
  }

  /** Two columns: names are read from their beginning, paths from their end. */
  #names(name: string, place: string, width: number): string {
    const first = Math.max(12, Math.floor(width * 0.45));
    const shown = place.startsWith('most in ') ? cells(place, width - first - 1) : cells(place, width - first - 1, 'start');
    return `${cells(name, first)} ${place.length < width - first ? cells(place, width - first - 1) : shown}`;
  }

  #row({ self, total, name, place }: Row, columns: number): string {
    const { sampleType, total: all, idle } = this.#report as Report;
    const value = humanise(self, sampleType.unit).padStart(9);
    const share = percent(self, all - idle).padStart(7);
    if (this.tab === 'functions')
      return `${share} ${value} ${percent(total, all - idle).padStart(7)}  ${this.#names(name, place, columns - 27)}`;
    return `${share} ${value}  ${this.#names(name, place, columns - 19)}`;
  }

  #bottom(count: number, room: number, columns: number): string {
    if (this.#note !== '') return `${BOLD}${cells(this.#note, columns)}${PLAIN}`;
    const range =
      count > room ? `${this.#scroll + 1}-${Math.min(count, this.#scroll + room)} of ${count}` : `${count} row${count === 1 ? '' : 's'}`;
    const empty = this.tab === 'labels' && this.#report && this.#labels.length === 0 ? 'no sample carries labels (withLabels); ' : '';
    return `${DIM}${cells(`${empty}${range}   f t l tabs  s sort  / filter  space pause  ? help  q quit`, columns)}${PLAIN}`;
  }
}
