// A comparison for people: what grew and what shrank, largest first, in at most 110 columns. What sampling alone may explain stands below, so that the eye finds only
// what the samples show.

import type { Change, Diff, FunctionChange } from './diff';
import { plainFile } from './kind';
import { fitEnd, fitStart, grouped, humanise, percent, printable } from './units';

const NUMBER_WIDTH = 9;
const NAME_WIDTH = 30;
const FILE_WIDTH = 34;

/** @param names of both files */
export function diffText(diff: Diff, names: { before: string; after: string }): string {
  const lines = heading(diff, names);
  const shown = diff.functions.filter((row) => row.self.significant !== false || row.total.significant !== false);
  const noise = diff.functions.filter((row) => !shown.includes(row));
  if (diff.functions.length === 0) lines.push('', 'no function has a value in either profile');
  if (shown.length > 0) lines.push('', ...functionTable(diff, shown));
  if (noise.length > 0) lines.push('', 'within what sampling alone explains:', ...functionTable(diff, noise));
  if (diff.functionsLeftOut > 0)
    lines.push(`${grouped(diff.functionsLeftOut)} more functions: --top ${diff.functions.length + diff.functionsLeftOut} shows all`);
  if (diff.groups) lines.push('', ...groupTable(diff, diff.groups));
  return `${lines.join('\n')}\n`;
}

function heading(diff: Diff, names: { before: string; after: string }): string[] {
  const { type, unit } = diff.sampleType;
  const line = (word: string, name: string, { total, samples, durationNanos }: Diff['before']) =>
    `${word} ${humanise(total, unit).padStart(NUMBER_WIDTH)}${durationNanos > 0 ? ` in ${humanise(durationNanos, 'nanoseconds')}` : ''}${samples === null ? '' : `, ${grouped(samples)} samples`}  ${fitEnd(printable(name), 60)}`;
  const lines = [
    `${type}: ${diff.absolute ? 'values as they are' : 'shares of the whole, changes in percentage points'}`,
    line('before', names.before, diff.before),
    line('after ', names.after, diff.after),
  ];
  if (diff.filters.length > 0) lines.push(printable(`only ${diff.filters.map(({ key, value }) => `${key}=${value}`).join(', ')}`));
  if (diff.before.samples === null || diff.after.samples === null)
    lines.push('the profiles do not say how many samples stand behind a value: no difference is judged');
  return lines;
}

/** `12.3%`, or the value. */
export function shownValue(diff: Diff, { before, after, beforeShare, afterShare }: Change, side: 'before' | 'after'): string {
  if (diff.absolute) return humanise(side === 'before' ? before : after, diff.sampleType.unit);
  return percent(side === 'before' ? beforeShare : afterShare, 1);
}

/** `+1.2`, percentage points or the value. */
export function shownChange(diff: Diff, { change }: Change): string {
  const sign = change > 0 ? '+' : change < 0 ? '-' : ' ';
  return `${sign}${diff.absolute ? humanise(Math.abs(change), diff.sampleType.unit) : (100 * Math.abs(change)).toFixed(1)}`;
}

/** Marks what is not judged, or not significant. */
export function mark({ significant }: Change): string {
  return significant === false ? '~' : '';
}

/** `12 -> 340`: samples behind both sides. */
export function shownSamples({ beforeSamples, afterSamples }: Change): string {
  return beforeSamples === null || afterSamples === null ? '' : `${grouped(beforeSamples)} -> ${grouped(afterSamples)}`;
}

function functionTable(diff: Diff, rows: FunctionChange[]): string[] {
  const nameWidth = Math.min(
    NAME_WIDTH,
    rows.reduce((most, { name }) => Math.max(most, name.length), 8),
  );
  const row = (cells: string[], samples: string, name: string, file: string) =>
    `${cells.map((cell) => cell.padStart(NUMBER_WIDTH)).join(' ')}  ${samples.padStart(15)}  ${fitStart(printable(name), nameWidth).padEnd(nameWidth)}  ${fitEnd(printable(file), FILE_WIDTH)}`.trimEnd();
  const lines = [row(['self', 'change', 'total', 'change'], 'samples', 'function', 'file')];
  for (const func of rows) {
    const { self, total } = func;
    lines.push(
      row(
        [
          shownValue(diff, self, 'after'),
          mark(self) + shownChange(diff, self),
          shownValue(diff, total, 'after'),
          mark(total) + shownChange(diff, total),
        ],
        shownSamples(total),
        func.name,
        place(func),
      ),
    );
  }
  return lines;
}

function place({ file, line, self, total }: FunctionChange): string {
  const path = plainFile(file);
  const where = path === '' || line === 0 ? path : `${path}:${line}`;
  if (total.before === 0 && self.before === 0) return `${where} (new)`.trim();
  return total.after === 0 && self.after === 0 ? `${where} (gone)`.trim() : where;
}

function groupTable(diff: Diff, { label, rows, rowsLeftOut }: NonNullable<Diff['groups']>): string[] {
  const row = (cells: string[], samples: string, name: string) =>
    `${cells.map((cell) => cell.padStart(NUMBER_WIDTH)).join(' ')}  ${samples.padStart(15)}  ${fitStart(printable(name), 50)}`.trimEnd();
  const lines = [row(['before', 'after', 'change'], 'samples', label)];
  for (const group of rows) {
    const cells = [shownValue(diff, group, 'before'), shownValue(diff, group, 'after'), mark(group) + shownChange(diff, group)];
    lines.push(row(cells, shownSamples(group), group.value ?? '(no such label)'));
  }
  if (rowsLeftOut > 0)
    lines.push(`${grouped(rowsLeftOut)} more values of ${printable(label)}: --top ${rows.length + rowsLeftOut} shows all`);
  return lines;
}
