// Records of earlier runs, as pieces of this one (`--from`): a run of hours may be made in parts, and goes on where it broke off.
//
// Contract: piecesFrom(files, asked) gives { workload: measured } of the workloads that are asked for, each with `at`: when it was measured, for how long, and the
// load averages before and after. What a record was measured with must be what is asked for now: other rounds, another build, Node or processor is an Error that names both.
// Of two records with the same workload the later file counts. Figures are made anew from the rounds: by today's rules, whatever was written then.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { figuresOf } from './figures.mjs';

/**
 * Of a record. 2: turns as long as the machine makes 60 ms, which end when the process is at rest; `build`. 3: V8 collects by what was allocated in
 * all turns, other sizes of `agent` and `promises`; `threads`.
 */
export const SCHEMA = 3;

/** What is measured, as a short hash: the package as it is built, and the peers' versions. */
export function buildOf(root) {
  const hash = createHash('sha256');
  const code = readdirSync(join(root, 'dist'), { recursive: true }).filter((name) => name.endsWith('.js'));
  for (const name of code.sort()) hash.update(name).update(readFileSync(join(root, 'dist', name)));
  for (const name of ['build/Release/strobe.node', 'bench/package.json']) hash.update(readFileSync(join(root, name)));
  return hash.digest('hex').slice(0, 12);
}

function recordIn(file) {
  let record;
  try {
    record = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`--from: ${file} can't be read: ${cause.message}`, { cause });
  }
  if (record?.schema !== SCHEMA || typeof record.workloads !== 'object')
    throw new Error(`--from: ${file} is no record of this bench (--json)`);
  return record;
}

/** What has to be the same, by name. */
const conditions = ({ build, size, pairs, scale, windowSeconds, machine }) => ({
  build,
  size,
  pairs,
  scale,
  window: windowSeconds,
  node: machine.node,
  processor: machine.model,
  cores: machine.cores,
  kernel: machine.kernel,
});

function checkSame(file, record, asked) {
  const theirs = conditions(record);
  for (const [name, ours] of Object.entries(conditions(asked))) {
    if (theirs[name] !== ours) throw new Error(`--from: ${file} was measured with ${name} ${theirs[name]}, this run has ${ours}`);
  }
}

/** Its variants have to be those that are asked for; peers that can't be had or broke may be missing. */
function checkVariants(file, workload, { rounds, failed = {} }, wanted) {
  const there = new Set(rounds.flatMap((round) => Object.keys(round)));
  const missing = wanted.find((name) => !there.has(name) && !Object.hasOwn(failed, name));
  if (missing !== undefined) throw new Error(`--from: ${file} has no ${missing} in ${workload}`);
  const more = [...there].find((name) => !wanted.includes(name));
  if (more !== undefined) throw new Error(`--from: ${file} has ${more} in ${workload}, which this run has not`);
}

export function piecesFrom(files, asked, wantedOf) {
  const pieces = {};
  for (const file of files) {
    const record = recordIn(file);
    checkSame(file, record, asked);
    const { machine, seconds, loadavgAfter } = record;
    const whole = { date: machine.date, seconds, loadavg: machine.loadavg, loadavgAfter };
    for (const [workload, one] of Object.entries(record.workloads)) {
      if (!asked.workloads.includes(workload)) continue;
      checkVariants(file, workload, one, wantedOf(workload));
      pieces[workload] = { at: whole, ...one, figures: figuresOf(one.rounds, one.windowSeconds) };
    }
  }
  return pieces;
}
