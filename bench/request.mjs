// What labels and spans cost a small HTTP request, by part: `node bench/request.mjs [--node PATH] [--seconds 40]`, after a build.
//
// The suite compares processes (`npm run bench -- --workload http`), which differ by 5 % with nothing to tell them apart. Here one process labels its requests now in this
// way and now in that, 48 at a time in random order: what differs within a round is the way, to a few microseconds (more `--seconds`: fewer). What it can't see: what a way does to the others (caches of
// code and types that they share), and threads other than the program's own. For information: no verdict (docs/bench.md).

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, runJson, workload } from './lib/child.mjs';
import { estimate, median } from './lib/stats.mjs';
import { interval, number, table } from './lib/table.mjs';

const { values } = parseArgs({
  options: { node: { type: 'string', default: process.execPath }, seconds: { type: 'string', default: '40' } },
});
const node = values.node.includes('/') ? resolve(values.node) : values.node;

const found = await runJson(
  node,
  [workload('request.cjs')],
  environment({ BENCH_SECONDS: values.seconds }),
  120_000 + 1000 * Number(values.seconds),
);
const micros = (value) => `${number(value, 1)} us`;
const base = found.off;
const rows = Object.entries(found).map(([name, runs]) => {
  const more = estimate(runs.map((value, at) => value - base[at]));
  return [
    name,
    micros(median(runs)),
    name === 'off' ? '' : interval(more, micros),
    name === 'off' ? '' : `${number((100 * more.median) / median(base), 1)} %`,
  ];
});
console.log(
  table(
    `CPU of the server's thread a request (JSON of 2 KB, one span, two labels), medians of ${base.length} rounds of 48 requests`,
    ['', 'a request', 'over off [95 %]', 'of it'],
    rows,
  ),
);
