// `strobe top` in a real terminal (tmux), with keys, sizes and ends; and its screen without one.

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENV, target, until } from './control-helpers.mjs';
import { CLI, DIST, runNode } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { cells } = require(join(DIST, 'cli', 'cells.js'));
const { keysOf } = require(join(DIST, 'cli', 'terminal.js'));
const { TopView } = require(join(DIST, 'cli', 'top-view.js'));

const hasTmux = spawnSync('tmux', ['-V']).status === 0;
const terminalTest = hasTmux ? test : test.skip;
if (!hasTmux) console.log('  skipped: the tests in a real terminal need tmux');

/** What the shell says before `strobe top`: a word that no function of Node's bears (a hook named `before` is in the table when it is sampled). */
const MARK = 'SHELLSAID';

/** A profile of functions with names and nanoseconds; every sample has the labels. */
function profile(functions, labels = []) {
  return {
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    samples: functions.map(([, value], i) => ({ locations: [i], values: [1, value], labels })),
    mappings: [],
    locations: functions.map((_, i) => ({ mapping: -1, address: 0n, lines: [{ function: i, line: 1, column: 1 }], isFolded: false })),
    functions: functions.map(([name, , filename = '/app/file.js']) => ({ name, systemName: '', filename, startLine: 7, startColumn: 1 })),
    timeNanos: 0n,
    durationNanos: 1e9,
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 1e7,
    comments: [],
    defaultSampleType: 'cpu',
    dropFrames: '',
    keepFrames: '',
    docUrl: '',
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: our own attributes
const plain = (line) => line.replace(/\u001b\[\d?m/g, '');

test('text in cells: exactly as wide as asked for, whatever it is', () => {
  assert.is(cells('abc', 5), 'abc  ');
  assert.is(cells('abcdef', 4), 'abc…');
  assert.is(cells('/a/long/path.js:12', 8, 'start'), '…h.js:12');
  assert.is(cells('日本語', 4), '日… ');
  assert.is(cells('a\u001b[2J\u0007\u009b\u202eb\u200b\u2028', 12), 'a?[2J???b?? '.slice(0, 12));
  assert.is(cells('e\u0301\u0301\u0301', 3).replace(/\p{M}/gu, ''), 'e  ');
  assert.is(cells('x'.repeat(1e6), 3), 'xx…');
  assert.is(cells('abc', 0), '');
});

test('keys as terminals send them', () => {
  assert.equal(keysOf('\u001b[A\u001b[6~q\u007f\u001b'), ['up', 'page-down', { text: 'q' }, 'backspace', 'escape']);
  assert.equal(keysOf('\u001b[1;5A\u001b[<0;1;1M\u0001'), []);
});

test('the screen: every row as wide as the terminal, no control character of a name, for every size', () => {
  const names = Array.from({ length: 50 }, (_, i) => [`fn${i}`, (50 - i) * 1e6]);
  names.push(['\u001b[2J\u202eevil\u0007', 99e6, '/app/\u001b]0;x\u0007.js'], ['日本語'.repeat(40), 98e6]);
  const view = new TopView({ pid: 1, appName: '\u001b[31mx', mode: 'cpu', hz: 100 });
  view.update(profile(names, [{ key: 'agent\u001b', str: '\u001b[5mred' }]));
  for (const keys of ['f', 't', 'l', '?', 'xf/evil\u001b[A\r', '\u001bs', 's', ' ']) {
    for (const key of keysOf(keys)) view.press(key, 24);
    for (const [columns, rows] of [
      [120, 35],
      [80, 24],
      [40, 6],
      [300, 100],
      [10, 2],
    ]) {
      const lines = view.lines(columns, rows);
      assert.ok(lines.length <= rows, `${lines.length} of ${rows}`);
      for (const line of lines) {
        const text = plain(line);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
        assert.not.match(text, /[\u0000-\u001f\u007f-\u009f\u202e]/);
        if (text !== '' && !text.includes('日')) assert.is(text.length, columns, JSON.stringify(text));
      }
    }
  }
});

test('sort, filter, scroll, pause', () => {
  const view = new TopView({ pid: 1, appName: '', mode: 'cpu', hz: 100 });
  view.update(
    profile([
      ['b', 2e6],
      ['a', 1e6],
      ['c', 3e6],
    ]),
  );
  const names = (rows = 24) =>
    view
      .lines(100, rows)
      .slice(4, -1)
      .map(plain)
      .filter(Boolean)
      .map((line) => line.slice(27).split(' ')[0]);
  const type = (text) => keysOf(text).map((key) => view.press(key, 24));
  assert.equal(names(), ['c', 'b', 'a']);
  type('ss');
  assert.equal(names(), ['a', 'b', 'c']);
  type('/B\r');
  assert.equal(names(), ['b']);
  type('\u001bs ');
  view.update(profile([['new', 1e6]]));
  assert.equal(names(), ['c', 'b', 'a'], 'paused');
  assert.match(plain(view.lines(100, 24)[0]), /PAUSED/);
  type(' ');
  assert.equal(names(), ['new']);
  view.update(profile(Array.from({ length: 30 }, (_, i) => [`f${i}`, (30 - i) * 1e6])));
  view.press('page-down', 10);
  assert.is(names(10)[0], 'f5');
  view.press('end', 10);
  assert.equal(names(10), ['f25', 'f26', 'f27', 'f28', 'f29']);
  assert.equal(type('q'), [false]);
  assert.is(view.press('interrupt', 10), false);
});

terminalTest('in a real terminal: tabs, filter, sizes; restored at every end', async () => {
  const process_ = await target(`
    function hotFunction() { work(15); }
    setInterval(() => strobe.withLabels({ agent: 'research\\u001b[31mer' }, hotFunction), 40);`);
  // A server of its own for each session: one that was told to end still holds its socket for a while.
  let server = 0;
  const tmux = (...args) =>
    spawnSync('tmux', ['-L', `strobe-test-${process.pid}-${server}`, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { ...process.env, ...ENV, TMUX: '' },
    }).stdout;
  const screen = () => tmux('capture-pane', '-p', '-t', 'top');
  const state = () => tmux('display', '-p', '-t', 'top', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim();
  const keys = (...names) => tmux('send-keys', '-t', 'top', ...names);
  const sees = (pattern) => until(`${pattern} on the screen:\n${screen()}`, () => pattern.test(screen()));
  const command = `'${process.execPath}' '${CLI}' top ${process_.pid} --interval 0.5`;
  const begin = () => {
    tmux('new-session', '-d', '-x', '100', '-y', '20', '-s', 'top', `echo ${MARK}; ${command}; echo "ended $?"; sleep 1000`);
    return sees(/hotFunction/);
  };
  try {
    await begin();
    assert.is(state(), '1 0 0');
    assert.not.match(screen(), new RegExp(MARK));
    keys('t');
    await sees(/\[threads\][\s\S]*main \(\d+\)/);
    keys('l');
    await sees(/\[labels: agent\][\s\S]*research\?\[31mer/);
    keys('f', '/');
    keys('-l', 'hotf');
    keys('Enter');
    await sees(/filter: hotf\n[\s\S]*hotFunction[\s\S]*1 row /);
    keys('Space', '?');
    await sees(/PAUSED[\s\S]*this help/);
    keys('x');
    tmux('resize-window', '-t', 'top', '-x', '30', '-y', '5');
    await sees(/needs 40 x 6/);
    tmux('resize-window', '-t', 'top', '-x', '60', '-y', '12');
    await sees(/hotFunction +\S*program\.cjs:\d+\n/);
    keys('q');
    await sees(new RegExp(`${MARK}\\nended 0`));
    assert.is(state(), '0 1 1');
    for (const [end, code] of [
      ['SIGTERM', 143],
      ['SIGHUP', 129],
      ['C-c', 0],
      ['process', 0],
    ]) {
      tmux('kill-server');
      server++;
      await begin();
      if (end === 'C-c') keys('C-c');
      else if (end === 'process') {
        await process_.kill('SIGKILL');
        await sees(/ended, or its profiler did: q quits/);
        keys('q');
      } else {
        const shell = tmux('display', '-p', '-t', 'top', '#{pane_pid}').trim();
        const child = spawnSync('ps', ['-o', 'pid=', '--ppid', shell], { encoding: 'utf8' }).stdout.trim();
        process.kill(Number(child), end);
      }
      await sees(new RegExp(`ended ${code}`));
      assert.is(state(), '0 1 1', end);
    }
  } finally {
    tmux('kill-server');
    await process_.kill();
  }
});

test('without a terminal: tables one after the other, until the process ends or the reader does', async () => {
  const process_ = await target('setInterval(() => work(15), 40); setTimeout(() => process.exit(), 6000);');
  const end = await runNode([CLI, 'top', String(process_.pid), '--interval', '0.5', '--json'], { env: ENV });
  assert.is(end.code, 0, end.stderr);
  assert.match(end.stderr, /ended, or its profiler did/);
  const tables = end.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(tables.length > 1, `${tables.length}`);
  // A sliding window: later ones cover more, up to the window.
  assert.ok(tables.at(-1).report.durationNanos > tables[0].report.durationNanos);
  await process_.ended;
});

test.run();
