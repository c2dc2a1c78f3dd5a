// Resident memory that a profiler adds to the demo service (examples/agent.mjs): `node bench/memory.mjs [--node PATH] [--seconds 40] [--rounds 5] [--window 10]
// [--way none,worker,strobe,datadog,pyroscope]`, after a build.
//
// A round runs the service once each: without a profiler, with an empty Worker (what Node takes for one: strobe's encoder is one), with strobe (the preload, 100 Hz,
// windows to files), with @datadog/pprof and with @pyroscope/nodejs (100 Hz, a receiver on this machine), in random order. What a
// profiler adds is the median over rounds of the difference to the run without, of two figures of a run:
//
// - *outside the program's heaps, and live in them*: the resident set without what V8 keeps for the heaps of the program's own threads, read each half second of the run's third
//   quarter, its median; and what is alive in these heaps behind a collection at the end. So everything of the profiler's counts, also its objects on the program's
//   threads, and not at which size V8 happened to collect the program's garbage. The verdict is about this one.
// - *resident set*: as the system sees it, for information: a heap of the program that V8 lets grow to 90 MB in one run and to 60 in the next is in it.
//
// strobe by part: the encoder's heap as V8 counts it (and what it has outside); rings, code map, slice in the making and label sets as the engine counts them;
// the addon's file as mapped; what is alive of the package on the program's threads; the rest is Node's own of a Worker (its malloc arena, its stack, its handles). Fails (exit code 1) when strobe adds 35 MB or more. Peers that can't be had are left out; they sample the main
// thread only, strobe the Worker, too; @pyroscope/nodejs samples the heap, too, as its start() does.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, root, scratch, workload } from './lib/child.mjs';
import { competitorMissing } from './lib/competitors.mjs';
import { estimate, median, shuffled } from './lib/stats.mjs';
import { interval, number, table } from './lib/table.mjs';
import { FAIL, under } from './lib/verdict.mjs';

const LIMIT_MB = 35;
const MB = 1e6;
const EVERY_MS = 500;
/** The young generation is as large in each run: V8 lets it grow by how fast garbage comes, and does not say what of it stays resident. It holds for the encoder, too. */
const NODE_ARGS = ['--expose-gc', '--max-semi-space-size=2'];
/** Of a run: then the heaps are collected, and nothing is read any more. */
const LIVE_AFTER = 0.75;
const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    seconds: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '5' },
    window: { type: 'string', default: '10' },
    way: { type: 'string', default: 'none,worker,strobe,datadog,pyroscope' },
  },
});
const node = values.node.includes('/') ? resolve(values.node) : values.node;
const seconds = Number(values.seconds);

/** KiB of the process, of the addon's file among them. */
function readMemory(pid) {
  const rss = Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]);
  let addon = 0;
  let inAddon = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) inAddon = line.endsWith('strobe.node');
    else if (inAddon && line.startsWith('Rss:')) addon += Number(/\d+/.exec(line)[0]);
  }
  return { rss: rss * 1024, addon: addon * 1024 };
}

/** What the program's threads said last of their heaps. */
function readHeaps(heaps) {
  const names = readdirSync(dirname(heaps)).filter((name) => /^heap\.\d+$/.test(name));
  return names.map((name) => JSON.parse(readFileSync(join(dirname(heaps), name), 'utf8')));
}

async function run(way, server) {
  const dir = scratch();
  const result = join(dir, 'memory.json');
  const heaps = join(dir, 'heap');
  let program = join(root, 'examples', 'agent.mjs');
  if (way !== 'strobe') {
    // Out of this folder, where it finds no strobe.
    program = join(dir, 'agent.mjs');
    copyFileSync(join(root, 'examples', 'agent.mjs'), program);
  }
  const env = environment({
    // It is ended from outside: @pyroscope/nodejs would keep it alive.
    AGENT_SECONDS: String(seconds + 60),
    BENCH_WAY: way,
    BENCH_WINDOW: values.window,
    BENCH_SERVER: server,
    BENCH_RESULT: result,
    BENCH_HEAPS: heaps,
    BENCH_LIVE_AT: String(Date.now() + seconds * LIVE_AFTER * 1000),
    STROBE_DIR: dir,
    STROBE_WINDOW_SECONDS: values.window,
  });
  const child = spawn(node, [...NODE_ARGS, '--require', workload('memory-preload.cjs'), program], {
    env,
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const readings = [];
  const started = performance.now();
  const timer = setInterval(() => {
    const elapsed = (performance.now() - started) / 1000;
    if (elapsed < seconds / 2 || elapsed > seconds * LIVE_AFTER || child.exitCode !== null) return;
    readings.push({ ...readMemory(child.pid), heaps: readHeaps(heaps).reduce((sum, { physical }) => sum + physical, 0) });
  }, EVERY_MS);
  const limit = setTimeout(() => {
    clearInterval(timer);
    child.kill('SIGKILL');
  }, seconds * 1000);
  const [code, signal] = await once(child, 'close');
  clearInterval(timer);
  clearTimeout(limit);
  if (signal !== 'SIGKILL') throw new Error(`${way}: ended with ${signal ?? code}\n${stderr}`);
  if (readings.length < 5) throw new Error(`${way}: ${readings.length} readings`);
  const parts = way === 'strobe' ? JSON.parse(readFileSync(result, 'utf8')) : undefined;
  // The service's Worker may never say (on Node 26 its timers hardly fire; why is not known): its heap counts as outside then, in every arm.
  const live = readHeaps(heaps).reduce((sum, heap) => sum + (heap.live ?? 0), 0);
  if (live === 0) throw new Error(`${way}: nobody said what is alive in the program's heaps`);
  const of = (read) => median(readings.map(read));
  return { rss: of(({ rss }) => rss), outside: of(({ rss, heaps: own }) => rss - own), live, addon: of(({ addon }) => addon), parts };
}

const PEERS = { datadog: '@datadog/pprof', pyroscope: '@pyroscope/nodejs' };
const NAMES = { worker: 'an empty Worker of Node', strobe: 'strobe', ...PEERS };
const asked = values.way.split(',');
const missing = Object.fromEntries(asked.filter((way) => way in PEERS).map((way) => [way, competitorMissing(PEERS[way], node)]));
const ways = asked.filter((way) => !missing[way]);

const sink = createServer((request, response) => request.resume().on('end', () => response.end('{}'))).listen(0, '127.0.0.1');
await once(sink, 'listening');
const rounds = [];
for (let i = 0; i < Number(values.rounds); i++) {
  const round = {};
  for (const way of shuffled(ways)) round[way] = await run(way, `http://127.0.0.1:${sink.address().port}`);
  rounds.push(round);
}
sink.close();
sink.closeAllConnections();

const mb = (bytes) => number(bytes / MB, 1);
const more = (way, read) => estimate(rounds.map((round) => read(round[way]) - read(round.none)));
const added = (way) => more(way, ({ outside, live }) => outside + live);
console.log(
  table(
    `resident memory of the demo service, MB (${rounds.length} rounds of ${seconds} s; without a profiler: ${mb(median(rounds.map(({ none }) => none.rss)))})`,
    ['', "outside the program's heaps, and live in them", 'live in them', 'resident set'],
    ways
      .filter((way) => way !== 'none')
      .map((way) =>
        [NAMES[way], added(way), more(way, ({ live }) => live), more(way, ({ rss }) => rss)].map((of, at) =>
          at === 0 ? of : interval(of, mb),
        ),
      ),
  ),
  '\n',
);
for (const said of Object.values(missing)) if (said) console.log(said);
if (ways.includes('strobe')) {
  const part = (read) => median(rounds.map(({ strobe }) => read(strobe)));
  const rows = [
    ["the encoder's heap", part(({ parts }) => parts.heapBytes)],
    ['… outside of it', part(({ parts }) => parts.mallocBytes)],
    ['rings (reserved)', part(({ parts }) => parts.native.rings)],
    [
      'code map, with names',
      part(({ parts }) => parts.native.code + parts.native.names + parts.native.scriptUrls + parts.native.codeEvents),
    ],
    ['slices that wait', part(({ parts }) => parts.native.slices)],
    ['label sets', part(({ parts }) => parts.native.labels)],
    ['the addon, as mapped', part(({ addon }) => addon)],
    ["the package on the program's threads", more('strobe', ({ live }) => live).median],
  ];
  const all = added('strobe').median;
  rows.push(['the rest', all - rows.reduce((sum, [, bytes]) => sum + bytes, 0)], ['in all', all]);
  console.log(
    table(
      'strobe by part, MB',
      ['', ''],
      rows.map(([name, bytes]) => [name, mb(bytes)]),
    ),
  );
  const { verdict, why } = under(added('strobe'), LIMIT_MB * MB, (bytes) => `${mb(bytes)} MB`);
  console.log(`${verdict}  what strobe adds: ${why}`);
  if (verdict === FAIL) process.exitCode = 1;
}
