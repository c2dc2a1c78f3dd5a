// `npm run bench:peers [-- options]`: what the profilers get wrong, shown: five programs that know the truth about themselves, each under strobe, node:inspector,
// @datadog/pprof and, where it adds something, @pyroscope/nodejs.
//
//   --case NAME,…      only these: inlined, threads, rotation, awaits, requests
//   --runs N           runs of each program under each profiler (3)         --seconds N   length of a run (5)
//   --node PATH        the programs run under that Node
//   --json FILE        measurements, to be shown again by --from FILE (repeatable: later files add cases; nothing is measured)
//   --html FILE        one self-contained page                              --markdown    Markdown instead of tables on stdout
//
// Contract: profilers take turns in random order, each run a fresh process. Exit code 1 when a run broke, 2 on a usage error; what a profiler gets wrong is shown, not
// judged. About eight minutes on two cores. A package that can't be installed or does not load is left out by name.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { REGISTER } from './lib/child.mjs';
import { competitorMissing } from './lib/competitors.mjs';
import { nodeOf } from './lib/node.mjs';
import { Progress } from './lib/progress.mjs';
import { shuffled } from './lib/stats.mjs';
import { CASES, peersOf, show } from './peers/cases.mjs';
import { measure } from './peers/measure.mjs';
import { page } from './peers/page.mjs';
import { asMarkdown, asText, machineLine } from './peers/text.mjs';

const USAGE =
  'usage: npm run bench:peers -- [--case NAME,…] [--runs N] [--seconds N] [--node PATH] [--json FILE] [--html FILE] [--markdown] [--from FILE]…';
const PACKAGES = ['@datadog/pprof', '@pyroscope/nodejs'];

function between(text, name, low, high) {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= low && value <= high))
    throw new Error(`--${name} takes a whole number from ${low} to ${high}, not '${text}'`);
  return value;
}

function options() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string' },
      runs: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      node: { type: 'string', default: process.execPath },
      json: { type: 'string' },
      html: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      from: { type: 'string', multiple: true },
    },
  });
  const names = values.case?.split(',') ?? CASES.map(({ id }) => id);
  const unknown = names.find((name) => !CASES.some(({ id }) => id === name));
  if (unknown !== undefined) throw new Error(`--case: there is no case '${unknown}'; there are ${CASES.map(({ id }) => id).join(', ')}`);
  const asked = {
    ...values,
    cases: CASES.filter(({ id }) => names.includes(id)),
    runs: between(values.runs, 'runs', 1, 50),
    seconds: between(values.seconds, 'seconds', 1, 30),
  };
  if (values.from) return asked;
  const { node, version } = nodeOf(values.node);
  if (process.platform !== 'linux') throw new Error(`the bench reads Linux's /proc; this is ${process.platform}`);
  if (!existsSync(REGISTER)) throw new Error(`${REGISTER} is missing: run npm run build first (npm run bench:peers does)`);
  return { ...asked, node, version };
}

function whoIsMissing(node) {
  const why = PACKAGES.map((name) => [name, competitorMissing(name, node)]);
  return new Map(why.filter(([, sentence]) => sentence !== ''));
}

async function measureAll({ cases, runs, seconds, node, version }) {
  const load = loadavg()[0];
  const missing = whoIsMissing(node);
  // Maglev inlines, too, where it is on.
  const nodeArgs = Number(version.match(/^v(\d+)/)[1]) >= 24 ? ['--no-maglev-inlining'] : [];
  const progress = new Progress();
  const found = {};
  for (const of of cases) {
    const peers = peersOf(of, missing).map((peer) => ({ ...peer, nodeArgs }));
    const measured = peers.map(({ label, way }) => ({ label, way, runs: [] }));
    progress.part(of.id, runs * peers.length);
    for (let round = 0; round < runs; round++) {
      for (const peer of shuffled(peers)) {
        progress.step(peer.label);
        measured[peers.indexOf(peer)].runs.push(await measure(of, peer, { node, seconds }));
      }
    }
    found[of.id] = { asked: { runs, seconds }, measured };
  }
  progress.clear();
  const machine = {
    node: version,
    cpus: cpus().length,
    model: cpus()[0]?.model.trim() ?? 'unknown processor',
    kernel: release(),
    load: [load, loadavg()[0]],
  };
  return { machine, date: new Date().toISOString().slice(0, 10), left: [...missing.values()], cases: found };
}

/** Several files of one machine and Node as one: later files add or replace cases. */
function readAll(files) {
  const all = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  const load = all.flatMap(({ machine }) => machine.load);
  const versions = new Set(all.map(({ machine }) => `${machine.node} ${machine.model}`));
  if (versions.size > 1)
    throw new Error(`--from: files of different machines or Nodes can't stand on one page: ${[...versions].join(', ')}`);
  return {
    machine: { ...all[0].machine, load: [Math.min(...load), Math.max(...load)] },
    date: all.at(-1).date,
    left: [...new Set(all.flatMap(({ left }) => left))],
    cases: Object.assign({}, ...all.map(({ cases }) => cases)),
  };
}

async function main() {
  let asked;
  let found;
  try {
    asked = options();
    found = asked.from ? readAll(asked.from) : undefined;
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return 2;
  }
  found ??= await measureAll(asked);
  const shown = asked.cases
    .filter(({ id }) => found.cases[id])
    .map((of) => ({ ...show(of, found.cases[of.id].measured), asked: found.cases[of.id].asked }));
  if (asked.json) writeFileSync(asked.json, `${JSON.stringify(found, null, 1)}\n`);
  if (asked.html) writeFileSync(asked.html, page(shown, found));
  if (asked.markdown) console.log(asMarkdown(shown, found));
  else console.log([`strobe bench, the peers: ${machineLine(found.machine)}`, ...found.left, '', asText(shown)].join('\n'));
  return 0;
}

process.exitCode = await main().catch((error) => {
  console.error(`\nbench: ${error.message}`);
  return 1;
});
