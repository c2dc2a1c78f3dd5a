// The flame graph page without a browser: the data that the writer embeds, the tree that the page makes of it (against a naive one), time line files, the
// command line. The page's own modules are bundled here and run in Node. test/flamegraph-page.test.mjs looks at the page itself.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { numbers, profileOf, service } from './flamegraph-helpers.mjs';
import { DIST, folder, ROOT, strobe } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { encodeGzip } = require(join(DIST, 'pprof', 'encode.js'));
const { differentialHtml, flameGraphHtml } = require(join(DIST, 'formats', 'flamegraph', 'html.js'));
const { packColumns, unpackColumns } = require(join(DIST, 'formats', 'flamegraph', 'columns.js'));
const { originOf } = require(join(DIST, 'formats', 'flamegraph', 'kinds.js'));
const { KINDS } = require(join(DIST, 'formats', 'flamegraph', 'page-data.js'));
const { TreeBuilder } = require(join(DIST, 'formats', 'flamegraph', 'tree.js'));
const { decodeTimeline, encodeTimeline, timelineMismatch } = require(join(DIST, 'formats', 'timeline.js'));

/** The page's modules, as one for Node. */
function viewer() {
  const path = join(folder(), 'viewer.cjs');
  const names = ['model', 'query', 'tally', 'sandwich', 'state', 'heat', 'text', 'paint', 'tree', 'colours', 'search', 'scene', 'describe'];
  const contents = names.map((name) => `export * from './${name}';`).join('\n');
  const stdin = { contents, resolveDir: join(ROOT, 'src', 'viewer'), loader: 'ts' };
  buildSync({ stdin, bundle: true, format: 'cjs', platform: 'node', outfile: path, logLevel: 'error' });
  return require(path);
}
const page = viewer();

const LIMITS = { isDiff: false, types: [2], shown: [1] };
const MS = 1e6;

function modelOf(profile, timeline) {
  const types = profile.sampleTypes.length;
  const builder = new TreeBuilder(types);
  builder.add(profile, [...Array(types).keys()], timeline);
  return new page.Model(unpackColumns(packColumns(builder.columns()), types));
}

/** Every node as `a;b;c` (functions, groups) with its self and total value. */
function listing(model, result) {
  const { tree, groups } = result;
  const nameOf = (func) =>
    func < model.functionCount ? model.name(func) : `${groups[func - model.functionCount].key}=${groups[func - model.functionCount].value}`;
  const nodes = new Map();
  for (let node = 1; node < tree.size; node++) {
    const names = page
      .pathTo(tree, node)
      .slice(1)
      .map((one) => nameOf(tree.func[one]) + (tree.line[one] ? `:${tree.line[one]}` : ''));
    nodes.set(names.join(';'), [tree.self[node], tree.total[node]]);
  }
  assert.is(nodes.size, tree.size - 1, 'no two nodes are one');
  return nodes;
}

/** The same by the plainest means. */
function expected(profile, { keep = () => true, groupBy = [], lines = false, type = 1 } = {}) {
  const nodes = new Map();
  for (const sample of profile.samples) {
    const labels = Object.fromEntries(sample.labels.map(({ key, str, num }) => [key, str ?? String(num)]));
    const value = sample.values[type];
    if (!keep(labels) || value === 0) continue;
    const stack = [...sample.locations].reverse().map((index) => {
      const { function: func, line } = profile.locations[index].lines[0];
      return profile.functions[func].name + (lines && line ? `:${line}` : '');
    });
    const path = [...groupBy.map((key) => `${key}=${labels[key] ?? null}`), ...stack];
    path.forEach((_, i) => {
      const key = path.slice(0, i + 1).join(';');
      const [self, total] = nodes.get(key) ?? [0, 0];
      nodes.set(key, [self + (i === path.length - 1 ? value : 0), total + value]);
    });
  }
  return nodes;
}

const sorted = (nodes) => [...nodes].sort(([a], [b]) => (a < b ? -1 : 1));

/** Stacks that share functions, lines and callers, recursion among them. */
function tangled(seed, count = 400) {
  const next = numbers(seed);
  const stacks = [];
  for (let i = 0; i < count; i++) {
    const depth = 1 + Math.floor(next() * 9);
    const stack = Array.from({ length: depth }, () => `f${Math.floor(next() * 7)}@/app/a.js:5:${5 + Math.floor(next() * 3)}`);
    const labels = next() < 0.2 ? {} : { agent: `a${Math.floor(next() * 4)}`, thread_id: Math.floor(next() * 3) };
    stacks.push({ stack, value: Math.floor(next() * 50), labels });
  }
  return profileOf(stacks);
}

const test = suite('flame graph');

test('the tree is the one that adding up by hand gives: plain, by line, filtered, grouped', () => {
  for (const seed of [1, 2, 3]) {
    const profile = tangled(seed);
    const model = modelOf(profile);
    const first = page.firstState(LIMITS);
    const same = (change, options) =>
      assert.equal(sorted(listing(model, page.runQuery(model, { ...first, ...change }, false))), sorted(expected(profile, options)));
    same({}, {});
    same({ lines: true }, { lines: true });
    same({ type: 0 }, { type: 0 });
    same({ groupBy: ['agent'] }, { groupBy: ['agent'] });
    same({ groupBy: ['thread_id', 'agent'], lines: true }, { groupBy: ['thread_id', 'agent'], lines: true });
    same({ filters: new Map([['agent', new Set(['a1', null])]]) }, { keep: ({ agent }) => agent === 'a1' || agent === undefined });
    same(
      {
        filters: new Map([
          ['agent', new Set(['a1', 'a2'])],
          ['thread_id', new Set(['2'])],
        ]),
        groupBy: ['agent'],
      },
      { keep: ({ agent, thread_id }) => ['a1', 'a2'].includes(agent) && thread_id === '2', groupBy: ['agent'] },
    );
  }
});

test('children stand in the order of their names, side by side in their parent', () => {
  const model = modelOf(tangled(4));
  const { tree } = page.runQuery(model, page.firstState(LIMITS), false);
  for (let node = 0; node < tree.size; node++) {
    const children = page.childrenOf(tree, node);
    let at = tree.start[node];
    let last = '';
    for (const child of children) {
      assert.is(tree.start[child], at);
      at += tree.total[child];
      assert.ok(model.name(tree.func[child]) > last);
      last = model.name(tree.func[child]);
      assert.ok(tree.enter[child] > tree.enter[node] && tree.exit[child] <= tree.exit[node]);
    }
    assert.ok(at <= tree.start[node] + tree.total[node]);
  }
});

test('self and total by function: a recursion counts once a stack', () => {
  const profile = profileOf([
    { stack: 'main;walk;walk;leaf', value: 30 },
    { stack: 'main;walk', value: 10 },
    { stack: 'other', value: 5 },
  ]);
  const model = modelOf(profile);
  const { tree } = page.runQuery(model, page.firstState(LIMITS), false);
  const tally = page.tallyBy(tree, model.functionCount, (func) => (func < model.functionCount ? func : -1));
  const of = (name) => {
    const func = [...Array(model.functionCount).keys()].find((one) => model.name(one) === name);
    return [tally.self[func] / MS, tally.total[func] / MS];
  };
  assert.equal(
    [of('main'), of('walk'), of('leaf'), of('other')],
    [
      [0, 40],
      [10, 40],
      [30, 30],
      [5, 5],
    ],
  );
});

test('callers and callees of a function, a recursion from its outermost frame on', () => {
  const profile = profileOf([
    { stack: 'main;a;walk;walk;leaf', value: 30 },
    { stack: 'main;b;walk;leaf', value: 20 },
    { stack: 'main;b', value: 7 },
  ]);
  const model = modelOf(profile);
  const result = page.runQuery(model, page.firstState(LIMITS), false);
  const walk = [...Array(model.functionCount).keys()].find((one) => model.name(one) === 'walk');
  const { callers, callees } = page.sandwich(result.tree, walk, [1], result.rank);
  const totals = (tree) => Object.fromEntries([...listing(model, { tree, groups: [] })].map(([path, [, total]]) => [path, total / MS]));
  assert.equal(totals(callers), { a: 30, 'a;main': 30, b: 20, 'b;main': 20 });
  assert.equal(totals(callees), { walk: 30, 'walk;leaf': 30, leaf: 20 });
  assert.is(callees.total[0] / MS, 50);
});

test('a difference has both values of every node; normalised, equal shares are no change', () => {
  const before = profileOf([
    { stack: 'main;a', value: 10 },
    { stack: 'main;gone', value: 10 },
  ]);
  const after = profileOf([
    { stack: 'main;a', value: 30 },
    { stack: 'main;new', value: 10 },
  ]);
  const builder = new TreeBuilder(2);
  builder.add(before, [-1, 0]);
  builder.add(after, [-1, 1]);
  const model = new page.Model(builder.columns());
  const state = { ...page.firstState({ ...LIMITS, isDiff: true }), type: 0 };
  const result = page.runQuery(model, state, true);
  assert.is(result.scale, 2);
  const values = {};
  for (let node = 1; node < result.tree.size; node++)
    values[model.name(result.tree.func[node])] = result.tree.sides
      .map(({ total }) => total[node] / MS)
      .concat(result.tree.total[node] / MS);
  assert.equal(values, { main: [20, 40, 40], a: [10, 30, 25], gone: [10, 0, 10], new: [0, 10, 5] });
  const narrow = page.runQuery(model, { ...state, width: 'after', normalised: false }, true);
  assert.equal([narrow.scale, narrow.tree.total[0] / MS], [1, 40]);
});

test('a time range shows the samples of its buckets, and the heat map holds all of them', () => {
  const { profile, timeline } = service({ seconds: 20 });
  const model = modelOf(profile, timeline);
  const state = { ...page.firstState(LIMITS), range: [615, 635] };
  const { tree } = page.runQuery(model, state, false);
  let wanted = 0;
  timeline.bucket.forEach((bucket, i) => {
    if (bucket >= 615 && bucket < 635) wanted += timeline.value[i];
  });
  assert.is(tree.total[0], wanted);
  assert.ok(wanted >= 390 * MS, 'the spike is in it');
  const all = page.allowedSets(model, new Map());
  const heat = page.heatCells(model.columns.time, model.columns.rowSet, all, 300);
  assert.is(heat.columns, 20);
  assert.is(
    heat.cells.reduce((a, b) => a + b),
    timeline.value.reduce((a, b) => a + b),
  );
  const main = page.allowedSets(model, new Map([['thread_name', new Set(['main'])]]));
  const less = page.heatCells(model.columns.time, model.columns.rowSet, main, 300).cells.reduce((a, b) => a + b);
  assert.ok(less > 0 && less < heat.cells.reduce((a, b) => a + b));
});

test('a time line of any length makes a bounded heat map', () => {
  for (const [bucketMs, last] of [
    [1e12, 4294967295],
    [0.001, 4294967295],
    [20, 0],
    [86_400_000, 900],
    [7, 123_456_789],
  ]) {
    const time = { startUnixMs: 0, bucketMs, bucket: Uint32Array.of(0, last), row: Uint32Array.of(0, 0), value: Float64Array.of(1, 2) };
    const heat = page.heatCells(time, Uint32Array.of(0), Uint8Array.of(1), 300);
    assert.ok(heat.columns >= 1 && heat.columns <= 301, `${bucketMs} ms, ${last}: ${heat.columns} columns`);
    assert.ok(heat.rows <= 25);
    assert.is(
      heat.cells.reduce((a, b) => a + b),
      3,
    );
  }
});

test('time line files: back as they were; anything else is refused by name', () => {
  const { profile, timeline } = service({ seconds: 5 });
  const bytes = encodeTimeline(timeline);
  assert.equal(decodeTimeline(bytes, 'x'), timeline);
  assert.is(timelineMismatch(profile, timeline), undefined);
  const other = service({ seconds: 5, seed: 99, heavier: { archivist: 1 } });
  assert.ok(timelineMismatch(other.profile, { ...timeline, sample: timeline.sample.map((sample) => sample + 1000) }));
  assert.ok(timelineMismatch(profile, { ...timeline, value: timeline.value.map((value) => 3 * value) }));

  const good = JSON.parse(gunzipSync(bytes).toString());
  const bad = {
    'no gzip': Buffer.from('{}'),
    'cut off': bytes.subarray(0, 40),
    'no JSON': gzipSync('hello'),
    null: gzipSync('null'),
    schema: gzipSync(JSON.stringify({ ...good, schema: 'strobe-timeline/2' })),
    lengths: gzipSync(JSON.stringify({ ...good, value: good.value.slice(1) })),
    order: gzipSync(JSON.stringify({ ...good, bucket: good.bucket.map((step, i) => (i === 3 ? -1 : step)) })),
    fraction: gzipSync(JSON.stringify({ ...good, bucket: good.bucket.map((step, i) => (i === 3 ? 0.5 : step)) })),
    overflow: gzipSync(JSON.stringify({ ...good, bucket: good.bucket.map(() => 4e9) })),
    'negative sample': gzipSync(JSON.stringify({ ...good, sample: good.sample.map(() => -5) })),
    'negative value': gzipSync(JSON.stringify({ ...good, value: good.value.map(() => -1) })),
    'text value': gzipSync(JSON.stringify({ ...good, value: good.value.map(() => '1') })),
    bucketMs: gzipSync(JSON.stringify({ ...good, bucketMs: 0 })),
    'no column': gzipSync(JSON.stringify({ ...good, sample: { length: 3 } })),
  };
  for (const [name, file] of Object.entries(bad)) {
    try {
      decodeTimeline(file, 'some.timeline.gz');
      assert.unreachable(`${name} was taken`);
    } catch (error) {
      assert.is(error.code, 'ERR_PROFILE_INVALID', `${name}: ${error.stack}`);
      assert.ok(error.message.startsWith('some.timeline.gz is not a valid timeline'), error.message);
    }
  }
  assert.throws(
    () => encodeTimeline({ ...timeline, bucket: timeline.bucket.slice().reverse() }),
    (error) => error.code === 'ERR_INVALID_OPTION',
  );
});

test('kinds and packages', () => {
  const cases = [
    ['handle', '/srv/app/server.ts', 'application', ''],
    ['(anonymous)', '', 'application', ''],
    ['x', '/srv/node_modules/express/lib/router.js', 'dependency', 'express'],
    ['x', 'file:///srv/node_modules/@fastify/cookie/a.js', 'dependency', '@fastify/cookie'],
    ['x', '/srv/node_modules/.pnpm/a@1.0.0/node_modules/a/i.js', 'dependency', 'a'],
    ['x', '/srv/node_modules/a/node_modules/b/i.js', 'dependency', 'b'],
    ['x', 'C:\\srv\\node_modules\\@s\\p\\i.js', 'dependency', '@s/p'],
    ['readFile', 'node:fs', 'node', ''],
    ['ArrayFrom', '', 'builtin', ''],
    ['RegExp: \\W+', '', 'builtin', ''],
    ['(garbage collector)', '', 'gc', ''],
    ['(program)', '', 'engine', ''],
    ['wasm-function[3]', 'wasm://wasm/0a', 'wasm', ''],
    ['main.main', '/home/x/app/main.go', 'application', ''],
    ['net/http.(*conn).serve', '/usr/local/go/src/net/http/server.go', 'dependency', 'Go library'],
    ['runtime.memmove', '/usr/local/go/src/runtime/memmove_amd64.s', 'dependency', 'Go library'],
    ['x', '/home/x/go/pkg/mod/golang.org/x/net@v0.1.0/http2/a.go', 'dependency', 'golang.org/x/net'],
    ['0x7f00', '/lib/libc.so.6', 'native', 'libc.so.6'],
  ];
  for (const [name, file, kind, pkg] of cases) {
    const found = originOf(name, file, name.startsWith('0x'));
    assert.equal([KINDS[found.kind], found.package], [kind, pkg], `${name} ${file}`);
  }
});

test('foreign profiles: inlined lines, addresses without functions, no labels, several types, values below 0, deep stacks', () => {
  const profile = profileOf([{ stack: 'root;leaf', value: 5 }], {
    types: [
      ['alloc_objects', 'count'],
      ['alloc_space', 'bytes'],
      ['inuse_space', 'bytes'],
    ],
  });
  profile.mappings.push({
    start: 0n,
    limit: 1n,
    offset: 0n,
    filename: '/usr/lib/libssl.so.3',
    buildId: '',
    hasFunctions: false,
    hasFilenames: false,
    hasLineNumbers: false,
    hasInlineFrames: false,
  });
  profile.locations.push({ mapping: 0, address: 0xdeadbeefn, lines: [], isFolded: false });
  profile.locations.push({
    mapping: -1,
    address: 1n,
    lines: [
      { function: 1, line: -7, column: 0 },
      { function: 0, line: 9e15, column: 0 },
    ],
    isFolded: false,
  });
  profile.samples.push({ locations: [2, 0], values: [1, 2, 3], labels: [] });
  profile.samples.push({ locations: [3], values: [1, 2, 4], labels: [] });
  profile.samples.push({ locations: [], values: [1, 2, 8], labels: [] });
  profile.samples.push({ locations: [0], values: [-1, -2, -3], labels: [] });
  const model = modelOf(profile);
  const result = page.runQuery(model, { ...page.firstState({ isDiff: false, types: [3], shown: [2] }), type: 2 }, false);
  const nodes = listing(model, result);
  assert.equal(nodes.get('root;0xdeadbeef'), [3, 3]);
  assert.equal(nodes.get('(no stack)'), [8, 8]);
  assert.equal(nodes.get('root;leaf'), [5 * MS + 4, 5 * MS + 4], 'the inlined function stands under its caller');
  assert.is(result.tree.total[0], 5 * MS + 15);
  profile.samples.push({ locations: Array(20_000).fill(0), values: [1, 2, 0.5], labels: [] });
  const deep = page.runQuery(modelOf(profile), { ...page.firstState({ isDiff: false, types: [3], shown: [2] }), type: 2 }, false).tree;
  assert.is(deep.maxDepth, 20_000);
  assert.is(deep.total[0], 5 * MS + 15.5);
  const html = flameGraphHtml([{ name: 'foreign', profile }]);
  assert.match(html, /values below 0, left out/);
});

test('state and address: back as it was; noise is left out', () => {
  const state = {
    ...page.firstState(LIMITS),
    view: 'sandwich',
    func: 12,
    flame: true,
    lines: true,
    groupBy: ['agent', 'a=b&c'],
    filters: new Map([
      ['agent', new Set(['re=se&arch', null, '🙂'])],
      ['k%3D=', new Set([''])],
    ]),
    range: [10, 20],
    search: '/a|b/ #?',
    colour: 'label:agent',
    zoom: ['1', '2:33'],
    part: [0.25, 1e-7 + 0.25],
    theme: 'dark',
    panel: 'labels',
  };
  assert.equal(page.fromFragment(`#${page.toFragment(state, LIMITS)}`, LIMITS), state);
  assert.is(page.toFragment(page.firstState(LIMITS), LIMITS), '');
  const noise = '#p=9&t=-1&v=evil&fn=1e3&r=5-1&x=2_3&z=<script>&c=javascript&th=blue&w=before&g=&f==x&f=&%ff%&s=../..&pal=x';
  assert.equal(page.fromFragment(noise, LIMITS), { ...page.firstState(LIMITS), groupBy: [''] });
});

test('text: what cannot be seen is shown by its number, long names are cut in the middle', () => {
  assert.is(page.shown('a\u202eb\u200fc\u0000d\u2028e\ud800f'), 'a\\u{202e}b\\u{200f}c\\u{0}d\\u{2028}e\\u{d800}f');
  assert.is(page.shown('naïve 日本 🙂 عربي'), 'naïve 日本 🙂 عربي');
  const long = page.shown(`${'x'.repeat(10_000)}END`);
  assert.ok(long.length <= page.MOST_SHOWN && long.endsWith('END') && long.includes('…'));
  assert.is(page.share(0, 0), '0 %');
  assert.is(page.share(1, 1e6), '<0.1 %');
});

test('every fill of both themes can be read: contrast of at least 4.5 to 1', () => {
  const luminance = (colour) => {
    const [r, g, b] = [1, 3, 5]
      .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  for (const theme of Object.values(page.THEMES)) {
    const fills = [theme.merged, page.otherFill(theme.name)];
    for (const kind of KINDS) for (let shade = 0; shade < 4; shade++) fills.push(page.kindFill(theme.name, kind, shade));
    for (let category = 0; category < page.CATEGORIES; category++) fills.push(page.categoryFill(theme.name, category));
    for (const palette of ['red-blue', 'orange-blue'])
      for (let change = -1; change <= 1; change += 0.125) fills.push(page.diffFill(theme.name, palette, change));
    for (const fill of fills)
      assert.ok(contrast(fill, theme.frameText) >= 4.5, `${theme.name} ${fill}: ${contrast(fill, theme.frameText)}`);
    assert.ok(contrast(theme.match, theme.matchText) >= 4.5);
  }
});

test('the page holds no name as markup, and its policy names script and style by their hashes', () => {
  const hostile = '</script><script>alert(1)</script><!--\u2028"\'&';
  const profile = profileOf([{ stack: [hostile], value: 5, labels: { [hostile]: hostile } }], { comments: [hostile] });
  const html = flameGraphHtml([{ name: hostile, profile }], { title: hostile });
  assert.is(html.match(/<script/g).length, 3, 'head, data, code');
  assert.is(html.match(/<\/script>/g).length, 3);
  assert.not.match(html, /alert\(1\)<\/script|<!--/);
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html);
  assert.match(
    policy,
    /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; img-src data:; base-uri 'none'; form-action 'none'$/,
  );
  assert.not.match(html.replace(/<script>[\s\S]*/, ''), /(?:src|href)="(?!data:,")/);
});

test('differences of profiles that measure different things are refused', () => {
  const cpu = profileOf([{ stack: 'a', value: 1 }], { types: [['cpu', 'nanoseconds']] });
  const heap = profileOf([{ stack: 'a', value: 1 }], { types: [['space', 'bytes']] });
  assert.throws(
    () => differentialHtml(cpu, heap),
    (error) => error.code === 'ERR_PROFILE_INVALID' && /cpu\/nanoseconds against space\/bytes/.test(error.message),
  );
  assert.throws(
    () => flameGraphHtml([]),
    (error) => error.code === 'ERR_INVALID_OPTION',
  );
});

test('command line: page beside the profile, time line taken along, errors by name', async () => {
  const dir = folder();
  const { profile, timeline } = service({ seconds: 5 });
  const cpu = join(dir, 'cpu.pb.gz');
  writeFileSync(cpu, encodeGzip(profile));
  writeFileSync(join(dir, 'cpu.timeline.gz'), encodeTimeline(timeline));
  const done = await strobe(['flamegraph', cpu]);
  assert.is(done.code, 0, done.stderr);
  assert.is(done.stdout, '');
  assert.match(done.stderr, /cpu\.html \(\d+(?:\.\d+)? KiB\): open it in a browser/);
  const withHeat = readFileSync(join(dir, 'cpu.html'), 'utf8');

  writeFileSync(join(dir, 'cpu.timeline.gz'), 'rubbish');
  const damaged = await strobe(['flamegraph', cpu, '-o', join(dir, 'b.html'), '--title', 'T<b>']);
  assert.is(damaged.code, 0);
  assert.match(damaged.stderr, /no heat map: .*cpu\.timeline\.gz is not a valid timeline/);
  assert.ok(readFileSync(join(dir, 'b.html'), 'utf8').length < withHeat.length);
  assert.match(readFileSync(join(dir, 'b.html'), 'utf8'), /<title>T&#60;b&#62;<\/title>/);

  mkdirSync(join(dir, 'sub'));
  const cases = [
    [[], 2, /no profile given/],
    [[cpu, '-o', join(dir, 'x.png')], 2, /must end in \.html or \.svg/],
    [[cpu, cpu, '-o', join(dir, 'x.svg')], 2, /an SVG shows one profile, not 2/],
    [[cpu, '--label', 'x'], 2, /--label must be KEY=VALUE/],
    [[cpu, '--speed'], 2, /--speed/],
    [[join(dir, 'none.pb.gz')], 1, /none\.pb\.gz/],
    [[cpu, '-o', join(dir, 'sub', '..', 'cpu.pb.gz')], 2, /must end in/],
    [[join(dir, 'b.html'), '-o', join(dir, 'sub', '..', 'b.html')], 2, /is the profile itself/],
    [[join(dir, 'b.html'), '-o', join(dir, 'y.html')], 1, /an HTML, SVG or XML document/],
    [[cpu, '-o', join(dir, 'no', 'such', 'x.html')], 1, /x\.html/],
  ];
  for (const [args, code, message] of cases) {
    const result = await strobe(['flamegraph', ...args]);
    assert.is(result.code, code, `${args.join(' ')}: ${result.stderr}`);
    assert.match(result.stderr, message);
  }
  assert.not.ok(existsSync(join(dir, 'y.html')));
  const unknown = await strobe(['flamegraph', cpu, '--label', 'agnet=x', '-o', join(dir, 'z.html')]);
  assert.is(unknown.code, 0);
  assert.match(unknown.stderr, /no sample has the label 'agnet'; the labels are: agent,/);
  assert.match((await strobe(['flamegraph', '--help'])).stdout, /Usage: strobe flamegraph/);
});

test.run();
