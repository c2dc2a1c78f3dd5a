// What was found, as one HTML page: no request, no script, light and dark, readable from 360 px on. Pure.
//
// Contract: page(shown, { machine, left, date }) takes what cases.mjs shows; every text in it is text, whatever it holds. Bars are plain boxes: a scale from 0 to the
// largest figure or the mark, a line where the truth is, a thin line for the range of the runs.

import { machineLine } from './text.mjs';

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text) => String(text).replace(/[&<>"']/g, (character) => escapes[character]);
/** A figure stays beside its unit at the end of a line. */
const unbroken = (text) => text.replace(/(\d) (?=%|ms\b|points\b|k?Hz\b)/g, '$1\u00a0');
/** A length as CSS wants it; a figure that is none has no length. */
const length = (ratio) => `${(Number.isFinite(ratio) ? Math.min(1, Math.max(0, ratio)) * 100 : 0).toFixed(2)}%`;
const figure = (value) => (Number.isFinite(value) ? value.toFixed(Math.abs(value) < 100 ? 1 : 0) : '-');
const isOurs = (label) => label.startsWith('strobe');

const STYLE = `
:root { color-scheme: light dark; --page: #fff; --text: #1c1e21; --soft: #5d636b; --line: #d8dce1; --track: #eef0f3; --ours: #1767c4; --peer: #8a929c; --mark: #b3261e;
  --s0: #1767c4; --s1: #d9822b; --s2: #9aa2ac; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --text: #e8eaed; --soft: #a2a9b3; --line: #363b43; --track: #22262c; --ours: #6aaef5; --peer: #868e99;
  --mark: #ff8a80; --s0: #6aaef5; --s1: #eda55a; --s2: #6f7782; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .5rem; }
section { margin-top: 2.25rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
p { margin: .4rem 0; } .soft { color: var(--soft); font-size: .9rem; } .soft b { font-weight: 600; color: var(--text); }
.plot { margin: 1rem 0; } .unit { color: var(--soft); font-size: .85rem; margin-bottom: .4rem; }
.row { display: grid; grid-template-columns: 13rem 1fr 4rem; gap: 0 .75rem; align-items: center; margin: .3rem 0; font-size: .9rem; }
.row .value { text-align: right; font-variant-numeric: tabular-nums; }
.track { position: relative; display: flex; height: 1.15rem; background: var(--track); border-radius: 3px; }
.bar { height: 100%; background: var(--peer); border-radius: 3px; } .ours .bar { background: var(--ours); } .ours .name { font-weight: 600; }
.range { position: absolute; top: 50%; height: 2px; margin-top: -1px; background: var(--text); opacity: .6; }
.mark { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px; margin-left: -1px; background: var(--mark); }
.part { height: 100%; } .part:first-child { border-radius: 3px 0 0 3px; } .part:last-child { border-radius: 0 3px 3px 0; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .35em 0 .9em; vertical-align: -.05em; } .key:first-child { margin-left: 0; }
.key.line { width: 2px; height: 1em; border-radius: 0; background: var(--mark); vertical-align: -.15em; }
.c0 { background: var(--s0); } .c1 { background: var(--s1); } .c2 { background: var(--s2); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; margin: 1rem 0 .75rem; }
th, td { text-align: right; padding: .4rem .5rem; border-bottom: 1px solid var(--line); vertical-align: bottom; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } thead th { color: var(--soft); font-weight: 500; } tr.ours td, tr.ours th { font-weight: 600; }
tbody th { font-weight: 400; }
@media (max-width: 640px) {
  .row { grid-template-columns: 1fr auto; } .row .track { grid-column: 1 / -1; } .row .name { grid-column: 1; } .row .value { grid-row: 1; grid-column: 2; }
  table, tbody, tr, td, tbody th { display: block; } thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .6rem 0; } th, td { border: 0; }
  tbody th, td:first-child { padding: 0 0 .2rem; font-weight: 600; }
  td { display: grid; grid-template-columns: 1fr auto; gap: 1rem; text-align: right; padding: .1rem 0; } td::before { content: attr(data-column); color: var(--soft); text-align: left; font-weight: 400; }
  td:empty { display: none; }
}`;

function barRow({ label, value, low, high }, top, mark) {
  const range = high > low ? `<span class="range" style="left:${length(low / top)};width:${length((high - low) / top)}"></span>` : '';
  return `<div class="row${isOurs(label) ? ' ours' : ''}"><span class="name">${escaped(label)}</span><span class="track"><span class="bar" style="width:${length(value / top)}"></span>${range}<span class="mark" style="left:${length(mark / top)}"></span></span><span class="value">${figure(value)}</span></div>`;
}

function bars({ unit, mark, rows }) {
  const top = Math.max(mark, ...rows.flatMap(({ value, high }) => [value, high]).filter(Number.isFinite)) * 1.02;
  return `<div class="plot"><div class="unit">${escaped(unit)} &nbsp;<span class="key line"></span>truth</div>${rows.map((row) => barRow(row, top, mark)).join('')}</div>`;
}

function stackRow({ label, values }, series) {
  const parts = values.map(
    (value, at) =>
      `<span class="part c${at}" style="width:${length(value)}" title="${escaped(`${series[at]}: ${figure(100 * value)} %`)}"></span>`,
  );
  return `<div class="row${isOurs(label) ? ' ours' : ''}"><span class="name">${escaped(label)}</span><span class="track">${parts.join('')}</span><span class="value">${figure(100 * values[0])} %</span></div>`;
}

function stacks({ unit, series, rows }) {
  const keys = series.map((name, at) => `<span class="key c${at}"></span>${escaped(name)}`).join('');
  return `<div class="plot"><div class="unit">${escaped(unit)}; the number is the first part</div><div class="unit">${keys}</div>${rows.map((row) => stackRow(row, series)).join('')}</div>`;
}

function grid(columns, rows) {
  const head = columns.map((name) => `<th scope="col">${escaped(name)}</th>`).join('');
  const body = rows.map(([label, ...cells]) => {
    const rest = cells.map((text, at) => `<td data-column="${escaped(columns[at + 1])}">${escaped(unbroken(text))}</td>`).join('');
    return `<tr${isOurs(label) ? ' class="ours"' : ''}><th scope="row">${escaped(unbroken(label))}</th>${rest}</tr>`;
  });
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

function section({ id, title, program, truth, blind, columns, rows, plot, asked }) {
  return `<section id="${escaped(id)}"><h2>${escaped(title)}</h2>
<p>${escaped(program)}</p>
${plot.kind === 'bars' ? bars(plot) : stacks(plot)}
${grid(columns, rows)}
<p class="soft"><b>Truth:</b> ${escaped(truth)}. Median of ${asked.runs} ${asked.runs === 1 ? 'run' : 'runs'} of ${asked.seconds} s each [least to most].</p>
<p class="soft"><b>What it can't see:</b> ${escaped(blind)}</p></section>`;
}

export function page(shown, { machine, left, date }) {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>The same program under each profiler</title><style>${STYLE}</style></head><body>
<h1>The same program under each profiler</h1>
<p>Five programs that know the truth about themselves, each run in a fresh process under each profiler, set up the way its vendor sets it up.</p>
<p class="soft">${escaped(machineLine(machine))}. ${escaped(date)}. Made by <code>npm run bench:peers</code>.</p>
${left.map((why) => `<p class="soft">${escaped(why)}</p>`).join('\n')}
${shown.map(section).join('\n')}
</body></html>
`;
}
