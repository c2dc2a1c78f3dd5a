// Delivery against receivers that fail in every way a network has: no finished window is lost inside the spool's bounds, each is counted once, memory is bounded.

import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  aProfile,
  aWindow,
  deliver,
  fastClock,
  fileExporter,
  finishedProfile,
  pyroscope,
  pyroscopeExporter,
  receiver,
  until,
} from './delivery-helpers.mjs';
import { decode, folder } from './helpers.mjs';

const numbers = (count) => Array.from({ length: count }, (_, i) => i + 1);
const sorted = (list) => [...list].sort((a, b) => a - b);
const only = (delivery) => delivery.stats()[0];

function toPyroscope(url, { dir = join(folder(), 'spool'), ...options } = {}) {
  return pyroscopeExporter({ endpoint: url, spool: { dir }, ...options });
}

async function freePort() {
  const server = createTcp().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Everything pushed arrived once, the counts add up, nothing is left on disk. */
function assertAllDelivered(delivery, arrived, count) {
  assert.equal(sorted(arrived), numbers(count));
  const stats = only(delivery);
  assert.equal(
    [stats.accepted, stats.delivered, stats.failed, stats.spooled, stats.queued, stats.spooledBytes],
    [count, count, 0, 0, 0, 0],
    JSON.stringify(stats),
  );
}

test('a backend that is down for five minutes, then up: every window arrives, once', async () => {
  const port = await freePort();
  const clock = fastClock(300);
  const { delivery, warnings } = deliver([toPyroscope(`http://127.0.0.1:${port}`)], { clock });
  // A window each 15 s, 20 of them: the outage.
  for (const number of numbers(20)) {
    delivery.push(aWindow(number));
    await new Promise((next) => setTimeout(next, 50));
  }
  const during = only(delivery);
  assert.equal([during.delivered, during.spooled], [0, 20]);
  assert.ok(during.retried >= 3, 'it tried meanwhile');
  assert.match(during.lastError, /refused/);
  const server = await pyroscope(undefined, { port });
  try {
    await until('the backlog is gone', () => only(delivery).delivered === 20);
    assertAllDelivered(delivery, server.arrived, 20);
    assert.ok(warnings.length >= 1 && warnings.length <= 8, `one a minute at most: ${warnings.length}`);
    assert.match(warnings[0], /pyroscopeExporter.*wait in .*refused/);
  } finally {
    await delivery.flush(100);
    await server.close();
  }
});

test('a process that ends meanwhile leaves windows to the next one', async () => {
  const [port, dir] = [await freePort(), join(folder(), 'spool')];
  const exporter = toPyroscope(`http://127.0.0.1:${port}`, { dir });
  const first = deliver([exporter]);
  for (const number of numbers(5)) first.delivery.push(aWindow(number));
  await first.delivery.flush(1000);
  assert.is(only(first.delivery).spooled, 5);
  assert.match(first.warnings.at(-1), /5 profiles wait in .* for the next process/);
  const server = await pyroscope(undefined, { port });
  const second = deliver([exporter]);
  try {
    await until('they arrive', () => only(second.delivery).delivered === 5);
    assert.equal(sorted(server.arrived), numbers(5));
    assert.equal([only(second.delivery).accepted, only(second.delivery).spooled], [0, 0]);
  } finally {
    await second.delivery.flush(100);
    await server.close();
  }
});

const status =
  (code, headers = {}) =>
  (_, response) =>
    response.writeHead(code, headers).end('no\nsuch luck');
const FAULTS = {
  'status 500': status(500),
  'status 503 with a page': status(503, { 'content-type': 'text/html' }),
  'status 408': status(408),
  'a redirect': status(302, { location: 'http://127.0.0.1:1/' }),
  'a web page with status 200': (_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>'),
  'the connection is reset before the answer': (request) => request.socket.resetAndDestroy(),
  'an answer that breaks off': (request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half');
    setTimeout(() => request.socket.destroy(), 10);
  },
  'no HTTP': (request) => request.socket.end('SSH-2.0-OpenSSH_9.6\r\n'),
  'an answer that never begins': () => undefined,
  'an answer that never ends': (request, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write('.'), 20);
    request.socket.on('close', () => clearInterval(drip));
  },
  'an answer of endless bytes': (request, response) => {
    response.writeHead(200);
    const pour = () => {
      while (!request.socket.destroyed && response.write(Buffer.alloc(65_536))) {
        // Until the socket is full.
      }
    };
    response.on('drain', pour);
    pour();
  },
};

for (const [name, fault] of Object.entries(FAULTS)) {
  test(`retried until it works: ${name}`, async () => {
    const server = await pyroscope((request, response, body, n) => {
      if (n > 2) return false;
      fault(request, response, body);
      return true;
    });
    const { delivery } = deliver([toPyroscope(server.url, { timeoutSeconds: 0.3 })], { clock: fastClock(200) });
    try {
      for (const number of numbers(4)) delivery.push(aWindow(number));
      await until(
        () => `delivered ${JSON.stringify(only(delivery))}`,
        () => only(delivery).delivered === 4,
      );
      assertAllDelivered(delivery, server.arrived, 4);
      assert.is(only(delivery).retried, 3);
      assert.ok(only(delivery).lastError.length > 10 && !only(delivery).lastError.includes('\n'), only(delivery).lastError);
    } finally {
      await delivery.flush(100);
      await server.close();
    }
  });
}

test('a reset in the middle of a large body is retried', async () => {
  let cut = 0;
  const early = (request, _, n) => {
    if (n > 1) return false;
    request.once('data', () => {
      cut++;
      request.socket.resetAndDestroy();
    });
    return true;
  };
  const server = await pyroscope(Object.assign(() => false, { early }));
  const { delivery } = deliver([toPyroscope(server.url)], { clock: fastClock(200) });
  try {
    const noise = Array.from({ length: 3000 }, (_, i) => ({
      locations: [i],
      values: [1, i],
      labels: [
        { key: 'window', num: 1 },
        { key: 'n', num: i * 7919 },
      ],
    }));
    delivery.push(aWindow(1, aProfile({ samples: noise, functions: 3000 })));
    await until('it arrives', () => only(delivery).delivered === 1);
    assertAllDelivered(delivery, server.arrived, 1);
    assert.is(cut, 2);
  } finally {
    await delivery.flush(100);
    await server.close();
  }
});

for (const [form, value] of [
  ['seconds', () => '30'],
  ['a date', (clock) => new Date(clock.now() + 31_000).toUTCString()],
]) {
  test(`429 with Retry-After in ${form}: not asked again before`, async () => {
    const clock = fastClock(100);
    const at = [];
    const server = await pyroscope((_, response, __, n) => {
      at.push(clock.now());
      if (n === 0) response.writeHead(429, { 'retry-after': value(clock) }).end();
      return n === 0;
    });
    const { delivery } = deliver([toPyroscope(server.url)], { clock });
    try {
      for (const number of numbers(3)) delivery.push(aWindow(number));
      await until('they arrive', () => only(delivery).delivered === 3);
      assertAllDelivered(delivery, server.arrived, 3);
      assert.ok(at[1] - at[0] >= 29_000, `asked again after ${at[1] - at[0]} ms`);
    } finally {
      await delivery.flush(100);
      await server.close();
    }
  });
}

test('what a receiver refuses for good is not repeated, and counted; its words are in the error, without secrets', async () => {
  const server = await receiver((request, response, _, n) =>
    response.writeHead([400, 401, 403, 404, 413, 422][n], {}).end(`bad ${request.headers.authorization}`),
  );
  const { delivery, warnings } = deliver([toPyroscope(server.url, { token: 'secret-token-1' })]);
  try {
    for (const number of numbers(6)) delivery.push(aWindow(number));
    await until('all are refused', () => only(delivery).failed === 6);
    const stats = only(delivery);
    assert.equal([stats.retried, stats.delivered, stats.spooled, server.requests.length], [0, 0, 0, 6]);
    assert.match(stats.lastError, /^status 422 Unprocessable Entity: bad \*\*\*/);
    assert.is(warnings.length, 1);
    assert.not.match(JSON.stringify([stats, warnings]), /secret-token-1/);
    assert.is(server.requests[0].headers.authorization, 'Bearer secret-token-1');
  } finally {
    await delivery.flush(100);
    await server.close();
  }
});

test('one window that always fails holds up no other', async () => {
  const server = await pyroscope((_, response, body) => {
    const poison = body.length > 3000;
    if (poison) response.writeHead(500).end();
    return poison;
  });
  const { delivery } = deliver([toPyroscope(server.url)], { clock: fastClock(500) });
  try {
    delivery.push(aWindow(99, aProfile({ functions: 3000, labels: [{ key: 'window', num: 99 }] })));
    for (const number of numbers(5)) delivery.push(aWindow(number));
    await until('the others arrive', () => only(delivery).delivered === 5);
    assert.equal(sorted(server.arrived), numbers(5));
    assert.is(only(delivery).spooled, 1);
  } finally {
    await delivery.flush(100);
    await server.close();
  }
});

test('bounds: the oldest go, by bytes and by age, and are counted', async () => {
  const port = await freePort();
  const clock = fastClock(1000);
  const exporter = toPyroscope(`http://127.0.0.1:${port}`);
  exporter.network.spool.maxBytes = 5000;
  exporter.network.spool.maxAgeMs = 600_000;
  const { delivery, warnings } = deliver([exporter], { clock });
  for (const number of numbers(50)) delivery.push(aWindow(number));
  const full = only(delivery);
  assert.ok(full.spooledBytes <= 5000 && full.spooled > 2, JSON.stringify(full));
  assert.is(full.droppedByBytes + full.spooled, 50);
  assert.ok(warnings.some((text) => /dropped/.test(text)));
  await until('the rest is too old', () => only(delivery).spooled === 0);
  const late = only(delivery);
  assert.is(late.droppedByAge + late.droppedByBytes, 50);
  assert.is(late.droppedByAge, full.spooled);
  await delivery.flush(100);
});

test('without a spool: memory, bounded; what is left at the end is counted and said', async () => {
  const port = await freePort();
  const { delivery, warnings } = deliver([pyroscopeExporter({ endpoint: `http://127.0.0.1:${port}`, spool: false })]);
  // 3 MB each in memory: incompressible names.
  const names = Array.from({ length: 40_000 }, (_, i) => ({
    name: `${Math.sin(i)}${Math.cos(i)}${Math.tan(i)}${Math.sqrt(i)}`,
    systemName: '',
    filename: '',
    startLine: 0,
    startColumn: 0,
  }));
  const big = { ...aProfile({ functions: 1 }), functions: names, samples: [] };
  for (const number of numbers(16)) delivery.push(aWindow(number, big));
  const stats = only(delivery);
  assert.ok(stats.queuedBytes <= 16 * 2 ** 20 && stats.queuedBytes > 8 * 2 ** 20, `${stats.queuedBytes}`);
  assert.ok(stats.droppedByBytes > 0);
  assert.is(stats.droppedByBytes + stats.queued, 16);
  await delivery.flush(500);
  assert.is(only(delivery).droppedAtExit, stats.queued);
  assert.match(warnings.at(-1), /could not be delivered/);
});

test('flush: in time, with a receiver that hangs; the window stays on disk, unclaimed', async () => {
  const server = await receiver(() => undefined);
  const dir = join(folder(), 'spool');
  const { delivery } = deliver([toPyroscope(server.url, { dir })]);
  delivery.push(aWindow(1));
  delivery.push(aWindow(2));
  const before = performance.now();
  await delivery.flush(300);
  assert.ok(performance.now() - before < 5000);
  const [inner] = readdirSync(dir);
  assert.is(readdirSync(join(dir, inner)).filter((name) => name.endsWith('.entry')).length, 2);
  await server.close();
});

test('exporters know nothing of each other', async () => {
  const hangs = await receiver(() => undefined);
  const works = await pyroscope();
  const dir = join(folder(), 'profiles');
  const { delivery } = deliver([toPyroscope(hangs.url), toPyroscope(works.url), fileExporter({ dir })]);
  try {
    for (const number of numbers(3)) delivery.push(aWindow(number));
    await until('the others have them', () => works.arrived.length === 3 && delivery.stats()[2].delivered === 3);
    assert.equal(
      delivery.stats().map(({ delivered }) => delivered),
      [0, 3, 3],
    );
    assert.is(readdirSync(dir).length, 3);
  } finally {
    await delivery.flush(100);
    await Promise.all([hangs.close(), works.close()]);
  }
});

test('files: a directory that comes back, retention by files and bytes, others’ files stay', async () => {
  const home = folder();
  const dir = join(home, 'profiles');
  writeFileSync(dir, 'in the way');
  const clock = fastClock(100);
  const { delivery, warnings } = deliver([fileExporter({ dir, maxFiles: 3 })], { clock });
  delivery.push(aWindow(1));
  await until('it was refused', () => only(delivery).retried > 0);
  assert.match(warnings[0], /could not be delivered.*a part of the path is not a folder/);
  const { rmSync } = await import('node:fs');
  rmSync(dir);
  mkdirSync(dir);
  for (const name of ['cpu.pb.gz', 'notes.txt', 'cpu-backup.pb.gz']) writeFileSync(join(dir, name), 'mine');
  await until('it is written', () => only(delivery).delivered === 1);
  for (let number = 2; number <= 8; number++) {
    delivery.push(finishedProfile({ mode: 'cpu', scope: 'window', number, startUnixMs: Date.now() + number }, aProfile()));
    await until('written', () => only(delivery).delivered === number);
  }
  const files = readdirSync(dir).filter((name) => /-\d{4}\.pb\.gz$/.test(name));
  assert.equal(files.map((name) => Number(name.slice(-10, -6))).sort(), [6, 7, 8]);
  assert.ok(['cpu.pb.gz', 'notes.txt', 'cpu-backup.pb.gz'].every((name) => existsSync(join(dir, name))));
  assert.is(only(delivery).notes.filesRemoved, 5);
  assert.is(decode(readFileSync(join(dir, files[0])), files[0]).samples.length, 2);
  await delivery.flush(100);
});

test('a profile that can’t be encoded fails alone', async () => {
  const server = await pyroscope();
  const { delivery, warnings } = deliver([toPyroscope(server.url)]);
  try {
    delivery.push(aWindow(1, { ...aProfile(), functions: null }));
    delivery.push(aWindow(2));
    await until('the other one arrives', () => only(delivery).delivered === 1);
    assert.equal([only(delivery).failed, server.arrived.join()], [1, '2']);
    assert.match(warnings[0], /could not be encoded/);
  } finally {
    await delivery.flush(100);
    await server.close();
  }
});

test.run();
