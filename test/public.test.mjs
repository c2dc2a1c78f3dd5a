// The public surface: what importing does (nothing), the shapes of what startProfiler gives, its states and errors, and the types.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as viaImport from '../dist/index.js';
import { busyCpu as busy, DIST, decode, folder, INDEX, linkPackageParts, program, ROOT, runNode } from './helpers.mjs';

const require = createRequire(import.meta.url);
const viaRequire = require(INDEX);
const { fileExporter, processStats, startProfiler } = viaImport;

const totalOf = (profile) => profile.samples.reduce((sum, { values }) => sum + values[1], 0);

async function codeOf(action) {
  try {
    await action();
  } catch (error) {
    return error.code;
  }
  return 'nothing was thrown';
}

/** Prints the code and the message of what startProfiler throws in a child, after `first`. */
async function startIn(first, { env, nodeArgs = [], index = INDEX } = {}) {
  const source = `${first}; const strobe = require(${JSON.stringify(index)});
    try { strobe.startProfiler(); console.log('started'); } catch (error) { console.log(error.code + ' ' + (error instanceof strobe.StrobeError) + ' ' + error.message); }`;
  const end = await runNode([...nodeArgs, program(source)], { env });
  assert.is(end.code, 0, end.stderr);
  return end.stdout;
}

test('import and require give the same objects; the state is one', async () => {
  for (const [name, value] of Object.entries(viaImport)) if (name in viaRequire) assert.is(value, viaRequire[name], name);
  const functions = ['StrobeError', 'fileExporter', 'joinThread', 'processStats', 'startProfiler'];
  for (const names of [Object.keys(viaImport), Object.keys(viaRequire)])
    assert.equal(
      functions.filter((name) => names.includes(name)),
      functions,
    );
  const profiler = viaImport.startProfiler();
  try {
    assert.throws(
      () => viaRequire.startProfiler(),
      (error) => error.code === 'ERR_ALREADY_RUNNING' && error instanceof viaImport.StrobeError && /stop\(\)/.test(error.message),
    );
    // Another copy of the package in the same process sees the same engine.
    const copy = join(folder(), 'copy');
    mkdirSync(copy);
    cpSync(DIST, join(copy, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'));
    linkPackageParts(copy);
    assert.throws(
      () => require(join(copy, 'dist', 'index.js')).startProfiler(),
      (error) => error.code === 'ERR_ALREADY_RUNNING',
    );
  } finally {
    await profiler.stop();
  }
});

test('importing has no side effect: no thread, handle, listener, changed global or loaded engine', async () => {
  const source = `
    const events = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]).sort().join();
    const threads = () => require('node:fs').readdirSync('/proc/self/task').length;
    const state = () => JSON.stringify([events(), threads(), process.getActiveResourcesInfo().length, Object.keys(globalThis), Object.keys(process.env).length]);
    const { Worker } = require('node:worker_threads');
    require('node:path'); const before = state();
    require(${JSON.stringify(INDEX)});
    console.log(state() === before || before + state(), require('node:worker_threads').Worker.prototype === Worker.prototype,
      /strobe\\.node/.test(require('node:fs').readFileSync('/proc/self/maps', 'utf8')));`;
  const end = await runNode([program(source)]);
  assert.equal([end.stdout, end.stderr], ['true true false\n', '']);
});

test('the shapes of a running profiler and its stats', async () => {
  const profiler = startProfiler({ mode: ['cpu'], frequencyHz: 200, appName: 'public', tags: { env: 'test' } });
  try {
    busy(300);
    const stats = profiler.stats();
    for (const name of ['samples', 'lost', 'truncated', 'unresolvedFrames', 'effectiveHz']) assert.type(stats[name], 'number', name);
    assert.ok(stats.running && stats.samples > 0);
    assert.equal(
      stats.threads.map(({ name, tid }) => [name, tid]),
      [['main', process.pid]],
    );
    assert.equal(Object.keys(stats.delivery).sort(), ['delivered', 'exporters', 'failed', 'windows']);
    for (const name of ['handlerNs', 'codeEventNs', 'samplerNs', 'collectorNs', 'encoderNs', 'cpuShare'])
      assert.ok(stats.overhead[name] >= 0, name);
    assert.ok(stats.overhead.cpuShare < 1);
    assert.equal(
      Object.values(stats.features).filter((value) => !/^on(:|$)|^off: not asked for$/.test(value)),
      [],
    );
    assert.is(profiler.setFrequency(50), undefined);
    assert.throws(
      () => profiler.setFrequency('50'),
      (error) => error.code === 'ERR_INVALID_OPTION',
    );
    assert.throws(
      () => profiler.setFrequency(),
      (error) => error.code === 'ERR_INVALID_OPTION',
    );

    const bytes = await profiler.snapshot('cpu');
    assert.instance(bytes, Uint8Array);
    const profile = decode(bytes, 'snapshot');
    assert.equal(
      profile.sampleTypes.map(({ type, unit }) => `${type}/${unit}`),
      ['samples/count', 'cpu/nanoseconds'],
    );
    assert.equal([profile.periodType.type, profile.periodType.unit], ['cpu', 'nanoseconds']);
    assert.ok(profile.comments.includes('app=public') && profile.comments.includes('tag env=test'), profile.comments.join());
    assert.ok(totalOf(profile) > 100e6 && totalOf(profile) < 1000e6);
    assert.is(await codeOf(async () => profiler.snapshot('gpu')), 'ERR_INVALID_OPTION');
    // Snapshots follow one another: what one holds, the next does not.
    assert.ok(totalOf(decode(await profiler.snapshot(), 'second')) < 100e6);
    assert.ok(processStats().threads.some(({ kind }) => kind === 'strobe'));
  } finally {
    await profiler.stop();
  }
});

test('after stop(): ERR_NOT_RUNNING, stats stay, it can be started again; a start while it stops is refused', async () => {
  const profiler = startProfiler();
  const waiting = profiler.snapshot();
  const stopped = profiler.stop();
  assert.throws(
    () => startProfiler(),
    (error) => error.code === 'ERR_ALREADY_RUNNING',
  );
  await Promise.allSettled([waiting]);
  await stopped;
  assert.is(await profiler.stop(), undefined);
  assert.is(await codeOf(() => profiler.snapshot()), 'ERR_NOT_RUNNING');
  assert.throws(
    () => profiler.setFrequency(10),
    (error) => error.code === 'ERR_NOT_RUNNING' && /startProfiler/.test(error.message),
  );
  assert.type(profiler.stats().samples, 'number');
  await startProfiler().stop();
});

test('snapshots disturb no window: windows add up to the run', async () => {
  const dir = folder();
  const exporter = (write) => fileExporter({ dir, write, names: 'plain' });
  const profiler = startProfiler({ windowSeconds: 1, exporters: [exporter('both')] });
  let snapshots = 0;
  for (let i = 0; i < 7; i++) {
    busy(400);
    snapshots += totalOf(decode(await profiler.snapshot(), 'snapshot'));
  }
  await profiler.stop();
  const run = totalOf(decode(readFileSync(join(dir, 'cpu.pb.gz')), dir));
  const files = readdirSync(join(dir, 'windows'));
  assert.ok(files.length >= 2, files.join());
  const windows = files.reduce((sum, file) => sum + totalOf(decode(readFileSync(join(dir, 'windows', file)), file)), 0);
  assert.ok(run > 0.7e9 && Math.abs(windows / run - 1) < 0.01, `${windows} in windows, ${run} in the run`);
  assert.ok(snapshots / run > 0.9 && snapshots / run <= 1.0001, `${snapshots} in snapshots, ${run} in the run`);
  assert.is(profiler.stats().delivery.failed, 0);
});

test('an awaited snapshot keeps the process alive, an idle profiler does not', async () => {
  const end = await runNode(
    [program(`const p = require(${JSON.stringify(INDEX)}).startProfiler(); p.snapshot().then((bytes) => console.log(bytes.length > 0));`)],
    { limitSeconds: 10 },
  );
  assert.equal([end.code, end.stdout, end.stderr], [0, 'true\n', '']);
});

test('a binary of another version, no binary, another platform: the import works, the start says what to do', async () => {
  const binary = join(folder(), 'strobe.node');
  const { version } = require(join(ROOT, 'package.json'));
  const bytes = readFileSync(join(ROOT, 'build', 'Release', 'strobe.node'));
  let found = 0;
  for (let at = bytes.indexOf(`${version}\0`); at >= 0; at = bytes.indexOf(`${version}\0`, at + 1)) {
    if (bytes[at - 1] !== 0) continue;
    bytes.write(version.replace(/\d/, '9'), at);
    found++;
  }
  assert.ok(found > 0, 'the version stands in the binary');
  writeFileSync(binary, bytes);
  assert.match(await startIn('', { env: { STROBE_BINARY: binary } }), /^ERR_BINARY_MISMATCH true .*9\.1\.0.*0\.1\.0.*install/s);
  rmSync(binary);
  assert.match(await startIn('', { env: { STROBE_BINARY: binary } }), /^ERR_BINARY_NOT_FOUND true .*(install|Build)/s);
  writeFileSync(binary, 'not a library');
  assert.match(await startIn('', { env: { STROBE_BINARY: binary } }), /^ERR_BINARY_NOT_FOUND true /);
  for (const [what, value] of [
    ['platform', 'win32'],
    ['platform', 'darwin'],
    ['arch', 's390x'],
  ]) {
    assert.match(
      await startIn(`Object.defineProperty(process, '${what}', { value: '${value}' })`),
      new RegExp(`^ERR_UNSUPPORTED_PLATFORM true .*${value}`),
    );
  }
  assert.match(await startIn('', { nodeArgs: ['--no-addons'] }), /^ERR_UNSUPPORTED_RUNTIME true .*addons/);
});

test('a start that is refused leaves nothing behind', async () => {
  const source = `const { startProfiler, fileExporter, processStats } = require(${JSON.stringify(INDEX)});
    const file = process.argv[1];
    for (const options of [{ frequencyHz: 0 }, { mode: 'x' }, { exporters: [fileExporter({ dir: file + '/x' })] }]) { try { startProfiler(options); process.exit(9); } catch (error) { if (error.name !== 'StrobeError') throw error; } }
    console.log(processStats().threads.filter(({ kind }) => kind === 'strobe').length, process.listenerCount('exit'), process.getActiveResourcesInfo().length);`;
  const end = await runNode([program(source)]);
  assert.is(end.stdout, '0 0 0\n', end.stderr);
});

test('the types compile for CommonJS and ES modules (module node16, strict)', () => {
  const home = folder();
  mkdirSync(join(home, 'node_modules', '@types'), { recursive: true });
  symlinkSync(ROOT, join(home, 'node_modules', 'strobe'));
  symlinkSync(join(ROOT, 'node_modules', '@types', 'node'), join(home, 'node_modules', '@types', 'node'));
  const consumer = `import { startProfiler, fileExporter, processStats, joinThread, StrobeError, type Profiler, type ProfilerStats, type StartOptions } from 'strobe';
    import 'strobe/register';
    const options: StartOptions = { mode: ['cpu'], frequencyHz: 100, exporters: [fileExporter({ dir: 'p', write: 'both' })], tags: { a: 'b' } };
    const profiler: Profiler = startProfiler(options);
    export async function use(): Promise<number> {
      const bytes: Uint8Array = await profiler.snapshot('cpu');
      profiler.setFrequency(50);
      const stats: ProfilerStats = profiler.stats();
      await profiler.stop();
      const joined: boolean = joinThread();
      return bytes.length + stats.overhead.cpuShare + processStats({ pss: true }).threads.length + Number(joined);
    }
    export const isOurs = (error: unknown): boolean => error instanceof StrobeError && error.code === 'ERR_ALREADY_RUNNING';
    // @ts-expect-error no such mode
    startProfiler({ mode: 'gpu' });
    // @ts-expect-error a number is meant
    startProfiler({ frequencyHz: '100' });
    // @ts-expect-error no such option
    startProfiler({ freqencyHz: 100 });
  `;
  writeFileSync(join(home, 'a.cts'), consumer);
  writeFileSync(join(home, 'b.mts'), consumer);
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'node16', '--target', 'es2022', '--types', 'node'];
  const end = spawnSync(process.execPath, [tsc, ...flags, 'a.cts', 'b.mts'], { cwd: home, encoding: 'utf8' });
  assert.is(end.status, 0, end.stdout + end.stderr);
});

test.run();
