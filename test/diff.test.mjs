// strobe diff: numbers, the rule about noise, the gate, and what the command prints and refuses.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HOSTILE, randomFrom, randomProfile } from './convert-helpers.mjs';
import { DIST, folder, strobe } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { buildDiff, commonType, diffJson } = require(join(DIST, 'formats/diff.js'));
const { diffText } = require(join(DIST, 'formats/diff-text.js'));
const { diffMarkdown, codeSpan } = require(join(DIST, 'formats/markdown.js'));
const { judgeGrowth } = require(join(DIST, 'formats/gate.js'));
const { shareInterval, zFor, effectiveSamples } = require(join(DIST, 'formats/noise.js'));
const { encodeGzip } = require(join(DIST, 'pprof/encode.js'));
const { emptyProfile } = require(join(DIST, 'pprof/schema.js'));

const MS = 1e6;

/** A profile of functions under `main`: [name, samples, file, line, labels]; 10 ms a sample. */
function profile(rows, more = {}) {
  const result = { ...emptyProfile(), durationNanos: 1e9, period: 10 * MS, periodType: { type: 'cpu', unit: 'nanoseconds' } };
  result.sampleTypes = [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ];
  const add = (name, filename, startLine) => {
    result.functions.push({ name, systemName: '', filename, startLine, startColumn: 0 });
    result.locations.push({
      mapping: -1,
      address: 0n,
      isFolded: false,
      lines: [{ function: result.functions.length - 1, line: startLine, column: 0 }],
    });
    return result.locations.length - 1;
  };
  const main = add('main', '/app/main.js', 1);
  for (const [name, samples, file = '/app/a.js', line = 10, labels = []] of rows)
    result.samples.push({ locations: [add(name, file, line), main], values: [samples, samples * 10 * MS], labels });
  return { ...result, ...more };
}

const diff = (before, after, options) => buildDiff(before, after, commonType(before, after), options);
const row = ({ functions }, name) => functions.find((func) => func.name === name);
const names = { before: 'before.pb.gz', after: 'after.pb.gz' };

const numbers = suite('numbers');

numbers('shares of the whole; functions by name and file, wherever their lines are', () => {
  const before = profile([
    ['hot', 100],
    ['cold', 300],
  ]);
  const after = profile([
    ['hot', 600, 'file:///app/a.js', 99],
    ['cold', 200],
  ]);
  const result = diff(before, after);
  const hot = row(result, 'hot');
  assert.equal([hot.line, hot.self.before, hot.self.after], [99, 1000 * MS, 6000 * MS]);
  assert.equal([hot.self.beforeShare, hot.self.afterShare, hot.self.change], [0.25, 0.75, 0.5]);
  assert.equal([hot.self.beforeSamples, hot.self.afterSamples, hot.self.significant], [100, 600, true]);
  assert.is(row(result, 'main').total.change, 0, 'the same part of the whole in both');
  assert.is(row(result, 'main').total.significant, false);
  assert.equal([result.before.samples, result.after.effectiveSamples], [400, 800]);
  const absolute = diff(before, after, { absolute: true });
  assert.equal([row(absolute, 'hot').self.change, row(absolute, 'cold').self.change], [5000 * MS, -1000 * MS]);
  assert.is(row(absolute, 'main').total.change, 4000 * MS);
});

numbers('recursion counts once, anonymous functions of a file are one, new and gone are told', () => {
  const before = profile([
    ['', 50, '/x.js', 1],
    ['', 50, '/x.js', 7],
    ['old', 100],
  ]);
  before.samples[2].locations = [3, 3, 3, 0];
  const after = profile([
    ['(anonymous)', 100, '/x.js', 30],
    ['fresh', 100],
  ]);
  const result = diff(before, after);
  assert.equal([row(result, '(anonymous)').self.change, row(result, '(anonymous)').self.beforeSamples], [0, 100]);
  assert.is(row(result, 'old').total.before, 1000 * MS);
  const text = diffText(result, names);
  assert.match(text, /fresh +.*\/app\/a\.js:10 \(new\)/);
  assert.match(text, /old +.*\(gone\)/);
});

numbers('groups of a label, filters on both sides', () => {
  const agent = (name) => [{ key: 'agent', str: name }];
  const before = profile([
    ['f', 100, '/a.js', 1, agent('a')],
    ['f', 100, '/a.js', 1, agent('b')],
  ]);
  const after = profile([
    ['f', 300, '/a.js', 1, agent('a')],
    ['g', 100, '/a.js', 1],
  ]);
  const { groups } = diff(before, after, { by: 'agent' });
  assert.equal(
    groups.rows.map(({ value, change }) => [value, change]),
    [
      ['b', -0.5],
      ['a', 0.25],
      [null, 0.25],
    ].sort((x, y) => Math.abs(y[1]) - Math.abs(x[1])),
  );
  assert.is(diff(before, after, { labels: [{ key: 'agent', value: 'a' }] }).after.total, 3000 * MS);
});

numbers('top cuts and says so; the schema has every field', () => {
  const result = diff(
    profile([
      ['a', 9],
      ['b', 5],
    ]),
    profile([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]),
    { top: 1 },
  );
  assert.equal([result.functions.length, result.functionsLeftOut], [1, 3]);
  assert.match(diffText(result, names), /3 more functions: --top 4 shows all/);
  const json = diffJson(result);
  assert.equal(Object.keys(json), [
    'schema',
    'sampleType',
    'absolute',
    'filters',
    'before',
    'after',
    'z',
    'functions',
    'functionsLeftOut',
    'groups',
  ]);
  assert.equal(Object.keys(json.functions[0]), ['name', 'file', 'line', 'self', 'total']);
  assert.equal(Object.keys(json.functions[0].self), [
    'before',
    'after',
    'beforeShare',
    'afterShare',
    'beforeSamples',
    'afterSamples',
    'change',
    'low',
    'high',
    'significant',
  ]);
});

numbers('a profile that does not say its samples is not judged', () => {
  const bytes = (value) => ({
    ...profile([['f', 1]]),
    sampleTypes: [{ type: 'space', unit: 'bytes' }],
    samples: [{ locations: [1, 0], values: [value], labels: [] }],
  });
  const result = diff(bytes(10), bytes(1000), { absolute: true });
  assert.equal([row(result, 'f').self.significant, row(result, 'f').self.beforeSamples], [null, null]);
  assert.match(diffText(result, names), /no difference is judged/);
  assert.is(judgeGrowth(result, 0.05).failed.length > 0, true, 'what cannot be judged counts');
});

numbers('empty profiles', () => {
  const text = diffText(diff(profile([]), profile([])), names);
  assert.match(text, /no function has a value/);
  assert.is(row(diff(profile([]), profile([['f', 1000]])), 'f').self.afterShare, 1);
});

numbers.run();

const noise = suite('noise');

noise('the interval is Newcombe’s, the level is that of the table', () => {
  // Newcombe 1998, table II, example (b): 9/10 against 3/10 at 95 %: 0.1705 to 0.8090 (method 10).
  const [low, high] = shareInterval(0.3, 10, 0.9, 10, 1.959964);
  assert.ok(Math.abs(low - 0.1705) < 1e-3 && Math.abs(high - 0.809) < 1e-3, `${low} ${high}`);
  // 0/29 against 0/20 (example g): -0.1138 to 0.1611.
  const [down, up] = shareInterval(0, 20, 0, 29, 1.959964);
  assert.ok(Math.abs(-up + 0.1168) < 0.01 && Math.abs(-down - 0.1611) < 0.01, `${down} ${up}`);
  for (const [comparisons, exact] of [
    [1, 1.96],
    [10, 2.807],
    [1000, 4.056],
  ]) {
    assert.ok(zFor(comparisons) >= exact && zFor(comparisons) < exact * 1.09, `${comparisons}: ${zFor(comparisons)}`);
  }
  assert.equal(shareInterval(0, 0, 1, 10, 2), [-1, 1]);
});

noise('weights that differ are worth fewer samples', () => {
  assert.is(effectiveSamples({ value: 10, squares: 10 }), 10);
  assert.ok(effectiveSamples({ value: 10 + 90, squares: 10 + 90 * 90 }) < 2);
  const even = profile([
    ['f', 500],
    ['g', 500],
  ]);
  const uneven = profile([
    ['f', 500],
    ['g', 500],
    ['h', 1],
  ]);
  uneven.samples[2].values = [1, 500_000 * MS];
  assert.ok(diff(even, uneven).after.effectiveSamples < 5);
  assert.is(row(diff(even, uneven), 'f').self.significant, false, 'one heavy sample shows nothing');
});

/** n samples drawn among functions with these probabilities. */
function drawn(random, shares, n) {
  const counts = shares.map(() => 0);
  for (let i = 0; i < n; i++) {
    let left = random();
    let at = 0;
    while (at < shares.length - 1 && left >= shares[at]) left -= shares[at++];
    counts[at]++;
  }
  return profile(counts.map((count, i) => [`f${i}`, count]));
}

noise('two runs of one program: at most a few tables in a hundred mark anything; a real change is found', () => {
  const random = randomFrom(42);
  const shares = Array.from({ length: 40 }, (_, i) => 0.5 ** (i / 6 + 1));
  const sum = shares.reduce((a, b) => a + b);
  const even = shares.map((share) => share / sum);
  let marked = 0;
  const RUNS = 200;
  for (let run = 0; run < RUNS; run++) {
    const result = diff(drawn(random, even, 400 + 5 * run), drawn(random, even, 1200 - 4 * run), { top: 1000, absolute: false });
    if (result.functions.some(({ self, total }) => self.significant || total.significant)) marked++;
  }
  assert.ok(marked <= RUNS * 0.05, `${marked} of ${RUNS} tables marked something`);
  const changed = [...even];
  changed[3] += 0.1;
  changed[0] -= 0.1;
  const found = diff(drawn(random, even, 2000), drawn(random, changed, 2000));
  assert.equal([row(found, 'f3').self.significant, row(found, 'f0').self.significant], [true, true]);
});

noise('absolute values: the same', () => {
  const random = randomFrom(7);
  const even = Array.from({ length: 20 }, () => 0.05);
  let marked = 0;
  for (let run = 0; run < 200; run++) {
    // A Poisson number of samples, as a clock gives for the same work.
    const count = () => Array.from({ length: 1000 }, () => (random() < 0.5 ? 1 : 0)).reduce((a, b) => a + b);
    const result = diff(drawn(random, even, count()), drawn(random, even, count()), { absolute: true, top: 100 });
    if (result.functions.some(({ self, total }) => self.significant || total.significant)) marked++;
  }
  assert.ok(marked <= 10, `${marked} of 200`);
  assert.is(
    row(
      diff(
        profile([
          ['f', 100],
          ['g', 100],
        ]),
        profile([
          ['f', 200],
          ['g', 100],
        ]),
        { absolute: true },
      ),
      'f',
    ).self.significant,
    true,
  );
});

noise('the gate: what grew for certain fails, what may be noise is said, what shrank is fine', () => {
  const judged = (before, after, limit, options) => judgeGrowth(diff(before, after, { top: 1e6, ...options }), limit);
  const big = [
    profile([
      ['f', 100],
      ['g', 900],
    ]),
    profile([
      ['f', 300],
      ['g', 700],
    ]),
  ];
  assert.match(
    judged(...big, 0.05).failed.join('\n'),
    /^f \(\/app\/a\.js\): self grew by 20\.0 points \(10\.0% -> 30\.0%, 100 -> 300 samples\)$/,
  );
  assert.equal(judged(...big, 0.25), { failed: [], unsure: [] });
  const small = [
    profile([
      ['f', 1],
      ['g', 9],
    ]),
    profile([
      ['f', 3],
      ['g', 7],
    ]),
  ];
  const verdict = judged(...small, 0.05);
  assert.equal([verdict.failed.length, verdict.unsure.length], [0, 1]);
  assert.match(judged(...big, 0.05, { absolute: true }).failed[0], /20\.0 % of the whole before/);
});

noise.run();

const markdown = suite('markdown');

markdown('a code span holds any name', () => {
  assert.is(codeSpan('plain'), '`plain`');
  assert.is(codeSpan('a`b'), '``a`b``');
  assert.is(codeSpan('`x'), '`` `x ``');
  assert.is(codeSpan('a|b'), '`a\\|b`');
  assert.is(codeSpan('a\r\nb'), '`a b`');
  assert.is(codeSpan('\u202ex\u0000'), '`\\u202ex\\u0000`');
  assert.is(codeSpan(''), '');
});

markdown('hostile names: one line a row, no HTML and no link outside of code', () => {
  const rows = HOSTILE.map((name, i) => [name, 10 + i, name, 1, [{ key: 'agent', str: name }]]);
  const text = diffMarkdown(
    diff(profile(rows), profile(rows.map(([name, samples, ...rest]) => [name, samples * 2, ...rest])), { by: 'agent', top: 100 }),
    names,
  );
  const outside = text.replace(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, '');
  assert.not.match(outside, /<|@team|\]\(|alert/);
  const table = text.split('\n').filter((line) => line.startsWith('|'));
  for (const line of table.slice(0, HOSTILE.length)) assert.is(line.replace(/\\\|/g, '').split('|').length, 9, line);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.not.match(text, /[\u0000-\u0009\u000b-\u001f\u202e\u2028]/);
});

markdown.run();

const command = suite('command');

command.before((context) => {
  context.dir = folder();
  context.a = join(context.dir, 'a.pb.gz');
  context.b = join(context.dir, 'b.pb.gz');
  writeFileSync(
    context.a,
    encodeGzip(
      profile([
        ['f', 100],
        ['g', 900],
      ]),
    ),
  );
  writeFileSync(
    context.b,
    encodeGzip(
      profile([
        ['f', 300],
        ['g', 700],
      ]),
    ),
  );
});

command('table, JSON, Markdown; the gate’s exit code', async ({ a, b }) => {
  const text = await strobe(['diff', a, b]);
  assert.equal([text.code, text.stderr], [0, '']);
  assert.match(text.stdout, /30\.0% +\+20\.0 +30\.0% +\+20\.0 +100 -> 300 +f +\/app\/a\.js:10/);
  const json = JSON.parse((await strobe(['diff', a, b, '--json', '--absolute'])).stdout);
  assert.equal([json.schema, json.absolute, json.functions[0].self.change], ['strobe-diff/1', true, 2000 * MS]);
  assert.match((await strobe(['diff', a, b, '--markdown'])).stdout, /\| 30\.0% \| \+20\.0 \| 30\.0% \| \+20\.0 \| 100 → 300 \| `f` \|/);
  const failed = await strobe(['diff', a, b, '--fail-above', '5%', '--top', '1']);
  assert.is(failed.code, 1);
  assert.match(failed.stderr, /^strobe diff: above 5%: f \(\/app\/a\.js\): self grew by 20\.0 points/);
  assert.match(failed.stdout, /f +\/app\/a\.js/);
  assert.is((await strobe(['diff', b, a, '--fail-above', '25'])).code, 0);
  assert.is((await strobe(['diff', a, a, '--fail-above', '0%'])).code, 0);
});

command('a picture instead of the table, or beside it', async ({ dir, a, b }) => {
  const svg = join(dir, 'd.svg');
  const alone = await strobe(['diff', a, b, '-o', svg, '--palette', 'colour-blind', '--title', 'T & t']);
  assert.equal([alone.code, alone.stdout, alone.stderr], [0, '', '']);
  assert.match(readFileSync(svg, 'utf8'), /T &amp; t[\s\S]*before 10\.00%, after 30\.00%: \+20\.00% points/);
  const both = await strobe(['diff', a, b, '-o', svg, '--json']);
  assert.is(JSON.parse(both.stdout).schema, 'strobe-diff/1');
});

command('wrong command lines: exit 2; files that do not compare: exit 1', async ({ dir, a, b }) => {
  const cases = [
    [[a], 2, /two profiles are compared, not 1/],
    [[a, b, a], 2, /not 3/],
    [[a, b, '--fail-above', 'much'], 2, /--fail-above must be a percentage/],
    [[a, b, '--fail-above', '101%'], 2, /from 0 to 100/],
    [[a, b, '-o', 'x.png'], 2, /-o must end in \.svg or \.html/],
    [[a, b, '-o', join(dir, 'x.svg'), '--palette', 'pink'], 2, /--palette must be red-blue or colour-blind/],
    [[a, b, '--palette', 'red-blue'], 2, /--palette goes with -o/],
    [[a, b, '--type', 'heap'], 2, /--type must be a sample type of both/],
    [[a, b, '--json', '--markdown'], 2, /exclude each other/],
    [[a, join(dir, 'none.pb.gz')], 1, /none\.pb\.gz: no such file/],
  ];
  const heap = join(dir, 'heap.pb.gz');
  writeFileSync(heap, encodeGzip(randomProfile(1, { types: [{ type: 'inuse_space', unit: 'bytes' }] })));
  cases.push([[a, heap], 1, /measure different things: .*a\.pb\.gz has samples\/count, cpu\/nanoseconds/]);
  for (const [args, code, pattern] of cases) {
    const end = await strobe(['diff', ...args]);
    assert.equal([end.code, end.stdout], [code, ''], `${args.join(' ')}\n${end.stderr}`);
    assert.match(end.stderr, pattern);
  }
  assert.not.ok(existsSync(join(dir, 'x.svg')));
  const help = await strobe(['diff', '--help']);
  assert.match(help.stdout, /Examples:\n {2}strobe/);
});

command.run();
