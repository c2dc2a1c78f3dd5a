// How far a profile moves CPU to the end of short system calls: `node bench/skid.mjs [--node PATH] [--seconds 10] [--rounds 5]`, after a build.
//
// A signal from another core takes a while to interrupt code that runs (some microseconds, in a virtual machine ten and more); a system call that begins meanwhile ends with
// the signal's delivery at once. So a function that does little else than a short system call catches samples that belong to the code before it. A thread that clocks itself
// is interrupted by its own core's timer and has no such gap. Prints what a call of such a function takes, and what the profile says, both ways, with what lies between: the
// skid. For information: no verdict (docs/clock.md).

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, runJson, workload } from './lib/child.mjs';
import { estimate } from './lib/stats.mjs';
import { interval, number, table } from './lib/table.mjs';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
  },
});
const node = values.node.includes('/') ? resolve(values.node) : values.node;

async function measure(rest) {
  const runs = [];
  for (let i = 0; i < Number(values.rounds); i++) {
    runs.push(await runJson(node, [workload('skid.cjs')], environment({ BENCH_SECONDS: values.seconds, BENCH_REST: rest ? '1' : '0' })));
  }
  return runs;
}

const micros = (value) => `${number(value)} us`;
const WAYS = [
  ['busy all the time', false],
  ['asleep a fifth of it', true],
];
const rows = [];
for (const [name, rest] of WAYS) {
  const runs = await measure(rest);
  const of = (read) => interval(estimate(runs.map(read)), micros);
  const clocked = runs.filter(({ selfClocked }) => selfClocked > 0).length;
  rows.push([name, `${clocked}/${runs.length}`, of((run) => run.truthUs), of((run) => run.selfUs), of((run) => run.selfUs - run.truthUs)]);
}
console.log(
  table(
    `a function that makes one short system call, microseconds a call, median [95 %] of ${values.rounds} processes`,
    ['the thread is', 'clocks itself', 'timed in a loop', 'in the profile', 'skid'],
    rows,
  ),
);
