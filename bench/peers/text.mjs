// What was found, as text: tables for a terminal, or Markdown for docs/peers.md. Pure.

import { table } from '../lib/table.mjs';

export const machineLine = ({ node, model, cpus, kernel, load }) =>
  `Node ${node}, ${cpus} x ${model}, Linux ${kernel}, load average ${load.map((value) => value.toFixed(1)).join(' to ')}`;

const runsLine = ({ runs, seconds }) => `${runs} ${runs === 1 ? 'run' : 'runs'} of ${seconds} s each; median [least to most]`;

export function asText(shown) {
  return shown
    .map(({ title, program, truth, blind, columns, rows, asked }) =>
      [table(`${title} (${runsLine(asked)})`, columns, rows), `program: ${program}`, `truth: ${truth}`, `not seen: ${blind}`].join('\n'),
    )
    .join('\n\n');
}

// A cell must not end its column, start a tag or become a link, whatever a name holds.
const cell = (text) => text.replace(/[\\|`*_[\]<>]/g, '\\$&').replace(/\s+/g, ' ');
const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;

export function asMarkdown(shown, { machine, left }) {
  const parts = shown.map(({ title, program, truth, blind, columns, rows, asked }) =>
    [
      `### ${title}`,
      `${program} *Truth*: ${truth}. ${runsLine(asked)}.`,
      [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n'),
      `*What it can't see*: ${blind}`,
    ].join('\n\n'),
  );
  return [`${machineLine(machine)}.`, ...left, ...parts].join('\n\n');
}
