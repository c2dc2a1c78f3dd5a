// Source maps on hand-made slices: where a map is looked for, what its positions become, how a function of a bundle is split, what the profile and the
// report say. trace-mapping is the oracle for lookups. What a map must not be able to do is in source-maps-bounds.test.mjs.

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FlattenMap, originalPositionFor } from '@jridgewell/trace-mapping';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST, folder, INDEX, program, REGISTER, runNode, strobe } from './helpers.mjs';
import { inline, mapOf, mapped, NO_LIMITS, PLAIN, refusedAs, rowsOf, SliceMapper, SourceMap, scriptWith, sliceOf } from './map-helpers.mjs';

const require = createRequire(import.meta.url);
const { ProfileBuilder } = require(join(DIST, 'pprof', 'builder.js'));
const { Subscriber } = require(join(DIST, 'profiler', 'subscriber.js'));
const { buildReport } = require(join(DIST, 'formats', 'report.js'));
const { reportText } = require(join(DIST, 'formats', 'report-text.js'));

test('each place that a map can be at', () => {
  const script = scriptWith({ 'maps/out.js.map': PLAIN, 'out.js.map': PLAIN, 'with space.map': PLAIN, 'a%20b.map': PLAIN });
  const dir = dirname(script);
  const found = (url, base = dir, options = {}) => {
    const { frames, mapper } = mapped(script, [[1, 3]], { url, ...options });
    assert.equal(frames, [`f ${join(base, 'a.ts')}:10:5`], `${url.slice(0, 100)}: ${mapper.firstFailure}`);
  };
  found('out.js.map');
  found('./out.js.map');
  found('maps/out.js.map', join(dir, 'maps'));
  found(join(dir, 'out.js.map'));
  found(String(pathToFileURL(join(dir, 'out.js.map'))));
  found('with%20space.map');
  found('with space.map');
  found('a%20b.map');
  found('out.js.map?v=1#x');
  const text = JSON.stringify(PLAIN);
  found(inline(text));
  found(`data:application/json,${encodeURIComponent(text)}`);
  found(`data:application/json;charset=utf-8,${encodeURIComponent(text)}`);
  found(`data:;base64,${encodeURIComponent(Buffer.from(text).toString('base64'))}`);
  found(`DATA:application/json;charset=utf-8;base64,${Buffer.from(`\ufeff)]}'\n${text}`).toString('base64')}`);
});

test('a comment that the engine does not have is found in the file: the last one that is one', () => {
  const text = JSON.stringify(PLAIN);
  // Larger than what is read of the file's end first.
  const large = JSON.stringify({ ...PLAIN, sourcesContent: ['x'.repeat(300_000)] });
  const comments = {
    hash: `code()\n//# sourceMappingURL=${inline(text)}\n`,
    at: `code()\n//@ sourceMappingURL=${inline(text)}`,
    large: `code()\n//# sourceMappingURL=${inline(large)}  \n`,
    percent: `code()\n//# sourceMappingURL=data:application/json,${encodeURIComponent(large)}\n`,
    beside: 'code()\r\n//#\tsourceMappingURL=beside.map\r\n',
    'far from the end': `code()\n//# sourceMappingURL=beside.map\n${'// filler\n'.repeat(30_000)}`,
    'behind another': `//# sourceMappingURL=other.map\n//# sourceMappingURL=beside.map\n`,
    'before none': `//# sourceMappingURL=beside.map\nconst s = '# sourceMappingURL=x';\n//# sourceMappingURL='x'\n//# sourceMappingURL=x y\n//# sourceMappingURL=`,
  };
  for (const [what, code] of Object.entries(comments)) {
    const script = scriptWith({ 'out.js': code, 'beside.map': PLAIN });
    const { frames, mapper } = mapped(script, [[1, 3]], { kind: 2 });
    assert.equal(frames, [`f ${join(dirname(script), 'a.ts')}:10:5`], `${what}: ${mapper.firstFailure}`);
  }
  refusedAs('missing', scriptWith(), { kind: 2 });
  refusedAs('missing', scriptWith({ 'out.js': '' }), { kind: 2 });
  refusedAs('missing', join(folder(), 'gone.js'), { kind: 2 });
  refusedAs('missing', '[worker eval]', { kind: 2 });
});

test('sources: relative, absolute, URLs, under a sourceRoot, and nonsense', () => {
  const dir = folder();
  writeFileSync(join(dir, 'per%20cent.ts'), '');
  writeFileSync(join(dir, 'a space.ts'), '');
  const script = join(dir, 'dist', 'out.js');
  const fileFor = (source, sourceRoot) => {
    const url = inline(
      JSON.stringify(mapOf({ sources: [source], lines: [[[0, 0, 9, 4]]], ...(sourceRoot === undefined ? {} : { sourceRoot }) })),
    );
    const [frame] = mapped(script, [[1, 3]], { url }).frames;
    return frame === `f ${script}:1:3` ? null : frame.replace(/^f (.*):10:5$/s, '$1');
  };
  assert.is(fileFor('../src/a.ts'), join(dir, 'src', 'a.ts'));
  assert.is(fileFor('a.ts', ''), join(dir, 'dist', 'a.ts'));
  assert.is(fileFor('a.ts', '../src'), join(dir, 'src', 'a.ts'));
  assert.is(fileFor('a.ts', '../src/'), join(dir, 'src', 'a.ts'));
  assert.is(fileFor('a.ts', '/root'), '/root/a.ts');
  assert.is(fileFor('a.ts', 'file:///root/x'), '/root/x/a.ts');
  assert.is(fileFor('a.ts', 'webpack://app'), 'webpack://app/a.ts');
  assert.is(fileFor('/abs/./a.ts', '../src'), '/abs/a.ts');
  assert.is(fileFor('file:///abs/with%20space.ts', 'x'), '/abs/with space.ts');
  assert.is(fileFor('webpack://app/./src/a.ts?1a2b', '/root'), 'webpack://app/./src/a.ts?1a2b');
  assert.is(fileFor('webpack:///webpack/bootstrap'), 'webpack:///webpack/bootstrap');
  assert.is(fileFor('file://host/a.ts'), 'file://host/a.ts');
  assert.is(fileFor('../per%20cent.ts'), join(dir, 'per%20cent.ts'), 'the file that is there is meant');
  assert.is(fileFor('../a%20space.ts'), join(dir, 'a space.ts'));
  assert.is(fileFor('../gone%20.ts'), join(dir, 'gone%20.ts'));
  assert.is(fileFor('../\u0000virtual'), join(dir, '\u0000virtual'));
  for (const nonsense of [null, '', 7, {}, ['a.ts'], 'x'.repeat(5000)]) assert.is(fileFor(nonsense), null, String(nonsense).slice(0, 20));

  // A script that is no file: what is relative to its URL, else what the map says.
  const url = inline(JSON.stringify(PLAIN));
  assert.equal(mapped('https://host/x/out.js', [[1, 3]], { url }).frames, ['f https://host/x/a.ts:10:5']);
  assert.equal(mapped('evalmachine.<anonymous>', [[1, 3]], { url }).frames, ['f a.ts:10:5']);
});

test('a place takes the nearest mapping before it on its line; one without keeps its generated place', () => {
  const script = scriptWith({ 'out.js.map': PLAIN });
  const dir = dirname(script);
  const { frames, rows, given, slice } = mapped(
    script,
    [
      [1, 1],
      [1, 20],
      [1, 21],
      [1, 5000],
      [2, 4],
      [2, 5],
      [2, 31],
      [3, 1],
      [9999, 1],
      [0, 0],
      [1, 0],
    ],
    { url: 'out.js.map' },
  );
  const [a, b] = [join(dir, 'a.ts'), join(dir, 'b.ts')];
  assert.equal(frames, [
    `f ${a}:10:5`,
    `f ${a}:10:5`,
    `f ${a}:20:1`,
    `f ${a}:20:1`,
    `f ${script}:2:4`,
    `f ${b}:7:3`,
    `f ${script}:2:31`,
    `f ${script}:3:1`,
    `f ${script}:9999:1`,
    `f ${a}:0:0`,
    `f ${script}:1:0`,
  ]);
  assert.equal(
    rows,
    [`f ${a}:10:5`, `f ${script}:1:1`, `f ${b}:0:0`],
    'the first line stands where the function starts, and in the generated file',
  );
  assert.equal(rowsOf(given), [`f ${script}:1:1`], 'the slice given is left as it was');
  for (const column of ['functionFile', 'functionLine', 'functionColumn', 'functionKind', 'functionMapKind', 'functionMapUrl'])
    assert.is(slice[column].length, slice.functionName.length, column);
});

test('two generated functions of one original are one in the profile, weights are summed', () => {
  const lines = [
    [
      [0, 0, 9, 4],
      [10, 0, 10, 2],
      [50, 0, 9, 4],
      [60, 0, 10, 2],
    ],
  ];
  const script = scriptWith({ 'out.js.map': mapOf({ sources: ['a.ts'], lines }) });
  const copy = (column) => ({ name: 'f', file: script, start: [1, column], kind: 1, url: 'out.js.map', frames: [[1, column + 10]] });
  const builder = new ProfileBuilder({ mode: 'cpu' });
  builder.add(new SliceMapper().apply(sliceOf([copy(1), copy(51)])).slice);
  const profile = builder.take();
  const file = join(dirname(script), 'a.ts');
  assert.equal(profile.functions, [{ name: 'f', systemName: '', filename: file, startLine: 10, startColumn: 5 }]);
  assert.equal(
    profile.samples.map(({ values }) => values),
    [[2, 20e6]],
  );
  assert.equal(profile.locations[0].lines, [{ function: 0, line: 11, column: 3 }]);
});

test('what has no map is left alone: an older binary, plain JavaScript, types stripped in place', () => {
  const mapper = new SliceMapper();
  const plain = sliceOf([{ name: 'f', file: '/app/a.ts', start: [3, 7], kind: 0, frames: [[4, 9]] }]);
  assert.is(mapper.apply(plain).slice, plain);
  const { functionMapKind: _, functionMapUrl: __, ...older } = plain;
  assert.is(mapper.apply(older).slice, older);
  assert.equal(mapper.counts, { loaded: 0, failed: 0, missing: 0, stale: 0, bytes: 0 });
  // --experimental-transform-types: the map is in the text that V8 saw, not in the file.
  const url = inline(JSON.stringify(mapOf({ sources: ['/app/a.ts'], lines: [[[0, 0, 3, 8]]] })));
  assert.equal(mapped('/app/a.ts', [[1, 1]], { url, mapper }).frames, ['f /app/a.ts:4:9']);
});

test("lookups agree with trace-mapping: a compiler's map, maps with sections", () => {
  const same = (json, lines, columns) => {
    const base = '/app/dist/out.js.map';
    const map = new SourceMap(Buffer.from(JSON.stringify(json)), base, NO_LIMITS);
    const oracle = new FlattenMap(json, base);
    let found = 0;
    for (let line = 1; line <= lines; line++) {
      for (let column = 0; column < columns; column++) {
        const { source, line: originalLine, column: originalColumn } = originalPositionFor(oracle, { line, column });
        const expected = source === null ? undefined : { file: source, line: originalLine, column: originalColumn + 1 };
        assert.equal(map.find(line, column + 1), expected, `${line}:${column}`);
        if (expected) found++;
      }
    }
    return found;
  };
  const ts = require('typescript');
  const source = Array.from({ length: 300 }, (_, n) => `export const f${n} = (a: number): number => {\n  return a * ${n};\n};\n`).join('');
  const { sourceMapText } = ts.transpileModule(source, { fileName: 'a.ts', compilerOptions: { target: 'es2022', sourceMap: true } });
  assert.ok(same(JSON.parse(sourceMapText), 920, 45) > 10_000);

  let seed = 1;
  const random = (n) => {
    seed = (seed * 48271) % 2147483647;
    return seed % n;
  };
  const randomMap = (lines) => {
    const line = () => {
      let column = 0;
      const width = random(200);
      return Array.from({ length: width }, () => {
        const at = column;
        column += random(3) + (width > 100 ? 0 : 1);
        return random(9) === 0 ? [at] : [at, random(3), random(1000), random(300)];
      });
    };
    return mapOf({ sources: ['a.ts', '../b.ts', 'webpack://c/d.ts'], lines: Array.from({ length: lines }, line) });
  };
  for (let round = 0; round < 5; round++) assert.ok(same(randomMap(20), 22, 250) > 500);
  // A section with a mapping at its start, as every tool makes them, owns what follows.
  const section = (line, column, map) => ({ offset: { line, column }, map: { ...map, mappings: `AAAA;${map.mappings}` } });
  const index = {
    version: 3,
    sections: [
      section(0, 0, randomMap(3)),
      section(4, 30, randomMap(3)),
      section(4, 90, randomMap(2)),
      section(8, 0, { version: 3, sources: ['x.ts'], names: [], mappings: 'AAAA' }),
      { offset: { line: 12, column: 0 }, map: { version: 3, sections: [section(0, 4, randomMap(2)), section(5, 4, randomMap(2))] } },
    ],
  };
  assert.ok(same(index, 22, 250) > 500);
});

test('a profile says what its own maps missed, and the report shows it', () => {
  const subscriber = new Subscriber('cpu', []);
  const mapper = new SliceMapper();
  const add = (script, url) => {
    const { slice, use } = mapped(script, [[1, 3]], { url, mapper });
    subscriber.add(slice, use);
  };
  const scripts = [scriptWith({ 'out.js.map': 'broken' }), scriptWith({ 'out.js.map': PLAIN }), scriptWith()];
  const said = () => {
    for (const script of [...scripts, ...scripts]) add(script, 'out.js.map');
    return subscriber.take();
  };
  for (let profile = 0; profile < 2; profile++) {
    const taken = said();
    const line = 'strobe: source_maps_loaded=1 source_maps_failed=1 source_maps_stale=0 source_maps_missing=1 source_map_frames_skipped=0';
    assert.ok(taken.comments.includes(line), taken.comments.join('\n'));
    assert.match(reportText(buildReport(taken), 'x'), /^attention: source maps failed 1$/m);
  }
  for (const script of scripts.slice(1)) add(script, 'out.js.map');
  assert.not.match(subscriber.take().comments.join(), /source_map/, 'a map that is not there is worth no line');
});

test('the option, the flag, the variable, the stats', async () => {
  const { startProfiler } = require(INDEX);
  assert.throws(
    () => startProfiler({ sourceMaps: 'yes' }),
    (error) => error.code === 'ERR_INVALID_OPTION' && /sourceMaps must be true or false, got "yes" \(a string\)/.test(error.message),
  );
  for (const [sourceMaps, feature] of [
    [undefined, 'on'],
    [true, 'on'],
    [false, 'off'],
  ]) {
    const profiler = startProfiler(sourceMaps === undefined ? {} : { sourceMaps });
    const { features, sourceMaps: counts } = profiler.stats();
    await profiler.stop();
    assert.is(features.sourceMaps, feature);
    assert.equal(counts, { loaded: 0, failed: 0, missing: 0, stale: 0, skipped: 0, bytes: 0 });
  }
  const bad = await runNode(['--require', REGISTER, program('console.log(1)')], {
    env: { STROBE_SOURCE_MAPS: 'no', STROBE_DIR: folder() },
  });
  assert.equal([bad.stdout, bad.code], ['1\n', 0]);
  assert.match(bad.stderr, /runs unprofiled: STROBE_SOURCE_MAPS must be 0 or 1, got "no"/);
  const seen = await strobe(['run', '--no-source-maps', '--out', folder(), program('console.log(process.env.STROBE_SOURCE_MAPS)')]);
  assert.equal([seen.stdout, seen.code], ['0\n', 0], seen.stderr);
});

test.run();
