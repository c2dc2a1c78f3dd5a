// The SVG pictures: well-formed whatever the names are, boxes that add up, kinds of code, bounded size, and a search that works in a browser.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HOSTILE, randomProfile } from './convert-helpers.mjs';
import { DIST, folder } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { flameGraphSvg } = require(join(DIST, 'formats/flamegraph-svg.js'));
const { differentialSvg } = require(join(DIST, 'formats/diff-svg.js'));
const { codeKind } = require(join(DIST, 'formats/kind.js'));

/** Elements in order: [{ name, attributes, text }]; throws on what XML does not allow. A reader of its own: small, and strict about what counts here. */
function parseXml(source) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.not.match(source, /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
  assert.is(Buffer.from(source).toString(), source, 'no half surrogate');
  const open = [];
  const elements = [];
  const entities = { lt: '<', gt: '>', amp: '&', quot: '"', '#39': "'" };
  const decode = (text) => {
    assert.not.match(text, /&(?!(?:lt|gt|amp|quot|#39);)/, text.slice(0, 200));
    return text.replace(/&(\w+|#39);/g, (_, name) => entities[name]);
  };
  let at = 0;
  while (at < source.length) {
    const next = source.indexOf('<', at);
    const text = source.slice(at, next < 0 ? source.length : next);
    if (open.length > 0) open.at(-1).text += decode(text);
    else assert.match(text, /^\s*$/);
    if (next < 0) break;
    const end = source.indexOf('>', next);
    const tag = source.slice(next + 1, end);
    at = end + 1;
    if (tag.startsWith('/')) {
      assert.is(open.pop()?.name, tag.slice(1));
      continue;
    }
    const [, name, rest, closed] = /^([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)$/.exec(tag) ?? assert.unreachable(`<${tag}>`);
    const attributes = Object.fromEntries([...rest.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, decode(value)]));
    const element = { name, attributes, text: '', parent: open.at(-1) };
    elements.push(element);
    if (!closed) open.push(element);
  }
  assert.is(open.length, 0);
  return elements;
}

/** [{ title, kind, x, y, width, text }] */
function boxes(svg) {
  const elements = parseXml(svg);
  return elements
    .filter(({ name, parent }) => name === 'g' && parent?.attributes.id === 'boxes')
    .map((group) => {
      const inside = (name) => elements.find((element) => element.parent === group && element.name === name);
      const { x, y, width } = inside('rect').attributes;
      return { title: inside('title').text, kind: group.attributes.class, x: +x, y: +y, width: +width, text: inside('text')?.text ?? '' };
    });
}

function profile(functions, samples) {
  const result = randomProfile(1);
  result.functions = functions.map(([name, filename, startLine = 1]) => ({ name, systemName: '', filename, startLine, startColumn: 0 }));
  result.locations = functions.map((_, i) => ({ mapping: -1, address: 0n, isFolded: false, lines: [{ function: i, line: 1, column: 0 }] }));
  result.samples = samples.map(([locations, value, labels = []]) => ({ locations, values: [1, value], labels }));
  return result;
}

test('boxes are as wide as their values, under their callers, coloured by kind', () => {
  const svg = flameGraphSvg(
    profile(
      [
        ['main', '/app/a.js'],
        ['dep', '/app/node_modules/x/i.js'],
        ['read', 'node:fs'],
      ],
      [
        [[1, 0], 75],
        [[2, 0], 20],
        [[0], 5],
      ],
    ),
    { title: 'a title' },
  );
  const [all, main, dep, read] = boxes(svg);
  assert.equal([all.width, main.width, dep.width, read.width], [1180, 1180, 885, 236]);
  assert.equal([main.kind, dep.kind, read.kind], ['application', 'dependency', 'node']);
  assert.ok(main.y > all.y && dep.y === read.y && read.x === dep.x + dep.width);
  assert.match(main.title, /^main \/app\/a\.js:1\n100 ns, 100\.0% of 100 ns\nself 5 ns, 5\.0%\napplication$/);
  assert.match(svg, /a title/);
  const flame = boxes(flameGraphSvg(profile([['main', '/a.js']], [[[0], 1]]), { layout: 'flame' }));
  assert.ok(flame[0].y > flame[1].y, 'the root at the bottom');
});

test('kinds of code', () => {
  const cases = [
    ['f', '/app/a.js', 'application'],
    ['f', 'file:///app/node_modules/x/a.mjs', 'dependency'],
    ['f', 'C:\\app\\node_modules\\x\\a.js', 'dependency'],
    ['f', 'node:internal/timers', 'node'],
    ['f', 'wasm://wasm/1a2b', 'wasm'],
    ['ArrayMap', '', 'builtin'],
    ['(garbage collector)', '', 'gc'],
    ['(idle)', '', 'vm'],
    ['(anonymous)', '', 'application'],
    ['0x401000', '/bin/app', 'native'],
    ['main.main', '/src/main.go', 'application'],
  ];
  for (const [name, file, kind] of cases) assert.is(codeKind(name, file), kind, `${name} ${file}`);
});

test('hostile names are text: well-formed, cut, nothing that is run', () => {
  const names = [...HOSTILE, 'y'.repeat(100_000), 'a&b<c>', '\ufffe\uffff', '&lt;', '%3Cscript%3E'];
  const hostile = profile(
    names.map((name) => [name, name]),
    names.map((_, i) => [[i], 10]),
  );
  for (const svg of [
    flameGraphSvg(hostile, { title: HOSTILE.join(' ') }),
    differentialSvg(hostile, randomProfile(2), { beforeType: 1, afterType: 1, title: HOSTILE[0] }),
  ]) {
    const elements = parseXml(svg);
    assert.is(elements.filter(({ name }) => name === 'script').length, 1, 'our own only');
    assert.ok(elements.every(({ attributes }) => Object.keys(attributes).every((key) => !/^on|href/.test(key))));
    assert.not.match(svg, '\u202e');
    assert.ok(svg.length < 100_000, `${svg.length}`);
  }
});

test('100 000 stacks: narrow boxes are one, and the file stays small; a deep recursion is cut and says so', () => {
  const functions = Array.from({ length: 2000 }, (_, i) => [`f${i}`, '/a.js', i + 1]);
  const samples = Array.from({ length: 100_000 }, (_, i) => [[i % 2000, (i * 7) % 2000, (i * 13) % 1999, Math.floor(i / 1000)], 10]);
  const svg = flameGraphSvg(profile(functions, samples));
  assert.ok(svg.length < 2_000_000, `${svg.length} bytes`);
  assert.ok(boxes(svg).some(({ title }) => /narrow boxes/.test(title)));
  const deep = boxes(flameGraphSvg(profile([['f', '/a.js']], [[Array(20_000).fill(0), 10]])));
  assert.ok(deep.length < 300);
  assert.match(deep.at(-1).title, /narrow boxes/);
});

test('nothing, filters, other sample types', () => {
  assert.is(boxes(flameGraphSvg(profile([], []))).length, 1);
  const labelled = profile(
    [['f', '/a.js']],
    [
      [[0], 30, [{ key: 'agent', str: 'a' }]],
      [[0], 70],
    ],
  );
  assert.match(flameGraphSvg(labelled, { labels: [{ key: 'agent', value: 'a' }] }), /cpu: 30 ns[^<]*only agent=a/);
  assert.match(flameGraphSvg(labelled, { sampleType: 0 }), /samples: 2/);
});

test('differences: width is both, colour and sign say which way, new and gone are there', () => {
  const before = profile(
    [
      ['old', '/a.js'],
      ['same', '/a.js'],
    ],
    [
      [[0], 50],
      [[1], 50],
    ],
  );
  const after = profile(
    [
      ['new', '/a.js'],
      ['same', '/a.js', 77],
    ],
    [
      [[0], 500],
      [[1], 500],
    ],
  );
  const [all, ...rest] = boxes(differentialSvg(before, after, { beforeType: 1, afterType: 1 }));
  const box = (name) => rest.find(({ title }) => title.startsWith(`${name} `));
  assert.is(all.kind, 'same');
  assert.equal([box('same').kind, box('new').kind, box('old').kind], ['same', 'grew5', 'shrank5']);
  assert.equal([box('same').width, box('new').width, box('old').width], [590, 295, 295]);
  assert.match(box('new').text, /^new \+50\.00%/);
  assert.match(box('old').text, /^old −50\.00%/);
  const absolute = boxes(differentialSvg(before, after, { beforeType: 1, afterType: 1, absolute: true }));
  assert.match(absolute[0].title, /before 100 ns, after 1\.00 µs|before 100 ns, after 1 µs/);
  const colours = (palette) => differentialSvg(before, after, { beforeType: 1, afterType: 1, palette }).match(/\.grew5 rect[^}]*\}/)[0];
  assert.is.not(colours('red-blue'), colours('colour-blind'));
});

const BROWSER = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));

(BROWSER ? test : test.skip)(`in a browser the search marks what it finds and says how much${BROWSER ? '' : ' (no browser here)'}`, () => {
  const dir = folder();
  const svg = flameGraphSvg(
    profile(
      [
        ['main', '/app/a.js'],
        ['needle', '/app/b.js'],
      ],
      [
        [[1, 0], 25],
        [[1, 1, 0], 5],
        [[0], 70],
      ],
    ),
  );
  // The page types into the field and leaves what came of it in its title.
  const script = `const field = document.querySelector('input'); field.value = 'NEEDLE'; field.dispatchEvent(new Event('input'));
    document.body.dataset.said = document.querySelector('output').textContent + ' hits ' + document.querySelectorAll('g.hit').length;`;
  writeFileSync(join(dir, 'page.html'), `<!doctype html><body>${svg}<script>${script}</script></body>`);
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    `--user-data-dir=${join(dir, 'data')}`,
  ];
  const html = execFileSync(BROWSER, [...flags, '--dump-dom', `file://${join(dir, 'page.html')}`], {
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.match(html, /data-said="30\.0 % matched hits 2"/);
});

(spawnSync('xmllint', ['--version']).status === 0 ? test : test.skip)('xmllint agrees (where it is)', () => {
  const path = join(folder(), 'x.svg');
  writeFileSync(path, flameGraphSvg(randomProfile(9)));
  assert.is(spawnSync('xmllint', ['--noout', path]).status, 0);
});

test.run();
