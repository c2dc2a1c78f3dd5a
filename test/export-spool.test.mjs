// The spool against what a shared directory may hold: other processes, dead ones, foreign and damaged files, links, wrong owners, a full disk.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { aWindow, deliver, newOwner, pyroscope, pyroscopeExporter, Spool, until } from './delivery-helpers.mjs';
import { DIST, folder, ROOT } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { openSpoolDirectory } = require(join(DIST, 'export', 'spool-directory.js'));
const { Queue } = require(join(DIST, 'export', 'queue.js'));

const BOUNDS = { maxBytes: 2 ** 20, maxAgeMs: 3_600_000 };
const payload = (text) => ({ head: { kind: 'test', text }, body: Buffer.from(text.repeat(100)) });
const opened = (dir = join(folder(), 'spool', 'x'), bounds = BOUNDS, now = Date.now) => new Spool(dir, bounds, newOwner(), now);

function ioError(dir, ...words) {
  assert.throws(
    () => openSpoolDirectory(dir),
    (error) => error.code === 'ERR_IO' && error.message.includes(dir) && words.every((word) => error.message.includes(word)),
    words.join(),
  );
}

test('put, claim, remove: what comes out is what went in; files are the user’s alone', () => {
  const spool = opened();
  const names = ['a', 'b', 'ünï €'].map((text) => spool.put(payload(text), Date.now()));
  assert.equal(
    spool.sweep().map(({ name, own }) => [name, own]),
    names.map((name) => [name, true]),
  );
  const { head, body } = spool.claim(names[2]);
  assert.equal([head, body.toString()], [{ kind: 'test', text: 'ünï €' }, 'ünï €'.repeat(100)]);
  assert.is(spool.claim(names[2]), undefined, 'claimed is claimed');
  assert.is(spool.sweep().length, 2);
  spool.release(names[2]);
  assert.is(spool.sweep().length, 3);
  spool.claim(names[2]);
  spool.remove(names[2]);
  assert.equal([spool.entries, readdirSync(spool.dir).length], [2, 2]);
  const { mode } = require('node:fs').statSync(join(spool.dir, names[0]));
  assert.is(mode & 0o777, 0o600);
});

test('two spools on one directory: an entry has one owner', () => {
  const first = opened();
  const second = opened(first.dir);
  const names = Array.from({ length: 50 }, (_, i) => first.put(payload(`e${i}`), Date.now()));
  const got = { first: 0, second: 0 };
  for (const [i, name] of names.entries()) {
    const order = i % 2 ? ['first', 'second'] : ['second', 'first'];
    for (const who of order) if ({ first, second }[who].claim(name)) got[who]++;
  }
  assert.equal(got, { first: 25, second: 25 });
  assert.equal([first.sweep(), second.sweep()], [[], []], 'a live owner’s claim is not taken');
});

test('a dead owner’s claim is taken over; an unknown place’s when its lease ran out; one of a process id used again', () => {
  const spool = opened();
  const name = spool.put(payload('x'), Date.now());
  const [place] = newOwner().name.split('-');
  const dead = spawnSync(process.execPath, ['-e', '0']).pid;
  const claimed = (owner) => join(spool.dir, `${name}.${owner}.claim`);
  const claimAs = (owner, ageMs = 0) => {
    renameSync(join(spool.dir, name), claimed(owner));
    const seconds = (Date.now() - ageMs) / 1000;
    utimesSync(claimed(owner), seconds, seconds);
  };
  for (const [owner, ageMs, taken] of [
    [`${place}-${dead}-12345-00000000`, 0, true],
    [`${place}-${process.pid}-1-00000000`, 0, true],
    [`deadbeef-${process.pid}-1-00000000`, 0, false],
    [`deadbeef-${process.pid}-1-00000000`, 601_000, true],
  ]) {
    claimAs(owner, ageMs);
    assert.is(spool.sweep().length, taken ? 1 : 0, owner);
    if (!taken) renameSync(claimed(owner), join(spool.dir, name));
  }
  assert.is(spool.counts.takenOver, 3);
});

test('foreign files are left alone and not counted; damaged entries are removed and counted; what a dead writer left is removed', () => {
  const spool = opened();
  const damaged = {
    truncated: (path) => truncateSync(path, 60),
    longer: (path) => appendFileSync(path, 'x'),
    changed: (path) => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 5] ^= 1;
      writeFileSync(path, bytes);
    },
    empty: (path) => truncateSync(path, 0),
    'another format': (path) => writeFileSync(path, Buffer.alloc(readFileSync(path).length, 'z')),
    'a link': (path) => {
      const outside = join(folder(), 'secret');
      renameSync(path, outside);
      symlinkSync(outside, path);
    },
    'a folder': (path) => {
      require('node:fs').rmSync(path);
      mkdirSync(path);
    },
  };
  for (const [how, damage] of Object.entries(damaged)) {
    const before = spool.counts.damaged;
    const name = spool.put(payload(how), Date.now());
    damage(join(spool.dir, name));
    assert.is(spool.claim(name), undefined, how);
    assert.is(spool.counts.damaged, before + 1, how);
    assert.equal(readdirSync(spool.dir), [], how);
  }
  const foreign = ['notes.txt', '.hidden', 'x.entry', `${'9'.repeat(14)}-zz.entry`, '.a.b.tmp', '..entry.claim'];
  for (const name of foreign) writeFileSync(join(spool.dir, name), 'mine');
  const [place] = newOwner().name.split('-');
  const dead = spawnSync(process.execPath, ['-e', '0']).pid;
  writeFileSync(join(spool.dir, `.half.entry.${place}-${dead}-1-00000000.tmp`), 'half');
  assert.equal(spool.sweep(), []);
  assert.equal(readdirSync(spool.dir).sort(), foreign.sort());
  assert.equal([spool.entries, spool.bytes], [0, 0]);
});

test('names that lie about size or time keep the bounds and end nothing', () => {
  const spool = opened();
  const name = (time, bytes, n = 0) => `${time}-00000000-0000000${n}-${bytes}.entry`;
  writeFileSync(join(spool.dir, name('99999999999999', 999_999_999)), 'small');
  writeFileSync(join(spool.dir, name('00000000000000', 5, 1)), 'small');
  assert.equal(spool.sweep(), [], 'too large, too old');
  assert.equal([spool.counts.droppedByAge, spool.counts.droppedByBytes], [1, 1]);
  const many = opened(undefined, { ...BOUNDS, maxEntries: 10 });
  for (let i = 0; i < 30; i++) many.put(payload('x'), Date.now());
  assert.is(many.sweep().length, 10);
});

test('folders that nobody reads any more are emptied after a week, others’ are left alone', () => {
  const { removeAbandoned } = require(join(DIST, 'export', 'spool-abandoned.js'));
  const dir = folder();
  const now = Date.now();
  const entry = (ageDays) => `${String(now - ageDays * 86_400_000).padStart(14, '0')}-00000000-00000000-5.entry`;
  const make = (name, files) => {
    mkdirSync(join(dir, name));
    for (const file of files) writeFileSync(join(dir, name, file), 'small');
  };
  make('otlp-0123456789abcdef', [entry(8), `${entry(9)}.deadbeef-1-1-00000000.claim`]);
  make('pyroscope-0123456789abcdef', [entry(8), entry(6), 'notes.txt']);
  make('mine', [entry(8)]);
  symlinkSync(join(dir, 'mine'), join(dir, 'otlp-ffffffffffffffff'));
  removeAbandoned(dir, now);
  assert.equal(readdirSync(dir).sort(), ['mine', 'otlp-ffffffffffffffff', 'pyroscope-0123456789abcdef']);
  assert.equal(readdirSync(join(dir, 'pyroscope-0123456789abcdef')).sort(), [entry(6), 'notes.txt'].sort());
  assert.is(readdirSync(join(dir, 'mine')).length, 1);
});

test('the directory: made closed; a link, a file, others’ writing, another owner are refused with the way out', () => {
  const home = folder();
  const at = (name) => join(home, name);
  openSpoolDirectory(at('new/deep'));
  assert.is(require('node:fs').statSync(at('new/deep')).mode & 0o777, 0o700);
  symlinkSync(at('new'), at('link'));
  ioError(at('link'), 'symbolic link');
  symlinkSync(at('nowhere'), at('dangling'));
  ioError(at('dangling'), 'symbolic link');
  writeFileSync(at('file'), '');
  ioError(at('file'), 'file');
  ioError(join(at('file'), 'x'), 'folder');
  mkdirSync(at('open'));
  chmodSync(at('open'), 0o777);
  ioError(at('open'), '777', 'chmod go-w');
  if (process.getuid?.() === 0) {
    mkdirSync(at('theirs'), { mode: 0o700 });
    chownSync(at('theirs'), 12_345, 12_345);
    ioError(at('theirs'), '12345');
  }
});

test('the default directory that can’t be used: windows wait in memory, and stats() says why', async () => {
  const exporter = pyroscopeExporter({ endpoint: 'http://127.0.0.1:1' });
  const link = join(folder(), 'link');
  symlinkSync(folder(), link);
  exporter.network.spool.dir = link;
  const { delivery, warnings } = deliver([exporter]);
  delivery.push(aWindow(1));
  const [stats] = delivery.stats();
  assert.match(stats.spool, /^off: .*symbolic link/);
  assert.equal([stats.queued, stats.spooled], [1, 0]);
  assert.match(warnings[0], /memory only/);
  await delivery.flush(100);
});

/** A file system of 64 KiB, where that may be mounted; else undefined. */
function smallDisk() {
  const dir = folder();
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', dir]).status === 0 ? dir : undefined;
}

test('a full disk: memory takes over, nothing is lost, nothing half-written stays; with room again it goes to disk', async () => {
  const disk = smallDisk();
  if (!disk) return console.log('  (no file system can be mounted here: the full disk is left out)');
  try {
    let refuses = true;
    const server = await pyroscope((_, response) => {
      if (refuses) response.writeHead(503).end();
      return refuses;
    });
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(50_000));
    const clock = { now: Date.now, setTimeout: (work, ms) => setTimeout(work, ms / 50), clearTimeout, random: Math.random };
    const { delivery } = deliver([pyroscopeExporter({ endpoint: server.url, spool: { dir: join(disk, 'spool') } })], { clock });
    for (let n = 1; n <= 40; n++) delivery.push(aWindow(n));
    const [full] = delivery.stats();
    assert.ok(full.spooled > 0 && full.queued > 0 && full.spooled + full.queued === 40, JSON.stringify(full));
    assert.match(full.lastError, /ENOSPC|no space|refused|503/);
    const [inner] = readdirSync(join(disk, 'spool'));
    assert.equal(
      readdirSync(join(disk, 'spool', inner)).filter((name) => name.startsWith('.')),
      [],
    );
    require('node:fs').rmSync(join(disk, 'ballast'));
    refuses = false;
    await until('all arrive', () => delivery.stats()[0].delivered === 40);
    assert.equal([new Set(server.arrived).size, server.arrived.length], [40, 40]);
    await delivery.flush(100);
    await server.close();
  } finally {
    spawnSync('umount', [disk]);
  }
  return undefined;
});

test('memory goes to disk when there is room again, also while the receiver is away', () => {
  let full = true;
  const spool = opened();
  const put = spool.put.bind(spool);
  spool.put = (...args) => {
    if (full) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    return put(...args);
  };
  const queue = new Queue(spool, 3_600_000, Date.now);
  for (let i = 0; i < 5; i++) queue.put(payload(`p${i}`));
  assert.equal([queue.inMemory, spool.entries, queue.spoolError], [5, 0, 'ENOSPC']);
  full = false;
  queue.settleDown();
  assert.equal([queue.inMemory, queue.bytesInMemory, spool.entries, queue.spoolError], [0, 0, 5, '']);
});

test('a spool directory that is removed meanwhile is made again', async () => {
  const server = await pyroscope();
  const dir = join(folder(), 'spool');
  const { delivery } = deliver([pyroscopeExporter({ endpoint: server.url, spool: { dir } })]);
  require('node:fs').rmSync(dir, { recursive: true });
  delivery.push(aWindow(1));
  await until('it arrives', () => server.arrived.length === 1);
  assert.ok(existsSync(dir));
  await delivery.flush(100);
  await server.close();
});

test('two processes on one spool: every window once', async () => {
  const server = await pyroscope();
  const dir = join(folder(), 'spool');
  const producer = fileURLToPath(new URL('./programs/delivery/producer.mjs', import.meta.url));
  const children = [
    [1, 60],
    [61, 120],
  ].map(([from, to]) =>
    spawn(process.execPath, [producer, server.url, dir, String(from), String(to)], { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  try {
    await until(
      () => `all arrive: ${server.arrived.length}`,
      () => server.arrived.length >= 120,
      40,
    );
    const texts = await Promise.all(
      children.map(async (child) => {
        let text = '';
        child.stdout.on('data', (data) => (text += data));
        child.stdin.end('end\n');
        await once(child, 'close');
        return text;
      }),
    );
    const stats = texts.map((text) => JSON.parse(text.trim().split('\n').at(-1)));
    assert.equal([new Set(server.arrived).size, server.arrived.length], [120, 120]);
    assert.equal([stats[0].accepted, stats[1].accepted, stats[0].delivered + stats[1].delivered], [60, 60, 120], JSON.stringify(stats));
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await server.close();
  }
});

test.run();
