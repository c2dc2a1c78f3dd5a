// The suite's report as docs/benchmarks.md. Contract: markdownReport(record, file) gives the page (`file`: as --markdown named it); names and messages are data, and never a table's or a tag's signs.

import { describe } from '../lib/machine.mjs';
import { columnsOf, rowsOf, titleOf, whenOf, whereTable } from './report-text.mjs';
import { OFF, VARIANTS } from './variants.mjs';
import { WORKLOADS } from './workloads.mjs';

const plain = (text) => String(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (cells) => `| ${cells.map(plain).join(' | ')} |`;

const grid = (columns, rows) => [
  row(['', ...columns]),
  `|---|${columns.map(() => '--:|').join('')}`,
  ...rows.map(({ label, cells }) => row([label, ...cells])),
];

function section([workload, one]) {
  const columns = columnsOf(workload);
  const where = whereTable(one);
  const left = Object.entries(one.failed ?? {}).map(([name, why]) => `\nLeft out: ${plain(VARIANTS[name]?.label ?? name)}: ${plain(why)}`);
  return [
    `## ${workload}`,
    '',
    [titleOf(workload, one), whenOf(one)]
      .filter(Boolean)
      .map((text) => `${plain(text)}.`)
      .join(' '),
    '',
    ...grid(
      columns.map(([title]) => title),
      rowsOf(workload, one.figures),
    ),
    ...(where ? ['', `${plain(where.title)}:`, '', ...grid(where.columns, where.rows)] : []),
    ...left,
  ].join('\n');
}

/** The command whose options make this page again. */
function command({ size, pairs, scale, workloads }, file) {
  const names = new Set(Object.values(workloads).flatMap(({ figures }) => Object.keys(figures.variants)));
  const variants = Object.keys(VARIANTS).filter((name) => names.has(name) && !OFF.includes(name));
  const some = Object.keys(WORKLOADS).some((name) => !Object.hasOwn(workloads, name))
    ? ` --workload ${Object.keys(workloads).join(',')}`
    : '';
  const parts = [
    size === 'normal' ? '' : `--${size} `,
    `--pairs ${pairs} --scale ${scale} --variant ${variants.join(',')}`,
    some,
    file ? ` --markdown ${file}` : '',
  ];
  return `npm run bench -- ${parts.join('')}`;
}

export function markdownReport(record, file) {
  const { machine, pairs, verdicts, workloads, leftOut = [] } = record;
  // Of all pieces, whoever measured them.
  const hours = Object.values(workloads).reduce((sum, { at }) => sum + (at?.seconds ?? 0), 0) / 3600;
  return `${[
    '# Benchmarks',
    '',
    `Written by \`${plain(command(record, file))}\`; how each figure is measured, what it can not see, and why lines are missed: [the bench](bench.md).`,
    '',
    `Machine: ${plain(describe(machine))}. ${plain(machine.date.slice(0, 10))}, ${pairs} rounds, ${hours.toFixed(1)} h.`,
    ...leftOut.map((why) => `\n${plain(why)}`),
    '',
    '## Verdicts',
    '',
    row(['verdict', 'workload', 'claim', 'measured']),
    '|---|---|---|---|',
    ...verdicts.map(({ workload, claim, verdict, why }) => row([verdict, workload, claim, why])),
    '',
    Object.entries(workloads).map(section).join('\n\n'),
  ].join('\n')}\n`;
}
