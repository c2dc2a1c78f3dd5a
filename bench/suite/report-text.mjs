// The suite's report as text: one table a workload, then the verdicts. Strings out; cells that a variant has nothing for show a dash.

import { interval, percent, table } from '../lib/table.mjs';
import { OFF, VARIANTS } from './variants.mjs';
import { whereOf } from './where.mjs';
import { WORKLOADS } from './workloads.mjs';

const dash = (value, show) => (Number.isFinite(value) ? show(value) : '-');
const fixed = (digits) => (value) => dash(value, (it) => it.toFixed(digits));
const mib = (value) => dash(value, (it) => (it / 2 ** 20).toFixed(0));
const kib = (value) => dash(value, (it) => (it / 2 ** 10).toFixed(1));
const share = (value) => dash(value, (it) => `${(100 * it).toFixed(1)} %`);
const ratio = (estimate) => (estimate.n > 0 ? interval(estimate, percent) : '-');

/** [title, how a row's cell reads it]; shared with the other reports. */
export const COLUMNS = [
  ['CPU ms', ({ cpuMs }) => fixed(0)(cpuMs)],
  ['CPU over off [95 %]', ({ cost }) => ratio(cost)],
  ['wall', ({ wall }) => (wall.n > 0 ? percent(wall.median) : '-')],
  ['loop p99 ms', ({ loopP99Ms }) => fixed(1)(loopP99Ms)],
  ['max ms', ({ loopMaxMs }) => fixed(1)(loopMaxMs)],
  ['peak MiB', ({ peakBytes }) => mib(peakBytes)],
  ['switches/s', ({ switchesPerSecond }) => fixed(0)(switchesPerSecond)],
  ['samples/CPU s', ({ samplesPerCpuSecond }) => fixed(1)(samplesPerCpuSecond)],
  ['CPU found', ({ cpuFound }) => share(cpuFound)],
  ['KiB out', ({ bytes }) => kib(bytes)],
  ['start ms', ({ startMs }) => (startMs > 0 ? fixed(1)(startMs) : '-')],
];

const IDLE_COLUMNS = [
  ['switches/s', ({ switchesPerSecond }) => fixed(2)(switchesPerSecond)],
  ['CPU ms/s', ({ cpuMsPerSecond }) => fixed(3)(cpuMsPerSecond)],
  ['resident MiB', ({ residentBytes }) => mib(residentBytes)],
];

const LOOP_COLUMNS = [
  ['held gap ms', ({ heldMs }) => fixed(2)(heldMs)],
  ['gap ms', ({ gapMs }) => fixed(2)(gapMs)],
];

const THREADS_COLUMNS = [['ticks delivered', ({ ticks }) => share(ticks)]];

export function columnsOf(workload) {
  if (workload === 'idle') return IDLE_COLUMNS;
  if (workload === 'threads') return [...THREADS_COLUMNS, ...COLUMNS];
  return workload === 'loop' ? [...LOOP_COLUMNS, ...COLUMNS] : COLUMNS;
}

export const rowsOf = (workload, figures) =>
  Object.keys(VARIANTS)
    .filter((name) => figures.variants[name])
    .map((name) => ({ name, label: VARIANTS[name].label, cells: columnsOf(workload).map(([, read]) => read(figures.variants[name])) }));

/** Where the CPU over off went: { title, columns, rows: [{ name, label, cells }] }; undefined where it is not known. */
export function whereTable({ rounds }) {
  const where = whereOf(rounds);
  if (!where) return undefined;
  const points = (value) => dash(value, (it) => `${it < 0 ? '' : '+'}${(100 * it).toFixed(2)} %`);
  return {
    title: 'by thread, over off, in % of the CPU of off (medians)',
    columns: ['main thread', 'of it counted by the profiler', "profiler's threads", 'other threads'],
    rows: Object.keys(VARIANTS)
      .filter((name) => where[name] && !OFF.includes(name))
      .map((name) => ({
        name,
        label: VARIANTS[name].label,
        cells: ['main', 'counted', 'own', 'others'].map((key) => points(where[name][key])),
      })),
  };
}

export function titleOf(workload, { figures, rounds, windowSeconds }) {
  const { floor } = figures;
  const noise = floor.n > 0 && workload !== 'idle' ? `; noise floor, off again / off: ${ratio(floor)}` : '';
  const windows = workload === 'idle' ? '' : `, windows of ${windowSeconds} s`;
  return `${workload}: ${WORKLOADS[workload].text} (${rounds.length} rounds${windows}${noise})`;
}

/** When a workload was measured, and what else the machine did. */
export function whenOf({ at }) {
  if (!at) return '';
  const load = (loads) => loads[0].toFixed(1);
  const long = at.seconds < 90 ? `${at.seconds.toFixed(0)} s` : `${(at.seconds / 60).toFixed(0)} min`;
  return `Measured ${at.date.slice(0, 16).replace('T', ' ')} UTC in ${long}; load average ${load(at.loadavg)} before, ${load(at.loadavgAfter)} after`;
}

export function workloadText(workload, one) {
  const rows = rowsOf(workload, one.figures).map(({ label, cells }) => [label, ...cells]);
  const left = Object.entries(one.failed ?? {}).map(([name, why]) => `left out: ${VARIANTS[name].label}: ${why}`);
  const where = whereTable(one);
  return [
    table(titleOf(workload, one), ['', ...columnsOf(workload).map(([title]) => title)], rows),
    ...(where
      ? [
          '',
          table(
            `${workload}, ${where.title}`,
            ['', ...where.columns],
            where.rows.map(({ label, cells }) => [label, ...cells]),
          ),
        ]
      : []),
    ...left,
  ].join('\n');
}

export function verdictsText(verdicts) {
  return verdicts.map(({ workload, claim, verdict, why }) => `${verdict.padEnd(15)}  ${workload}, ${claim}: ${why}`).join('\n');
}
