// Many windows, faults at random, two SIGKILLs: one run, judged by its callers (test/delivery-kills.test.mjs, bench/delivery.mjs).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pyroscope, until } from './delivery-helpers.mjs';
import { folder } from './helpers.mjs';

const PRODUCER = fileURLToPath(new URL('./programs/delivery/producer.mjs', import.meta.url));

/** The process that pushes windows `from` to `to`; `pushed()` is the last one it finished. */
function produce(url, dir, from, to) {
  const child = spawn(process.execPath, [PRODUCER, url, dir, String(from), String(to)], { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data) => (text += data));
  // Not 'exit': what it had printed is read by then.
  const exit = once(child, 'close');
  return {
    pushed: () =>
      Number(
        text
          .match(/pushed (\d+)\n/g)
          ?.at(-1)
          ?.slice(7) ?? from - 1,
      ),
    done: () => text.includes('all\n'),
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
    async end() {
      child.stdin.end('end\n');
      await exit;
      return JSON.parse(text.trim().split('\n').at(-1));
    },
  };
}

/** A tenth of all requests fail, each in another way; `kill` kills the sender while its answer is on the way, when it is asked to. */
function faults(share, state) {
  const ways = [
    (_, response) => response.writeHead(500).end(),
    (_, response) => response.writeHead(429, { 'retry-after': '1' }).end(),
    (request) => request.socket.resetAndDestroy(),
    () => undefined,
    (request, response) => {
      response.writeHead(200, { 'content-length': '9' }).write('x');
      setTimeout(() => request.socket.destroy(), 5);
    },
  ];
  return (request, response) => {
    if (state.swallow) {
      // What is claimed and sent at this moment is what a kill can double.
      state.swallow = false;
      state.onSwallowed();
      return false;
    }
    if (state.random() >= share) return false;
    state.faults++;
    ways[state.faults % ways.length](request, response);
    return true;
  };
}

/**
 * @returns {{ windows, lost: number[], duplicates: number, faults, attempts, failed, dropped, left, last }} `last`: counts of the process that lived;
 *   `left`: files in the spool at the end
 */
export async function run({ windows = 200, share = 0.1, kills = 2, seed = 1 } = {}) {
  let random = seed;
  const state = {
    faults: 0,
    swallow: false,
    onSwallowed: () => undefined,
    random: () => {
      random = (random * 48_271) % 2_147_483_647;
      return random / 2_147_483_647;
    },
  };
  const server = await pyroscope(faults(share, state));
  const dir = join(folder(), 'spool');
  let next = 1;
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const at = Math.round((windows * kill) / (kills + 1));
      const process = produce(server.url, dir, next, windows);
      await until(`window ${at}`, () => process.pushed() >= at, 60);
      // The worst moment: the receiver has the window, the sender does not know it yet.
      const swallowed = new Promise((hit) => (state.onSwallowed = hit));
      state.swallow = true;
      await swallowed;
      await process.kill();
      next = process.pushed() + 1;
    }
    const last = produce(server.url, dir, next, windows);
    await until('all windows are made', last.done, 60);
    const arrived = () => new Set(server.arrived);
    await until(
      () => `all arrive: ${arrived().size}`,
      () => arrived().size >= windows,
      90,
    ).catch(() => undefined);
    const stats = await last.end();
    const [inner] = readdirSync(dir);
    return {
      windows,
      lost: Array.from({ length: windows }, (_, i) => i + 1).filter((number) => !arrived().has(number)),
      duplicates: server.arrived.length - arrived().size,
      faults: state.faults,
      attempts: server.requests.length,
      failed: stats.failed,
      dropped: stats.droppedByAge + stats.droppedByBytes + stats.droppedAtExit + stats.damaged,
      left: readdirSync(join(dir, inner)).length,
      last: stats,
      pushedByLast: windows - next + 1,
    };
  } finally {
    await server.close();
  }
}
