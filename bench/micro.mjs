// `npm run bench:micro [-- options]`: what strobe's smallest parts cost: the handler by depth of the stack, a code event, ring, trie, slice, label entry, pprof encode.
//
//   --rounds N     processes that measure each (5)         --node PATH   the JavaScript ones run under that Node
//   --only NAME,…  handler, code, javascript, native       --json FILE   every measurement
//
// Contract: a table on stdout, medians over the rounds with their range. Exit code 1 when a run broke, 2 on a usage error. Parts whose tools are missing (tinybench can't
// be installed, no Google Benchmark for the C++ ones) are left out by name. About two minutes.

import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compilerAccepts, cxxCompiler } from '../scripts/build-native.mjs';
import { buildCpp } from '../test/run.mjs';
import { environment, launch, REGISTER, root, runJson, workload } from './lib/child.mjs';
import { competitorMissing } from './lib/competitors.mjs';
import { nodeOf } from './lib/node.mjs';
import { Progress } from './lib/progress.mjs';
import { shuffled } from './lib/stats.mjs';
import { table } from './lib/table.mjs';
import { HEADER, rows } from './micro/shown.mjs';

const USAGE = 'usage: npm run bench:micro -- [--rounds N] [--only NAME,…] [--node PATH] [--json FILE]';
const DEPTHS = [1, 10, 50, 200];
const BUILD = 'build-micro';
const NATIVE_NAMES = {
  write_and_read: ['ring: write and read', 'a sample of 25 frames'],
  trie_insert_known: ['trie: insert, known stack', 'a sample of 25 frames'],
  trie_insert_new: ['trie: insert, new stack', 'a sample of 25 frames, 13 of them new'],
  slice_cut: ['slice: cut', 'a slice of 1000 stacks'],
};

const program = (name) => join(root, 'bench', 'micro', name);

/** Each part: missing() says why it can't be measured ('' when it can), jobs: functions that resolve to [[name, unit, ns], …]. */
const PARTS = {
  handler: {
    missing: () => '',
    jobs: DEPTHS.map((depth) => async (node) => {
      const flags = ['--stack-size=2000', '--no-turbo-inlining', program('handler.cjs'), String(depth)];
      const { handlerNs, kernelNs } = await runJson(node, flags, environment());
      const kernel = depth === DEPTHS[0] ? [["signal: the kernel's part", 'a signal', kernelNs]] : [];
      return [[`handler: ${depth} JavaScript ${depth === 1 ? 'frame' : 'frames'}`, 'a signal', handlerNs], ...kernel];
    }),
  },
  code: {
    missing: () => '',
    jobs: [
      async (node) => {
        const { codeEventMs, codeEvents } = await runJson(node, [workload('code.cjs')], environment({ BENCH_WAY: 'strobe' }));
        return [['code event', 'an event, TypeScript compiling', (codeEventMs * 1e6) / codeEvents]];
      },
    ],
  },
  javascript: {
    missing: (node) => competitorMissing('tinybench', node, 'import'),
    jobs: [
      async (node) => {
        const { results, rows: samples } = await runJson(node, [program('javascript.mjs')], environment());
        return Object.entries(results).map(([name, ns]) => [
          name,
          name.startsWith('pprof') ? `a profile of ${samples} rows, about` : 'a call',
          ns,
        ]);
      },
    ],
  },
  native: {
    missing: nativeMissing,
    jobs: [
      async () => {
        const { stdout } = await launch(join(root, BUILD, 'strobe_micro'), ['--benchmark_format=json', '--benchmark_min_time=0.3'], {
          env: environment(),
        }).ended;
        return JSON.parse(stdout).benchmarks.map((one) => {
          if (one.error_occurred || one.time_unit !== 'ns')
            throw new Error(`strobe_micro: ${one.name}: ${one.error_message ?? one.time_unit}`);
          const [name, unit] = NATIVE_NAMES[one.name.split('/').at(-1)];
          return [name, unit, one.cpu_time];
        });
      },
    ],
  },
};

function nativeMissing() {
  const compiler = cxxCompiler();
  if (!compiler) return 'the C++ parts (ring, trie, slice) are left out: there is no C++ compiler';
  if (!compilerAccepts(compiler, ['-std=c++20', '-fsyntax-only'], '#include <benchmark/benchmark.h>\n')) {
    return 'the C++ parts (ring, trie, slice) are left out: Google Benchmark is not installed (Debian: libbenchmark-dev; Fedora: google-benchmark-devel; Alpine: benchmark-dev)';
  }
  const built = buildCpp({
    dir: BUILD,
    targets: ['strobe_micro'],
    defines: { STROBE_MICRO: 'ON', STROBE_TESTS: 'OFF', CMAKE_BUILD_TYPE: 'Release' },
  });
  if (!built.ok) throw new Error(`strobe_micro: ${built.note}\n${built.log}`);
  return '';
}

function options() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string' },
      node: { type: 'string', default: process.execPath },
      json: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 50))
    throw new Error(`--rounds takes a whole number from 1 to 50, not '${values.rounds}'`);
  const parts = values.only?.split(',') ?? Object.keys(PARTS);
  const unknown = parts.find((name) => !(name in PARTS));
  if (unknown !== undefined) throw new Error(`--only: there is no part '${unknown}'; there are ${Object.keys(PARTS).join(', ')}`);
  const { node, version } = nodeOf(values.node);
  if (!existsSync(REGISTER)) throw new Error(`${REGISTER} is missing: run npm run build first (npm run bench:micro does)`);
  return { rounds, parts, node, version, json: values.json };
}

async function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return 2;
  }
  const { rounds, parts, node, version, json } = asked;
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  console.log(`strobe bench, micro: Node ${version}, ${cpus().length} x ${model}, load average ${loadavg()[0].toFixed(1)}`);
  const why = new Map(parts.map((name) => [name, PARTS[name].missing(node)]));
  for (const sentence of why.values()) if (sentence) console.log(sentence);
  const taking = parts.filter((name) => !why.get(name));
  const jobs = taking.flatMap((name) => PARTS[name].jobs.map((job) => ({ name, job })));
  // By job, so that rows stand in the order of the parts whatever the order of the runs.
  const measured = new Map(jobs.map((one) => [one, new Map()]));
  const progress = new Progress();
  progress.part('micro', rounds * jobs.length);
  for (let round = 0; round < rounds; round++) {
    for (const one of shuffled(jobs)) {
      progress.step(one.name);
      for (const [name, unit, ns] of await one.job(node)) {
        const found = measured.get(one).get(name) ?? { unit, values: [] };
        found.values.push(ns);
        measured.get(one).set(name, found);
      }
    }
  }
  progress.clear();
  const all = [...measured.values()].flatMap((found) => [...found]);
  console.log(`\n${table(`median, least and most of ${rounds} processes`, HEADER, rows(all))}`);
  if (json)
    writeFileSync(
      json,
      `${JSON.stringify({ node: version, model, cpus: cpus().length, rounds, measured: Object.fromEntries(all) }, null, 1)}\n`,
    );
  return 0;
}

process.exitCode = await main().catch((error) => {
  console.error(`\nbench: ${error.message}`);
  return 1;
});
