// Measurements of the micro-benchmarks -> rows. Pure.
//
// Contract: `measured` is a Map or a list of [name, { unit, values }]: a value a round, each from a process of its own, in nanoseconds. A row has the median, the least
// and the most of them: between processes code is laid out and compiled differently, so that is the spread that counts.

import { median } from '../lib/stats.mjs';

const SCALES = [
  { from: 1e6, unit: 'ms', per: 1e6 },
  { from: 1e3, unit: 'us', per: 1e3 },
  { from: 0, unit: 'ns', per: 1 },
];

/** Nanoseconds in a unit that suits `like`, three digits. */
export function duration(ns, like = ns) {
  if (!Number.isFinite(ns)) return '-';
  const { unit, per } = SCALES.find(({ from }) => Math.abs(like) >= from);
  const value = ns / per;
  return `${Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}

export const HEADER = ['', 'median', 'least', 'most', 'for'];

export function rows(measured) {
  return [...measured].map(([name, { unit, values }]) => {
    const middle = median(values);
    return [name, ...[middle, Math.min(...values), Math.max(...values)].map((value) => duration(value, middle)), unit];
  });
}
