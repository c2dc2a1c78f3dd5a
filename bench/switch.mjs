// What a running profiler costs, found out inside one process: `npm run bench:switch [-- --workload a,b] [--variant a,b] [--pairs N] [--processes N] [--phase MS]
// [--node PATH] [--json FILE]`.
//
// The suite compares processes, and two processes of the same program differ by more than most of what it looks for (where their memory lies, what their compilers decided,
// how cold a turn begins). Here one process has the profiler on, with its labels, and off, in phases of the same work in random order: what differs within a pair is the
// profiler. User + system CPU of the whole process, all its threads. What it can't see: starts and ends (a phase begins behind them), the ends of windows (none falls into
// a phase), what a profiler that was once on leaves behind, and workloads whose threads must know the profiler before it starts (docs/bench.md).
//
// Contract: a row a workload and variant, then a verdict for each workload at defaults, by the suite's rule. Exit code 1 when one is fail, 2 on a usage error.

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, runJson, scratch, workload as workloadFile } from './lib/child.mjs';
import { describe, machine } from './lib/machine.mjs';
import { nodeOf } from './lib/node.mjs';
import { Progress } from './lib/progress.mjs';
import { estimate, median } from './lib/stats.mjs';
import { interval, number, percent, table } from './lib/table.mjs';
import { FAIL } from './lib/verdict.mjs';
import { Sink } from './suite/run.mjs';
import { DEFAULTS, OFF, VARIANTS } from './suite/variants.mjs';
import { costVerdict } from './suite/verdicts.mjs';
import { WORKLOADS } from './suite/workloads.mjs';

const SWITCHED = ['cpu', 'typescript', 'promises', 'http', 'streams', 'heap'];
const KINDS = ['off', 'strobe', 'datadog', 'pyroscope', 'inspector'];
const USAGE = `workloads: ${SWITCHED.join(', ')}\nvariants: ${Object.keys(VARIANTS).filter(isSwitched).join(', ')}`;
const LIMIT_MS = 15 * 60_000;

function isSwitched(name) {
  return KINDS.includes(VARIANTS[name].kind) && name !== OFF[1];
}

function chosen(option, text, known) {
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--${option} takes ${known.join(', ')}, not '${unknown}'`);
  return known.filter((name) => names.includes(name));
}

function whole(option, text, least) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new Error(`--${option} takes a whole number from ${least} on, not '${text}'`);
  return value;
}

function options() {
  const text = (fallback) => ({ type: 'string', default: fallback });
  const { values } = parseArgs({
    options: {
      workload: text(SWITCHED.join(',')),
      variant: text(`${OFF[0]},${DEFAULTS},strobe-1k,datadog`),
      pairs: text('15'),
      processes: text('3'),
      phase: text('150'),
      node: text(process.execPath),
      json: { type: 'string' },
    },
  });
  return {
    workloads: chosen('workload', values.workload, SWITCHED),
    // The noise floor is always there.
    variants: [...new Set([OFF[0], ...chosen('variant', values.variant, Object.keys(VARIANTS).filter(isSwitched))])],
    pairs: whole('pairs', values.pairs, 1),
    processes: whole('processes', values.processes, 1),
    phaseMs: whole('phase', values.phase, 50),
    json: values.json && resolve(values.json),
    ...nodeOf(values.node),
  };
}

async function pairsOf(name, variant, { sink, asked, progress }) {
  const { nodeArgs = [], warm } = WORKLOADS[name];
  const { kind, hz, modes, labels, export: exported } = VARIANTS[variant];
  const all = [];
  for (let at = 0; at < asked.processes; at++) {
    progress.step(VARIANTS[variant].label);
    const folder = scratch();
    const place = sink.open(folder);
    const order = {
      workload: name,
      variant: { kind, hz, modes, labels, export: exported },
      warmUnits: warm,
      phaseMs: asked.phaseMs,
      pairs: asked.pairs,
      folder,
      sink: place.url,
    };
    const env = environment({ BENCH_SWITCH: JSON.stringify(order) });
    all.push(...(await runJson(asked.node, [...nodeArgs, workloadFile('switch.cjs')], env, LIMIT_MS)).pairs);
    await place.close();
  }
  return all;
}

const ratio = (pairs, what) => estimate(pairs.map(({ on, off }) => on[what] / off[what]));

async function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return 2;
  }
  const here = machine(asked.version);
  console.log(`switched on and off: ${describe(here)}`);
  const sink = new Sink();
  await sink.start(process.execPath);
  const progress = new Progress();
  const found = {};
  const verdicts = [];
  try {
    for (const name of asked.workloads) {
      progress.part(name, asked.variants.length * asked.processes);
      found[name] = {};
      for (const variant of asked.variants) found[name][variant] = await pairsOf(name, variant, { sink, asked, progress });
      progress.clear();
      const rows = Object.entries(found[name]).map(([variant, pairs]) => [
        VARIANTS[variant].label,
        number(median(pairs.map(({ off }) => off.cpuMs)), 0),
        interval(ratio(pairs, 'cpuMs'), percent),
        interval(ratio(pairs, 'wallMs'), percent),
      ]);
      const counts = `${asked.processes} processes of ${asked.pairs} pairs`;
      console.log(`\n${table(`${name}: ${WORKLOADS[name].text} (${counts})`, ['', 'CPU ms, off', 'CPU on / off [95 %]', 'wall'], rows)}`);
      if (!found[name][DEFAULTS]) continue;
      const cost = ratio(found[name][DEFAULTS], 'cpuMs');
      verdicts.push({ workload: name, ...costVerdict(cost, ratio(found[name][OFF[0]], 'cpuMs')) });
    }
  } finally {
    progress.clear();
    await sink.end();
  }
  console.log();
  for (const { workload, verdict, why } of verdicts)
    console.log(`${verdict.padEnd(15)}  ${workload}, running cost at defaults under 5 %: ${why}`);
  if (asked.json) writeFileSync(asked.json, `${JSON.stringify({ machine: here, found, verdicts })}\n`);
  return verdicts.some(({ verdict }) => verdict === FAIL) ? 1 : 0;
}

process.exitCode = await main().catch((error) => {
  console.error(`\nbench: ${error.message}`);
  process.exit(1);
});
