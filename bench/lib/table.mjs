// Text tables: first column left, the others right; widths in characters.
//
// Contract: returns a string without a newline at the end; cells are strings, missing ones are empty.

export function table(title, header, rows) {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const text = (line) =>
    header
      .map((_, column) => (column === 0 ? (line[column] ?? '').padEnd(widths[column]) : (line[column] ?? '').padStart(widths[column])))
      .join('  ')
      .trimEnd();
  return [title, text(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(text)].join('\n');
}

export const ms = (value) => (Number.isFinite(value) ? `${value.toFixed(Math.abs(value) < 10 ? 2 : 1)} ms` : '-');
export const percent = (ratio) => (Number.isFinite(ratio) ? `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(2)} %` : '-');
export const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : '-');
/** "median [low to high]" */
export const interval = ({ median, low, high }, show) => `${show(median)} [${show(low)} to ${show(high)}]`;
