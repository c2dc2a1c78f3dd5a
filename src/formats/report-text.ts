// A report for people: aligned columns, at most 100 wide, names cut where they say least (a path at its beginning). No colour: it goes to files too.

import { plainFile } from './kind';
import type { FunctionRow, Report } from './report';
import { fitEnd, fitStart, grouped, humanise, percent, printable } from './units';

const WIDTH = 100;
const VALUE_WIDTH = 9;
const PERCENT_WIDTH = 6;
// Two value columns with their percents, and a space after each.
const NUMBERS_WIDTH = 2 * (VALUE_WIDTH + 1 + PERCENT_WIDTH + 2);
const NAME_WIDTH = 28;
const FILE_WIDTH = WIDTH - NUMBERS_WIDTH - NAME_WIDTH - 2;
const GROUP_WIDTH = 40;
const LOSSES = ['lost', 'truncated', 'unresolved_frames', 'source_maps_failed', 'source_maps_stale', 'source_map_frames_skipped'];

/** @param title what the report is of: the file's name */
export function reportText(report: Report, title: string): string {
  const lines = [...heading(report, title), '', ...functionTable(report)];
  if (report.threads.length > 0) lines.push('', ...threadTable(report));
  if (report.groups) lines.push('', ...groupTable(report, report.groups));
  return `${lines.join('\n')}\n`;
}

function heading(report: Report, title: string): string[] {
  const { type, unit } = report.sampleType;
  const { timeUnixMs, durationNanos, samples, engine } = report;
  const facts = [`${type}: ${humanise(report.total - report.idle, unit)}`];
  if (durationNanos > 0) {
    facts.push(`in ${humanise(durationNanos, 'nanoseconds')}`);
    if (unit === 'nanoseconds' && type !== 'wall') facts.push(`(${percent(report.total, durationNanos)} of one core)`);
  }
  const lines = [fitEnd(printable(title), WIDTH), facts.join(' ') + (samples === null ? '' : `, ${grouped(samples)} samples`)];
  // Date takes no more than 8.64e15 ms.
  if (timeUnixMs > 0 && timeUnixMs < 8.64e15) lines[1] += `, from ${new Date(timeUnixMs).toISOString()}`;
  if (report.idle > 0)
    lines.push(`idle: ${humanise(report.idle, unit)} (${percent(report.idle, report.total)}) beside it; shares below are of the rest`);
  if (report.filters.length > 0) {
    const wanted = report.filters.map(({ key, value }) => `${key}=${value}`).join(', ');
    lines.push(printable(`only ${wanted}: ${percent(report.total, report.profileTotal)} of ${humanise(report.profileTotal, unit)}`));
  }
  // Loss is data: what was not recorded stands at the top, or nowhere when there was none.
  const losses = LOSSES.filter((name) => engine[name]);
  if (losses.length > 0)
    lines.push(`attention: ${losses.map((name) => `${name.replaceAll('_', ' ')} ${grouped(engine[name] ?? 0)}`).join(', ')}`);
  return lines;
}

function functionTable(report: Report): string[] {
  if (report.functions.length === 0) return [report.idle > 0 ? 'nothing but idle' : 'no samples'];
  const nameWidth = Math.min(NAME_WIDTH, longest(report.functions.map(({ name }) => name)));
  const fileWidth = FILE_WIDTH + NAME_WIDTH - nameWidth;
  const row = (self: string, selfPercent: string, total: string, totalPercent: string, name: string, file: string) =>
    `${self.padStart(VALUE_WIDTH)} ${selfPercent.padStart(PERCENT_WIDTH)}  ${total.padStart(VALUE_WIDTH)} ${totalPercent.padStart(PERCENT_WIDTH)}  ${fitStart(printable(name), nameWidth).padEnd(nameWidth)}  ${fitEnd(printable(file), fileWidth)}`.trimEnd();
  const { unit } = report.sampleType;
  const busy = report.total - report.idle;
  const lines = [row('self', '', 'total', '', 'function', 'file:line (hottest line)')];
  for (const func of report.functions) {
    lines.push(
      row(
        humanise(func.self, unit),
        percent(func.self, busy),
        humanise(func.total, unit),
        percent(func.total, busy),
        func.name,
        place(func),
      ),
    );
  }
  if (report.functionsLeftOut > 0)
    lines.push(`${grouped(report.functionsLeftOut)} more functions: --top ${report.functions.length + report.functionsLeftOut} shows all`);
  return lines;
}

/** `file:line`, the function's own line, and in brackets the line inside it with most self value. */
function place({ file, line, hotLine }: FunctionRow): string {
  const path = plainFile(file);
  if (path === '') return '';
  const own = line === 0 ? path : `${path}:${line}`;
  return hotLine === 0 || hotLine === line ? own : `${own} (${hotLine})`;
}

function threadTable(report: Report): string[] {
  return valueTable(
    'thread',
    report.threads.map(({ name, id, value }) => ({ name: id === null ? name : `${name} (${id})`, value, note: '' })),
    report,
  );
}

function groupTable(report: Report, { label, rows, rowsLeftOut }: NonNullable<Report['groups']>): string[] {
  const lines = valueTable(
    label,
    rows.map(({ value, total, topFunction }) => ({ name: value ?? '(no such label)', value: total, note: `most in ${topFunction}` })),
    report,
  );
  if (rowsLeftOut > 0)
    lines.push(`${grouped(rowsLeftOut)} more values of ${printable(label)}: --top ${rows.length + rowsLeftOut} shows all`);
  return lines;
}

function valueTable(heading: string, rows: { name: string; value: number; note: string }[], { sampleType, total, idle }: Report): string[] {
  const width = Math.min(GROUP_WIDTH, longest(rows.map(({ name }) => name)));
  return [
    `${'value'.padStart(VALUE_WIDTH)} ${''.padStart(PERCENT_WIDTH)}  ${printable(heading)}`,
    ...rows.map(({ name, value, note }) =>
      fitStart(
        `${humanise(value, sampleType.unit).padStart(VALUE_WIDTH)} ${percent(value, total - idle).padStart(PERCENT_WIDTH)}  ${fitStart(printable(name), width).padEnd(width)}  ${printable(note)}`.trimEnd(),
        WIDTH,
      ),
    ),
  ];
}

/** Not `Math.max(...)`: a list of 200 000 arguments overflows the stack. */
function longest(texts: string[]): number {
  return texts.reduce((most, text) => Math.max(most, text.length), 'function'.length);
}
