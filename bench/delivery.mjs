// Delivery under faults, and what a window's payload costs.
//
//   node bench/delivery.mjs                          200 windows, 10 % faults, two SIGKILLs; then bytes and encode time of payloads
//   node bench/delivery.mjs --windows 2000 --runs 5  more of it
//   node bench/delivery.mjs --outage 300             a receiver that is away for 300 real seconds; a window a second
//   node bench/delivery.mjs --loop                   delays of an application's event loop with receivers that hang, pour or are away; a window a second
//
// Fails (exit code 1) when a window is lost, more are doubled than processes were killed, or 0.1 % and more fail after all attempts.

import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  aProfile,
  aWindow,
  deliver,
  finishedProfile,
  otlpExporter,
  pyroscope,
  pyroscopeExporter,
  receiver,
  until,
} from '../test/delivery-helpers.mjs';
import { run } from '../test/delivery-run.mjs';
import { DIST, folder, runNode } from '../test/helpers.mjs';

const require = createRequire(import.meta.url);
const { values } = parseArgs({
  options: {
    windows: { type: 'string', default: '200' },
    runs: { type: 'string', default: '1' },
    outage: { type: 'string' },
    loop: { type: 'boolean', default: false },
  },
});

function verdict(name, ok, text) {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}: ${text}`);
  if (!ok) process.exitCode = 1;
}

async function killsAndFaults() {
  for (let seed = 1; seed <= Number(values.runs); seed++) {
    const result = await run({ windows: Number(values.windows), seed });
    const { lost, duplicates, faults, attempts, failed, dropped, left } = result;
    const ok = lost.length === 0 && duplicates <= 2 && failed + dropped < result.windows / 1000 && left === 0;
    verdict(
      'faults and two kills',
      ok,
      `${result.windows} windows, ${attempts} requests, ${faults} of them failed; ${lost.length} lost, ${duplicates} doubled, ${failed} refused, ${dropped} dropped, ${left} left`,
    );
  }
}

async function outage(seconds) {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address();
  await new Promise((closed) => free.close(closed));
  const dir = join(folder(), 'spool');
  const { delivery, warnings } = deliver([pyroscopeExporter({ endpoint: `http://127.0.0.1:${port}`, spool: { dir } })]);
  let latestTick = performance.now();
  let longestGap = 0;
  const ticks = setInterval(() => {
    longestGap = Math.max(longestGap, performance.now() - latestTick);
    latestTick = performance.now();
  }, 5);
  for (let number = 1; number <= seconds; number++) {
    delivery.push(aWindow(number));
    await new Promise((next) => setTimeout(next, 1000));
  }
  const before = process.memoryUsage().rss;
  const server = await pyroscope(undefined, { port });
  const up = performance.now();
  await until('the backlog is gone', () => delivery.stats()[0].delivered === seconds, 120);
  clearInterval(ticks);
  const [stats] = delivery.stats();
  verdict(
    `a receiver away for ${seconds} s`,
    new Set(server.arrived).size === seconds && server.arrived.length === seconds,
    `${seconds} windows, ${stats.retried} attempts failed, all arrived ${((performance.now() - up) / 1000).toFixed(1)} s after it was back; ` +
      `RSS ${(before / 2 ** 20).toFixed(0)} -> ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB; longest pause of this loop ${longestGap.toFixed(0)} ms; ${warnings.length} warnings`,
  );
  await delivery.flush(100);
  await server.close();
}

/** The application's event loop beside receivers that fail: nothing of delivery runs on it, so its delays are those without exporters. A figure, no verdict. */
async function loop() {
  const hangs = await receiver(() => undefined);
  const pours = await receiver((request, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write(Buffer.alloc(1000)), 1);
    request.socket.on('close', () => clearInterval(drip));
  });
  const works = await pyroscope();
  const program = fileURLToPath(new URL('./lib/delivery-loop.cjs', import.meta.url));
  for (const [name, endpoint] of [
    ['no exporter', 'none'],
    ['a receiver that works', works.url],
    ['one that hangs', hangs.url],
    ['one that pours', pours.url],
    ['one that is away', 'http://127.0.0.1:1'],
  ]) {
    const end = await runNode([program, endpoint, join(folder(), 'spool')], { env: { STROBE_DIST_DIR: DIST } });
    const { longestMs, p999Ms, delivered = 0, spooled = 0 } = JSON.parse(end.stdout);
    console.log(
      `     ${name.padEnd(22)} longest ${longestMs.toFixed(1)} ms, 99.9 % ${p999Ms.toFixed(1)} ms; ${delivered} windows delivered, ${spooled} wait`,
    );
  }
  await Promise.all([hangs, pours, works].map((server) => server.close()));
}

/** A window like a service's: stacks of 30 frames, labels of agents and spans. */
function typical(rows) {
  const functions = 800;
  let seed = 7;
  const random = (below) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const stacks = Array.from({ length: 300 }, () => Array.from({ length: 30 }, () => random(functions)));
  const samples = Array.from({ length: rows }, () => ({
    locations: stacks[random(stacks.length)],
    values: [1, 10_000_000 + random(1e6)],
    labels: [
      { key: 'thread_name', str: 'main' },
      { key: 'thread_id', num: 4711 },
      { key: 'agent', str: `agent-${random(8)}` },
      {
        key: 'trace_id',
        str: random(2 ** 31)
          .toString(16)
          .padStart(32, '0'),
      },
      {
        key: 'span_id',
        str: random(2 ** 31)
          .toString(16)
          .padStart(16, '0'),
      },
    ],
  }));
  return aProfile({ samples, functions });
}

function payloads() {
  const { PyroscopeSender } = require(join(DIST, 'export', 'pyroscope-sender.js'));
  const { OtlpSender } = require(join(DIST, 'export', 'otlp-sender.js'));
  const facts = { appName: 'bench', tags: {}, pid: 1, hostname: 'h', version: '0', nodeVersion: 'v20' };
  const network = { endpoint: 'http://127.0.0.1:1', spool: false };
  const senders = {
    'pyroscope push': new PyroscopeSender(pyroscopeExporter(network), facts, {}, Date.now),
    'otlp gzip': new OtlpSender(otlpExporter(network), facts, {}, Date.now),
    'otlp zstd': new OtlpSender(otlpExporter({ ...network, compression: 'zstd' }), facts, {}, Date.now),
    'otlp none': new OtlpSender(otlpExporter({ ...network, compression: 'none' }), facts, {}, Date.now),
  };
  for (const rows of [1000, 3000]) {
    const profile = typical(rows);
    for (const [name, sender] of Object.entries(senders)) {
      let bytes = 0;
      const times = [];
      for (let i = 0; i < 12; i++) {
        const window = finishedProfile({ mode: 'cpu', scope: 'window', number: i, startUnixMs: Date.now() }, profile);
        const before = process.cpuUsage();
        bytes = sender.encode(window).body.length;
        const { user, system } = process.cpuUsage(before);
        times.push((user + system) / 1000);
      }
      const median = times.slice(2).sort((a, b) => a - b)[5];
      const noted = sender.notes?.().compression ? `, ${sender.notes().compression}` : '';
      console.log(`     ${name.padEnd(15)} ${rows} rows: ${(bytes / 1024).toFixed(0)} KiB, ${median.toFixed(1)} ms of CPU${noted}`);
    }
  }
}

if (values.outage) await outage(Number(values.outage));
else if (values.loop) await loop();
else {
  await killsAndFaults();
  payloads();
}
