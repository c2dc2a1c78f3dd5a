// Reports and comparisons as Markdown: for pull requests, and compact enough for language models. Names are a stranger's: each stands in a code span that it
// cannot leave, whatever backticks, pipes, HTML, links, mentions or line ends it has; controls and marks that turn the writing are shown as escapes.

import type { Diff } from './diff';
import { mark, shownChange, shownSamples, shownValue } from './diff-text';
import { plainFile } from './kind';
import type { Report } from './report';
import type { HeavyStack } from './stacks';
import { grouped, humanise, percent } from './units';

const MOST_NAME = 120;
/** Frames of a stack that are written; more are counted. */
const MOST_FRAMES = 12;

/** Controls, marks without width or that turn the writing, half surrogates. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A code span, also right inside a table. '' for ''. */
export function codeSpan(text: string): string {
  const clean = text
    .replace(/[\r\n\t]+/g, ' ')
    .replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const cut = clean.length > MOST_NAME ? `${[...clean].slice(0, MOST_NAME).join('')}…` : clean;
  if (cut.trim() === '') return '';
  // A fence longer than any run of backticks inside. A table's pipe is cut before code spans are read, so it is escaped also there.
  const longest = Math.max(0, ...[...cut.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = /^`|`$|^ .* $/.test(cut) ? ' ' : '';
  return `${fence}${pad}${cut.replaceAll('|', '\\|')}${pad}${fence}`;
}

function place(file: string, line: number, hotLine = 0): string {
  const path = plainFile(file);
  if (path === '') return '';
  return codeSpan(`${path}${line > 0 ? `:${line}` : ''}${hotLine > 0 && hotLine !== line ? ` (${hotLine})` : ''}`);
}

function table(head: string[], rows: string[][], left: number[]): string[] {
  const rule = head.map((_, i) => (left.includes(i) ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

/** @param stacks the heaviest, heaviest first */
export function reportMarkdown(report: Report, title: string, stacks: HeavyStack[]): string {
  const { type, unit } = report.sampleType;
  const busy = report.total - report.idle;
  const facts = [`**${codeSpan(type) || 'value'}: ${humanise(busy, unit)}**`];
  if (report.durationNanos > 0) facts.push(`in ${humanise(report.durationNanos, 'nanoseconds')}`);
  if (report.idle > 0) facts.push(`(idle beside it: ${humanise(report.idle, unit)})`);
  if (report.samples !== null) facts.push(`· ${grouped(report.samples)} samples`);
  const lost = report.engine.lost ?? 0;
  if (lost > 0) facts.push(`· **${grouped(lost)} lost**`);
  const lines = [`### ${codeSpan(title)}`, '', facts.join(' ')];
  if (report.filters.length > 0) lines.push('', `only ${report.filters.map(({ key, value }) => codeSpan(`${key}=${value}`)).join(', ')}`);
  lines.push(
    '',
    ...table(
      ['self', '%', 'total', '%', 'function', 'file:line (hottest line)'],
      report.functions.map((row) => [
        humanise(row.self, unit),
        percent(row.self, busy),
        humanise(row.total, unit),
        percent(row.total, busy),
        codeSpan(row.name),
        place(row.file, row.line, row.hotLine),
      ]),
      [4, 5],
    ),
  );
  if (report.functionsLeftOut > 0) lines.push('', `${grouped(report.functionsLeftOut)} more functions.`);
  if (stacks.length > 0) {
    lines.push('', 'Heaviest stacks, outermost first:', '');
    for (const { value, frames } of stacks) lines.push(`- ${percent(value, busy)} ${shortened(frames)}`);
  }
  if (report.threads.length > 1) {
    const rows = report.threads.map(({ name, id, value }) => [
      humanise(value, unit),
      percent(value, busy),
      codeSpan(id === null ? name : `${name} (${id})`),
    ]);
    lines.push('', ...table(['value', '%', 'thread'], rows, [2]));
  }
  if (report.groups) {
    const rows = report.groups.rows.map(({ value, total, topFunction }) => [
      humanise(total, unit),
      percent(total, busy),
      value === null ? '(no such label)' : codeSpan(value),
      codeSpan(topFunction),
    ]);
    lines.push('', ...table(['value', '%', codeSpan(report.groups.label), 'most in'], rows, [2, 3]));
    if (report.groups.rowsLeftOut > 0) lines.push('', `${grouped(report.groups.rowsLeftOut)} more values.`);
  }
  return `${lines.join('\n')}\n`;
}

/** The middle of a deep stack says least. */
function shortened(frames: string[]): string {
  const spans = frames.map((name) => codeSpan(name) || '` `');
  if (spans.length <= MOST_FRAMES) return spans.join(' → ');
  const outer = MOST_FRAMES / 3;
  const inner = MOST_FRAMES - outer;
  return [...spans.slice(0, outer), `… ${spans.length - MOST_FRAMES} more …`, ...spans.slice(spans.length - inner)].join(' → ');
}

/** @param names of both files */
export function diffMarkdown(diff: Diff, names: { before: string; after: string }): string {
  const { type, unit } = diff.sampleType;
  const side = ({ total, samples }: Diff['before']) => `${humanise(total, unit)}${samples === null ? '' : `, ${grouped(samples)} samples`}`;
  const lines = [
    `### ${codeSpan(names.before)} → ${codeSpan(names.after)}`,
    '',
    `${codeSpan(type) || 'value'}: ${side(diff.before)} → ${side(diff.after)}. ${diff.absolute ? 'Values as they are.' : 'Shares of the whole; changes in percentage points.'} \`~\`: sampling alone may explain it.`,
  ];
  if (diff.filters.length > 0) lines.push('', `only ${diff.filters.map(({ key, value }) => codeSpan(`${key}=${value}`)).join(', ')}`);
  lines.push(
    '',
    ...table(
      ['self', 'change', 'total', 'change', 'samples', 'function', 'file'],
      diff.functions.map(({ name, file, line, self, total }) => [
        shownValue(diff, self, 'after'),
        escapeMark(mark(self)) + shownChange(diff, self),
        shownValue(diff, total, 'after'),
        escapeMark(mark(total)) + shownChange(diff, total),
        shownSamples(total).replace('->', '→'),
        codeSpan(name),
        place(file, line),
      ]),
      [5, 6],
    ),
  );
  if (diff.functionsLeftOut > 0) lines.push('', `${grouped(diff.functionsLeftOut)} more functions.`);
  if (diff.groups) {
    const rows = diff.groups.rows.map((group) => [
      shownValue(diff, group, 'before'),
      shownValue(diff, group, 'after'),
      escapeMark(mark(group)) + shownChange(diff, group),
      group.value === null ? '(no such label)' : codeSpan(group.value),
    ]);
    lines.push('', ...table(['before', 'after', 'change', codeSpan(diff.groups.label)], rows, [3]));
  }
  return `${lines.join('\n')}\n`;
}

/** Two tildes in one cell would strike it through. */
function escapeMark(text: string): string {
  return text.replace('~', '\\~');
}
