// `npm run bench:quick [-- --part cpu|typescript|gaps|start|code|labels|idle|busy|own|sample|all] [--pairs N] [--json FILE] [--node PATH]`: what strobe costs, measured here and now.
//
// Contract: tables on stdout, a progress line on a terminal's stderr, then one verdict line a claim: pass, fail or not enough data (docs/bench.md says
// how each is reached). Exit code 1 when a verdict is fail or a run broke, 2 on a usage error. All parts together take some 10 minutes on two cores that have nothing else to do.
// `--pairs` is the number of rounds of each part (cpu, typescript, gaps, idle 5, start 15, code 12, labels 20, busy 2, own 12, sample 8); `--node` runs the workloads under another Node;
// `--json` also writes every measurement. `--part` takes several, with commas.

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REGISTER } from './lib/child.mjs';
import { nodeOf } from './lib/node.mjs';
import { partBusy } from './lib/part-busy.mjs';
import { partCode } from './lib/part-code.mjs';
import { partGaps } from './lib/part-gaps.mjs';
import { partIdle } from './lib/part-idle.mjs';
import { partLabels } from './lib/part-labels.mjs';
import { partLoad } from './lib/part-load.mjs';
import { partOwn } from './lib/part-own.mjs';
import { partSample } from './lib/part-sample.mjs';
import { partStart } from './lib/part-start.mjs';
import { Progress } from './lib/progress.mjs';
import { FAIL, worst } from './lib/verdict.mjs';

const PARTS = {
  cpu: (options) => partLoad('cpu', options),
  typescript: (options) => partLoad('typescript', options),
  gaps: partGaps,
  start: partStart,
  code: partCode,
  labels: partLabels,
  idle: partIdle,
  busy: partBusy,
  own: partOwn,
  sample: partSample,
};
const USAGE = `usage: npm run bench:quick -- [--part ${Object.keys(PARTS).join('|')}|all] [--pairs N] [--json FILE] [--node PATH]`;

function options() {
  const { values } = parseArgs({
    options: {
      part: { type: 'string', default: 'all' },
      pairs: { type: 'string' },
      json: { type: 'string' },
      node: { type: 'string', default: process.execPath },
    },
  });
  const parts = values.part === 'all' ? Object.keys(PARTS) : values.part.split(',');
  const unknown = parts.find((part) => !Object.hasOwn(PARTS, part));
  if (unknown !== undefined) throw new Error(`--part takes ${Object.keys(PARTS).join(', ')} or all, not '${unknown}'`);
  const pairs = values.pairs === undefined ? undefined : Number(values.pairs);
  if (pairs !== undefined && !(Number.isInteger(pairs) && pairs >= 1 && pairs <= 1000)) {
    throw new Error(`--pairs takes a whole number from 1 to 1000, not '${values.pairs}'`);
  }
  const { node, version } = nodeOf(values.node);
  return { parts, pairs, json: values.json && resolve(values.json), node, version };
}

function checkMachine() {
  if (process.platform !== 'linux') throw new Error(`the bench reads Linux's /proc; this is ${process.platform}`);
  if (spawnSync('bash', ['-c', ':']).status !== 0) throw new Error('the bench measures with bash (its `time`), which is not installed');
  if (!existsSync(REGISTER)) throw new Error(`${REGISTER} is missing: run npm run build first (npm run bench:quick does)`);
}

function describe(version) {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `strobe bench: Node ${version}, ${cpus().length} x ${model}, load average ${loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')}`;
}

async function measure({ parts, pairs, node, version }) {
  const progress = new Progress();
  const record = { date: new Date().toISOString(), node: version, cpus: cpus().length, loadavg: loadavg(), parts: {} };
  const verdicts = [];
  console.log(describe(version));
  for (const part of parts) {
    const begin = Date.now();
    // An absent number of pairs is each part's own.
    const result = await PARTS[part]({ node, version, progress, ...(pairs === undefined ? {} : { pairs }) });
    progress.clear();
    for (const text of result.tables) console.log(`\n${text}`);
    verdicts.push(...result.verdicts);
    record.parts[part] = { seconds: (Date.now() - begin) / 1000, verdicts: result.verdicts, data: result.data };
  }
  return { record, verdicts };
}

async function main() {
  let asked;
  try {
    asked = options();
    checkMachine();
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return 2;
  }
  const begin = Date.now();
  const { record, verdicts } = await measure(asked);
  console.log('');
  for (const { name, verdict, why } of verdicts) console.log(`${verdict.padEnd(15)}  ${name}: ${why}`);
  console.log(`\n${((Date.now() - begin) / 1000).toFixed(0)} s, load average at the end ${loadavg()[0].toFixed(1)}`);
  if (asked.json) writeFileSync(asked.json, `${JSON.stringify(record)}\n`);
  return worst(verdicts) === FAIL ? 1 : 0;
}

process.exitCode = await main().catch((error) => {
  console.error(`\nbench: ${error.message}`);
  return 1;
});
