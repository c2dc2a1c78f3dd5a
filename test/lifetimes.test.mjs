// Starting, stopping, Workers and child processes: whatever comes and goes while the profiler runs, nothing crashes, each thread stands in the profile under
// its name, and no process writes over another's files.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST, decode, folder, INDEX, linkPackageParts, NODE_MAJOR, program, REGISTER, ROOT, run, runNode, strobe } from './helpers.mjs';

const require = createRequire(import.meta.url);
const quote = JSON.stringify;

const START = `const { startProfiler, fileExporter, joinThread } = require(${quote(INDEX)});
  const start = (options) => startProfiler({ exporters: [fileExporter({ dir: process.argv[2], write: 'run', names: 'plain' })], ...options });`;
/** Main thread: so much CPU, however loaded the machine is. Workers: so much time, for there the process's CPU is that of several threads. */
const BUSY = `function busy(ms) {
  const now = require('node:worker_threads').isMainThread ? () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; } : () => performance.now();
  const end = now() + ms; let x = 0; while (now() < end) for (let i = 0; i < 1e4; i++) x += Math.sqrt(i); return x; }`;

const read = (path) => decode(readFileSync(path), path);

/** Value by thread name. */
function byThread(profile) {
  const out = {};
  for (const { labels, values } of profile.samples) {
    const name = labels.find(({ key }) => key === 'thread_name').str;
    out[name] = (out[name] ?? 0) + values[1];
  }
  return out;
}

function assertThread(threads, pattern, what) {
  assert.ok(
    Object.keys(threads).some((name) => pattern.test(name)),
    `${what}: ${pattern} is not among ${Object.keys(threads).join(', ')}`,
  );
}

async function ok(source, { name, args = [], nodeArgs = [], ...options } = {}) {
  const dir = folder();
  const end = await runNode([...nodeArgs, program(source, name), dir, ...args], { limitSeconds: 45, ...options });
  assert.equal([end.code, end.signal], [0, null], end.stderr);
  return { ...end, dir };
}

test('10 cycles of start and stop: each has a file of its own with its CPU, and nothing stays', async () => {
  const end = await ok(`${START} ${BUSY}
    const { processStats } = require(${quote(INDEX)});
    (async () => {
      for (let i = 0; i < 10; i++) {
        const profiler = startProfiler({ exporters: [fileExporter({ dir: process.argv[2], write: 'run' })] });
        busy(200);
        await profiler.stop();
        await profiler.stop();
      }
      console.log(JSON.stringify([process.listenerCount('exit'), process.getMaxListeners(), require('node:worker_threads').Worker.name,
        processStats().threads.filter(({ kind, name }) => kind === 'strobe' && !name.startsWith('strobe-collect')).length]));
    })();`);
  const files = readdirSync(end.dir);
  assert.is(files.length, 10, files.join());
  for (const file of files) {
    const total = byThread(read(join(end.dir, file))).main ?? 0;
    assert.ok(total > 40e6 && total < 600e6, `${file}: ${total}`);
  }
  assert.equal(JSON.parse(end.stdout), [0, 10, 'Worker', 0]);
});

test('8 Workers terminated at random moments, 50 times, and 8 that end by themselves', async () => {
  const end = await ok(
    `${START} const profiler = start({ frequencyHz: 1000 });
    const { Worker } = require('node:worker_threads');
    const code = "const start = Date.now(); for (let n = 0; Date.now() - start < 2000; n++) new Function('return ' + n)();";
    (async () => {
      for (let round = 0; round < 50; round++) {
        const workers = Array.from({ length: 8 }, () => new Worker(code, { eval: true }));
        await Promise.all(workers.map(async (worker) => {
          await new Promise((done) => setTimeout(done, Math.random() * 60));
          await worker.terminate();
        }));
      }
      await Promise.all(Array.from({ length: 8 }, () => new Promise((done) => new Worker('process.exit(0)', { eval: true }).on('exit', done))));
      console.log(profiler.stats().threads.length);
    })();`,
    { limitSeconds: 80 },
  );
  assert.is(end.stdout.trim(), '1');
  assert.ok(read(join(end.dir, 'cpu.pb.gz')).samples.length > 0);
});

test('what terminated Workers computed is in the profile, >= 90 % of it', async () => {
  // Each Worker writes the CPU of its own thread since its first line into shared memory. (Node's start and end of a Worker, some 15 ms each time, is before
  // and behind any code that could join, and in no profile.)
  const code = `const fs = require('node:fs'); const { index, shared } = require('node:worker_threads').workerData; const mine = new Float64Array(shared);
    const file = fs.openSync('/proc/' + fs.readlinkSync('/proc/thread-self') + '/schedstat'); const bytes = Buffer.alloc(64);
    const cpu = () => Number(bytes.toString('latin1', 0, fs.readSync(file, bytes, 0, 64, 0)).split(' ')[0]);
    const start = cpu(); for (;;) { for (let i = 0; i < 2e5; i++) Math.sqrt(i); mine[index] = cpu() - start; }`;
  const end = await ok(`${START} start(); const { Worker } = require('node:worker_threads');
    const shared = new SharedArrayBuffer(8 * 80); let index = 0;
    (async () => {
      for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 8 }, async () => {
        const worker = new Worker(${quote(code)}, { eval: true, workerData: { index: index++, shared } });
        await new Promise((done) => setTimeout(done, 100 + Math.random() * 400));
        await worker.terminate();
      }));
      console.log(new Float64Array(shared).reduce((sum, cpu) => sum + cpu, 0));
    })();`);
  const threads = byThread(read(join(end.dir, 'cpu.pb.gz')));
  const total = Object.entries(threads).reduce((sum, [name, value]) => (name === 'main' ? sum : sum + value), 0);
  const kept = total / Number(end.stdout);
  if (process.env.STROBE_TEST_FIGURES)
    console.log(`terminated Workers: ${(100 * kept).toFixed(1)} % of ${(Number(end.stdout) / 1e6).toFixed(0)} ms`);
  assert.ok(kept >= 0.9, `${total} of ${end.stdout}`);
});

test('two Workers are the only loaders of the addon; the second starts when the first has ended', async () => {
  const end = await ok(`const { Worker } = require('node:worker_threads');
    const code = ${quote(`process.argv[2] = require('node:worker_threads').workerData; ${START} ${BUSY}
      const profiler = start(); busy(200); profiler.stop().then(() => process.exit(0));`)};
    const one = (n) => new Promise((done) => new Worker(code, { eval: true, workerData: process.argv[2] + '/' + n }).on('exit', done));
    (async () => {
      console.log(await one(1), await one(2));
      // One that leaves without stopping, then both at the same time: the second to start is refused, nothing else happens.
      const left = ${quote(`process.argv[2] = require('node:worker_threads').workerData; ${START} start();`)};
      await new Promise((done) => new Worker(left, { eval: true, workerData: process.argv[2] + '/3' }).on('exit', done));
      console.log(await one(4));
    })();`);
  assert.is(end.stdout, '0 0\n0\n');
  for (const n of ['1', '2', '4']) assert.ok(Object.values(byThread(read(join(end.dir, n, 'cpu.pb.gz'))))[0] > 10e6, n);
});

test('Workers that start after the profiler join by themselves, under their names', async () => {
  const file = join(folder(), 'w.cjs');
  writeFileSync(file, `${BUSY} busy(150);`);
  const inner = `${BUSY} new (require('node:worker_threads').Worker)(${quote(`${BUSY} busy(150);`)}, { eval: true, name: 'inner' });`;
  const inners = `new (require('node:worker_threads').Worker)(${quote(`${BUSY} busy(150);`)}, { eval: true, execArgv: [], name: 'alone' });`;
  const body = `start();
    class Mine extends Worker { constructor() { super(${quote(file)}, { name: 'mine' }); this.isMine = true; } }
    const mine = new Mine();
    const binaryUnderTest = {};
    for (const name of ['STROBE_BINARY', 'PREBUILDS_ONLY']) if (process.env[name]) binaryUnderTest[name] = process.env[name];
    if (!(mine instanceof Mine && mine instanceof Worker && mine.isMine)) process.exit(9);
    new Worker(${quote(file)});
    new Worker(${quote(`${BUSY} busy(150);`)}, { eval: true, name: 'eval' });
    new Worker(${quote(file)}, { execArgv: ['--no-warnings'], name: 'own flags' });
    new Worker(${quote(file)}, { env: { A: 'b', ...binaryUnderTest }, name: 'own env' });
    new Worker(${quote(inner)}, { eval: true, name: 'outer' });
    new Worker(${quote(inners)}, { eval: true, name: 'outer 2' });`;
  // Read when it is used, after the start: a class taken out of the module before is the original one.
  const afterStart = body.replace('start();', "start(); const { Worker } = require('node:worker_threads');");
  const esm = `import { Worker } from 'node:worker_threads'; import { createRequire } from 'node:module';
    const require = createRequire(import.meta.url); ${START} ${body}`;
  const variants = {
    cjs: { source: `${START} ${afterStart}` },
    'esm import before the start': { source: esm, name: 'program.mjs' },
    'flags that Workers refuse': {
      source: `${START} ${afterStart}`,
      nodeArgs: ['--expose-gc', '--max-old-space-size=300', '--stack-size=900'],
    },
    NODE_OPTIONS: { source: `${START} ${afterStart}`, env: { NODE_OPTIONS: '--max-old-space-size=300 --no-warnings' } },
  };
  for (const [what, { source, ...options }] of Object.entries(variants)) {
    const end = await ok(source, options);
    assert.is(end.stderr, '', what);
    const threads = byThread(read(join(end.dir, 'cpu.pb.gz')));
    for (const name of ['mine', 'eval', 'own flags', 'own env', 'inner', 'alone'])
      assertThread(threads, new RegExp(`^\\[worker \\d+\\] ${name}$`), what);
    assertThread(threads, /^\[worker \d+\]$/, what);
  }
  // node -e: its code is one of the flags that a Worker would inherit.
  const dir = folder();
  const end = await runNode(['-e', `process.argv[2] = ${quote(dir)}; ${START} ${afterStart}`]);
  assert.equal([end.code, end.stderr], [0, '']);
  assertThread(byThread(read(join(dir, 'cpu.pb.gz'))), /\] eval$/, 'node -e');
});

test('a Worker that started before the profiler joins by joinThread(), or by the preload', async () => {
  const code = `const { parentPort } = require('node:worker_threads'); ${BUSY}
    parentPort.on('message', (load) => { if (load) require(load).joinThread(); busy(200); parentPort.close(); }); parentPort.postMessage(0);`;
  const source = (load) => `const { Worker } = require('node:worker_threads'); ${START}
    const worker = new Worker(${quote(code)}, { eval: true, name: 'early' });
    worker.on('message', () => { start(); worker.postMessage(${quote(load)}); });`;
  const joined = await ok(source(INDEX));
  assertThread(byThread(read(join(joined.dir, 'cpu.pb.gz'))), /^\[worker \d+\]( early)?$/, 'joinThread');

  const dir = folder();
  const preloaded = await run(
    process.execPath,
    [
      '--require',
      REGISTER,
      program(`const { Worker } = require('node:worker_threads');
    ${BUSY} new Worker(${quote(`${BUSY} busy(200)`)}, { eval: true, name: 'late' }); busy(50);`),
    ],
    { env: { STROBE_DIR: dir } },
  );
  assert.equal([preloaded.code, preloaded.stderr], [0, '']);
  const [file] = readdirSync(dir);
  assertThread(byThread(read(join(dir, file))), /^\[worker \d+\] late$/, 'preload');
});

test('a Worker that holds on while main ends; process.exit in a Worker ends only that', async () => {
  const end = await ok(`${START} ${BUSY} start(); const { Worker } = require('node:worker_threads');
    new Worker('for (;;) Math.sqrt(2);', { eval: true, name: 'endless' }).unref();
    new Worker(${quote(`${BUSY} busy(100); process.exit(4);`)}, { eval: true }).on('exit', (code) => console.log(code));
    setTimeout(() => {}, 500);`);
  assert.is(end.stdout, '4\n');
  assertThread(byThread(read(join(end.dir, 'cpu.pb.gz'))), /endless$/, 'unref');
});

test('children (fork with the inherited preload, execFile, spawn of a shell) leave the parent’s files alone', async () => {
  const child = program(`${BUSY} busy(120); console.log('child');`);
  const parent = program(`${BUSY} const cp = require('node:child_process'); busy(300);
    cp.fork(${quote(child)}, { stdio: 'inherit' }).on('exit', (code) => {
      cp.execFile(process.execPath, [${quote(child)}], (error, out) => {
        process.stdout.write(out); cp.spawnSync('sh', ['-c', '"$NODE" ${child}'], { stdio: 'inherit', env: { ...process.env, NODE: process.execPath } }); busy(100);
      });
    });`);
  for (const [flags, env] of [
    [['--require', REGISTER], {}],
    [['--import', REGISTER], {}],
    [[], { NODE_OPTIONS: `--require ${quote(REGISTER)}` }],
  ]) {
    const dir = folder();
    const end = await run(process.execPath, [...flags, parent], { env: { STROBE_DIR: dir, ...env } });
    assert.equal([end.code, end.stdout, end.stderr], [0, 'child\nchild\nchild\n', '']);
    assert.is(readdirSync(dir).length, 1, readdirSync(dir).join());
    assert.ok(byThread(read(join(dir, readdirSync(dir)[0]))).main > 150e6);
  }
});

test('strobe run: a shell’s two programs, children with and without --follow-children', async () => {
  const [a, b] = [700, 300].map((ms) => program(`${BUSY} busy(${ms});`));
  const shell = ['--', 'sh', '-c', `"$0" ${a} && "$0" ${b}`, process.execPath];
  const alone = folder();
  let end = await strobe(['run', '--out', alone, ...shell]);
  assert.is(end.code, 0, end.stderr);
  assert.ok(byThread(read(join(alone, 'cpu.pb.gz'))).main > 350e6, 'the first program, not the last');
  assert.match(end.stderr, /1 more Node process ran unprofiled; --follow-children/);
  assert.equal(readdirSync(alone).sort(), [
    'cpu.pb.gz',
    'cpu.timeline.gz',
    'flamegraph.html',
    'flamegraph.svg',
    'report.txt',
    'stacks.txt',
  ]);

  const followed = folder();
  end = await strobe(['run', '--out', followed, '--follow-children', ...shell]);
  assert.equal(readdirSync(followed).filter((name) => name.endsWith('.pb.gz')).length, 2, end.stderr);
  assert.ok(byThread(read(join(followed, 'cpu.pb.gz'))).main > 350e6);

  const family = folder();
  const parent = program(
    `const { fork } = require('node:child_process'); ${BUSY} busy(400); fork(${quote(b)}); fork(${quote(b)}); console.log('only this');`,
  );
  end = await strobe(['run', '--out', family, '--follow-children', parent]);
  assert.equal([end.code, end.stdout], [0, 'only this\n'], end.stderr);
  const files = readdirSync(family).filter((name) => name.endsWith('.pb.gz'));
  assert.is(files.length, 3, files.join());
  for (const file of files) assert.ok(byThread(read(join(family, file))).main > 50e6, file);
  assert.match(end.stderr, /2 more Node processes profiled/);
});

test('fork(2) without exec: the child ends by exit() and by SIGTERM as if there were no profiler', async () => {
  const headers = join(require.resolve('node-api-headers'), '..', 'include');
  const dir = folder();
  const source = join(dir, 'fork.c');
  writeFileSync(
    source,
    `#include <node_api.h>
    #include <stdlib.h>
    #include <sys/wait.h>
    #include <unistd.h>
    #include <signal.h>
    #include <time.h>
    static int wait_for(pid_t pid) {  // status, or -1 when it does not end
      for (int i = 0; i < 500; i++) { int s; struct timespec t = {0, 10000000}; if (waitpid(pid, &s, WNOHANG) == pid) return s; nanosleep(&t, 0); }
      kill(pid, SIGKILL); waitpid(pid, 0, 0); return -1;
    }
    static napi_value Run(napi_env env, napi_callback_info info) {
      int result[2];
      pid_t pid = fork(); if (pid == 0) getenv("NO_EXIT") ? _exit(5) : exit(5);
      result[0] = wait_for(pid);
      pid = fork(); if (pid == 0) { kill(getpid(), SIGTERM); for (;;) pause(); }
      result[1] = wait_for(pid);
      napi_value out, n; napi_create_array(env, &out);
      for (int i = 0; i < 2; i++) { napi_create_int32(env, result[i], &n); napi_set_element(env, out, i, n); }
      return out;
    }
    NAPI_MODULE_INIT() { napi_value f; napi_create_function(env, "run", 3, Run, 0, &f); return f; }`,
  );
  const addon = join(dir, 'fork.node');
  const built = spawnSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-I', headers, '-o', addon, source], { encoding: 'utf8' });
  if (built.error || built.status !== 0) return console.log(`skipped: no C compiler (${built.error?.message ?? built.stderr})`);
  // Two ends of a forked child's exit() that a program without strobe has, too, once in some hundred: a Worker that starts at the moment of the fork (here the encoder) may hold
  // a lock of Node's own, which aborts when it destroys it (SIGABRT, 6); and libasan before that of gcc 14 does not free its allocator's locks, and waits for ever.
  const notOurs = (status) => status === 6 || (status === -1 && process.env.ASAN_OPTIONS !== undefined);
  let end;
  for (let tries = 3; tries > 0; tries--) {
    end = await ok(`${START} ${BUSY} start(); busy(100); console.log(JSON.stringify(require(${quote(addon)})())); busy(300);`, {
      // Node 26 itself hangs or crashes in the exit() of a forked child.
      env: NODE_MAJOR >= 26 ? { NO_EXIT: '1' } : {},
    });
    if (!notOurs(JSON.parse(end.stdout)[0])) break;
  }
  assert.equal(JSON.parse(end.stdout), [5 << 8, 15]);
  assert.ok(byThread(read(join(end.dir, 'cpu.pb.gz'))).main > 150e6, 'the parent records on');
});

test('unusual flags: frozen intrinsics, no __proto__, no code from strings, deprecations that throw', async () => {
  for (const flag of [
    '--disable-proto=throw',
    '--frozen-intrinsics',
    '--disallow-code-generation-from-strings',
    '--pending-deprecation',
    '--throw-deprecation',
  ]) {
    const end = await ok(`${START} ${BUSY} start(); busy(400);`, { nodeArgs: [flag] });
    assert.ok(byThread(read(join(end.dir, 'cpu.pb.gz'))).main > 150e6, flag);
    if (flag !== '--frozen-intrinsics') assert.is(end.stderr, '', flag);
  }
});

test('the package in a folder with spaces: strobe run -- and NODE_OPTIONS find it', async () => {
  const home = join(folder(), 'a b "c"');
  mkdirSync(home);
  linkPackageParts(home);
  cpSync(DIST, join(home, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'));
  const dir = folder();
  const path = program(`${BUSY} busy(400);`);
  const end = await run(process.execPath, [join(home, 'dist', 'cli', 'main.js'), 'run', '--out', dir, '--', process.execPath, path]);
  assert.is(end.code, 0, end.stderr);
  assert.ok(byThread(read(join(dir, 'cpu.pb.gz'))).main > 100e6);
});

test.run();
