// The suite's report as one page that stands alone: no script, no request, light and dark by the reader's setting, narrow screens too.
//
// Contract: htmlReport(record) gives the page as a string; `record` is what --json writes. Every text in it is data: names and messages of whatever was
// measured are escaped and never markup.

import { readFileSync } from 'node:fs';
import { describe } from '../lib/machine.mjs';
import { percent } from '../lib/table.mjs';
import { columnsOf, rowsOf, titleOf, whenOf, whereTable } from './report-text.mjs';
import { escapeText, intervalPlot } from './svg.mjs';
import { OFF, VARIANTS } from './variants.mjs';
import { WORKLOADS } from './workloads.mjs';

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8');

/** The order of the plots' axes: what has to be seen in any case. */
const COST_AXIS = {
  from: 0.97,
  to: 1.08,
  limits: [
    { value: 1, label: 'off' },
    { value: 1.05, label: 'limit' },
  ],
  show: percent,
};

const kindOf = (name) => VARIANTS[name]?.maker ?? 'none';
const slug = (verdict) => verdict.replaceAll(' ', '-');

function costRows({ figures, rounds }) {
  const offs = (round) => OFF.filter((name) => round[name]).map((name) => round[name].cpuMs);
  const off = (round) => offs(round).reduce((sum, one) => sum + one, 0) / offs(round).length;
  const having = (name) => rounds.filter((round) => round[name] && OFF.some((off) => round[off]));
  const floor = {
    label: 'off again / off (noise)',
    ...figures.floor,
    points: having('off-a')
      .filter((round) => round['off-b'])
      .map((round) => round['off-a'].cpuMs / round['off-b'].cpuMs),
    kind: 'none',
  };
  const others = Object.keys(VARIANTS).filter((name) => figures.variants[name] && !OFF.includes(name));
  return [
    ...(figures.floor.n > 0 ? [floor] : []),
    ...others.map((name) => ({
      label: VARIANTS[name].label,
      ...figures.variants[name].cost,
      points: having(name).map((round) => round[name].cpuMs / off(round)),
      kind: kindOf(name),
    })),
  ];
}

/** Rows of one figure's measurements, with no limit: the median and the range of the rounds. */
function valueRows({ figures, rounds }, read) {
  return Object.keys(VARIANTS)
    .filter((name) => figures.variants[name])
    .map((name) => {
      const points = rounds.filter((round) => round[name]).map((round) => read(round[name]));
      const finite = points.filter(Number.isFinite);
      return {
        label: VARIANTS[name].label,
        low: Math.min(...finite),
        high: Math.max(...finite),
        median: finite.length > 0 ? finite.toSorted((a, b) => a - b)[finite.length >> 1] : Number.NaN,
        points: finite,
        kind: kindOf(name),
      };
    });
}

function plotOf(workload, one) {
  if (workload === 'idle') {
    const show = (value) => value.toFixed(0);
    const rows = valueRows(one, (run) => run.switches / (run.wallMs / 1000));
    return `<h3>Context switches a second</h3><div class="wide">${intervalPlot(rows, { show, from: 0, to: 100, title: 'context switches a second' })}</div>`;
  }
  return `<h3>CPU of the process over off: median, 95 % interval, every round</h3><div class="wide">${intervalPlot(costRows(one), { ...COST_AXIS, title: `CPU over off, ${workload}` })}</div>`;
}

function grid(columns, rows) {
  const head = ['', ...columns].map((title) => `<th>${escapeText(title)}</th>`).join('');
  const body = rows
    .map(
      ({ name, label, cells }) =>
        `<tr class="${kindOf(name)}"><th>${escapeText(label)}</th>${cells.map((cell) => `<td>${escapeText(cell)}</td>`).join('')}</tr>`,
    )
    .join('');
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function tableOf(workload, { figures }) {
  return grid(
    columnsOf(workload).map(([title]) => title),
    rowsOf(workload, figures),
  );
}

function whereOf(one) {
  const where = whereTable(one);
  return where ? `<h3>${escapeText(where.title)}</h3>${grid(where.columns, where.rows)}` : '';
}

function sectionOf([workload, one]) {
  const left = Object.entries(one.failed ?? {}).map(
    ([name, why]) => `<p class="left">left out: ${escapeText(VARIANTS[name]?.label ?? name)}: ${escapeText(why)}</p>`,
  );
  const text = WORKLOADS[workload]?.text ?? '';
  return `<section id="${escapeText(workload)}"><h2>${escapeText(workload)} <small>${escapeText(text)}</small></h2>
<p class="facts">${escapeText([titleOf(workload, one).replace(/^[^(]*/, ''), whenOf(one)].filter(Boolean).join(' '))}</p>${plotOf(workload, one)}${tableOf(workload, one)}${whereOf(one)}${left.join('')}</section>`;
}

function verdictRow({ workload, claim, verdict, why, gate }) {
  const mark = `<span class="verdict ${escapeText(slug(verdict))}">${escapeText(verdict)}</span>`;
  return `<tr><td>${mark}</td><td><a href="#${escapeText(workload)}">${escapeText(workload)}</a></td><td>${escapeText(claim)}${gate ? ' <abbr title="a fail of it ends the bench with exit code 1">gate</abbr>' : ''}</td><td>${escapeText(why)}</td></tr>`;
}

export function htmlReport(record) {
  const { machine, size, pairs, seconds, verdicts, workloads, leftOut = [] } = record;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>strobe bench</title><style>${STYLE}</style></head><body><main>
<h1>strobe bench</h1>
<p class="facts">${escapeText(describe(machine))}<br>${escapeText(machine.date)}, ${escapeText(size)}, ${escapeText(pairs)} rounds, ${escapeText(Math.round(seconds))} s</p>
${leftOut.map((why) => `<p class="left">${escapeText(why)}</p>`).join('')}
<p class="key"><span class="strobe">strobe</span> <span class="peer">others</span> <span class="none">no profiler</span></p>
<h2>Verdicts</h2><div class="wide"><table class="verdicts"><tbody>${verdicts.map(verdictRow).join('')}</tbody></table></div>
${Object.entries(workloads).map(sectionOf).join('\n')}
</main></body></html>
`;
}
