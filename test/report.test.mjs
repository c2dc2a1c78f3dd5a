// Reports, collapsed stacks and the commands on them, on a hand-made profile whose numbers can be added up by eye.
// STROBE_DIST points at another build folder (default ../dist).

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = resolve(here, process.env.STROBE_DIST ?? '../dist');
const require = createRequire(import.meta.url);
const { decode } = require(join(dist, 'pprof/decode.js'));
const { encodeGzip } = require(join(dist, 'pprof/encode.js'));
const { emptyProfile } = require(join(dist, 'pprof/schema.js'));
const { buildReport, reportJson } = require(join(dist, 'formats/report.js'));
const { heaviestStacks } = require(join(dist, 'formats/stacks.js'));
const { reportMarkdown } = require(join(dist, 'formats/markdown.js'));
const { reportText } = require(join(dist, 'formats/report-text.js'));
const { collapsed } = require(join(dist, 'formats/collapsed.js'));
const { humanise } = require(join(dist, 'formats/units.js'));
const { writeFileAtomic } = require(join(dist, 'export/atomic.js'));

const MS = 1e6;

// main (line 1) calls fib (10), which calls itself; the worker parses JSON in an anonymous function. Location 4 is `inner` inlined into `outer`.
function profile() {
  const functions = [
    ['main', '/app/main.js', 1],
    ['fib', '/app/fib.js', 10],
    ['(anonymous)', '/app/worker;v2.js', 3],
    ['parse', '', 0],
    ['inner', '/app/lib.js', 40],
    ['outer', '/app/lib.js', 50],
  ].map(([name, filename, startLine]) => ({ name, systemName: '', filename, startLine, startColumn: 0 }));
  const location = (...lines) => ({
    mapping: -1,
    address: 0n,
    isFolded: false,
    lines: lines.map(([index, line]) => ({ function: index, line, column: 1 })),
  });
  const labels = (name, id, more = []) => [{ key: 'thread_name', str: name }, { key: 'thread_id', num: id }, ...more];
  return {
    ...emptyProfile(),
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 10 * MS,
    timeNanos: 1_763_812_345_678_000_000n,
    durationNanos: 2000 * MS,
    functions,
    locations: [location([0, 5]), location([1, 12]), location([1, 14]), location([2, 7]), location([4, 41], [5, 55]), location([3, 0])],
    samples: [
      { locations: [1, 2, 1, 0], values: [60, 600 * MS], labels: labels('main', 100, [{ key: 'agent', str: 'research' }]) },
      { locations: [2, 0], values: [10, 100 * MS], labels: labels('main', 100, [{ key: 'agent', str: 'writer' }]) },
      { locations: [4, 0], values: [5, 50 * MS], labels: labels('main', 100) },
      { locations: [5, 3], values: [25, 250 * MS], labels: labels('worker', 101) },
    ],
    comments: ['strobe: samples=100 lost=3 truncated=0'],
  };
}

const numbers = suite('numbers');

numbers('self, total (recursion once), percent, place', () => {
  const report = buildReport(profile());
  assert.is(report.total, 1000 * MS);
  assert.is(report.samples, 100);
  const row = (name) => report.functions.find((func) => func.name === name);
  assert.equal(row('fib'), {
    name: 'fib',
    file: '/app/fib.js',
    line: 10,
    self: 700 * MS,
    total: 700 * MS,
    selfPercent: 70,
    totalPercent: 70,
    hotLine: 12,
  });
  assert.equal([row('main').self, row('main').total], [0, 750 * MS]);
  assert.equal([row('inner').self, row('inner').total], [50 * MS, 50 * MS]);
  assert.equal([row('outer').self, row('outer').total], [0, 50 * MS], 'the caller of an inlined frame has its total');
  assert.equal(
    report.functions.map(({ name }) => name),
    ['fib', 'parse', 'inner', 'main', '(anonymous)', 'outer'],
  );
  assert.equal(report.threads, [
    { name: 'main', id: 100, value: 750 * MS, percent: 75 },
    { name: 'worker', id: 101, value: 250 * MS, percent: 25 },
  ]);
  assert.is(
    report.functions.reduce((sum, { self }) => sum + self, 0),
    report.total,
    'self adds up to the whole',
  );
});

numbers('top cuts and says how many it left out', () => {
  const report = buildReport(profile(), { top: 2 });
  assert.is(report.functions.length, 2);
  assert.is(report.functionsLeftOut, 4);
});

numbers('grouping by a label, samples without it among them', () => {
  const { groups } = buildReport(profile(), { by: 'agent' });
  assert.equal(groups, {
    label: 'agent',
    rows: [
      { value: 'research', total: 600 * MS, percent: 60, topFunction: 'fib' },
      { value: null, total: 300 * MS, percent: 30, topFunction: 'parse' },
      { value: 'writer', total: 100 * MS, percent: 10, topFunction: 'fib' },
    ],
    rowsLeftOut: 0,
  });
  assert.is(buildReport(profile(), { by: 'thread_id' }).groups.rows[0].value, '100');
  const cut = buildReport(profile(), { by: 'agent', top: 1 });
  assert.equal([cut.groups.rows.length, cut.groups.rowsLeftOut], [1, 2]);
  assert.match(reportText(cut, 'x'), /2 more values of agent: --top 3 shows all/);
});

numbers('filters: one key twice is either, two keys are both, numbers match as text', () => {
  const total = (...pairs) => buildReport(profile(), { labels: pairs.map(([key, value]) => ({ key, value })) }).total / MS;
  assert.is(total(['agent', 'writer']), 100);
  assert.is(total(['agent', 'writer'], ['agent', 'research']), 700);
  assert.is(total(['agent', 'writer'], ['thread_name', 'worker']), 0);
  assert.is(total(['thread_id', '101']), 250);
  const report = buildReport(profile(), { labels: [{ key: 'thread_name', value: 'worker' }] });
  assert.is(report.profileTotal, 1000 * MS);
  assert.is(report.functions[0].selfPercent, 100);
});

numbers('a Go heap profile reads by its default type, else by its last', () => {
  const heap = {
    ...emptyProfile(),
    sampleTypes: [
      { type: 'alloc_space', unit: 'bytes' },
      { type: 'inuse_space', unit: 'bytes' },
    ],
    mappings: [
      {
        start: 0n,
        limit: 9n,
        offset: 0n,
        filename: '/bin/app',
        buildId: '',
        hasFunctions: false,
        hasFilenames: false,
        hasLineNumbers: false,
        hasInlineFrames: false,
      },
    ],
    locations: [{ mapping: 0, address: 0x401000n, lines: [], isFolded: false }],
    samples: [
      { locations: [0], values: [3 * 2 ** 20, 2 ** 20], labels: [{ key: 'bytes', num: 16, unit: 'bytes' }] },
      { locations: [], values: [2 ** 20, 0], labels: [] },
    ],
  };
  const last = buildReport(heap);
  assert.equal([last.sampleType.type, last.total, last.samples], ['inuse_space', 2 ** 20, null]);
  assert.equal([last.functions[0].name, last.functions[0].file], ['0x401000', '/bin/app']);
  assert.match(reportText(last, 'heap'), /1 MiB/);
  const named = buildReport({ ...heap, defaultSampleType: 'alloc_space' });
  assert.is(named.total, 4 * 2 ** 20);
  assert.is(named.functions.find(({ name }) => name === '(no stack)').self, 2 ** 20);
});

numbers('an empty profile is a report of nothing', () => {
  const report = buildReport({ ...profile(), samples: [] }, { by: 'agent' });
  assert.is(report.total, 0);
  assert.match(reportText(report, 'x'), /no samples/);
});

numbers('text fits 100 columns, is aligned, shows losses, and lets no control character through', () => {
  const long = profile();
  long.functions[0].name = `\u001b[31m${'veryLongFunctionName'.repeat(5)}`;
  long.functions[1].filename = `/a/${'deep/'.repeat(40)}fib.js`;
  long.samples[0].labels[2].str = 'agent'.repeat(30);
  const text = reportText(buildReport(long, { by: 'agent' }), '/tmp/cpu.pb.gz');
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
  assert.not.match(text, '\u001b');
  assert.match(text, /cpu: 1 s in 2 s \(50\.0% of one core\), 100 samples, from 2025-11-22T/);
  assert.match(text, /attention: lost 3\n/);
  assert.match(text, /700 ms\s+70\.0%\s+700 ms\s+70\.0%\s+fib\s+….*fib\.js:10 \(12\)/);
  assert.match(text, /250 ms\s+25\.0%\s+worker \(101\)/);
});

numbers('values for people', () => {
  const cases = [
    [0, 'nanoseconds', '0 ns'],
    [999, 'nanoseconds', '999 ns'],
    [1234567, 'nanoseconds', '1.23 ms'],
    [12.345e9, 'nanoseconds', '12.3 s'],
    [83e3, 'milliseconds', '83 s'],
    [2.5e12, 'nanoseconds', '2 500 s'],
    [-5e6, 'nanoseconds', '-5 ms'],
    [1536, 'bytes', '1.50 KiB'],
    [1234567, 'count', '1 234 567'],
    [5, 'widgets', '5 widgets'],
  ];
  for (const [value, unit, text] of cases) assert.is(humanise(value, unit), text);
});

numbers('collapsed stacks: root first, inlined frames, equal stacks once, no separator in a name', () => {
  const text = collapsed(profile());
  assert.is(
    text,
    [
      'main;fib;fib;fib 600000000',
      'main;fib 100000000',
      'main;outer;inner 50000000',
      '(anonymous) /app/worker:v2.js:3;parse 250000000',
      '',
    ].join('\n'),
  );
  assert.match(collapsed(profile(), { threads: true, sampleType: 0 }), /^main;main;fib;fib;fib 60\n/);
  const odd = profile();
  odd.functions[0].name = 'a;b\nc';
  assert.match(collapsed(odd), /^a:b c;fib/);
  assert.is(collapsed({ ...profile(), samples: [] }), '');
});

/** A wall profile: 900 ms of idle on main, 100 ms of work, half of it in `f`. */
function wallProfile() {
  const idle = profile();
  idle.sampleTypes = [idle.sampleTypes[0], { type: 'wall', unit: 'nanoseconds' }];
  idle.periodType = { type: 'wall', unit: 'nanoseconds' };
  idle.functions.push({ name: '(idle)', systemName: '', filename: '', startLine: 0, startColumn: 0 });
  idle.locations.push({ mapping: -1, address: 0n, lines: [{ function: idle.functions.length - 1, line: 0, column: 0 }], isFolded: false });
  const [work] = idle.samples;
  idle.samples = [
    { ...work, values: [10, 100 * MS] },
    { locations: [idle.locations.length - 1], values: [90, 900 * MS], labels: work.labels },
  ];
  return idle;
}

numbers('idle stands apart in a wall profile, and only there', () => {
  const wall = wallProfile();
  const report = buildReport(wall, { by: 'agent' });
  assert.equal([report.total, report.idle, report.samples], [1000 * MS, 900 * MS, 100]);
  assert.equal([report.functions[0].name, report.functions[0].selfPercent], ['fib', 100]);
  assert.not.ok(report.functions.some(({ name }) => name === '(idle)'));
  assert.equal([report.threads[0].value, report.groups.rows[0].percent], [100 * MS, 100]);
  const text = reportText(report, 'x');
  assert.match(text, /wall: 100 ms in 2 s, 100 samples/);
  assert.match(text, /idle: 900 ms \(90\.0%\) beside it; shares below are of the rest/);
  const cpu = buildReport({ ...wall, sampleTypes: profile().sampleTypes, periodType: profile().periodType });
  assert.equal([cpu.idle, cpu.functions[0].name], [0, '(idle)'], "the loop's own CPU is CPU");
  const nothing = buildReport({ ...wall, samples: [wall.samples[1]] });
  assert.match(reportText(nothing, 'x'), /nothing but idle/);
});

numbers('Markdown: compact, stacks outermost first, names in code', () => {
  const report = buildReport(profile(), { by: 'agent', top: 2 });
  const stacks = heaviestStacks(profile(), 1, 2, () => false);
  assert.equal(stacks, [
    { value: 600 * MS, frames: ['main', 'fib', 'fib', 'fib'] },
    { value: 250 * MS, frames: ['(anonymous)', 'parse'] },
  ]);
  const text = reportMarkdown(report, 'cpu.pb.gz', stacks);
  assert.match(text, /^### `cpu\.pb\.gz`\n\n\*\*`cpu`: 1 s\*\* in 2 s · 100 samples · \*\*3 lost\*\*\n/);
  assert.match(text, /\n\| 700 ms \| 70\.0% \| 700 ms \| 70\.0% \| `fib` \| `\/app\/fib\.js:10 \(12\)` \|\n/);
  assert.match(text, /4 more functions\./);
  assert.match(text, /- 60\.0% `main` → `fib` → `fib` → `fib`\n/);
  assert.match(text, /\| 600 ms \| 60\.0% \| `research` \| `fib` \|/);
  const deep = { value: 1, frames: Array.from({ length: 30 }, (_, i) => `f${i}`) };
  assert.match(reportMarkdown(report, 'x', [deep]), /`f3` → … 18 more … → `f22`/);
});

numbers.run();

const commands = suite('commands');

commands.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'strobe-report-'));
  context.file = join(context.folder, 'cpu.pb.gz');
  writeFileSync(context.file, encodeGzip(profile()));
  context.driver = join(context.folder, 'driver.cjs');
  const module = (name) => JSON.stringify(join(dist, 'cli', `${name}.js`));
  writeFileSync(
    context.driver,
    `const [command, ...argv] = process.argv.slice(2);
     const run = command === 'merge' ? require(${module('merge')}).mergeCommand : require(${module('report')}).reportCommand;
     run(argv).then((code) => { process.exitCode = code; });`,
  );
  context.strobe = (...args) => spawnSync(process.execPath, [context.driver, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
});
commands.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

commands('report: table, JSON, collapsed', ({ strobe, file }) => {
  const text = strobe('report', file, '--top', '3', '--by', 'agent');
  assert.equal([text.status, text.stderr], [0, '']);
  assert.match(text.stdout, /3 more functions: --top 6 shows all/);
  assert.match(text.stdout, /600 ms\s+60\.0%\s+research\s+most in fib/);
  const json = JSON.parse(strobe('report', '--json', file, '--label', 'agent=writer').stdout);
  assert.equal([json.schema, json.total, json.filters], ['strobe-report/1', 100 * MS, [{ key: 'agent', value: 'writer' }]]);
  assert.equal(Object.keys(json), Object.keys(reportJson(buildReport(profile()))));
  assert.is(strobe('report', file, '--collapsed', '--label=agent=writer').stdout, 'main;fib 100000000\n');
  assert.match(strobe('report', file, '--collapsed', '--threads', '--type', 'samples').stdout, /^worker;\(anonymous\) .*;parse 25$/m);
});

commands('report: a label that no sample has is said on stderr', ({ strobe, file }) => {
  const { status, stderr } = strobe('report', file, '--by', 'agnet');
  assert.is(status, 0);
  assert.match(stderr, /'agnet'; its labels are: agent, thread_id, thread_name/);
});

commands('--help goes to stdout with examples', ({ strobe }) => {
  for (const command of ['report', 'merge']) {
    const { status, stdout, stderr } = strobe(command, '--help');
    assert.equal([status, stderr], [0, '']);
    assert.match(stdout, /Examples:\n {2}strobe/);
  }
});

commands('a wrong command line: exit 2, the option and the way out on stderr, nothing on stdout', ({ strobe, file }) => {
  const cases = [
    [['report'], /no profile given/],
    [['report', file, file], /one profile at a time/],
    [['report', file, '--tpo', '3'], /'--tpo'/],
    [['report', file, '--top'], /--top/],
    [['report', file, '--top', '0'], /--top must be a whole number from 1/],
    [['report', file, '--top', '1e3'], /--top must be/],
    [['report', file, '--label', 'agent'], /--label must be KEY=VALUE/],
    [['report', file, '--json', '--collapsed'], /exclude each other/],
    [['report', file, '--json', '--markdown'], /--json and --markdown exclude each other/],
    [['report', file, '--json=yes'], /--json/],
    [['report', file, '--threads'], /--collapsed/],
    [['report', file, '--collapsed', '--top', '5'], /--top/],
    [['report', file, '--by='], /--by needs/],
    [['report', file, '--type', 'heap'], /--type must be one of samples, cpu/],
    [['merge', '-o', 'x'], /no profiles given/],
    [['merge', file], /-o FILE is missing/],
    [['merge', file, '-x'], /'-x'/],
  ];
  for (const [args, pattern] of cases) {
    const { status, stdout, stderr } = strobe(...args);
    assert.equal([status, stdout], [2, ''], args.join(' '));
    assert.match(stderr, pattern);
    assert.match(stderr, /--help/);
  }
});

commands('a bad file: exit 1 and its name', ({ strobe, folder, file }) => {
  const bad = (name, bytes) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const cases = [
    [join(folder, 'missing.pb.gz'), /no such file/],
    [folder, /folder/],
    [bad('empty.pb.gz', ''), /empty/],
    [bad('cut.pb.gz', readFileSync(file).subarray(0, 100)), /truncated/],
    [bad('x.cpuprofile', '{"nodes":[]}'), /\.cpuprofile/],
    [bad('x.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])), /PNG/],
  ];
  for (const [path, pattern] of cases) {
    for (const args of [
      ['report', path],
      ['merge', file, path, '-o', join(folder, 'never.pb.gz')],
    ]) {
      const { status, stdout, stderr } = strobe(...args);
      assert.equal([status, stdout], [1, ''], `${args.join(' ')}\n${stderr}`);
      assert.match(stderr, path);
      assert.match(stderr, pattern);
      assert.is(stderr.trim().split('\n').length, 1, 'one line, no stack');
    }
  }
  assert.not.ok(existsSync(join(folder, 'never.pb.gz')));
});

commands('merge writes a profile that reads back; over one of its inputs too', ({ strobe, folder, file }) => {
  const output = join(folder, 'merged.pb.gz');
  writeFileSync(output, readFileSync(file));
  const { status, stdout, stderr } = strobe('merge', file, output, '-o', output);
  assert.equal([status, stdout, stderr], [0, '', '']);
  const merged = decode(readFileSync(output), output);
  assert.is(buildReport(merged).total, 2000 * MS);
  assert.is(buildReport(merged).engine.lost, 6);
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

commands('merge of profiles that differ names both, and leaves no file', ({ strobe, folder, file }) => {
  const other = join(folder, 'wall.pb.gz');
  writeFileSync(other, encodeGzip({ ...profile(), periodType: { type: 'wall', unit: 'nanoseconds' } }));
  const { status, stderr } = strobe('merge', file, other, '-o', join(folder, 'never.pb.gz'));
  assert.is(status, 1);
  assert.match(stderr, file);
  assert.match(stderr, other);
  const nowhere = strobe('merge', file, '-o', join(folder, 'no', 'such', 'x.pb.gz'));
  assert.is(nowhere.status, 1);
  assert.match(nowhere.stderr, /cannot write .*no such file or folder/);
});

commands('a reader that closes early ends the output without an error', ({ folder, driver }) => {
  const many = profile();
  many.samples = [];
  for (let index = 0; index < 150_000; index++) {
    many.functions.push({ name: `function_number_${index}`, systemName: '', filename: '/x.js', startLine: 1, startColumn: 0 });
    many.locations.push({
      mapping: -1,
      address: 0n,
      isFolded: false,
      lines: [{ function: many.functions.length - 1, line: 1, column: 1 }],
    });
    many.samples.push({ locations: [many.locations.length - 1, 0], values: [1, MS], labels: [] });
  }
  writeFileSync(join(folder, 'many.pb.gz'), encodeGzip(many));
  for (const format of ['--collapsed', '--json --top 999999', '--top 999999']) {
    const command = `"${process.execPath}" "${driver}" report "${folder}/many.pb.gz" ${format} | head -n 1; exit \${PIPESTATUS[0]}`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    assert.equal([status, stderr], [0, ''], format);
    assert.is(stdout.split('\n').length, 2);
  }
});

commands('files are written whole: links followed, modes kept, pipes written to, failures leave nothing', async ({ folder }) => {
  const path = join(folder, 'out.txt');
  const link = join(folder, 'link.txt');
  writeFileSync(path, 'old');
  chmodSync(path, 0o640);
  symlinkSync(path, link);
  await writeFileAtomic(link, 'new');
  assert.is(readFileSync(path, 'utf8'), 'new');
  assert.is(statSync(path).mode & 0o777, 0o640);
  await writeFileAtomic('/dev/null', 'x');
  assert.ok(statSync('/dev/null').isCharacterDevice());
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const both = await Promise.all([
    writeFileAtomic(fifo, 'through'),
    import('node:fs/promises').then(({ readFile }) => readFile(fifo, 'utf8')),
  ]);
  assert.is(both[1], 'through');
  mkdirSync(join(folder, 'sub'));
  for (const bad of [join(folder, 'sub'), join(path, 'x'), join(folder, 'none', 'x')]) {
    const error = await writeFileAtomic(bad, 'x').then(
      () => undefined,
      (error) => error,
    );
    assert.is(error?.code, 'ERR_IO');
    assert.match(error.message, bad);
  }
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

commands.run();
