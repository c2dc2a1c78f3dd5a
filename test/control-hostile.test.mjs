// Hostile input at the control socket: from clients, from whatever stands where the socket should be, from servers that are not strobe.

import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { control, ENV, impostor, later, RUNTIME, talk, target, until } from './control-helpers.mjs';
import { DIST, folder, program, runNode } from './helpers.mjs';

const BUSY = 'setInterval(() => work(5), 40);';
const DIRECTORY = join(RUNTIME, 'strobe');
const greeting = (extra = {}) => `${JSON.stringify({ strobe: 'control', protocol: 1, version: '9.9.9', pid: process.pid, ...extra })}\n`;
/** The socket of this very process, which lives and has no profiler. */
const MINE = join(DIRECTORY, `${process.pid}.sock`);

async function refused(expected, args = ['status', String(process.pid)], options = {}) {
  const end = await control(args, options);
  assert.is(end.code, 1, end.stderr);
  assert.match(end.stderr, expected);
  assert.not.match(end.stderr, /\n +at /);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  assert.not.match(end.stderr, /[\u0000-\u0009\u000b-\u001f]/);
  return end;
}

test('clients that send garbage, endless lines, floods: told why, and dropped; the others are served', async () => {
  const process_ = await target(BUSY);
  try {
    const lines = (text) => (socket) => socket.write(text);
    const cases = [
      ['hello\n', /one line of JSON/],
      ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', /one line of JSON/],
      ['null\n', /is an object/],
      ['[]\n', /has an id/],
      ['{"id":1}\n', /methods of protocol 1: status, record, take, end, stop/],
      ['{"id":1,"method":"constructor"}\n', /methods of protocol 1/],
      ['{"id":1e99,"method":"status"}\n', /has an id/],
      ['{"id":1,"method":"record","mode":"heap"}\n', /mode must be/],
      ['\u0000\u0001\u0002\n', /one line of JSON/],
      ['x'.repeat(5000), /longer than 4096 bytes/],
      ['{"id":1,"method":"status"}\n'.repeat(500), /requests wait/],
    ];
    for (const [text, expected] of cases) assert.match(await talk(process_.path, lines(text)), expected, text.slice(0, 40));
    // A line without an end, in small pieces.
    const slow = await talk(process_.path, (socket) => {
      const timer = setInterval(() => (socket.writable ? socket.write('y'.repeat(300)) : clearInterval(timer)), 5);
      socket.on('close', () => clearInterval(timer));
    });
    assert.match(slow, /longer than 4096 bytes/);
    // Requests in the wrong order are answered, the connection goes on.
    const order = await talk(
      process_.path,
      lines('{"id":1,"method":"take"}\n{"id":2,"method":"record"}\n{"id":3,"method":"record"}\n{"id":4,"method":"status"}\n'),
      (text) => text.includes('"id":4'),
    );
    assert.match(
      order,
      /"id":1,"error".*nothing is recorded[\s\S]*"id":2,"result"[\s\S]*"id":3,"error".*records already[\s\S]*"id":4,"result"/,
    );
    // More clients than are served; then they leave.
    const idle = [];
    for (let i = 0; i < 16; i++) idle.push(createConnection(process_.path).on('error', () => undefined));
    await until('all are connected', () => idle.every((socket) => socket.bytesRead > 0));
    assert.match(await talk(process_.path, () => undefined), /16 clients are connected/);
    for (const socket of idle) socket.destroy();
    await until('there is room again', async () => (await control(['status', String(process_.pid)])).code === 0);
    const end = JSON.parse((await control(['status', String(process_.pid), '--json'])).stdout);
    assert.is(end.recordings, 0);
    assert.is(process_.output(), 'listening\n', 'the application hears nothing of it');
  } finally {
    await process_.kill();
  }
});

test('a stale socket: said, removed; a start sweeps what killed processes left', async () => {
  const killed = await target(BUSY);
  await killed.kill('SIGKILL');
  assert.ok(existsSync(killed.path));
  await refused(/there is no process \d+; (no process of yours has one now|processes of yours that have one)/, ['top', String(killed.pid)]);
  assert.not(existsSync(killed.path));

  const [first, second] = [await target(BUSY), await target(BUSY)];
  await first.kill('SIGKILL');
  await second.kill('SIGKILL');
  const third = await target(BUSY);
  assert.equal(readdirSync(DIRECTORY), [`${third.pid}.sock`]);
  // The socket of a killed process under the id of one that lives.
  await third.kill('SIGKILL');
  renameSync(third.path, MINE);
  await refused(/nobody listens at .*; the socket that it left was removed/);
  assert.not(existsSync(MINE));
});

test('no process, no socket, no process id', async () => {
  await refused(/there is no process 4194304/, ['status', '4194304']);
  await refused(new RegExp(`process ${process.pid} can not be controlled: it has no control socket. Start it with STROBE_CONTROL=1`));
  for (const args of [
    ['attach'],
    ['top', 'x'],
    ['stop', '-1'],
    ['status', '1', '2'],
    ['attach', '1', '--mode', 'heap'],
    ['top', '1', '--interval', '0'],
    ['top', '1', '--window', '1'],
  ]) {
    const end = await control(args);
    assert.is(end.code, 2, args.join(' '));
    assert.match(end.stderr, /--help shows the options/);
  }
});

test('what is no socket of ours is not talked to: links, files, open modes, other users', async () => {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 });
  const elsewhere = join(folder(), 'other.sock');
  const server = await impostor(elsewhere, (socket) => socket.end(greeting()));
  const cleanUp = (path) => renameSync(path, join(folder(), 'old'));
  try {
    symlinkSync(elsewhere, MINE);
    await refused(/is not trusted: it is a symbolic link, not a socket/);
    assert.ok(lstatSync(MINE).isSymbolicLink(), 'left alone');
    cleanUp(MINE);
    writeFileSync(MINE, '');
    await refused(/is not trusted: it is a file, not a socket/);
    cleanUp(MINE);
    const open = await impostor(MINE, (socket) => socket.end(greeting()));
    chmodSync(MINE, 0o666);
    await refused(/is not trusted: others may use it \(mode 666\); it must be 600/);
    chmodSync(MINE, 0o600);
    chmodSync(DIRECTORY, 0o755);
    await refused(/is not trusted: others may enter it \(mode 755\); it must be 700/);
    chmodSync(DIRECTORY, 0o700);
    if (process.getuid() === 0) {
      chownSync(MINE, 65_534, 65_534);
      await refused(/is not trusted: it belongs to uid 65534, not to uid 0/);
      chownSync(MINE, 0, 0);
      chownSync(DIRECTORY, 65_534, 65_534);
      await refused(/is not trusted: it belongs to uid 65534/);
      chownSync(DIRECTORY, 0, 0);
    }
    await open.close();
    // The directory itself.
    const real = join(folder(), 'real');
    renameSync(DIRECTORY, real);
    symlinkSync(real, DIRECTORY);
    await refused(/is not trusted: it is a symbolic link, not a directory/);
    cleanUp(DIRECTORY);
  } finally {
    await server.close();
  }
});

test('a server finds no place that it can trust: said once, the application runs profiled', async () => {
  const room = folder();
  symlinkSync(folder(), join(room, 'strobe'));
  symlinkSync(folder(), join(room, `strobe-${process.getuid()}`));
  const source = `
    const { startProfiler } = require(${JSON.stringify(join(DIST, 'index.js'))});
    const profiler = startProfiler({ control: true });
    process.on('warning', ({ name, message }) => { if (name === 'StrobeWarning') { console.log(message); console.log(profiler.stats().features.control); clearInterval(timer); } });
    const timer = setInterval(() => {}, 50);`;
  const one = await runNode([program(source)], { env: { ...ENV, XDG_RUNTIME_DIR: room, TMPDIR: room } });
  assert.is(one.code, 0, one.stderr);
  assert.match(one.stdout, /control socket could not be opened, the profiler runs without it: .*it is a symbolic link, not a directory/);
  assert.match(one.stdout, /\noff: /);
  const long = join(room, 'x'.repeat(100));
  mkdirSync(long);
  const two = await runNode([program(source)], { env: { ...ENV, XDG_RUNTIME_DIR: long, TMPDIR: long } });
  assert.match(two.stdout, /bytes, a socket's path has at most 107; set XDG_RUNTIME_DIR or TMPDIR/);
});

test('another user is refused by the kernel and told so', async () => {
  if (process.getuid() !== 0) return console.log('  (needs root to be somebody else)');
  const process_ = await target(BUSY);
  try {
    const source = `
      process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const { findSocket } = require(${JSON.stringify(join(DIST, 'control', 'place.js'))});
      findSocket(${process_.pid}).catch(({ code, message }) => console.log(code, message));
      require('node:net').createConnection(${JSON.stringify(process_.path)}).on('error', ({ code }) => console.log(code)).on('connect', () => console.log('connected'));`;
    // -e: another user can't read the test's folder.
    const end = await runNode(['-e', source], { env: ENV });
    assert.match(
      end.stdout,
      new RegExp(`ERR_IO process ${process_.pid} belongs to another user \\(uid 0\\): run this as that user, or as root`),
      end.stderr,
    );
    assert.match(end.stdout, /EACCES/);
  } finally {
    await process_.kill();
  }
  return undefined;
});

test('servers that are not strobe, or another one: clear errors, bounded', async () => {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 });
  const status = '{"id":1,"result":';
  const cases = [
    [(socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /does not speak strobe's protocol: a line of it is no JSON/],
    [(socket) => socket.end('{}\n'), /its first line is no greeting/],
    [(socket) => socket.end(greeting({ pid: 1 })), /process 1 answers there/],
    [
      (socket) => socket.end(greeting({ protocol: 2 })),
      /runs strobe 9\.9\.9, whose control protocol is 2; this strobe \(.*\) has 1: use the strobe that/,
    ],
    [(socket) => socket.end(greeting({ protocol: 2, version: '\u001b[2Jx\u0007' })), /runs strobe \?\[2Jx\?/],
    [(socket) => socket.end(), /ended, or its profiler did/],
    [() => undefined, /does not answer at .* within 5 s: it is suspended, or not strobe/],
    [(socket) => flood(socket, Buffer.alloc(65_536, 120)), /a line is longer than 4194304 bytes/],
    [answering(`${status}null}\n`), /an answer has no result/],
    [(socket) => socket.write(`${greeting()}{"id":7,"result":{}}\n`), /answers what nobody asked/],
    [answering('{"id":1,"result":{},"bytes":1e300}\n'), /no possible length/],
    [answering('{"id":1,"result":{}}\n'), /its status has no rate/],
    [answering('{"id":1,"error":{"message":"\\u001b[31mno"}}\n'), /\?\[31mno/],
  ];
  for (const [answer, expected] of cases) {
    const server = await impostor(MINE, answer);
    try {
      await refused(expected);
    } finally {
      await server.close();
    }
  }
  // A profile that is none.
  const server = await impostor(MINE, (socket) => {
    socket.write(greeting());
    socket.on('data', (data) => {
      for (const line of data.toString().trim().split('\n')) {
        const { id, method } = JSON.parse(line);
        if (method === 'status') socket.write(`{"id":${id},"result":{"appName":"","stats":{"frequencyHz":100}}}\n`);
        else if (method === 'record') socket.write(`{"id":${id},"result":{}}\n`);
        else socket.write(`{"id":${id},"result":{},"bytes":9}\nnot gzip!`);
      }
    });
  });
  const out = folder();
  const end = await control(['attach', String(process.pid), '--duration', '1', '--out', out]);
  assert.is(end.code, 1, end.stderr);
  assert.not.match(end.stderr, /\n +at /);
  await server.close();
});

/** Greets, and says the text when it is asked something. */
function answering(text) {
  return (socket) => {
    socket.write(greeting());
    socket.once('data', () => socket.write(text));
  };
}

function flood(socket, chunk) {
  const more = () => {
    while (socket.writable && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

test('a suspended process: said, not waited for', async () => {
  const process_ = await target(BUSY);
  try {
    process.kill(process_.pid, 'SIGSTOP');
    await later(100);
    await refused(/does not answer at .* within 5 s: it is suspended/, ['status', String(process_.pid)]);
    process.kill(process_.pid, 'SIGCONT');
    assert.is((await control(['status', String(process_.pid)])).code, 0);
  } finally {
    await process_.kill();
  }
});

test.run();
