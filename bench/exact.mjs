// `npm run bench:exact [-- --node PATH] [--seconds N]`: what profilers say of code whose truth is known, side by side: strobe, the inspector's profiler
// (V8's own) and @datadog/pprof.
//
// Contract: two tables on stdout (an inlined hot leaf, the callers of tiny functions), a progress line on a terminal's stderr, then a verdict line for each
// of strobe's rates. Exit code 1 when a verdict is fail or a run broke, 2 on a usage error. About 2 minutes on two idle cores; `--seconds` is the length of each
// run (default 3), `--node` runs the programs under another Node. @datadog/pprof is installed when it is missing, and left out when that fails.

import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { REGISTER } from './lib/child.mjs';
import { exactInlined } from './lib/exact-inlined.mjs';
import { profilers } from './lib/exact-run.mjs';
import { exactTiny } from './lib/exact-tiny.mjs';
import { nodeOf } from './lib/node.mjs';
import { Progress } from './lib/progress.mjs';
import { FAIL, worst } from './lib/verdict.mjs';

const USAGE = 'usage: npm run bench:exact -- [--node PATH] [--seconds N]';

function options() {
  const { values } = parseArgs({
    options: { node: { type: 'string', default: process.execPath }, seconds: { type: 'string', default: '3' } },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 60)) throw new Error(`--seconds takes a number from 1 to 60, not '${values.seconds}'`);
  const { node, version } = nodeOf(values.node);
  if (process.platform !== 'linux') throw new Error(`the bench reads Linux's /proc; this is ${process.platform}`);
  if (!existsSync(REGISTER)) throw new Error(`${REGISTER} is missing: run npm run build first (npm run bench:exact does)`);
  return { node, seconds, version, major: Number(version.match(/^v(\d+)/)?.[1]) };
}

const load = () => loadavg()[0].toFixed(1);

async function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(`bench: ${error.message}\n${USAGE}`);
    return 2;
  }
  const begin = Date.now();
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  console.log(`strobe bench, exactness: Node ${asked.version}, ${cpus().length} x ${model}, load average ${load()}`);
  const { taking, left } = profilers(asked.node);
  for (const why of left) console.log(why);
  const given = { ...asked, taking, progress: new Progress() };
  const inlined = await exactInlined(given);
  given.progress.clear();
  console.log(`\n${inlined.text}`);
  const tiny = await exactTiny(given);
  given.progress.clear();
  console.log(`\n${tiny.text}\n`);
  for (const { name, verdict, why } of inlined.verdicts) console.log(`${verdict.padEnd(15)}  ${name}: ${why}`);
  console.log(`\n${((Date.now() - begin) / 1000).toFixed(0)} s, load average at the end ${load()}`);
  return worst(inlined.verdicts) === FAIL ? 1 : 0;
}

process.exitCode = await main().catch((error) => {
  console.error(`\nbench: ${error.message}`);
  return 1;
});
