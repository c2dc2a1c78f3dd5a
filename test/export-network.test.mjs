// The way to a receiver: TLS with an own authority, client certificates, proxies from the environment, timeouts, kept connections; and the checks of what a
// user gives.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createRequire } from 'node:module';
import { connect, createServer as createTcp } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  aWindow,
  deliver,
  fastClock,
  fileExporter,
  otlpExporter,
  pullExporter,
  pyroscopeExporter,
  receiver,
  until,
} from './delivery-helpers.mjs';
import { DIST, folder, INDEX } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { proxyFor } = require(join(DIST, 'export', 'proxy.js'));
const { backoffMs, retryAfterMs } = require(join(DIST, 'export', 'retry.js'));
const { StrobeError, startProfiler } = require(INDEX);

const openssl = (() => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

/** An authority, and certificates for 127.0.0.1 and of a client, as PEM files. */
function certificates() {
  const dir = folder();
  const file = (name) => join(dir, name);
  const run = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  run('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=strobe tests', '-keyout', 'ca.key', '-out', 'ca.pem');
  for (const [name, extra] of [
    ['server', 'subjectAltName=IP:127.0.0.1'],
    ['other', 'subjectAltName=DNS:elsewhere.example'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ]) {
    writeFileSync(file(`${name}.ext`), extra);
    run('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    run(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  }
  return { file, read: (name) => require('node:fs').readFileSync(file(name)) };
}

const only = ({ delivery }) => delivery.stats()[0];

async function delivers(exporter, { env, clock } = {}) {
  const sender = deliver([exporter], { env, clock });
  sender.delivery.push(aWindow(1));
  await until(
    () => JSON.stringify(only(sender)),
    () => only(sender).delivered === 1,
  );
  await sender.delivery.flush(100);
  return only(sender);
}

const tlsTest = openssl ? test : test.skip;
if (!openssl) console.log('  skipped: TLS (there is no openssl to make certificates)');

tlsTest('TLS: an own authority, a client certificate; wrong ones are retried until they are right', async () => {
  const { file, read } = certificates();
  const server = await receiver(undefined, {
    server: createHttps({
      key: read('server.key'),
      cert: read('server.pem'),
      ca: read('ca.pem'),
      requestCert: true,
      rejectUnauthorized: true,
    }),
    scheme: 'https',
  });
  const tls = { caFile: file('ca.pem'), certFile: file('client.pem'), keyFile: file('client.key') };
  try {
    await delivers(otlpExporter({ endpoint: server.url, spool: false, tls }));
    // The authority's file is another one's first, then the right one: it is read again.
    const replaced = file('replaced.pem');
    copyFileSync(file('other.pem'), replaced);
    const sender = deliver([otlpExporter({ endpoint: server.url, spool: false, tls: { ...tls, caFile: replaced } })], {
      clock: fastClock(50),
    });
    sender.delivery.push(aWindow(1));
    await until('it was refused', () => only(sender).retried > 0);
    assert.match(only(sender).lastError, /certificate is not trusted .*caFile/);
    copyFileSync(file('ca.pem'), replaced);
    await until('it arrives', () => only(sender).delivered === 1);
    await sender.delivery.flush(100);
    // Without a client certificate.
    const bare = deliver([otlpExporter({ endpoint: server.url, spool: false, tls: { caFile: file('ca.pem') } })]);
    bare.delivery.push(aWindow(1));
    await until('it was refused', () => only(bare).retried > 0);
    await bare.delivery.flush(100);
    assert.is(server.requests.length, 2);
  } finally {
    await server.close();
  }
  const elsewhere = await receiver(undefined, {
    server: createHttps({ key: read('other.key'), cert: read('other.pem') }),
    scheme: 'https',
  });
  const sender = deliver([otlpExporter({ endpoint: elsewhere.url, spool: false, tls: { caFile: file('ca.pem') } })]);
  sender.delivery.push(aWindow(1));
  await until('it was refused', () => only(sender).retried > 0);
  assert.match(only(sender).lastError, /certificate is for another name/);
  await sender.delivery.flush(100);
  await elsewhere.close();
});

test('TLS asked of a server that has none; a server that takes connections and says nothing', async () => {
  const plain = await receiver();
  const mute = createTcp(() => undefined).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  for (const [endpoint, words] of [
    [plain.url.replace('http', 'https'), /TLS/],
    [`https://127.0.0.1:${mute.address().port}`, /no connection within 0\.2 s/],
    [`http://127.0.0.1:${mute.address().port}`, /no complete answer within 0\.4 s/],
    ['http://name.invalid', /name (is not known|could not be looked up)|no connection/],
  ]) {
    const sender = deliver([otlpExporter({ endpoint, spool: false, connectTimeoutSeconds: 0.2, timeoutSeconds: 0.4 })]);
    sender.delivery.push(aWindow(1));
    await until(`${endpoint} fails`, () => only(sender).retried > 0);
    assert.match(only(sender).lastError, words);
    await sender.delivery.flush(0);
  }
  await plain.close();
  mute.close();
});

/** A proxy on loopback: { url, seen: string[], close }. */
async function proxy({ refuse = false } = {}) {
  const seen = [];
  const sockets = new Set();
  const server = createHttp((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    request.resume();
    response.writeHead(200).end();
  });
  server.on('connect', (request, socket) => {
    sockets.add(socket);
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`);
    if (refuse) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    // Wherever it was to go: the test's receiver.
    const through = connect(server.through, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      through.pipe(socket).pipe(through);
    });
    for (const one of [through, socket]) one.on('error', () => undefined);
    sockets.add(through);
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(server, {
    seen,
    port: server.address().port,
    end: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      server.closeAllConnections();
    },
  });
}

tlsTest(
  'proxies: plain requests by their whole URL, https through a tunnel with its own TLS; credentials; a refusal is retried',
  async () => {
    const { file, read } = certificates();
    const server = await receiver(undefined, { server: createHttps({ key: read('other.key'), cert: read('other.pem') }), scheme: 'https' });
    const between = await proxy();
    between.through = server.port;
    const basic = `Basic ${Buffer.from('u:p w').toString('base64')}`;
    const env = { HTTP_PROXY: `http://u:p%20w@127.0.0.1:${between.port}`, https_proxy: `http://u:p%20w@127.0.0.1:${between.port}` };
    try {
      await delivers(otlpExporter({ endpoint: 'http://collector.example:4318', spool: false }), { env });
      assert.equal(between.seen, [`POST http://collector.example:4318/v1development/profiles ${basic}`]);
      // By name: the tunnel's TLS is checked against the receiver's name, not the proxy's.
      await delivers(otlpExporter({ endpoint: 'https://elsewhere.example', spool: false, tls: { caFile: file('ca.pem') } }), { env });
      assert.is(between.seen[1], `CONNECT elsewhere.example:443 ${basic}`);
      assert.is(server.requests.length, 1);
      assert.is(server.requests[0].headers['proxy-authorization'], undefined);
      const refusing = await proxy({ refuse: true });
      const sender = deliver([otlpExporter({ endpoint: 'https://elsewhere.example', spool: false })], {
        env: { https_proxy: `127.0.0.1:${refusing.port}` },
      });
      sender.delivery.push(aWindow(1));
      await until('it was refused', () => only(sender).retried > 0);
      assert.match(only(sender).lastError, /proxy refused the tunnel with status 407/);
      await sender.delivery.flush(100);
      refusing.end();
    } finally {
      between.end();
      await server.close();
    }
  },
);

test('which proxy, by the environment', () => {
  const via = (url, env) => proxyFor(new URL(url), env)?.host;
  const env = {
    HTTP_PROXY: 'http://p:1',
    HTTPS_PROXY: 'q:2',
    NO_PROXY: 'internal, .corp.example,10.0.0.0/8,host:81,[fd00::1],fd01::/16, 192.168.1.5',
  };
  assert.equal([via('http://a.example', env), via('https://a.example', env)], ['p:1', 'q:2']);
  for (const url of [
    'http://internal',
    'https://x.corp.example',
    'http://corp.example',
    'http://10.2.3.4',
    'http://host:81',
    'http://sub.internal',
    'http://[fd00::1]',
    'http://[fd01::9]',
    'http://192.168.1.5:9',
  ])
    assert.is(via(url, env), undefined, url);
  for (const url of ['http://host:82', 'http://11.0.0.1', 'http://notinternal', 'http://xcorp.example', 'http://[fd02::1]'])
    assert.is(via(url, env), 'p:1', url);
  for (const url of ['http://localhost:4040', 'http://127.0.0.1', 'http://[::1]:4318', 'http://app.localhost'])
    assert.is(via(url, env), undefined, url);
  assert.is(via('http://a', { ...env, NO_PROXY: '*' }), undefined);
  assert.is(via('http://a', { HTTP_PROXY: 'http://evil', REQUEST_METHOD: 'GET' }), undefined, 'a CGI request can not set the proxy');
  assert.is(via('http://a', { http_proxy: 'http://low:1', HTTP_PROXY: 'http://up:2' }), 'low:1');
  assert.is(via('https://a', { ALL_PROXY: 'http://all:3' }), 'all:3');
  assert.throws(
    () => via('http://a', { HTTP_PROXY: 'socks5://user:s3cret@x' }),
    (error) => /HTTP_PROXY must be the URL/.test(error.message) && !/s3cret/.test(error.message),
  );
});

test('one connection is kept; one that the server closed meanwhile costs nothing', async () => {
  let connections = 0;
  const http = createHttp();
  http.on('connection', () => connections++);
  const server = await receiver(undefined, { server: http });
  const sender = deliver([otlpExporter({ endpoint: server.url, spool: false })]);
  const push = async (n) => {
    sender.delivery.push(aWindow(n));
    await until('it arrives', () => only(sender).delivered === n);
  };
  for (const n of [1, 2, 3]) await push(n);
  assert.is(connections, 1);
  http.closeIdleConnections();
  await push(4);
  assert.equal([only(sender).retried, connections], [0, 2]);
  await sender.delivery.flush(100);
  await server.close();
});

test('backoff and Retry-After', () => {
  assert.equal([backoffMs(1, () => 0), backoffMs(1, () => 1), backoffMs(3, () => 1), backoffMs(1e6, () => 1)], [500, 1000, 4000, 60_000]);
  const now = Date.parse('2026-01-01T00:00:00Z');
  const cases = [
    ['120', 120_000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['999999999', 3_600_000],
    ['soon', undefined],
    ['-5', undefined],
    [undefined, undefined],
  ];
  // '-5' is a date to some parsers: whatever it is, it is never negative.
  for (const [header, ms] of cases) {
    const got = retryAfterMs(header, now);
    assert.ok(got === ms || (header === '-5' && got >= 0), `${header}: ${got}`);
  }
});

test('options: each mistake names exporter and option; no secret is shown', () => {
  const endpoint = 'http://localhost:4040';
  const bad = (make, options, ...words) => {
    let error;
    try {
      make(options);
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error instanceof StrobeError && error.code === 'ERR_INVALID_OPTION', `${inspect(options)}: ${error?.stack}`);
    for (const word of words) assert.ok(error.message.includes(word), `'${word}' is not in: ${error.message}`);
    assert.not.match(error.message, /s3cret/);
  };
  for (const make of [pyroscopeExporter, otlpExporter]) {
    const who = make.name;
    bad(make, undefined, who, 'endpoint is missing', 'http://');
    bad(make, null, who, 'endpoint');
    bad(make, 'http://x', who, 'object');
    bad(make, { endpoint: 5 }, who, 'endpoint');
    bad(make, { endpoint: 'x:s3cret@y' }, who, 'endpoint');
    bad(make, { endpoint: 'ftp://u:s3cret@y' }, 'ftp:');
    bad(make, { endpoint: 'http://x?key=s3cret' }, 'query');
    bad(make, { endpoint: 'http://u:%E0%A4%A@x' }, 'endpoint');
    bad(make, { endpoint, tokn: 's3cret' }, "'tokn'", "'token'");
    bad(make, { endpoint, token: 's3cret\r\nx: y' }, 'token');
    bad(make, { endpoint, token: ['s3cret'] }, 'token');
    bad(make, { endpoint, token: 's3cret', username: 'u' }, 'token', 'username');
    bad(make, { endpoint, password: 's3cret' }, 'username');
    bad(make, { endpoint, headers: { 'bad name': 'x' } }, 'headers');
    bad(make, { endpoint, headers: { a: 's3cret\n' } }, 'headers.a');
    bad(make, { endpoint, headers: { a: 5 } }, 'headers.a');
    bad(make, { endpoint, headers: ['s3cret'] }, 'headers');
    bad(make, { endpoint, headers: { 'Content-Length': '5' } }, 'Content-Length');
    bad(make, { endpoint, headers: { Authorization: 's3cret' }, token: 's3cret' }, 'authorization');
    bad(make, { endpoint, timeoutSeconds: 0 }, 'timeoutSeconds', '0.1', '300');
    bad(make, { endpoint, timeoutSeconds: Number.NaN }, 'timeoutSeconds', 'NaN');
    bad(make, { endpoint, connectTimeoutSeconds: '1' }, 'connectTimeoutSeconds');
    bad(make, { endpoint, tls: { caFile: 'x' } }, 'tls', 'https');
    bad(make, { endpoint: 'https://x', tls: { caFiel: 'x' } }, 'tls.caFiel', 'caFile');
    bad(make, { endpoint: 'https://x', tls: { certFile: 'x' } }, 'keyFile');
    bad(make, { endpoint, spool: { dir: 5 } }, 'spool.dir');
    bad(make, { endpoint, spool: true }, 'spool');
    bad(make, { endpoint, spool: { maxBytes: 5 } }, 'spool.maxBytes');
    bad(make, { endpoint, proxy: 'http://x' }, 'proxy', 'environment');
  }
  bad(pyroscopeExporter, { endpoint, api: 'v2' }, 'api', 'push');
  bad(pyroscopeExporter, { endpoint, maxLabelValues: 0 }, 'maxLabelValues');
  bad(pyroscopeExporter, { endpoint, dropLabels: 'x' }, 'dropLabels');
  bad(otlpExporter, { endpoint, path: 'v1' }, 'path');
  bad(otlpExporter, { endpoint, path: '/a b' }, 'path');
  bad(otlpExporter, { endpoint, compression: 'br' }, 'compression', 'zstd');
  bad(pullExporter, {}, 'port is missing');
  bad(pullExporter, { port: 70_000 }, 'port', '65535');
  bad(pullExporter, { port: '6060' }, 'port');
  bad(pullExporter, { port: 1, token: '' }, 'token');
  bad(fileExporter, { dir: 'x', maxFiles: 0 }, 'maxFiles');
  bad(fileExporter, { dir: 'x', maxfile: 1 }, 'maxfile', 'maxFiles');
});

test('an exporter prints, and crosses threads, as it should', () => {
  const exporter = otlpExporter({ endpoint: 'https://user:s3cret-pw@host/base/', token: undefined, headers: { 'x-key': 's3cret-key' } });
  for (const text of [inspect(exporter, { depth: 9 }), JSON.stringify(exporter), inspect(pullExporter({ port: 1, token: 's3cret' }))])
    assert.not.match(text, /s3cret/);
  const crossed = structuredClone(exporter);
  assert.equal([crossed.network.endpoint, crossed.network.headers['x-key']], ['https://host/base', 's3cret-key']);
});

test('startProfiler refuses what it can know to fail, and nothing is started', () => {
  const tls = { caFile: join(folder(), 'none.pem') };
  const make = (options) => () => startProfiler({ exporters: [otlpExporter({ endpoint: 'https://localhost:1', ...options })] });
  const io =
    (...words) =>
    (error) =>
      error.code === 'ERR_IO' && words.every((word) => error.message.includes(word));
  assert.throws(make({ tls }), io('otlpExporter', 'tls.caFile', 'none.pem', 'no such file'));
  for (const exporter of [{ kind: 'otlp' }, { kind: 'pull' }, { kind: 'gcp' }, null, 'file', Promise.resolve()]) {
    assert.throws(
      () => startProfiler({ exporters: [exporter] }),
      (error) => error.code === 'ERR_INVALID_OPTION' && /exporters\[0\].*otlpExporter/.test(error.message),
    );
  }
  const text = join(folder(), 'a.pem');
  writeFileSync(text, 'nothing');
  assert.throws(make({ tls: { caFile: text } }), io('tls.caFile', 'no PEM'));
  assert.throws(make({ spool: { dir: join(text, 'spool') } }), io('spool.dir', 'a.pem'));
});

test.run();
