// A running process, controlled from outside: status, attach, top, stop, with its loop free and blocked; two clients at once; the ends.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { control, ENV, later, RUNTIME, target, until } from './control-helpers.mjs';
import { CLI, decode, folder, program, REGISTER, runNode, selfByFunction, strobe } from './helpers.mjs';

const BLOCKED = 'for (;;) work(50);';
const BUSY = 'setInterval(() => work(20), 40);';
const profileOf = async (path) => decode(await readFile(path), path);
const status = async (pid) => JSON.parse((await control(['status', String(pid), '--json'])).stdout);

test('status, attach and top work while the loop is blocked', async () => {
  const process_ = await target(BLOCKED);
  try {
    assert.is(statSync(process_.path).mode & 0o777, 0o600);
    assert.is(statSync(join(RUNTIME, 'strobe')).mode & 0o777, 0o700);
    const list = await control(['status']);
    assert.match(list.stdout, new RegExp(`^${process_.pid}$`, 'm'));
    const text = await control(['status', String(process_.pid)]);
    assert.is(text.code, 0, text.stderr);
    assert.match(text.stdout, new RegExp(`process +${process_.pid}, Node.js ${process.version}`));
    assert.match(text.stdout, /modes +cpu\n[\s\S]*rate +500 Hz\n[\s\S]*features that are not on\n[\s\S]*overheadBudget: off/);
    const { stats } = await until('samples', async () => {
      const now = await status(process_.pid);
      return now.stats.samples > 20 && now;
    });
    assert.is(stats.threads[0].name, 'main');
    assert.ok(stats.overhead.cpuShare > 0 && stats.overhead.cpuShare < 1);

    const out = folder();
    const attach = await control(['attach', String(process_.pid), '--duration', '2', '--out', out]);
    assert.is(attach.code, 0, attach.stderr);
    assert.equal(readdirSync(out).sort(), ['cpu.pb.gz', 'flamegraph.html', 'flamegraph.svg', 'report.txt', 'stacks.txt']);
    const profile = await profileOf(join(out, 'cpu.pb.gz'));
    const { self, total } = selfByFunction(profile);
    assert.ok(self.get('work') > total * 0.7, `${self.get('work')} of ${total}`);
    assert.match(attach.stderr, /cost of profiling: \d+\.\d\d % of the process's CPU/);

    const top = await control(['top', String(process_.pid), '--once', '--interval', '1']);
    assert.is(top.code, 0, top.stderr);
    assert.match(top.stdout, /function +file:line[\s\S]*work/);
    const json = JSON.parse((await control(['top', String(process_.pid), '--once', '--interval', '1', '--json'])).stdout);
    assert.is(json.schema, 'strobe-top/1');
    assert.is(json.report.functions[0].name, 'work');

    const stop = await control(['stop', String(process_.pid)]);
    assert.is(stop.code, 1);
    assert.match(stop.stderr, /did not react within 5 s: its event loop is blocked/);
    assert.is((await status(process_.pid)).pid, process_.pid, 'it records on');
  } finally {
    await process_.kill();
  }
});

test('stop delivers the last profile, the application lives on', async () => {
  const dir = folder();
  const process_ = await target(BUSY, `{ exporters: [strobe.fileExporter({ dir: ${JSON.stringify(dir)} })] }`);
  try {
    await until('samples', async () => (await status(process_.pid)).stats.samples > 20);
    const stop = await control(['stop', String(process_.pid)]);
    assert.is(stop.code, 0, stop.stderr);
    assert.match(stop.stderr, /has ended; 1 profiles delivered, 0 failed/);
    assert.is(readdirSync(dir).length, 1);
    assert.not(existsSync(process_.path));
    const gone = await control(['status', String(process_.pid)]);
    assert.is(gone.code, 1);
    assert.match(gone.stderr, /has no control socket\. Start it with STROBE_CONTROL=1/);
    await later(200);
    process.kill(process_.pid, 0);
  } finally {
    await process_.kill();
  }
});

test('a mode that is off is on for the recording only, and in no window', async () => {
  const dir = folder();
  const options = `{ windowSeconds: 1, exporters: [strobe.fileExporter({ dir: ${JSON.stringify(dir)}, write: 'both' })] }`;
  const process_ = await target(BUSY, options);
  try {
    const out = folder();
    const recording = control(['attach', String(process_.pid), '--duration', '3', '--mode', 'wall', '--out', out]);
    await until('wall is on', async () => (await status(process_.pid)).borrowedModes.includes('wall'));
    assert.equal((await status(process_.pid)).modes, ['cpu']);
    const attach = await recording;
    assert.is(attach.code, 0, attach.stderr);
    assert.match(attach.stderr, /wall was off .* it is on while this records/);
    const wall = await profileOf(join(out, 'wall.pb.gz'));
    const seconds = wall.samples.reduce((sum, { values }) => sum + values[1], 0) / 1e9;
    assert.ok(Math.abs(seconds / 3 - 1) < 0.25, `${seconds} s of wall time in 3 s`);
    assert.equal((await status(process_.pid)).borrowedModes, []);
    await control(['stop', String(process_.pid)]);
    const files = readdirSync(dir, { recursive: true }).filter((name) => name.endsWith('.pb.gz'));
    assert.ok(files.length > 0);
    assert.equal(
      files.filter((name) => name.includes('wall')),
      [],
    );
  } finally {
    await process_.kill();
  }
});

test('several clients at once: each has its own recording', async () => {
  const process_ = await target(BUSY);
  try {
    const outs = [folder(), folder(), folder()];
    const attaches = outs.map((out, i) =>
      control(['attach', String(process_.pid), '--duration', String(2 + i), '--out', out, '--mode', i === 1 ? 'wall' : 'cpu']),
    );
    for (const end of await Promise.all(attaches)) assert.is(end.code, 0, end.stderr);
    const durations = [];
    for (const [i, out] of outs.entries())
      durations.push((await profileOf(join(out, i === 1 ? 'wall.pb.gz' : 'cpu.pb.gz'))).durationNanos / 1e9);
    for (const [i, duration] of durations.entries()) assert.ok(duration > (2 + i) * 0.8, `${durations}`);
    assert.is((await status(process_.pid)).recordings, 0);
  } finally {
    await process_.kill();
  }
});

test('Ctrl-C and the end of the process keep what was recorded', async () => {
  const process_ = await target(`${BUSY} process.on('SIGUSR2', () => process.exit(3));`);
  try {
    for (const end of ['SIGINT', 'process']) {
      const out = folder();
      const child = spawn(process.execPath, [CLI, 'attach', String(process_.pid), '--duration', '600', '--out', out], {
        env: { ...process.env, ...ENV },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr.on('data', (data) => {
        said += data;
      });
      const ended = new Promise((done) => child.on('close', done));
      await until('it records', async () => (await status(process_.pid)).recordings === 1);
      await later(1500);
      if (end === 'SIGINT') child.kill('SIGINT');
      else process.kill(process_.pid, 'SIGUSR2');
      assert.is(await ended, 0, said);
      assert.ok(selfByFunction(await profileOf(join(out, 'cpu.pb.gz'))).self.get('work') > 0);
    }
    assert.equal(await process_.ended, { code: 3, signal: null });
    assert.not(existsSync(process_.path));
  } finally {
    await process_.kill();
  }
});

test('STROBE_CONTROL=1 in the preload and under strobe run; without it there is no socket', async () => {
  const source = `
    const { existsSync } = require('node:fs');
    const path = process.env.XDG_RUNTIME_DIR + '/strobe/' + process.pid + '.sock';
    const end = Date.now() + (process.env.STROBE_CONTROL === '1' ? 20000 : 1000);
    const timer = setInterval(() => {
      if (existsSync(path) || Date.now() > end) { clearInterval(timer); console.log(existsSync(path) ? 'a socket' : 'no socket'); }
    }, 20);`;
  const dir = folder();
  const preload = (env) => runNode(['--require', REGISTER, program(source)], { env: { ...ENV, STROBE_DIR: dir, ...env } });
  assert.is((await preload({ STROBE_CONTROL: '1' })).stdout, 'a socket\n');
  assert.is((await preload({})).stdout, 'no socket\n');
  const wrong = await preload({ STROBE_CONTROL: 'yes' });
  assert.match(wrong.stderr, /STROBE_CONTROL must be 0 or 1, got "yes"/);
  const under = await strobe(['run', '--out', dir, program(source)], { env: { ...ENV, STROBE_CONTROL: '1' } });
  assert.match(under.stdout, /^a socket$/m);
  assert.equal(readdirSync(join(RUNTIME, 'strobe')), [], 'sockets are removed');
});

test.run();
