// strobe convert: what goes out comes back with its totals and stacks; what strangers write is read or refused with what is wrong with it. The written files are read by
// readers of this file's own, made from the formats' documentation (see docs/convert.md for why no other tool's loader is installed).

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { content, HOSTILE, randomFrom, randomProfile } from './convert-helpers.mjs';
import { DIST, decode, folder, program, ROOT, runNode, strobe } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { readAnyProfile } = require(join(DIST, 'formats/convert/read.js'));
const { convertTo } = require(join(DIST, 'formats/convert/formats.js'));
const { encodeGzip } = require(join(DIST, 'pprof/encode.js'));
const { mergeProfiles } = require(join(DIST, 'pprof/merge.js'));

const SEEDS = 40;

const bytesOf = ({ parts }) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const write = (format, profile, options) => bytesOf(convertTo(format, profile, options));
const read = (bytes, source = 'x') => readAnyProfile(bytes, source).profile;
const thereAndBack = (format, profile, options) => read(write(format, profile, options));
const merged = (profile) => mergeProfiles([{ name: 'x', profile }]);

function refusal(bytes, source = 'file.json') {
  try {
    readAnyProfile(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, source);
  } catch (error) {
    assert.is(error.code, 'ERR_PROFILE_INVALID', error.stack);
    assert.ok(error.message.startsWith(`${source} is not a valid `), error.message);
    return error.message;
  }
  return assert.unreachable('accepted');
}

const trips = suite('round trips');

trips('speedscope: all types, stacks, threads; values to 2^53', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const profile = randomProfile(seed, { most: seed % 4 === 0 ? 2 ** 52 : 2 ** 30 });
    assert.equal(content(thereAndBack('speedscope', profile)), content(profile), `seed ${seed}`);
  }
});

trips('firefox: also executing lines; times to 2^51 ns', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const profile = randomProfile(seed, { most: seed % 4 === 0 ? 2 ** 51 - 2 : 2 ** 30 });
    // An address has no line on the way back, either.
    assert.equal(content(thereAndBack('firefox', profile), { lines: true }), content(profile, { lines: true }), `seed ${seed}`);
    const back = thereAndBack('firefox', profile);
    assert.equal([back.timeNanos, back.durationNanos, back.period], [profile.timeNanos, profile.durationNanos, profile.period]);
  }
});

trips('cpuprofile: counts and time of one thread', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const profile = randomProfile(seed, { most: seed % 4 === 0 ? 2 ** 50 : 2 ** 30 });
    const back = thereAndBack('cpuprofile', profile);
    assert.equal(content(back, { labels: [] }), content(profile, { labels: [] }), `seed ${seed}`);
  }
  // Too many samples to write one by one: rows stay whole, and so does the time.
  const many = randomProfile(1, { counts: 2 ** 40 });
  assert.equal(content(thereAndBack('cpuprofile', many), { labels: [], types: ['cpu'] }), content(many, { labels: [], types: ['cpu'] }));
});

trips('cpuprofile: the leaf lines of a node come back with their counts', () => {
  const profile = randomProfile(3);
  profile.samples = [
    { locations: [1], values: [3, 30], labels: [] },
    { locations: [2], values: [4, 40], labels: [] },
  ];
  profile.locations[1].lines = [{ function: 0, line: 11, column: 0 }];
  profile.locations[2].lines = [{ function: 0, line: 22, column: 0 }];
  assert.equal(content(thereAndBack('cpuprofile', profile), { lines: true }), content(profile, { lines: true }));
});

trips('several types that are no time: heap profiles', () => {
  const types = [
    { type: 'alloc_objects', unit: 'count' },
    { type: 'alloc_space', unit: 'bytes' },
    { type: 'inuse_space', unit: 'bytes' },
    { type: 'delay', unit: 'microseconds' },
    { type: 'odd', unit: 'widgets' },
  ];
  for (let seed = 100; seed < 110; seed++) {
    const profile = { ...randomProfile(seed, { types, most: 2 ** 40 }), defaultSampleType: 'inuse_space' };
    for (const format of ['speedscope', 'firefox']) {
      const back = thereAndBack(format, profile);
      assert.equal(back.sampleTypes, types);
      assert.is(back.defaultSampleType, 'inuse_space');
      assert.equal(content(back), content(profile), `${format} ${seed}`);
    }
    const one = thereAndBack('speedscope', profile, { sampleType: 2 });
    assert.equal(content(one, { types: ['inuse_space'] }), content(profile, { types: ['inuse_space'] }));
    assert.throws(() => convertTo('cpuprofile', profile), /inuse_space is in bytes: choose --type delay/);
    assert.equal(
      content(thereAndBack('cpuprofile', profile, { sampleType: 3 }), { types: ['delay'], labels: [] }),
      content(profile, { types: ['delay'], labels: [] }),
    );
  }
});

trips('pprof keeps everything, also as one type; gzip or not', () => {
  const profile = merged(randomProfile(7));
  assert.equal(read(write('pprof', profile)), decode(encodeGzip(profile), 'x'));
  assert.equal(read(write('pprof', profile, { raw: true })), decode(encodeGzip(profile), 'x'));
  assert.equal(content(read(write('pprof', profile, { sampleType: 1 })), { types: ['cpu'] }), content(profile, { types: ['cpu'] }));
});

trips('what a format has no place for is said', () => {
  const profile = randomProfile(5);
  profile.samples[0] = { ...profile.samples[0], labels: [{ key: 'agent', str: 'a' }], values: [1, -5] };
  assert.match(convertTo('speedscope', profile).notes.join('\n'), /no place for the label agent;.*\n.*1 sample with a negative value/);
  assert.match(convertTo('cpuprofile', profile).notes.join('\n'), /labels agent, thread_id, thread_name/);
  assert.match(convertTo('collapsed', profile).notes.join('\n'), /not written: the sample type samples/);
  assert.equal(convertTo('pprof', profile).notes, []);
});

trips('an empty profile stays one', () => {
  for (const format of ['speedscope', 'firefox', 'cpuprofile', 'pprof']) {
    const back = thereAndBack(format, { ...randomProfile(1), samples: [] });
    assert.equal(content(back), [], format);
  }
});

trips.run();

// --- the written files by the formats' own documents ---

const documents = suite('documents');

documents('speedscope: as its schema has it', () => {
  const profile = randomProfile(11);
  const file = JSON.parse(write('speedscope', profile, { title: 'cpu.pb.gz' }));
  assert.equal([file.$schema, file.name, file.exporter], ['https://www.speedscope.app/file-format-schema.json', 'cpu.pb.gz', 'strobe']);
  assert.ok(Number.isInteger(file.activeProfileIndex) && file.activeProfileIndex < file.profiles.length);
  for (const frame of file.shared.frames) {
    assert.type(frame.name, 'string');
    for (const [key, type] of Object.entries({ file: 'string', line: 'number', col: 'number' }))
      if (key in frame) assert.type(frame[key], type);
  }
  let total = 0;
  for (const track of file.profiles) {
    assert.is(track.type, 'sampled');
    assert.ok(['none', 'nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes'].includes(track.unit));
    assert.is(track.samples.length, track.weights.length);
    const sum = track.weights.reduce((a, b) => a + b, 0);
    assert.is(track.endValue - track.startValue, sum);
    for (const stack of track.samples) for (const frame of stack) assert.ok(Number.isInteger(frame) && file.shared.frames[frame]);
    if (track.unit === 'nanoseconds') total += sum;
  }
  assert.is(
    total,
    profile.samples.reduce((sum, { values }) => sum + values[1], 0),
  );
});

documents('firefox: tables of one length, indexes in range, time in order, one grey category', () => {
  const profile = randomProfile(12);
  const file = JSON.parse(write('firefox', profile));
  assert.is(file.meta.preprocessedProfileVersion, 60);
  assert.ok(file.meta.categories.some(({ color }) => color === 'grey'));
  for (const { subcategories } of file.meta.categories) assert.ok(subcategories.length > 0);
  const { stackTable, frameTable, funcTable, sources, stringArray, resourceTable, nativeSymbols } = file.shared;
  for (const table of [stackTable, frameTable, funcTable, sources, resourceTable, nativeSymbols]) {
    for (const [name, column] of Object.entries(table)) if (name !== 'length') assert.is(column.length, table.length, name);
  }
  const inside = (column, length) => column.every((index) => index === null || (Number.isInteger(index) && index >= 0 && index < length));
  assert.ok(
    inside(stackTable.frame, frameTable.length) && inside(frameTable.func, funcTable.length) && inside(funcTable.name, stringArray.length),
  );
  assert.ok(inside(funcTable.source, sources.length) && inside(sources.filename, stringArray.length));
  assert.ok(inside(frameTable.category, file.meta.categories.length));
  assert.ok(stackTable.prefix.every((prefix, i) => prefix === null || prefix < i));
  assert.ok(
    frameTable.inlineDepth.some((depth) => depth > 0),
    'inlined frames say so',
  );
  for (const { samples, markers, tid, pid } of file.threads) {
    assert.ok(inside(samples.stack, stackTable.length));
    assert.ok(samples.time.every((time, i) => i === 0 || time >= samples.time[i - 1]));
    assert.is(samples.weight.length, samples.length);
    assert.is(markers.length, 0);
    assert.equal([typeof tid, typeof pid], ['string', 'string']);
  }
});

documents('cpuprofile: one tree, ids known, deltas not negative, hit counts those of the samples', () => {
  const profile = randomProfile(13);
  const file = JSON.parse(write('cpuprofile', profile));
  assert.is(file.samples.length, file.timeDeltas.length);
  const hits = new Map();
  for (const id of file.samples.slice(0, -1)) hits.set(id, (hits.get(id) ?? 0) + 1);
  const ids = new Set(file.nodes.map(({ id }) => id));
  const children = file.nodes.flatMap((node) => node.children);
  assert.is(new Set(children).size, file.nodes.length - 1, 'each but the root is one node’s child');
  for (const { id, hitCount, callFrame, positionTicks = [] } of file.nodes) {
    assert.is(hitCount, hits.get(id) ?? 0);
    assert.ok(positionTicks.reduce((sum, { ticks }) => sum + ticks, 0) <= hitCount);
    assert.equal(Object.keys(callFrame), ['functionName', 'scriptId', 'url', 'lineNumber', 'columnNumber']);
  }
  assert.ok(file.samples.every((id) => ids.has(id)) && file.timeDeltas.every((delta) => delta >= 0));
  const micros = file.timeDeltas.reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(file.endTime - file.startTime - micros) < 1);
});

documents.run();

// --- files of strangers ---

const strangers = suite('strangers');

strangers('a real .cpuprofile of this Node: every microsecond is somewhere, and the hot function is there', async () => {
  const path = program(
    `function burn(n) { let s = 0; for (let i = 0; i < n; i++) s += Math.sqrt(i); return s; }
     const end = Date.now() + 400; while (Date.now() < end) burn(1e5);`,
  );
  const dir = folder();
  assert.is((await runNode(['--cpu-prof', '--cpu-prof-dir', dir, path])).code, 0);
  const [name] = readdirSync(dir);
  const bytes = readFileSync(join(dir, name));
  const raw = JSON.parse(bytes);
  const { profile, format } = readAnyProfile(bytes, name);
  assert.is(format, 'cpuprofile');
  assert.equal(profile.sampleTypes, [
    { type: 'samples', unit: 'count' },
    { type: 'wall', unit: 'nanoseconds' },
  ]);
  const sum = (type) => profile.samples.reduce((total, { values }) => total + values[type], 0);
  assert.is(sum(0), raw.samples.length);
  const first = Math.max(0, raw.timeDeltas[0]);
  assert.ok(Math.abs(sum(1) - (raw.endTime - raw.startTime - first) * 1000) < 1e6, `${sum(1)} of ${raw.endTime - raw.startTime} µs`);
  const report = await strobe(['report', join(dir, name), '--json']);
  const [top] = JSON.parse(report.stdout).functions;
  assert.equal([top.name, top.file.replace('file://', ''), top.line, report.code], ['burn', path, 1, 0]);
  // And through every other format.
  for (const ending of ['pb.gz', 'speedscope.json', 'firefox.json.gz', 'cpuprofile']) {
    const out = join(dir, `out.${ending}`);
    const converted = await strobe(['convert', join(dir, name), '-o', out]);
    assert.equal([converted.code, converted.stdout, converted.stderr], [0, '', ''], ending);
    assert.equal(content(read(readFileSync(out))), content(profile), ending);
  }
});

strangers('a .cpuprofile out of order in time, with parents instead of children, hit counts only', () => {
  const frame = (functionName, lineNumber = 0) => ({ functionName, url: '/a.js', lineNumber, columnNumber: 0 });
  const nodes = [
    { id: 7, callFrame: { ...frame('(root)', -1), url: '' } },
    { id: 3, callFrame: frame('f', 9), parent: 7 },
    { id: 9, callFrame: frame('g'), parent: 3 },
  ];
  const disordered = { nodes, startTime: 0, endTime: 100, samples: [3, 9, 3], timeDeltas: [10, 50, -20] };
  // Taken at 10 (f), 60 (g), 40 (f): f has 10-60, g 60-100.
  assert.equal(content(read(Buffer.from(JSON.stringify(disordered)))), [
    '[["f /a.js 10","g /a.js 1"],[]] samples=1 wall=40000',
    '[["f /a.js 10"],[]] samples=2 wall=50000',
  ]);
  const counted = { nodes: nodes.map((node, i) => ({ ...node, hitCount: i })) };
  assert.equal(content(read(Buffer.from(JSON.stringify(counted)))), [
    '[["f /a.js 10","g /a.js 1"],[]] samples=2',
    '[["f /a.js 10"],[]] samples=1',
  ]);
});

const evented = (events, more = {}) => ({
  $schema: 'https://www.speedscope.app/file-format-schema.json',
  shared: { frames: [{ name: 'a', file: '/a.js', line: 3 }, { name: 'b' }] },
  profiles: [{ type: 'evented', name: 'one', unit: 'milliseconds', startValue: 10, endValue: 20, events, ...more }],
});

strangers('speedscope with events: time belongs to what is open', () => {
  const file = evented([
    { type: 'O', frame: 0, at: 11 },
    { type: 'O', frame: 1, at: 12 },
    { type: 'C', frame: 1, at: 15 },
    { type: 'C', frame: 0, at: 19.5 },
  ]);
  assert.equal(content(read(Buffer.from(JSON.stringify(file)))), [
    '[["a /a.js 3","b  0"],[]] wall=3000000',
    '[["a /a.js 3"],[]] wall=5500000',
  ]);
  file.profiles.push({ type: 'sampled', name: 'two', unit: 'bytes', startValue: 0, endValue: 5, samples: [[1]], weights: [5] });
  const both = read(Buffer.from(JSON.stringify(file)));
  assert.equal(
    both.sampleTypes.map(({ type }) => type),
    ['wall', 'space'],
  );
  assert.ok(content(both).includes('[["b  0"],[["thread_name","two"]]] wall=0 space=5'));
});

/** A profile as version 53 had it: tables a thread, parents as indexes, file names with the functions. */
function olderFirefox() {
  return {
    meta: { interval: 2, startTime: 1_700_000_000_000, version: 24, preprocessedProfileVersion: 53, sampleUnits: { threadCPUDelta: 'µs' } },
    libs: [],
    threads: [
      {
        name: 'GeckoMain',
        tid: 77,
        stringArray: ['outer', 'inner', '/lib.rs'],
        funcTable: { length: 2, name: [0, 1], fileName: [2, null], lineNumber: [5, null], columnNumber: [null, null] },
        frameTable: { length: 2, func: [0, 1], line: [8, null], column: [null, null] },
        stackTable: { length: 2, frame: [0, 1], prefix: [null, 0] },
        samples: {
          length: 4,
          stack: [0, 1, null, 1],
          timeDeltas: [0, 2, 2, 2],
          weight: null,
          weightType: 'samples',
          threadCPUDelta: [null, 1500, 0, 500],
        },
      },
    ],
  };
}

strangers('an older Firefox profile; samples without a stack are none; CPU where it is said', () => {
  const profile = read(Buffer.from(JSON.stringify(olderFirefox())));
  assert.equal(content(profile), [
    '[["outer /lib.rs 5","inner  0"],[["thread_name","GeckoMain"],["thread_id","77"]]] samples=2 wall=4000000 cpu=2000000',
    '[["outer /lib.rs 5"],[["thread_name","GeckoMain"],["thread_id","77"]]] samples=1 wall=2000000 cpu=0',
  ]);
  assert.equal([profile.defaultSampleType, profile.period, profile.timeNanos], ['wall', 2_000_000, 1_700_000_000_000_000_000n]);
  const newer = olderFirefox();
  const [thread] = newer.threads;
  const { stringArray, funcTable, frameTable, ...rest } = thread;
  newer.meta.preprocessedProfileVersion = 70;
  newer.threads = [rest];
  newer.shared = {
    stringArray,
    funcTable: { ...funcTable, fileName: undefined, source: [0, null] },
    sources: { length: 1, filename: [2] },
    frameTable,
    stackTable: { length: 2, frame: [0, 1], prefixOffset: [0, 1] },
  };
  assert.equal(content(read(Buffer.from(JSON.stringify(newer)))), content(profile));
});

strangers('a Go profile of a Go program, and what Datadog’s profiler writes', async function go() {
  const dir = folder();
  mkdirSync(join(dir, 'go'));
  writeFileSync(join(dir, 'go/go.mod'), 'module burn\ngo 1.20\n');
  writeFileSync(
    join(dir, 'go/main.go'),
    `package main
import ("os"; "runtime/pprof"; "time")
//go:noinline
func burn() int { s := 0; for i := 0; i < 1e6; i++ { s += i * i }; return s }
func main() {
  f, _ := os.Create(os.Args[1]); pprof.StartCPUProfile(f)
  for end := time.Now().Add(700 * time.Millisecond); time.Now().Before(end); { burn() }
  pprof.StopCPUProfile(); f.Close()
  h, _ := os.Create(os.Args[2]); pprof.WriteHeapProfile(h); h.Close()
}`,
  );
  const files = [];
  const tool = ['/usr/local/go/bin/go', 'go'].find((name) => spawnSync(name, ['version']).status === 0);
  if (tool) {
    const [cpu, heap] = [join(dir, 'go-cpu.pb.gz'), join(dir, 'go-heap.pb.gz')];
    const env = { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' };
    const ran = spawnSync(tool, ['run', '.', cpu, heap], { cwd: join(dir, 'go'), env, encoding: 'utf8' });
    assert.is(ran.status, 0, ran.stderr);
    files.push([cpu, /main\.burn/], [heap, /./]);
  }
  const datadog = join(ROOT, 'bench/node_modules/@datadog/pprof');
  if (existsSync(datadog)) {
    const out = join(dir, 'datadog.pb.gz');
    const source = `const { time, encodeSync } = require(${JSON.stringify(datadog)});
      time.start({ intervalMicros: 1000, durationMillis: 60000, withContexts: false });
      function burn() { let s = 0; for (let i = 0; i < 1e5; i++) s += i; return s; }
      const end = Date.now() + 300; while (Date.now() < end) burn();
      require('fs').writeFileSync(${JSON.stringify(out)}, encodeSync(time.stop()));`;
    const ran = await runNode([program(source)]);
    // It has no binary for some Nodes.
    if (ran.code === 0) files.push([out, /burn/]);
  }
  for (const [path, hot] of files) {
    const report = await strobe(['report', path]);
    assert.is(report.code, 0, report.stderr);
    assert.match(report.stdout, hot);
    const profile = read(readFileSync(path));
    for (const format of ['speedscope', 'firefox']) {
      assert.equal(
        content(thereAndBack(format, profile)),
        content(profile).filter((row) => !/^[^ ]*\s*( \w+=0)+$/.test(row) && / \w+=[1-9]/.test(row)),
        path,
      );
    }
    const cut = join(dir, 'cut.pb.gz');
    writeFileSync(cut, readFileSync(path).subarray(0, 200));
    const refused = await strobe(['convert', cut, '-o', join(dir, 'never.cpuprofile')]);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /cut\.pb\.gz is not a valid pprof profile: its gzip data ends too early \(truncated file\)/);
  }
});

strangers('cut anywhere, it says truncated or what is wrong, with the file’s name', () => {
  for (const format of ['speedscope', 'firefox', 'cpuprofile']) {
    const bytes = write(format, randomProfile(2));
    const random = randomFrom(99);
    for (let i = 0; i < 40; i++) {
      const at = 1 + Math.floor(random() * (bytes.length - 1));
      assert.match(refusal(bytes.subarray(0, at), 'cut.json'), /truncated|not UTF-8/, `${format} at ${at}`);
    }
    const zipped = gzipSync(bytes);
    assert.match(refusal(zipped.subarray(0, zipped.length >> 1)), /truncated/);
  }
});

strangers('every field damaged in turn: refused by name, or read; never anything else', () => {
  const wrong = [null, -1, 1e300, 'x', [], {}, true, undefined];
  for (const format of ['speedscope', 'firefox', 'cpuprofile']) {
    const text = write(format, { ...randomProfile(4), samples: randomProfile(4).samples.slice(0, 6) }).toString();
    const paths = [];
    const walk = (value, path) => {
      if (path.length > 0) paths.push(path);
      if (typeof value !== 'object' || value === null) return;
      for (const key of Object.keys(value).slice(0, 12)) walk(value[key], [...path, key]);
    };
    walk(JSON.parse(text), []);
    const random = randomFrom(5);
    let refused = 0;
    for (const path of paths.slice(0, 1500)) {
      const file = JSON.parse(text);
      let at = file;
      for (const key of path.slice(0, -1)) at = at[key];
      at[path.at(-1)] = wrong[Math.floor(random() * wrong.length)];
      try {
        readAnyProfile(Buffer.from(JSON.stringify(file)), 'damaged.json');
      } catch (error) {
        assert.is(error.code, 'ERR_PROFILE_INVALID', `${format} ${path.join('.')}: ${error.stack}`);
        refused++;
      }
    }
    assert.ok(refused > 20, `${format}: ${refused} of ${paths.length} refused`);
  }
});

strangers('what is wrong is said', () => {
  const root = { id: 1, callFrame: { functionName: '(root)', url: '' }, children: [2] };
  const leaf = { id: 2, callFrame: { functionName: 'f', url: '' } };
  const cpu = (more) => JSON.stringify({ nodes: [root, leaf], startTime: 0, endTime: 1, samples: [2], timeDeltas: [0], ...more });
  const frames = [{ name: 'a' }];
  const firefox = olderFirefox();
  firefox.threads[0].stackTable.prefix = [1, 0];
  const cases = [
    ['[]', /JSON of another kind; strobe reads pprof, \.cpuprofile/],
    ['{"traceEvents":[]}', /a Chrome trace/],
    ['{"meta":{"version":24},"threads":[]}', /raw profile of Firefox/],
    ['{"schema":"strobe-report/1"}', /a strobe-report\/1 of strobe/],
    ['{"flamebearer":{}}', /flamebearer/],
    ['{"snapshot":{}}', /heap snapshot/],
    ['{"a":1}}', /damaged/],
    ['{"a":"\xff', /truncated|UTF-8/],
    ['{"nodes":[]}', /\.cpuprofile: it has no nodes/],
    ['{"nodes":7}', /nodes must be an array, not 7/],
    [cpu({ nodes: [root, { ...leaf, id: 1 }] }), /two nodes have the id 1/],
    [cpu({ nodes: [root, { ...leaf, children: [9] }] }), /nodes\[1\]\.children names a node that is not in the file/],
    [
      cpu({
        nodes: [
          { ...root, children: [] },
          { ...leaf, children: [2] },
        ],
      }),
      /circle/,
    ],
    [cpu({ nodes: [root, leaf, { ...leaf, id: 3, children: [2] }] }), /node 2 has two parents/],
    [cpu({ samples: [5] }), /samples\[0\] is node 5, which is not in the file/],
    [cpu({ timeDeltas: [] }), /1 samples and 0 timeDeltas/],
    [cpu({ timeDeltas: ['1'] }), /timeDeltas\[0\] must be a number, not "1"/],
    [JSON.stringify({ shared: { frames }, profiles: [] }), /it has no profiles/],
    [
      JSON.stringify({ shared: { frames }, profiles: [{ type: 'sampled', unit: 'none', samples: [[1]], weights: [1] }] }),
      /a frame of profiles\[0\]\.samples\[0\] is 1, but there are 1 shared/,
    ],
    [JSON.stringify({ shared: { frames }, profiles: [{ type: 'sampled', unit: 'eons' }] }), /unit must be one of none/],
    [JSON.stringify(evented([{ type: 'C', frame: 0, at: 11 }])), /closes frame 0, which is not the innermost/],
    [JSON.stringify(evented([{ type: 'O', frame: 0, at: 3 }])), /is at 3, before/],
    [JSON.stringify(firefox), /threads\[0\]\.stackTable\.prefix\[0\] is 1, but there are 0 stacks before it/],
  ];
  for (const [text, pattern] of cases) assert.match(refusal(text), pattern, text.slice(0, 80));
});

strangers('a small file that claims stacks of terabytes is refused, a deep chain is read', () => {
  const chain = (depth, samples) => ({
    nodes: Array.from({ length: depth }, (_, i) => ({
      id: i + 1,
      callFrame: { functionName: `f${i}`, url: '/a.js', lineNumber: i, columnNumber: 0 },
      ...(i + 1 < depth ? { children: [i + 2] } : {}),
      positionTicks: i + 1 === depth ? Array.from({ length: samples }, (_, line) => ({ line: line + 1, ticks: 1 })) : [],
    })),
    startTime: 0,
    endTime: samples,
    samples: Array(samples).fill(depth),
    timeDeltas: Array(samples).fill(1),
  });
  const deep = read(Buffer.from(JSON.stringify(chain(50_000, 10))));
  assert.is(deep.samples[0].locations.length, 50_000);
  assert.match(refusal(JSON.stringify(chain(50_000, 5000))), /more than \d+ frames together/);
});

strangers.run();

// --- the command ---

const command = suite('command');

command('formats by name, to a pipe, and with gzip around', async () => {
  const dir = folder();
  const input = join(dir, 'cpu.pb.gz');
  const profile = merged(randomProfile(21));
  writeFileSync(input, encodeGzip(profile));
  for (const [name, format] of [
    ['a.SPEEDSCOPE.json', 'speedscope'],
    ['a.firefox.json.gz', 'firefox'],
    ['a.cpuprofile', 'cpuprofile'],
    ['a.pprof', 'pprof'],
    ['a.pb', 'pprof'],
  ]) {
    const path = join(dir, name);
    const end = await strobe(['convert', input, '-o', path]);
    assert.equal([end.code, end.stdout], [0, ''], end.stderr);
    const bytes = readFileSync(path);
    assert.is(readAnyProfile(bytes, name).format, format);
    assert.is(bytes[0] === 0x1f, name.endsWith('.gz') || name === 'a.pprof', name);
  }
  const piped = await strobe(['convert', input, '--to', 'collapsed', '-o', '-', '--label', 'thread_name=main']);
  const total = profile.samples.reduce((sum, { labels, values }) => sum + (labels[0]?.str === 'main' ? values[1] : 0), 0);
  const lines = piped.stdout.trim().split('\n');
  assert.is(
    lines.reduce((sum, line) => sum + Number(/ (\d+)$/.exec(line)[1]), 0),
    total,
  );
  assert.ok(lines.every((line) => line.startsWith('main;') || /^main \d+$/.test(line)));
  assert.is(gunzipSync(readFileSync(join(dir, 'a.firefox.json.gz')))[0], 0x7b);
});

command('wrong command lines: exit 2 and the way out', async () => {
  const dir = folder();
  const input = join(dir, 'cpu.pb.gz');
  writeFileSync(input, encodeGzip(randomProfile(21)));
  const cases = [
    [[], /no profile given/],
    [[input], /-o FILE is missing/],
    [[input, input, '-o', 'x.pb'], /one profile at a time/],
    [[input, '-o', join(dir, 'x.json')], /says no format: add --to collapsed\|/],
    [[input, '-o', '-'], /standard output says no format/],
    [[input, '-o', 'x', '--to', 'svg'], /--to must be one of collapsed, speedscope/],
    [[input, '-o', join(dir, 'x.pb'), '--type', 'heap'], /--type must be one of samples, cpu/],
    [[input, '-o', join(dir, 'x.pb'), '--label', 'a'], /KEY=VALUE/],
  ];
  for (const [args, pattern] of cases) {
    const end = await strobe(['convert', ...args]);
    assert.equal([end.code, end.stdout], [2, ''], args.join(' '));
    assert.match(end.stderr, pattern);
  }
  const help = await strobe(['convert', '--help']);
  assert.equal([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /Examples:\n {2}strobe/);
  const misspelt = await strobe(['convert', input, '-o', join(dir, 'x.pb'), '--label', 'agnet=1']);
  assert.match(misspelt.stderr, /'agnet'; its labels are: thread_id, thread_name/);
  const counts = await strobe(['convert', input, '-o', join(dir, 'x.cpuprofile'), '--type', 'samples']);
  assert.is(counts.code, 1);
  assert.match(counts.stderr, /holds time, and the sample type samples is in count: choose --type cpu/);
  assert.not.ok(existsSync(join(dir, 'x.cpuprofile')));
});

command('hostile names pass through every format unchanged', () => {
  const profile = randomProfile(30);
  profile.functions = [...HOSTILE, 'y'.repeat(100_000)].map((name) => ({
    name,
    systemName: '',
    filename: name,
    startLine: 1,
    startColumn: 0,
  }));
  profile.locations = profile.functions.map((_, i) => ({
    mapping: -1,
    address: 0n,
    lines: [{ function: i, line: 1, column: 0 }],
    isFolded: false,
  }));
  profile.samples = profile.functions.map((_, i) => ({ locations: [i], values: [1, 10 + i], labels: [] }));
  for (const format of ['speedscope', 'firefox', 'cpuprofile'])
    assert.equal(content(thereAndBack(format, profile)), content(profile), format);
});

command.run();
