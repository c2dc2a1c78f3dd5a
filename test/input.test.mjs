// Bad input: each gets a message that names the option or the file and the way out, exit code 2 for a wrong command line and 1 for a file, and leaves nothing
// behind: nothing started, nothing half-written.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, folder, INDEX, program, REGISTER, run, runNode, strobe } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { fileExporter, processStats, startProfiler } = require(INDEX);

/** The process runs as root here: a file in the way refuses everybody. */
function unwritable() {
  const path = join(folder(), 'a-file');
  writeFileSync(path, 'not a folder');
  return join(path, 'profiles');
}

function refused(options, code, ...words) {
  let error;
  try {
    startProfiler(options);
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `${words[0]}: nothing was thrown`);
  assert.equal([error.name, error.code], ['StrobeError', code], error.stack);
  for (const word of words) assert.ok(error.message.includes(word), `'${word}' is not in: ${error.message}`);
}

test('startProfiler names the option, what it got and what is allowed', () => {
  const bad = (options, ...words) => refused(options, 'ERR_INVALID_OPTION', ...words);
  bad({ frequencyHz: 0 }, 'frequencyHz', '1', '1000', 'got 0');
  bad({ frequencyHz: -1 }, 'frequencyHz', 'got -1');
  bad({ frequencyHz: Number.NaN }, 'frequencyHz', 'got NaN');
  bad({ frequencyHz: 5000 }, 'frequencyHz', 'got 5000');
  bad({ frequencyHz: '100' }, 'frequencyHz', 'got "100" (a string)');
  bad({ frequencyHz: null }, 'frequencyHz', 'got null');
  bad({ mode: 'gpu' }, 'mode', "'cpu'", 'gpu');
  bad({ mode: [] }, 'mode', "'cpu'");
  bad({ maxDepth: 0 }, 'maxDepth', '4096');
  bad({ maxDepth: 1.5 }, 'maxDepth', '1.5');
  bad({ windowSeconds: 0 }, 'windowSeconds', '3600');
  bad({ exitTimeoutSeconds: -1 }, 'exitTimeoutSeconds', '60');
  bad({ appName: 5 }, 'appName');
  bad({ tags: { env: 5 } }, 'tags.env');
  bad({ exporters: {} }, 'exporters');
  bad({ exporters: [{}] }, 'exporters[0]', 'fileExporter');
  bad({ freqencyHz: 50 }, "'freqencyHz'", "'frequencyHz'");
  bad('cpu', 'object');
  bad(null, 'object');
  for (const dir of [undefined, '', 5]) assert.throws(() => fileExporter({ dir }), /fileExporter: dir/);
  assert.throws(() => fileExporter({ dir: 'x', write: 'all' }), /write.*'windows'/);
  refused({ exporters: [fileExporter({ dir: unwritable() })] }, 'ERR_IO', 'fileExporter', 'a-file', 'not a folder');
  assert.equal(
    processStats().threads.filter(({ kind }) => kind === 'strobe'),
    [],
    'nothing was started',
  );
});

async function usage(args, ...words) {
  const end = await strobe(args);
  assert.equal([end.code, end.stdout], [2, ''], `${args.join(' ')}\n${end.stderr}`);
  for (const word of words) assert.ok(end.stderr.includes(word), `${args.join(' ')}: '${word}' is not in: ${end.stderr}`);
}

async function failed(args, ...words) {
  const end = await strobe(args);
  assert.equal([end.code, end.stdout], [1, ''], `${args.join(' ')}\n${end.stderr}`);
  for (const word of words) assert.ok(end.stderr.includes(word), `${args.join(' ')}: '${word}' is not in: ${end.stderr}`);
  assert.not.match(end.stderr, /\n {4}at /, 'no stack trace');
}

test('strobe run: a wrong command line is exit code 2 with the option, the limits and --help', async () => {
  const out = join(folder(), 'out');
  const script = program('');
  for (const hz of ['0', '-1', 'NaN', '5000', 'abc', ''])
    await usage(['run', '--out', out, `--hz=${hz}`, script], '--hz', '1 to 1000', `'${hz}'`, '--help');
  await usage(['run', '--out', out, '--mode', 'gpu', script], '--mode', 'cpu', "'gpu'");
  await usage(['run', '--out', out, '--window', '0', script], '--window', '3600');
  await usage(['run', '--out', out, '--exit-timeout', '99', script], '--exit-timeout', '60');
  await usage(['run', '--out', out, '--label', 'novalue', script], '--label', 'KEY=VALUE');
  await usage(['run', '--out', out, '--herz', '5', script], "'--herz'");
  await usage(['run', '--out', out], 'no script', 'strobe run app.js');
  await usage(['run', '--out', out, '--'], 'no command', 'strobe run --');
  await usage(['fly'], "'fly'", 'run', 'report');
  assert.not.ok(existsSync(out), 'nothing was made');
});

test('strobe run: a missing script or command, an unwritable directory', async () => {
  const out = join(folder(), 'out');
  await failed(['run', '--out', out, 'missing.js'], 'missing.js', 'no such file');
  await failed(['run', '--out', join(folder(), 'o'), '--', 'no-such-command-here'], 'no-such-command-here');
  assert.not.ok(existsSync(out), 'nothing was made');
  const ran = join(folder(), 'ran');
  await failed(['run', '--out', unwritable(), program(`require('node:fs').writeFileSync(${JSON.stringify(ran)}, '')`)], '--out', 'a-file');
  assert.not.ok(existsSync(ran), 'the program was not started');
});

test('strobe report: a truncated or foreign file, a folder, a missing one, a wrong option', async () => {
  const dir = folder();
  const good = join(dir, 'out');
  const end = await strobe(['run', '--out', good, program('const until = performance.now() + 100; while (performance.now() < until);')]);
  assert.is(end.code, 0, end.stderr);
  const bytes = readFileSync(join(good, 'cpu.pb.gz'));
  const files = {
    'truncated.pb.gz': bytes.subarray(0, bytes.length >> 1),
    'empty.pb.gz': '',
    'text.pb.gz': 'this is no profile\n',
    'foreign.pb.gz': gzipSync('{"nodes":[]}'),
    'picture.png': Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(dir, name), content);
    await failed(['report', join(dir, name)], name);
    await failed(['merge', join(good, 'cpu.pb.gz'), join(dir, name), '-o', join(dir, 'merged.pb.gz')], name);
  }
  await failed(['report', join(dir, 'missing.pb.gz')], 'missing.pb.gz', 'no such file');
  await failed(['report', dir], dir, 'it is a folder');
  await failed(['merge', join(good, 'cpu.pb.gz'), '-o', join(dir, 'text.pb.gz', 'x')], 'text.pb.gz');
  await usage(['report'], 'no profile', '--help');
  await usage(['report', '--top', '0', join(good, 'cpu.pb.gz')], '--top', "'0'");
  await usage(['report', '--nope', join(good, 'cpu.pb.gz')], "'--nope'");
  await usage(['merge', join(good, 'cpu.pb.gz')], '-o');
  assert.equal(readdirSync(dir).sort(), [...Object.keys(files), 'out'].sort(), 'nothing half-written');
});

test('the preload: a mistake in a variable is said once, the program runs unprofiled', async () => {
  const path = program("console.log('ran');");
  const cases = {
    STROBE_FREQUENCY_HZ: ['abc', '"abc"'],
    STROBE_WINDOW_SECONDS: ['0', 'STROBE_WINDOW_SECONDS must be a number from 1 to 3600'],
    STROBE_MAX_DEPTH: ['-5', 'STROBE_MAX_DEPTH'],
    STROBE_TAGS: ['novalue', 'key=value'],
    STROBE_DIR: [unwritable(), 'a-file'],
  };
  for (const [name, [value, word]] of Object.entries(cases)) {
    const dir = folder();
    const end = await run(process.execPath, ['--require', REGISTER, path], {
      cwd: dir,
      env: { STROBE_DIR: join(dir, 'p'), [name]: value },
    });
    assert.equal([end.code, end.stdout], [0, 'ran\n'], name);
    assert.ok(end.stderr.includes(word) && end.stderr.includes('runs unprofiled'), end.stderr);
    assert.is(end.stderr.trim().split('\n').length, 1, end.stderr);
    assert.equal(
      readdirSync(dir).filter((entry) => entry !== 'p' || readdirSync(join(dir, 'p')).length > 0),
      [],
      'nothing written',
    );
  }
});

test('strobe run passes labels with commas and equals signs, and keeps its words out of stdout', async () => {
  const dir = folder();
  const path = program("process.stdout.write(Buffer.from([0, 255, 10])); process.stderr.write('err');");
  const chunks = await run(process.execPath, [CLI, 'run', '--out', dir, '--label', 'a=1,2', '--label', 'b=c=d', path]);
  assert.is(chunks.code, 0, chunks.stderr);
  assert.is(chunks.stdout.length, 3);
  assert.match(chunks.stderr, /^err/);
  const { decode } = await import('./helpers.mjs');
  const { comments } = decode(readFileSync(join(dir, 'cpu.pb.gz')), dir);
  assert.ok(comments.includes('tag a=1,2') && comments.includes('tag b=c=d'), comments.join('\n'));
});

test('nobody reads: a closed stdout or stderr is no failure of ours', async () => {
  const dir = folder();
  const path = program('const until = performance.now() + 200; while (performance.now() < until); process.exit(6);');
  const shell = async (script) => (await run('sh', ['-c', script, process.execPath, CLI, dir, path])).stdout.trim();
  assert.is(await shell('{ "$0" "$1" run --out "$2" "$3" 2>&1; echo "code $?" >&3; } 3>&1 1>/dev/null | cat'), 'code 6');
  assert.is(await shell('{ { "$0" "$1" run --out "$2" "$3" 2>&1; echo "code $?" >&3; } | true; } 3>&1'), 'code 6');
  assert.is(await shell('{ { "$0" "$1" report "$2/cpu.pb.gz" --collapsed; echo "code $?" >&3; } | true; } 3>&1'), 'code 0');
  assert.is((await runNode([CLI, 'report', join(dir, 'cpu.pb.gz')])).code, 0);
});

test('an older directory of that name is used again, foreign files in it stay', async () => {
  const dir = folder();
  mkdirSync(join(dir, 'mine'));
  writeFileSync(join(dir, 'report.txt'), 'old');
  writeFileSync(join(dir, 'notes.md'), 'mine');
  const end = await strobe(['run', '--out', dir, program("process.kill(process.pid, 'SIGKILL')")]);
  assert.is(end.signal, 'SIGKILL');
  assert.equal(readdirSync(dir).sort(), ['mine', 'notes.md'], "the last run's files are not taken for this one's");
});

test.run();
