// Part idle: what a server that has nothing to do pays. Several servers without and with the preload idle side by side; the kernel counts.
//
// Contract: a server's figures are context switches and CPU of all its threads, a second; a pair is one server of each arm over the same seconds. The first
// 3 s are not measured. From 3 s to 13 s is shown, not judged: some 8 s after a heap's last growth V8 collects it once more (its memory reducer), in the
// application's heap and in the encoder's, and never again while nothing happens. The verdicts are about the 10 s after, when the server is idle: the
// interval of the median difference (on - off).

import { environment, launch, REGISTER, scratch, workload } from './child.mjs';
import { readThreads, used } from './proc.mjs';
import { estimate, median } from './stats.mjs';
import { interval, number, table } from './table.mjs';
import { under } from './verdict.mjs';

const LIMIT_WAKEUPS = 1;
const LIMIT_CPU_MS = 0.2;
const SKIP_MS = 3000;
const SETTLE_MS = 10_000;
const MEASURE_MS = 10_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const message = (child, ended) =>
  Promise.race([
    new Promise((resolve) => child.once('message', resolve)),
    ended.then(() => Promise.reject(new Error('the idle server ended'))),
  ]);

async function start(node, on) {
  const env = environment(on ? { STROBE_DIR: scratch() } : {});
  const args = [...(on ? ['--require', REGISTER] : []), workload('idle.cjs')];
  const { child, ended } = launch(node, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  await message(child, ended);
  const ask = async () => {
    const answer = message(child, ended);
    child.send('wakeups');
    return await answer;
  };
  return { child, ended, ask, on };
}

async function finish(server) {
  server.child.send('end');
  await server.ended;
}

/** What a server does in the next `durationMs`. */
async function observe(server, durationMs) {
  const before = readThreads(server.child.pid);
  const begin = performance.now();
  await sleep(durationMs);
  const after = readThreads(server.child.pid);
  const seconds = (performance.now() - begin) / 1000;
  const threads = used(before, after).map(({ name, cpuNs, switches }) => ({
    name,
    cpuMs: cpuNs / 1e6 / seconds,
    switches: switches / seconds,
  }));
  const sum = (name) => threads.reduce((total, thread) => total + thread[name], 0);
  return { cpuMs: sum('cpuMs'), switches: sum('switches'), threads };
}

async function measure(server) {
  // Asked before the settling and after the measuring: the answer itself is work.
  const before = await server.ask();
  await sleep(SKIP_MS);
  const settling = await observe(server, SETTLE_MS);
  const idle = await observe(server, MEASURE_MS);
  const after = await server.ask();
  const own = server.on && { sampler: after.sampler - before.sampler, collector: after.collector - before.collector };
  return { on: server.on, ...idle, settling, own };
}

const seconds = (durationMs) => `${durationMs / 1000} s`;

export async function partIdle({ node, pairs = 5, progress }) {
  progress.part('idle', 1);
  progress.step(`${pairs} servers of each kind, ${seconds(SKIP_MS + SETTLE_MS + MEASURE_MS)}`);
  const servers = [];
  for (let i = 0; i < pairs; i++) servers.push(await start(node, false), await start(node, true));
  const results = await Promise.all(servers.map(measure));
  await Promise.all(servers.map(finish));
  const off = results.filter(({ on }) => !on);
  const on = results.filter((result) => result.on);
  const difference = (read) => estimate(on.map((result, at) => read(result) - read(off[at])));
  const row = (label, read, digits) => [
    label,
    number(median(off.map(read)), digits),
    number(median(on.map(read)), digits),
    interval(difference(read), (value) => number(value, digits)),
  ];
  const names = [...new Set(on.flatMap(({ threads }) => threads.map(({ name }) => name)))];
  const perThread = (results, name, field) =>
    median(results.map(({ threads }) => threads.find((thread) => thread.name === name)?.[field] ?? 0));
  return {
    tables: [
      table(
        `idle: a server without requests, a second (${pairs} pairs side by side)`,
        ['', 'off', 'on', 'difference [95 %]'],
        [
          row(`context switches, ${seconds(MEASURE_MS)} of idling`, ({ switches }) => switches, 2),
          row('CPU ms', ({ cpuMs }) => cpuMs, 3),
          row(`context switches, ${seconds(SETTLE_MS)} of settling before`, ({ settling }) => settling.switches, 2),
          row('CPU ms', ({ settling }) => settling.cpuMs, 3),
        ],
      ),
      table(
        'idle: by thread name, with the preload, 10 s of idling (median)',
        ['thread', 'switches/s', 'CPU ms/s'],
        names.map((name) => [name, number(perThread(on, name, 'switches')), number(perThread(on, name, 'cpuMs'), 3)]),
      ),
      `idle: wake-ups that strobe counted from start to end (${seconds(SKIP_MS + SETTLE_MS + MEASURE_MS)}), median: ` +
        `sampler ${median(on.map(({ own }) => own.sampler))}, collector ${median(on.map(({ own }) => own.collector))}`,
    ],
    verdicts: [
      {
        name: 'idle, wake-ups a second',
        ...under(
          difference(({ switches }) => switches),
          LIMIT_WAKEUPS,
          (value) => number(value),
        ),
      },
      {
        name: 'idle, CPU a second',
        ...under(
          difference(({ cpuMs }) => cpuMs),
          LIMIT_CPU_MS,
          (value) => `${number(value, 3)} ms`,
        ),
      },
    ],
    data: results,
  };
}
