// `npm run bench [-- --quick | --full] [--workload a,b] [--variant a,b] [--pairs N] [--scale X] [--window S] [--node PATH] [--json FILE] [--html FILE]
// [--markdown FILE] [--from a.json,b.json]`: what strobe costs on this machine, what the others cost on the same work, and a verdict for each claim (docs/bench.md).
//
// Contract: one table a workload on stdout as it is done, a progress line on a terminal's stderr, then the verdicts. Exit code 1 when a verdict that gates is fail
// (with --full also when one stays open on the bad side of its limit) or a run broke, 2 on a usage error. --quick takes less than 3 minutes on
// two cores of a virtual machine; the default some 40 minutes; --full some hours, and writes docs/benchmarks.md (or what --markdown names). --json is written after each workload, and --from
// takes what such records have instead of measuring it again.

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REGISTER, root } from './lib/child.mjs';
import { competitorMissing } from './lib/competitors.mjs';
import { describe, machine } from './lib/machine.mjs';
import { nodeOf } from './lib/node.mjs';
import { Progress, SILENT } from './lib/progress.mjs';
import { figuresOf } from './suite/figures.mjs';
import { measureWorkload, takingPart } from './suite/measure.mjs';
import { buildOf, piecesFrom, SCHEMA } from './suite/pieces.mjs';
import { htmlReport } from './suite/report-html.mjs';
import { markdownReport } from './suite/report-markdown.mjs';
import { verdictsText, workloadText } from './suite/report-text.mjs';
import { Sink } from './suite/run.mjs';
import { OFF, QUICK_ONLY, SETS, VARIANTS } from './suite/variants.mjs';
import { exitCode, verdictsOf } from './suite/verdicts.mjs';
import { SIZES, WORKLOADS, workloadsInTurn } from './suite/workloads.mjs';

const USAGE =
  'usage: npm run bench -- [--quick | --full] [--workload a,b] [--variant a,b] [--pairs N] [--scale X] [--window S] [--node PATH] [--json FILE] [--html FILE] [--markdown FILE] [--from a.json,b.json]\n' +
  `workloads: ${Object.keys(WORKLOADS).join(', ')}\nvariants: ${Object.keys(VARIANTS).join(', ')}`;
const FULL_REPORT = join(root, 'docs', 'benchmarks.md');
const WINDOW_SECONDS = 2;

function chosen(option, text, known, fallback) {
  const names = text === undefined ? fallback : text.split(',');
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) throw new Error(`--${option} takes ${Object.keys(known).join(', ')}, not '${unknown}'`);
  return Object.keys(known).filter((name) => names.includes(name));
}

function numeric(option, text, least, most, whole, fallback) {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  throw new Error(`--${option} takes a ${whole ? 'whole ' : ''}number from ${least} to ${most}, not '${text}'`);
}

function options() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      workload: text,
      variant: text,
      pairs: text,
      scale: text,
      window: text,
      node: { ...text, default: process.execPath },
      json: text,
      html: text,
      markdown: text,
      from: text,
    },
  });
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  const size = values.quick ? 'quick' : values.full ? 'full' : 'normal';
  const variants = chosen('variant', values.variant, VARIANTS, SETS[size]);
  return {
    size,
    workloads: chosen('workload', values.workload, WORKLOADS, SIZES[size].workloads),
    // Nothing is compared without the two offs; --quick has its own choice for some workloads.
    variants: Object.keys(VARIANTS).filter((name) => OFF.includes(name) || variants.includes(name)),
    only: values.quick && values.variant === undefined ? QUICK_ONLY : {},
    pairs: numeric('pairs', values.pairs, 1, 1000, true, SIZES[size].pairs),
    scale: numeric('scale', values.scale, 0.01, 100, false, SIZES[size].scale),
    windowSeconds: numeric('window', values.window, 1, 60, false, WINDOW_SECONDS),
    json: writable('json', values.json),
    html: writable('html', values.html),
    markdown: writable('markdown', values.markdown),
    from: values.from?.split(',').map((path) => resolve(path)) ?? [],
    ...nodeOf(values.node),
  };
}

function checkMachine() {
  if (process.platform !== 'linux') throw new Error(`the bench reads Linux's /proc; this is ${process.platform}`);
  if (spawnSync('bash', ['-c', ':']).status !== 0) throw new Error('the bench measures with bash (its `time`), which is not installed');
  if (!existsSync(REGISTER)) throw new Error(`${REGISTER} is missing: run npm run build first (npm run bench does)`);
}

/** A file that is written at the end of hours must have a folder. */
function writable(option, path) {
  if (path === undefined) return undefined;
  if (path === '' || !existsSync(dirname(resolve(path))))
    throw new Error(`--${option} takes a file in a folder that exists, not '${path}'`);
  return path;
}

/** The variants of each workload without the peers that can't be had, and a sentence for each of these. */
function having({ variants, only, workloads, node }) {
  const names = new Set([...variants, ...workloads.flatMap((workload) => only[workload] ?? [])]);
  const packages = [...new Set([...names].map((name) => VARIANTS[name].package).filter(Boolean))];
  const missing = new Map(packages.map((name) => [name, competitorMissing(name, node)]).filter(([, why]) => why !== ''));
  const there = (name) => !missing.has(VARIANTS[name].package);
  const variantsOf = (workload) => (only[workload] ?? variants).filter(there);
  return { variantsOf, leftOut: [...missing.values()] };
}

/** `taken`: what is there already, and not measured; `keep` is called with all that is there when a workload is done. */
async function measureAll(asked, { variantsOf, taken, keep, progress }) {
  const { pairs, scale, windowSeconds, node } = asked;
  const { beside, idleSeconds, idleSettleSeconds } = SIZES[asked.size];
  const left = asked.workloads.filter((name) => !taken[name]);
  for (const name of asked.workloads) if (taken[name]) console.log(`\n${workloadText(name, taken[name])}`);
  if (left.length === 0) return Object.fromEntries(asked.workloads.map((name) => [name, taken[name]]));
  const sink = new Sink();
  await sink.start(process.execPath);
  const measured = { ...taken };
  const measure = async (name, shown) => {
    const begin = Date.now();
    const before = { date: new Date(begin).toISOString(), loadavg: loadavg() };
    const one = await measureWorkload(name, {
      node,
      sink,
      variants: variantsOf(name),
      pairs,
      scale,
      idleSeconds,
      idleSettleSeconds,
      windowSeconds,
      progress: shown,
    });
    const at = { ...before, seconds: (Date.now() - begin) / 1000, loadavgAfter: loadavg() };
    measured[name] = { at, ...one, figures: figuresOf(one.rounds, one.windowSeconds) };
  };
  try {
    for (const [name, companion] of workloadsInTurn(left, beside)) {
      await Promise.all([measure(name, progress), ...(companion ? [measure(companion, SILENT)] : [])]);
      progress.clear();
      for (const done of companion ? [name, companion] : [name]) console.log(`\n${workloadText(done, measured[done])}`);
      keep(measured);
    }
  } finally {
    progress.clear();
    await sink.end();
  }
  return Object.fromEntries(asked.workloads.map((name) => [name, measured[name]]));
}

async function main() {
  let asked;
  let here;
  let variants;
  let taken;
  try {
    asked = options();
    checkMachine();
    here = machine(asked.version);
    variants = having(asked);
    asked.build = buildOf(root);
    taken = piecesFrom(asked.from, { ...asked, machine: here }, (workload) => takingPart(workload, variants.variantsOf(workload)));
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return 2;
  }
  const begin = Date.now();
  console.log(`strobe bench, ${asked.size}: ${describe(here)}`);
  const { variantsOf, leftOut } = variants;
  for (const why of leftOut) console.log(why);
  const { build, size, pairs, scale, windowSeconds } = asked;
  const recordOf = (workloads) => {
    const facts = { seconds: (Date.now() - begin) / 1000, loadavgAfter: loadavg() };
    return {
      schema: SCHEMA,
      build,
      size,
      pairs,
      scale,
      windowSeconds,
      machine: here,
      ...facts,
      leftOut,
      workloads,
      verdicts: verdictsOf(workloads),
    };
  };
  const keep = (workloads) => {
    if (asked.json) writeFileSync(asked.json, `${JSON.stringify(recordOf(workloads))}\n`);
  };
  const measured = await measureAll(asked, { variantsOf, taken, keep, progress: new Progress() });
  keep(measured);
  const record = recordOf(measured);
  const { verdicts, seconds, loadavgAfter } = record;
  console.log(`\n${verdictsText(verdicts)}`);
  console.log(`\n${seconds.toFixed(0)} s, load average at the end ${loadavgAfter[0].toFixed(1)}`);
  if (asked.html) writeFileSync(asked.html, htmlReport(record));
  const page = asked.markdown ?? (size === 'full' ? FULL_REPORT : undefined);
  if (page) writeFileSync(page, markdownReport(record, asked.markdown));
  return exitCode(verdicts, size === 'full');
}

process.exitCode = await main().catch((error) => {
  console.error(`\nbench: ${error.message}`);
  // Other variants' processes wait for their turn, and would keep this one: they end with it.
  process.exit(1);
});
