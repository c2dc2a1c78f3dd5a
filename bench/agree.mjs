// Do runs of the suite agree? `node bench/agree.mjs [--runs 10] [--node PATH] [--keep FOLDER]` makes that many `npm run bench -- --quick` in a row; `node bench/agree.mjs --from
// a.json,b.json` takes what `--json` wrote. After a build.
//
// Contract: a row a claim, with how often each verdict came, all judged by the rules as they are now, from the measurements of each run. Exit code 1 when a claim has both
// pass and fail: one machine in one state must not give both. `--keep`: where the runs' JSON goes; one that is there already is not made again.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, scratch } from './lib/child.mjs';
import { table } from './lib/table.mjs';
import { FAIL, PASS, UNKNOWN } from './lib/verdict.mjs';
import { figuresOf } from './suite/figures.mjs';
import { verdictsOf } from './suite/verdicts.mjs';
import { SIZES } from './suite/workloads.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    node: { type: 'string', default: process.execPath },
    keep: { type: 'string' },
    from: { type: 'string' },
  },
});

/** The record is written after each workload: one that broke off has not all. */
function isWhole(file) {
  if (!existsSync(file)) return false;
  const { workloads } = JSON.parse(readFileSync(file, 'utf8'));
  return SIZES.quick.workloads.every((name) => workloads[name]);
}

function makeRuns() {
  const folder = values.keep ? resolve(values.keep) : scratch();
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: Number(values.runs) }, (_, at) => {
    const file = join(folder, `${at + 1}.json`);
    if (isWhole(file)) return file;
    const args = ['bench/suite.mjs', '--quick', '--node', values.node.includes('/') ? resolve(values.node) : values.node, '--json', file];
    const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    // A failed verdict is an answer; a broken run is none.
    if (!isWhole(file)) throw new Error(`run ${at + 1} broke:\n${run.stdout}`);
    console.error(`run ${at + 1} of ${values.runs}: ${run.stdout.trim().split('\n').at(-1)}`);
    return file;
  });
}

/** JSON has no NaN: figures are made anew. */
function judged(file) {
  const { workloads } = JSON.parse(readFileSync(file, 'utf8'));
  const measured = Object.entries(workloads).map(([name, one]) => [name, { ...one, figures: figuresOf(one.rounds, one.windowSeconds) }]);
  return verdictsOf(Object.fromEntries(measured));
}

const files = values.from ? values.from.split(',') : makeRuns();
const claims = new Map();
for (const file of files) {
  for (const { workload, claim, verdict } of judged(file)) {
    // An aim has no interval and is no verdict.
    if (![PASS, FAIL, UNKNOWN].includes(verdict)) continue;
    const key = `${workload}, ${claim}`;
    const counts = claims.get(key) ?? { [PASS]: 0, [FAIL]: 0, [UNKNOWN]: 0 };
    counts[verdict]++;
    claims.set(key, counts);
  }
}
if (claims.size === 0) throw new Error('no run with a claim to judge');
const disagree = [...claims].filter(([, counts]) => counts[PASS] > 0 && counts[FAIL] > 0);
const rows = [...claims].map(([claim, counts]) => [claim, String(counts[PASS]), String(counts[FAIL]), String(counts[UNKNOWN])]);
console.log(table(`verdicts of ${files.length} runs`, ['', PASS, FAIL, UNKNOWN], rows));
console.log(
  `\n${disagree.length === 0 ? 'no claim has both pass and fail' : `both pass and fail: ${disagree.map(([claim]) => claim).join('; ')}`}`,
);
process.exitCode = disagree.length === 0 ? 0 : 1;
