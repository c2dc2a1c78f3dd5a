// What a window costs: `node bench/window.mjs [--node PATH] [--seconds 60] [--windows 2] [--slices FILE]`, after a build. A program that type-checks this
// repository with the TypeScript compiler without an end, sampled at 1 kHz; the first window warms up, the others count.
//
// Prints CPU of a window by part: strobe's on its encoder's thread, @datadog/pprof's on the application's. Then its bytes (gzip) and what is in them: the more
// samples, stacks and lines are told apart, the more bytes; so bytes a sample and bytes a location stand beside, and last what strobe's file would be
// with less in it, down to what theirs holds. Fails (exit code 1) when a warm window takes 150 ms of the encoder's CPU or more bytes than @datadog/pprof's. @datadog/pprof is left out when it can't be had.
//
// The promise is about 60 s. Shorter windows are for work on the encoder: --slices FILE writes each window's slices to FILE.NUMBER.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, launch, scratch, workload } from './lib/child.mjs';
import { competitorMissing } from './lib/competitors.mjs';
import { median } from './lib/stats.mjs';
import { ms, number, table } from './lib/table.mjs';
import { bytesByContent } from './lib/window-bytes.mjs';

const { decode } = createRequire(import.meta.url)('../dist/pprof/decode.js');

const LIMIT_MS = 150;
const PARTS = ['slices', 'maps', 'build', 'encode', 'gzip'];
/** What the promise is about. */
const PROMISED = ['build', 'encode', 'gzip'];

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    seconds: { type: 'string', default: '60' },
    windows: { type: 'string', default: '2' },
    slices: { type: 'string' },
    way: { type: 'string', default: 'strobe,datadog,datadog-lines' },
  },
});
const node = values.node.includes('/') ? resolve(values.node) : values.node;
const seconds = Number(values.seconds);

/** The last of strobe's windows. */
let windowFile;

async function run(way) {
  const result = join(scratch(), 'windows.json');
  // Nothing of @datadog/pprof warms up: it is C++ but for the encoding.
  const windows = Number(values.windows) + Number(way === 'strobe');
  const env = environment({
    BENCH_WAY: way,
    BENCH_SECONDS: values.seconds,
    BENCH_WINDOWS: windows,
    BENCH_DIR: scratch(),
    BENCH_RESULT: result,
    ...(values.slices ? { BENCH_SLICES: resolve(values.slices) } : {}),
  });
  await launch(node, [workload('window.cjs')], { env, limitMs: windows * seconds * 1500 + 60_000 }).ended;
  const lines = readFileSync(result, 'utf8').trim().split('\n').map(JSON.parse);
  // What comes at the end is the rest of a window.
  const whole = lines.filter((line) => line.number > windows - Number(values.windows) && line.number <= windows);
  if (way === 'strobe') windowFile = `${result}.${whole.at(-1)?.number}.pb.gz`;
  if (whole.length === 0) throw new Error(`${way}: ${lines.length} windows, none of them warm`);
  return whole;
}

const NAMES = { strobe: 'strobe', datadog: '@datadog/pprof', 'datadog-lines': '@datadog/pprof, lines' };
const missing = values.way.includes('datadog') ? competitorMissing('@datadog/pprof', node) : '';
const ways = values.way.split(',').filter((way) => way === 'strobe' || !missing);
const found = {};
for (const way of ways) found[way] = await run(way);

const partsOf = (window) => ({ ...window.parts, all: window.totalNs });
const took = (windows, ...names) =>
  median(windows.map((window) => names.reduce((sum, name) => sum + (partsOf(window)[name] ?? 0), 0))) / 1e6;

if (found.strobe) {
  const rows = [...PARTS.map((part) => [part, ms(took(found.strobe, part))])];
  rows.push(
    ['build + encode + gzip', ms(took(found.strobe, ...PROMISED))],
    ['all of its CPU in the window', ms(took(found.strobe, 'all'))],
  );
  console.log(table(`a window of ${seconds} s: CPU of strobe's encoder (median of ${found.strobe.length})`, ['', ''], rows), '\n');
}
for (const way of ways.filter((name) => name !== 'strobe')) {
  const rows = ['stop', 'encode'].map((part) => [part, ms(took(found[way], part))]);
  console.log(table(`CPU of ${NAMES[way]}, on the application's thread but for gzip`, ['', ''], rows), '\n');
}

const middle = (way, name) => median(found[way].map((window) => window[name]));
const columns = ['samples', 'rows', 'locations', 'functions', 'rawBytes', 'bytes'];
const rows = ways.map((way) => [
  NAMES[way],
  ...columns.map((name) => String(Math.round(middle(way, name)))),
  number(middle(way, 'bytes') / middle(way, 'samples'), 2),
  number(middle(way, 'bytes') / middle(way, 'rows'), 1),
]);
console.log(table('bytes', ['', 'samples', 'stacks', 'locations', 'functions', 'raw', 'gzip', 'bytes a sample', 'a stack'], rows));
if (missing) console.log(missing);
if (windowFile) {
  const profile = decode(readFileSync(windowFile), windowFile);
  const theirs = found.datadog && Math.round(middle('datadog', 'samples'));
  console.log(table("what strobe's bytes hold", ['', 'samples', 'stacks', 'gzip'], bytesByContent(profile, theirs)));
}

function verdict(ok, text) {
  console.log(`${ok ? 'pass' : 'FAIL'}  ${text}`);
  if (!ok) process.exitCode = 1;
}
if (found.strobe) verdict(took(found.strobe, ...PROMISED) < LIMIT_MS, `build + encode + gzip under ${LIMIT_MS} ms`);
if (found.strobe && found.datadog) verdict(middle('strobe', 'bytes') < middle('datadog', 'bytes'), 'fewer bytes than @datadog/pprof');
