// What a source map can be (broken, hostile, huge, changed, no file at all) does no more than leave the generated positions, and counts: it never throws, never
// hangs, never takes more memory than it may.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST, folder, ROOT, runNode } from './helpers.mjs';
import { inline, mapped, NO_LIMITS, PLAIN, refusedAs, SliceMapper, SourceMap, scriptWith, sliceOf } from './map-helpers.mjs';

const require = createRequire(import.meta.url);
const { MapProblem } = require(join(DIST, 'pprof', 'source-maps', 'problem.js'));

test('broken maps: each is refused once, by a reason, and the generated place stays', () => {
  const good = JSON.stringify(PLAIN);
  const withMappings = (mappings) => ({ ...PLAIN, mappings });
  const deep = (levels) =>
    `${'{"version":3,"sections":[{"offset":{"line":0,"column":0},"map":'.repeat(levels)}${good}${'}]}'.repeat(levels)}`;
  const broken = {
    'no JSON': 'root:x:0:0',
    empty: '',
    'half a map': good.slice(0, -40),
    'a map and more': `${good}{}`,
    'an array': '[]',
    'another version': { ...PLAIN, version: 2 },
    'no version': { ...PLAIN, version: undefined },
    'no mappings': { ...PLAIN, mappings: undefined },
    'mappings of another type': withMappings([1]),
    'no sources': { ...PLAIN, sources: undefined },
    'sources of another type': { ...PLAIN, sources: 7 },
    'names of another type': { ...PLAIN, names: {} },
    'an absurd number': withMappings(`${'g'.repeat(1000)}A`),
    'a number past its limit': withMappings('AAgggggB,AAAA'),
    'an endless number': withMappings('g'.repeat(100_000)),
    'numbers that add up past the limit': withMappings(Array(9).fill('A+/////+A+/////AA').join()),
    'a negative line': withMappings('AADA'),
    'a negative source': withMappings('ADAA'),
    'columns backwards': withMappings('KAAA,DAAA'),
    'no base64': withMappings('AA*A'),
    'two numbers': withMappings('AA'),
    'six numbers': withMappings('AAAAAA'),
    'empty segments': withMappings('AAAA,,,,AAAA'),
    'strange escapes': good.replace('"mappings":"', '"mappings":"\\u0041'),
    'a section without a map': { version: 3, sections: [{ offset: { line: 0, column: 0 }, url: 'https://host/x.map' }] },
    'a section at no place': { version: 3, sections: [{ offset: { line: -1, column: 0 }, map: PLAIN }] },
    'sections out of order': { version: 3, sections: [5, 1].map((line) => ({ offset: { line, column: 0 }, map: PLAIN })) },
    'sections of another type': { version: 3, sections: 'all' },
    'sections a hundred deep': deep(100),
    'brackets a million deep': `{"version":3,"x":${'['.repeat(1e6)}`,
  };
  for (const [what, map] of Object.entries(broken)) {
    const script = scriptWith({ 'out.js.map': map });
    assert.match(refusedAs('failed', script, { url: 'out.js.map' }), /^the map of .*out\.js is no source map: /, what);
    refusedAs('failed', script, { url: inline(typeof map === 'string' ? map : JSON.stringify(map)) });
  }
  for (const data of ['data:', 'data:application/json;base64', 'data:application/json;base64,%%%', 'data:,%E0%A4%A'])
    refusedAs('failed', scriptWith(), { url: data });
  assert.equal(
    mapped(scriptWith(), [[1, 3]], { url: inline(deep(3)) }).mapper.counts.loaded,
    1,
    'sections in sections, as tools nest them',
  );

  const script = scriptWith({ 'out.js.map': 'broken' });
  const { mapper } = mapped(script, [[1, 3]], { url: 'out.js.map' });
  for (let i = 0; i < 10; i++) mapped(script, [[1, i]], { url: 'out.js.map', mapper });
  assert.is(mapper.counts.failed, 1, 'a broken map is read and counted once');
});

test('a map damaged at any byte is refused or read, nothing else', () => {
  const good = Buffer.from(
    JSON.stringify({ version: 3, sections: [{ offset: { line: 0, column: 0 }, map: { ...PLAIN, names: ['x'], sourceRoot: 'r' } }] }),
  );
  const read = (bytes, at) => {
    try {
      const map = new SourceMap(bytes, '/app/out.js', NO_LIMITS);
      for (const column of [1, 3, 40]) map.find(1, column) ?? map.nameAt(2, column);
    } catch (error) {
      assert.instance(error, MapProblem, `at ${at}: ${error.stack}`);
    }
  };
  for (let at = 0; at < good.length; at++) {
    read(good.subarray(0, at), at);
    for (const value of [0, 0x22, 0x2c, 0x3b, 0x5c, 0x5d, 0x7d, 0x67, 0xff]) {
      const bytes = Buffer.from(good);
      bytes[at] = value;
      read(bytes, at);
    }
  }
});

test('bombs cost their own size and a moment', () => {
  const size = 8 * 2 ** 20;
  const bombs = {
    lines: [{ ...PLAIN, mappings: `AAAA${';'.repeat(size)}AAAA` }, true],
    'lines of lines': [{ ...PLAIN, mappings: ';A'.repeat(size / 2) }, true],
    'segments at one place': [{ ...PLAIN, mappings: `AAAA${',AAAA'.repeat(size / 5)}` }, true],
    names: [`{"version":3,"sources":["a.ts"],"mappings":"AAAA","names":[0${',0'.repeat(size / 2)}]}`, true],
    sources: [`{"version":3,"sources":["a.ts"${',""'.repeat(size / 3)}],"mappings":"AAAA"}`, true],
    contents: [{ ...PLAIN, sourcesContent: ['"\\'.repeat(size / 4)] }, true],
    sections: [
      `{"version":3,"sections":[${Array(200_000).fill('{"offset":{"line":0,"column":0},"map":{"version":3,"sources":[],"mappings":""}}')}]}`,
      false,
    ],
  };
  for (const [what, [map, isRead]] of Object.entries(bombs)) {
    const script = scriptWith({ 'out.js.map': map });
    const started = performance.now();
    const { mapper } = mapped(
      script,
      Array.from({ length: 500 }, (_, n) => [1 + (n % 3) * 1e6, 1 + n]),
      { url: 'out.js.map' },
    );
    const ms = performance.now() - started;
    assert.is(mapper.counts.loaded, isRead ? 1 : 0, `${what}: ${mapper.firstFailure}`);
    assert.ok(mapper.counts.bytes < 2 * size, `${what} takes ${mapper.counts.bytes}`);
    // Generous: what is guarded against is minutes.
    assert.ok(ms < 5000, `${what} took ${ms} ms`);
  }
});

test('only regular files are read, and nothing is fetched', () => {
  const dir = folder();
  const script = join(dir, 'out.js');
  const refused = (url, pattern, options) =>
    assert.match(refusedAs('failed', options?.kind === 2 ? url : script, { url, ...options }), pattern);
  execFileSync('mkfifo', [join(dir, 'fifo')]);
  mkdirSync(join(dir, 'directory'));
  symlinkSync('loop', join(dir, 'loop'));
  symlinkSync('fifo', join(dir, 'link-to-fifo'));
  symlinkSync('/dev/zero', join(dir, 'link-to-zero'));
  writeFileSync(join(dir, 'large.map'), '');
  truncateSync(join(dir, 'large.map'), 64 * 2 ** 20 + 1);
  for (const name of ['fifo', 'directory', 'link-to-fifo', 'link-to-zero', '/dev/zero', '/dev/tty0', 'file:///dev/null']) {
    if (name.startsWith('/') && !existsSync(name)) continue;
    refused(name, /no regular file/);
    if (!name.startsWith('file:')) refused(join(dir, name.replace(/^\//, '../'.repeat(20))), /no regular file/, { kind: 2 });
  }
  refused('loop', /ELOOP/);
  refused('large.map', /larger than 64 MiB/);
  refused(join(dir, 'large.map'), /larger than 64 MiB/, { kind: 2 });
  refused('nul\u0000.map', /can't be read/);
  refused('x'.repeat(300), /ENAMETOOLONG/);
  refused('x'.repeat(5000), /too long/);
  for (const url of [
    'http://127.0.0.1:9/x.map',
    'https://host/x.map',
    '//host/x.map',
    'ftp://host/x',
    'file://host/x.map',
    'blob:x',
    'webpack://x',
  ])
    refused(url, /is not fetched: only files are read/);
  refusedAs('missing', script, { url: 'none.map' });
  refusedAs('missing', script, { url: 'out.js/x.map' });
  refusedAs('missing', 'evalmachine.<anonymous>', { url: 'none.map' });
});

test('a file written after its script was seen is not trusted, not when it is read again either', () => {
  const script = scriptWith({ 'out.js.map': PLAIN });
  const map = join(dirname(script), 'out.js.map');
  const writtenAt = (unixMs) => utimesSync(map, unixMs / 1000, unixMs / 1000);
  writtenAt(1_700_000_000_000);
  const seenAt = (endUnixMs) => ({ url: 'out.js.map', endUnixMs });
  refusedAs('stale', script, seenAt(1_699_999_999_999));
  assert.is(mapped(script, [[1, 3]], seenAt(1_700_000_000_001)).mapper.counts.loaded, 1);

  // Let go for want of memory, then written anew.
  const mapper = new SliceMapper({ limits: { maxBytes: 3000, maxTextBytes: 2 ** 20 } });
  const other = scriptWith({ 'out.js.map': { ...PLAIN, names: ['n'.repeat(2200)] } });
  assert.is(mapped(script, [[1, 3]], { mapper, ...seenAt(1_700_000_000_001) }).use.scripts.size, 1);
  mapped(other, [[1, 3]], { mapper, url: 'out.js.map', endUnixMs: Date.now() + 1000 });
  writtenAt(1_700_000_005_000);
  const again = mapped(script, [[1, 3]], { mapper, ...seenAt(1_700_000_010_000) });
  assert.equal([...again.use.scripts.values()], ['stale']);
  assert.equal(again.frames, [`f ${script}:1:3`]);
  assert.equal({ ...mapper.counts, bytes: 0 }, { loaded: 2, failed: 0, missing: 0, stale: 1, bytes: 0 });

  const inFile = scriptWith({ 'out.js': `//# sourceMappingURL=${inline(JSON.stringify(PLAIN))}` });
  refusedAs('stale', inFile, { kind: 2, endUnixMs: 1_700_000_000_000 });
});

test('a program that makes scripts forever: the oldest are forgotten, and what is written later is not trusted for them', () => {
  const mapper = new SliceMapper();
  const [first, second] = [scriptWith(), scriptWith()];
  const early = { mapper, endUnixMs: Date.now() - 60_000 };
  mapped(first, [[1, 1]], { url: 'out.js.map', ...early });
  const many = Array.from({ length: 25_000 }, (_, n) => ({ name: 'f', file: `[script ${n}]`, start: [1, 1], kind: 2, frames: [] }));
  mapper.apply(sliceOf(many, early));
  assert.is(mapper.counts.missing, 25_001);
  for (const script of [first, second]) writeFileSync(join(dirname(script), 'out.js.map'), JSON.stringify(PLAIN));
  const late = { mapper, url: 'out.js.map', endUnixMs: Date.now() + 1000 };
  for (const script of [first, second]) assert.equal([...mapped(script, [[1, 1]], late).use.scripts.values()], ['stale']);
});

test('the cache keeps its bound: the map used longest ago goes, and comes back when needed', () => {
  const scripts = Array.from({ length: 4 }, () => scriptWith({ 'out.js.map': { ...PLAIN, names: ['n'.repeat(9000)] } }));
  const mapper = new SliceMapper({ limits: { maxBytes: 22_000, maxTextBytes: 2 ** 20 } });
  const loads = (index) => {
    const before = mapper.counts.loaded;
    const { frames } = mapped(scripts[index], [[1, 3]], { url: 'out.js.map', mapper });
    assert.equal(frames, [`f ${join(dirname(scripts[index]), 'a.ts')}:10:5`]);
    assert.ok(mapper.counts.bytes <= 22_000, String(mapper.counts.bytes));
    return mapper.counts.loaded - before;
  };
  assert.equal([0, 1, 0, 2, 0, 1, 3, 3].map(loads), [1, 1, 0, 1, 0, 1, 1, 0]);
  refusedAs('failed', scripts[0], { url: 'out.js.map', mapper: new SliceMapper({ limits: { maxBytes: 5000, maxTextBytes: 2 ** 20 } }) });
  refusedAs('failed', scripts[0], { url: 'out.js.map', mapper: new SliceMapper({ limits: { maxBytes: 22_000, maxTextBytes: 500 } }) });
});

test('when no time is left no map is read, those in memory are used; what is skipped is read when there is time again', () => {
  const [known, unknown] = [
    scriptWith({ 'out.js.map': PLAIN }),
    scriptWith({ 'out.js.map': { ...PLAIN, mappings: 'AASI;'.repeat(200_000) } }),
  ];
  let questions = Number.POSITIVE_INFINITY;
  const mapper = new SliceMapper({ outOfTime: () => questions-- <= 0 });
  const look = (script) =>
    mapped(
      script,
      [
        [1, 3],
        [1, 4],
      ],
      { url: 'out.js.map', mapper },
    );
  look(known);
  // At once, while the file is read, while the mappings are.
  for (const answers of [0, 1, 2, 5]) {
    questions = answers;
    const { use, frames } = look(unknown);
    assert.equal([[...use.scripts.values()], use.skippedFrames], [['skipped'], 2]);
    assert.equal(frames, [`f ${unknown}:1:3`, `f ${unknown}:1:4`]);
  }
  questions = 0;
  assert.equal(look(known).frames[0], `f ${join(dirname(known), 'a.ts')}:10:5`);
  questions = Number.POSITIVE_INFINITY;
  assert.equal(look(unknown).frames[0], `f ${join(dirname(unknown), 'a.ts')}:10:5`);
  assert.equal([mapper.counts.loaded, mapper.counts.failed], [2, 0]);
});

test('100 MB of maps cost a bounded amount of memory', async () => {
  const dir = folder();
  let megabytes = 0;
  /** One line, as a minifier makes it: a segment every two columns, three lines down every thousand. */
  const write = (index, mappingBytes, contentBytes) => {
    const names = Array.from({ length: 20_000 }, (_, n) => `identifier${index}_${n}`);
    const mappings = `AAAAA${`${',EAACA'.repeat(999)},EAGAA`.repeat(mappingBytes / 6000)}`;
    const text = JSON.stringify({
      version: 3,
      sources: ['a.ts'],
      sourcesContent: ['const text = "…";\n'.repeat(contentBytes / 20)],
      names,
      mappings,
    });
    writeFileSync(join(dir, `${index}.js`), '');
    writeFileSync(join(dir, `${index}.js.map`), text);
    megabytes += Buffer.byteLength(text) / 1e6;
  };
  for (let index = 0; index < 22; index++) write(index, 2e6, 1e6);
  write(22, 15e6, 0);
  write(23, 6e6, 20e6);
  const started = performance.now();
  const end = await runNode(['--max-old-space-size=192', join(ROOT, 'test', 'programs', 'map-memory.cjs'), dir, '24'], {
    env: { STROBE_DIST: DIST },
    limitSeconds: 100,
  });
  assert.is(end.code, 0, end.stderr);
  const { mostBytes, peakRssMb, startRssMb, loaded } = JSON.parse(end.stdout);
  const [seconds, cache] = [((performance.now() - started) / 1000).toFixed(1), (mostBytes / 2 ** 20).toFixed(1)];
  console.log(
    `  ${Math.round(megabytes)} MB of maps, ${loaded} readings in ${seconds} s; cache at most ${cache} MiB, RSS ${startRssMb} to ${peakRssMb} MB`,
  );
  assert.ok(megabytes >= 100 && loaded > 24, 'some had to go and came back');
  assert.ok(mostBytes <= 64 * 2 ** 20, `${mostBytes}`);
  // The cache, the largest text, and as much that was let go: V8 lets 64 MB outside its heap come together before it collects.
  assert.ok(peakRssMb - startRssMb < 4 * 64, `RSS went from ${startRssMb} to ${peakRssMb} MB`);
});

test.run();
