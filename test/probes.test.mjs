// processStats() of the built package: threads with their kinds, process CPU, memory, and that a call leaves nothing open.
//
// Contract: presence and ratios only. Whatever waits for CPU waits until it was used, so a loaded machine makes this slower, never red.
// Which kinds can be told on which Node is the comment at the top of native/probe/probe_linux.cc.

import { pbkdf2 } from 'node:crypto';
import { accessSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { processStats } from '../dist/index.js';

const KINDS = ['main', 'worker', 'v8-pool', 'libuv-pool', 'strobe', 'other'];
const nativeModule = createRequire(import.meta.url).resolve('../dist/native.js');

/** libuv names its pool from 1.50 on (Node 22 and later have it, Node 20 does not); unnamed threads may as well be an addon's. */
const [uvMajor, uvMinor] = process.versions.uv.split('.').map(Number);
const libuvPoolIsNamed = uvMajor > 1 || uvMinor >= 50;

const ofKind = (stats, kind) => stats.threads.filter((thread) => thread.kind === kind);
const cpuOf = (threads) => threads.reduce((sum, thread) => sum + thread.cpuNs, 0);

/** Uses CPU on this thread until the process has used `micros` more. */
function burn(micros) {
  const start = process.cpuUsage();
  for (;;) {
    const used = process.cpuUsage(start);
    if (used.user + used.system >= micros) return;
  }
}

/** Polls until `done(stats)`; the last stats when it never was (the caller's assertion then says what is missing). */
async function statsWhen(done) {
  let stats = processStats();
  for (let i = 0; i < 500 && !done(stats); i++) {
    await sleep(20);
    stats = processStats();
  }
  return stats;
}

/** A busy Worker that joined the engine. Resolves when it has joined. */
async function busyWorker() {
  const worker = new Worker(
    `const { parentPort, threadId, workerData } = require('node:worker_threads');
     require(workerData).loadNative().join('busy', threadId, false);
     parentPort.postMessage('joined');
     for (;;);`,
    { eval: true, workerData: nativeModule },
  );
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return worker;
}

test('the main thread is there once, by its tid and name', () => {
  const stats = processStats();
  const mains = ofKind(stats, 'main');
  assert.is(mains.length, 1);
  assert.is(mains[0].tid, process.pid);
  assert.ok(mains[0].name.length > 0);
  assert.ok(mains[0].cpuNs > 0);
});

test('every thread has a tid of its own, a name, a known kind and finite CPU', () => {
  const { threads } = processStats();
  assert.is(new Set(threads.map((thread) => thread.tid)).size, threads.length);
  for (const { tid, name, kind, cpuNs } of threads) {
    assert.ok(Number.isInteger(tid) && tid > 0, `tid ${tid}`);
    assert.type(name, 'string');
    assert.ok(KINDS.includes(kind), `kind ${kind}`);
    assert.ok(Number.isFinite(cpuNs) && cpuNs >= 0, `cpuNs ${cpuNs}`);
  }
});

test('main thread renamed by process.title shows at once', () => {
  const before = process.title;
  process.title = 'strobe-title';
  const stats = processStats();
  process.title = before;
  assert.is(ofKind(stats, 'main')[0]?.name, 'strobe-title');
});

test("V8's pool is told on every Node", () => {
  // At least one pool thread and the one for delayed tasks, whatever --v8-pool-size says.
  assert.ok(ofKind(processStats(), 'v8-pool').length >= 2, JSON.stringify(processStats().threads));
});

test('CPU adds up: user and system to the whole, threads to no more than it', () => {
  burn(300_000); // so that the scheduler tick by which the process clock may lag is a small share
  const stats = processStats();
  assert.ok(Math.abs(stats.cpuUserNs + stats.cpuSystemNs - stats.cpuNs) <= stats.cpuNs * 1e-6);
  assert.ok(cpuOf(stats.threads) <= stats.cpuNs * 1.02, `${cpuOf(stats.threads)} of ${stats.cpuNs}`);
  assert.ok(ofKind(stats, 'main')[0].cpuNs >= stats.cpuNs * 0.3);
});

test('CPU used on the main thread shows there', () => {
  const before = processStats();
  burn(200_000);
  const after = processStats();
  const main = ofKind(after, 'main')[0].cpuNs - ofKind(before, 'main')[0].cpuNs;
  assert.ok(main >= 0.5 * (after.cpuNs - before.cpuNs), `${main} of ${after.cpuNs - before.cpuNs}`);
});

test("a busy Worker that joined is a 'worker' and has the CPU; ended, its CPU stays with the process", async () => {
  const worker = await busyWorker();
  try {
    const before = processStats();
    assert.is(ofKind(before, 'worker').length, 1, JSON.stringify(before.threads));
    const after = await statsWhen((stats) => stats.cpuNs - before.cpuNs > 200e6);
    const [first, second] = [ofKind(before, 'worker')[0], ofKind(after, 'worker')[0]];
    assert.is(second?.tid, first.tid);
    const share = (second.cpuNs - first.cpuNs) / (after.cpuNs - before.cpuNs);
    assert.ok(share > 0.5, `share ${share}`);

    await worker.terminate();
    const ended = await statsWhen((stats) => ofKind(stats, 'worker').length === 0);
    assert.is(ofKind(ended, 'worker').length, 0);
    assert.ok(ended.cpuNs >= after.cpuNs);
    assert.ok(cpuOf(ended.threads) <= ended.cpuNs - second.cpuNs * 0.9, 'CPU of the ended thread is in no live one');
  } finally {
    await worker.terminate();
  }
});

test(`libuv's pool ${libuvPoolIsNamed ? 'has the CPU that crypto used in it' : "is 'other', not guessed, on this Node"}`, async () => {
  const run = promisify(pbkdf2);
  const work = () => Promise.all(Array.from({ length: 4 }, (_, i) => run('secret', `salt ${i}`, 100_000, 32, 'sha512')));
  await work(); // starts the pool
  const before = processStats();
  await work();
  const after = processStats();
  if (!libuvPoolIsNamed) {
    assert.is(ofKind(after, 'libuv-pool').length, 0);
    return;
  }
  const pool = cpuOf(ofKind(after, 'libuv-pool')) - cpuOf(ofKind(before, 'libuv-pool'));
  assert.ok(pool > 0);
  assert.ok(pool >= 0.5 * (after.cpuNs - before.cpuNs), `${pool} of ${after.cpuNs - before.cpuNs}`);
});

test('memory: resident, virtual and peak are there and ordered; growth shows', () => {
  const before = processStats();
  assert.ok(before.rssBytes > 0);
  assert.ok(before.virtualBytes >= before.rssBytes);
  assert.ok(before.peakRssBytes >= before.rssBytes);
  const touched = Buffer.alloc(64 << 20, 1);
  const after = processStats();
  assert.ok(after.rssBytes >= before.rssBytes + touched.length / 2, `${before.rssBytes} then ${after.rssBytes}`);
  assert.ok(after.peakRssBytes >= after.rssBytes);
  // Node reads the same counter from another file.
  assert.ok(Math.abs(after.rssBytes / process.memoryUsage.rss() - 1) < 0.2);
  assert.is(touched[touched.length - 1], 1); // alive until here
});

test('PSS comes only when asked for', () => {
  const plain = processStats();
  assert.is(plain.pssBytes, undefined);
  assert.is(plain.anonymousBytes, undefined);
  try {
    accessSync('/proc/self/smaps_rollup');
  } catch {
    return; // a kernel without it: the fields stay away, which the next lines could not tell
  }
  const exact = processStats({ pss: true });
  assert.ok(exact.pssBytes > 0 && exact.pssBytes <= exact.rssBytes);
  assert.ok(exact.anonymousBytes > 0 && exact.anonymousBytes <= exact.rssBytes);
});

test('200 calls leave no descriptor open', () => {
  processStats({ pss: true });
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 200; i++) processStats({ pss: i % 20 === 0 });
  const after = readdirSync('/proc/self/fd').length;
  assert.ok(after - before < 5, `${before} open before, ${after} after`);
});

test.run();
