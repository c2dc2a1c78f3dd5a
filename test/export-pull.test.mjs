// Pull: profiles for who asks, served from the encoder's thread. Read by the pprof tool where it is; attacked over raw sockets.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deliver, fastClock, pullExporter, receiver, until } from './delivery-helpers.mjs';
import { decode, INDEX, program, ROOT, run } from './helpers.mjs';

const BYTES = Buffer.from('the profile');

async function serving(options = {}, collect = async () => BYTES) {
  const { delivery, warnings } = deliver([pullExporter({ port: 0, ...options })], { collect, clock: options.clock });
  await until('it listens', () => delivery.stats()[0].notes.listening === 'yes');
  return { url: delivery.stats()[0].target, delivery, warnings, stats: () => delivery.stats()[0], end: () => delivery.flush(100) };
}

/** What the server sends for raw bytes, until it closes. */
async function raw(url, text) {
  const socket = connect(new URL(url).port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => (answer += data));
  socket.on('error', () => undefined);
  socket.write(text);
  await Promise.race([once(socket, 'close'), new Promise((late) => setTimeout(late, 2000))]);
  socket.destroy();
  return answer;
}

test('paths, modes, seconds; what is wrong says so', async () => {
  const asked = [];
  const server = await serving({}, async (mode, seconds) => {
    asked.push([mode, seconds]);
    return BYTES;
  });
  const get = async (path, options) => {
    const reply = await fetch(server.url + path, options);
    return [reply.status, await reply.text()];
  };
  assert.equal(await get('/debug/pprof/profile?seconds=5'), [200, 'the profile']);
  assert.equal(await get('/debug/pprof/wall?seconds=1.5'), [200, 'the profile']);
  assert.equal(await get('/debug/pprof/profile'), [200, 'the profile']);
  assert.equal(asked, [
    ['cpu', 5],
    ['wall', 1.5],
    ['cpu', 30],
  ]);
  assert.match((await get('/debug/pprof/'))[1], /profile\?seconds=30/);
  for (const seconds of ['', '0', '-1', '601', 'x', 'NaN', '1e9'])
    assert.is((await get(`/debug/pprof/profile?seconds=${seconds}`))[0], 400, seconds);
  for (const path of ['/', '/debug/pprof/heap', '/debug/pprof/constructor', '/..%2f..%2fetc/passwd'])
    assert.is((await get(path))[0], 404, path);
  assert.is((await get('/debug/pprof/profile', { method: 'POST', body: 'x' }))[0], 405);
  assert.equal([server.stats().delivered, server.stats().failed], [3, 0]);
  await server.end();
});

test('one at a time: a second caller gets 429 with the reason; a caller who leaves frees the place', async () => {
  let finish;
  let left = 0;
  const server = await serving({}, (_, __, signal) => {
    signal.addEventListener('abort', () => {
      left++;
      finish(BYTES);
    });
    return new Promise((done) => (finish = done));
  });
  const first = fetch(`${server.url}/debug/pprof/profile?seconds=60`);
  await until('it records', () => finish);
  const second = await fetch(`${server.url}/debug/pprof/profile?seconds=1`);
  assert.is(second.status, 429);
  assert.ok(Number(second.headers.get('retry-after')) > 50);
  assert.match(await second.text(), /another caller/);
  finish(BYTES);
  assert.is((await first).status, 200);
  finish = undefined;
  const leaving = request(`${server.url}/debug/pprof/profile`);
  leaving.on('error', () => undefined);
  leaving.end();
  await until('it records', () => finish);
  leaving.destroy();
  await until('the place is free', () => left === 1);
  finish = undefined;
  const third = fetch(`${server.url}/debug/pprof/profile`);
  await until('it records', () => finish);
  finish(BYTES);
  assert.is((await third).status, 200);
  await server.end();
});

test('who may ask: a token; on loopback only by a loopback name', async () => {
  const server = await serving({ token: 'tok-12345' });
  const get = async (headers) => (await fetch(`${server.url}/debug/pprof/profile`, { headers })).status;
  assert.equal(
    [await get({}), await get({ authorization: 'Bearer x' }), await get({ authorization: 'Bearer tok-12345' })],
    [401, 401, 200],
  );
  const { port } = new URL(server.url);
  const named = (host) =>
    raw(server.url, `GET /debug/pprof/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nAuthorization: Bearer tok-12345\r\n\r\n`);
  assert.match(await named(`evil.example:${port}`), /^HTTP\/1\.1 403/);
  assert.match(await named('127.0.0.1.evil.example'), /^HTTP\/1\.1 403/);
  assert.match(await named(`localhost:${port}`), /^HTTP\/1\.1 200/);
  await server.end();
});

test('bytes that are no request, and a profile that fails, end nothing', async () => {
  let fails = true;
  const server = await serving({}, async () => {
    if (fails) throw new Error('mode wall is not being recorded');
    return BYTES;
  });
  for (const text of [
    '\0\0\0\0',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`,
    'GET http://[bad HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    'GET // HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  ]) {
    assert.match(await raw(server.url, text), /^HTTP\/1\.1 (4|5)\d\d/, text.slice(0, 40));
  }
  const broken = await fetch(`${server.url}/debug/pprof/wall`);
  assert.equal([broken.status, await broken.text()], [500, 'strobe: mode wall is not being recorded\n']);
  fails = false;
  assert.is((await fetch(`${server.url}/debug/pprof/profile`)).status, 200);
  await server.end();
});

test('a port that is taken: said once, tried again, served when it is free', async () => {
  const other = await receiver();
  const { delivery, warnings } = deliver([pullExporter({ port: other.port })], { collect: async () => BYTES, clock: fastClock(20) });
  await until('it failed twice', () => /taken/.test(delivery.stats()[0].lastError));
  await new Promise((next) => setTimeout(next, 200));
  await other.close();
  await until('it listens', () => delivery.stats()[0].notes.listening === 'yes');
  assert.is(warnings.length, 1);
  assert.match(warnings[0], /can not listen.*is taken/);
  await delivery.flush(100);
});

test('the profiler itself, with its loop blocked: the pprof tool reads it', async () => {
  const source = `
    const { startProfiler, pullExporter } = require(${JSON.stringify(INDEX)});
    const profiler = startProfiler({ frequencyHz: 500, exporters: [pullExporter({ port: 0 })] });
    (async () => {
      let target;
      while (!target) { await new Promise(setImmediate); const [one] = profiler.stats().delivery.exporters; if (one && one.notes.listening === 'yes') target = one.target; }
      require('node:fs').writeSync(1, target + '\\n');
      function pulledWork() { let x = 0; for (;;) x += Math.sqrt(x + 1); return x; }
      pulledWork();
    })();`;
  let reading;
  const end = await run(process.execPath, [program(source)], {
    limitSeconds: 60,
    onOutput(text, child) {
      if (reading || !text.includes('\n')) return;
      reading = (async () => {
        const url = `${text.trim()}/debug/pprof/profile?seconds=2`;
        const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
        const tool = join(ROOT, '.cache', 'bin', 'pprof');
        const read = existsSync(tool)
          ? await run(tool, ['-top', '-nodecount=5', url], { env: { HOME: '/tmp', PPROF_TMPDIR: '/tmp' } })
          : undefined;
        child.kill('SIGKILL');
        return { bytes, read };
      })();
      reading.catch(() => child.kill('SIGKILL'));
    },
  });
  assert.is(end.signal, 'SIGKILL', end.stderr);
  const { bytes, read } = await reading;
  const profile = decode(bytes, 'pulled');
  assert.ok(profile.functions.some(({ name }) => name === 'pulledWork'));
  const seconds = profile.samples.reduce((sum, { values }) => sum + values[1], 0) / 1e9;
  assert.ok(seconds > 0.5 && seconds < 4, `${seconds} s of CPU in 2 s`);
  if (!read) return console.log('  (no pprof tool: the profile was read by our own reader only)');
  assert.is(read.code, 0, read.stderr);
  assert.match(read.stdout, /Type: cpu[\s\S]*pulledWork/);
  return undefined;
});

test.run();
