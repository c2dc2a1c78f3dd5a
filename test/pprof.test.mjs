// pprof: what is written is read back; what strangers write is read or refused by name; slices and profiles merge without losing weight.
// STROBE_DIST points at another build folder (default ../dist).

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = resolve(here, process.env.STROBE_DIST ?? '../dist');
const require = createRequire(import.meta.url);
const { decode } = require(join(dist, 'pprof/decode.js'));
const { encode, encodeGzip } = require(join(dist, 'pprof/encode.js'));
const { emptyProfile } = require(join(dist, 'pprof/schema.js'));
const { mergeProfiles } = require(join(dist, 'pprof/merge.js'));
const { ProfileBuilder } = require(join(dist, 'pprof/builder.js'));
const { roundWeights, STEP_NS } = require(join(dist, 'pprof/weights.js'));
const { TupleTable } = require(join(dist, 'pprof/intern.js'));

const GO_PPROF = join(here, '../.cache/bin/pprof');

const func = (name, filename = '/app/a.js', startLine = 1) => ({ name, systemName: '', filename, startLine, startColumn: 0 });
const at = (index, line, column = 0) => ({ mapping: -1, address: 0n, lines: [{ function: index, line, column }], isFolded: false });

/** Everything that the format can say, once. */
function fullProfile() {
  return {
    ...emptyProfile(),
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    samples: [
      {
        locations: [1, 0],
        values: [3, 30_000_000],
        labels: [
          { key: 'thread_name', str: 'main' },
          { key: 'thread_id', num: 71 },
        ],
      },
      {
        locations: [2, 0],
        values: [1, 2 ** 52],
        labels: [
          { key: 'size', num: 4096, unit: 'bytes' },
          { key: 'zero', num: 0 },
          { key: 'none', str: '' },
        ],
      },
      {
        locations: [],
        values: [-5, -(2 ** 40)],
        labels: [
          { key: 'hash', num: 2n ** 62n + 1n },
          { key: 'low', num: -(2n ** 63n) },
        ],
      },
    ],
    mappings: [
      {
        start: 0x400000n,
        limit: 0xffff_ffff_8100_0000n,
        offset: 4096n,
        filename: '/bin/app',
        buildId: 'abc',
        hasFunctions: true,
        hasFilenames: true,
        hasLineNumbers: false,
        hasInlineFrames: true,
      },
    ],
    locations: [
      at(0, 10, 5),
      {
        mapping: 0,
        address: 0xffff_ffff_8100_0010n,
        lines: [
          { function: 2, line: 31, column: 7 },
          { function: 1, line: 22, column: 3 },
        ],
        isFolded: true,
      },
      { mapping: 0, address: 0x401000n, lines: [], isFolded: false },
    ],
    functions: [func('main'), func('outer', '/app/ünï.js', 20), { ...func('inner', 'file:///app/b.mjs', 30), systemName: '_Zinner' }],
    timeNanos: 1_763_812_345_678_901_234n,
    durationNanos: 30_000_000_123,
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 10_000_000,
    comments: ['strobe: lost=0 truncated=1', 'hello'],
    defaultSampleType: 'cpu',
    dropFrames: 'a.*',
    keepFrames: 'b.*',
    docUrl: 'https://example.com/',
  };
}

/** A protobuf message from [field, value] pairs: a number or bigint is a varint, a string or an array of bytes is length-delimited. */
function message(...fields) {
  const varint = (value) => {
    const bytes = [];
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      if (rest < 128n) return [...bytes, Number(rest)];
      bytes.push(Number(rest & 127n) | 128);
    }
  };
  return fields.flatMap(([field, value]) => {
    if (typeof value === 'number' || typeof value === 'bigint') return [...varint(field << 3), ...varint(value)];
    const body = [...Buffer.from(value)];
    return [...varint((field << 3) | 2), ...varint(body.length), ...body];
  });
}

function refusal(bytes, pattern, options) {
  try {
    decode(Uint8Array.from(bytes), 'bad.pb.gz', options);
  } catch (error) {
    assert.is(error.code, 'ERR_PROFILE_INVALID', `${error.stack}`);
    assert.match(error.message, 'bad.pb.gz');
    assert.match(error.message, pattern);
    return;
  }
  assert.unreachable(`accepted; wanted ${pattern}`);
}

test('what is written is read back, gzipped or not', () => {
  assert.equal(decode(encode(fullProfile()), 'raw'), fullProfile());
  assert.equal(decode(encodeGzip(fullProfile()), 'gz'), fullProfile());
  assert.equal(decode(gzipSync(encode(fullProfile())), 'gz'), fullProfile());
});

test('sample values past int64 are held at its limits, never wrapped', () => {
  const profile = fullProfile();
  profile.samples[0].values = [2 ** 63, -(2 ** 64)];
  profile.samples[1].values = [2 ** 60 + 2 ** 10, -(2 ** 55)];
  const values = decode(encode(profile), 'x').samples.map((sample) => sample.values);
  assert.equal(values.slice(0, 2), [
    [2 ** 63, -(2 ** 63)],
    [2 ** 60 + 2 ** 10, -(2 ** 55)],
  ]);
});

test('foreign encodings: unpacked integers, ids past 2^53, records in any order, unknown fields', () => {
  const far = 2n ** 64n - 1n;
  const bytes = message(
    [2, message([1, far], [1, far - 1n], [2, 7], [3, message([1, 5], [2, 6], [3, 0], [4, 0])])],
    [4, message([1, far], [4, message([1, far - 2n], [2, 12])])],
    [4, message([1, far - 1n], [3, 0xffff_ffff_ffff_f000n])],
    [99, 'unknown'],
    [98, 12345678901234n],
    [5, message([1, far - 2n], [2, 3], [4, 4])],
    [13, 3],
    [13, 4],
    [1, message([1, 1], [2, 2])],
    ...['', 'heap', 'bytes', 'f', 'f.go', 'key', 'text'].map((text) => [6, text]),
  );
  const profile = decode(Uint8Array.from(bytes), 'x');
  assert.equal(profile.samples, [{ locations: [0, 1], values: [7], labels: [{ key: 'key', str: 'text' }] }]);
  assert.is(profile.locations[1].address, 0xffff_ffff_ffff_f000n);
  assert.equal(profile.locations[0].lines, [{ function: 0, line: 12, column: 0 }]);
  assert.equal(profile.comments, ['f', 'f.go']);
  assert.equal(decode(encode(profile), 'again').samples, profile.samples);
});

test('a profile cut at any byte is refused by name or read, raw and gzipped', () => {
  for (const bytes of [encode(fullProfile()), encodeGzip(fullProfile())]) {
    for (let length = 0; length < bytes.length; length++) {
      try {
        decode(bytes.subarray(0, length), 'cut.pb.gz');
      } catch (error) {
        assert.is(error.code, 'ERR_PROFILE_INVALID', `at ${length}: ${error.stack}`);
      }
    }
  }
});

test('damaged bytes are refused by name or read, never anything else', () => {
  const good = encode(fullProfile());
  for (let offset = 0; offset < good.length; offset++) {
    for (const value of [0, 0x7f, 0x80, 0xff, good[offset] ^ 1]) {
      const bytes = Uint8Array.from(good);
      bytes[offset] = value;
      try {
        decode(bytes, 'damaged.pb');
      } catch (error) {
        assert.is(error.code, 'ERR_PROFILE_INVALID', `${value} at ${offset}: ${error.stack}`);
      }
    }
  }
});

test('what is not a profile is called by its name', () => {
  refusal([], /empty \(0 bytes\)/);
  refusal(gzipSync(''), /unpacks to 0 bytes/);
  refusal(gzipSync(gzipSync(encode(fullProfile()))), /gzip inside gzip/);
  refusal(encodeGzip(fullProfile()).subarray(0, 60), /truncated/);
  refusal([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5], /gzip data/);
  refusal([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13], /PNG/);
  refusal(Buffer.from('{"nodes":[{"id":1}]}'), /\.cpuprofile/);
  refusal(Buffer.from('  {"x":1}'), /JSON/);
  refusal(gzipSync('{"head":{}}'), /heapprofile/);
  refusal(Buffer.from('<html>not found</html>'), /HTML/);
  refusal(Buffer.from('just some words\n'), /text file/);
  refusal([0x28, 0xb5, 0x2f, 0xfd, 0, 0], /zstd/);
});

test('broken references and missing parts are named', () => {
  const strings = ['', 'cpu', 'nanoseconds'].map((text) => [6, text]);
  const types = [1, message([1, 1], [2, 2])];
  refusal(message(...strings), /no sample types/);
  refusal(message([1, message([1, 9])], ...strings), /string 9/);
  refusal(message(types, [2, message([1, 4], [2, 1])], ...strings), /location 4/);
  refusal(message(types, [2, message([2, [1, 1]])], ...strings), /2 values/);
  refusal(message(types, [2, []], ...strings), /0 values/);
  refusal(message(types, [4, message([1, 1], [4, message([1, 8])])], ...strings), /function 8/);
  refusal(message(types, [4, message([1, 1], [2, 5])], ...strings), /mapping 5/);
  refusal(message(types, [4, message([3, 1])], ...strings), /no id/);
  refusal(message(types, [5, message([1, 1])], [5, message([1, 1])], ...strings), /two functions have the id 1/);
  refusal(message(types, [6, 'x']), /empty string/);
  refusal(message([1, 5], ...strings), /wire type/);
  refusal(message(types, [2, 'x'.repeat(20)], ...strings), /./);
});

test('a gzip bomb stops at the limit', () => {
  refusal(gzipSync(Buffer.alloc(3 * 2 ** 20)), /more than 1 MiB/, { maxBytes: 2 ** 20 });
  refusal(Buffer.alloc(2 ** 20 + 1), /more than 1 MiB/, { maxBytes: 2 ** 20 });
});

/**
 * A slice from readable rows: `[[frames root first], thread index, mode, count, weight]`, a frame is 'name@functionLine:frameLine:frameColumn'.
 * Tables are numbered in an order that depends on `reverse`, as two slices number them differently.
 */
function slice(rows, { reverse = false, startUnixMs = 1000, endUnixMs = 2000, frequencyHz = 100, totals = {}, threads } = {}) {
  const names = [...new Set(rows.flatMap(([frames]) => frames))];
  if (reverse) names.reverse();
  const parsed = names.map((text) => {
    const [, name, functionLine, line, column] = /^(.*)@(\d+):(\d+):(\d+)$/.exec(text);
    return { name, functionLine: +functionLine, line: +line, column: +column };
  });
  const functions = [...new Set(parsed.map(({ name, functionLine }) => `${name}@${functionLine}`))];
  const strings = ['', '/app/a.js', ...functions.map((key) => key.split('@')[0])];
  const nodeParent = [0];
  const nodeFrame = [0];
  const nodes = new Map();
  const nodeOf = (frames) => {
    if (frames.length === 0) return 0;
    const key = frames.join('|');
    if (!nodes.has(key)) {
      const parent = nodeOf(frames.slice(0, -1));
      nodes.set(key, nodeParent.length);
      nodeParent.push(parent);
      nodeFrame.push(names.indexOf(frames.at(-1)));
    }
    return nodes.get(key);
  };
  const sampleNode = rows.map(([frames]) => nodeOf(frames));
  return {
    number: 1,
    startUnixMs,
    endUnixMs,
    frequencyHz,
    strings,
    functionName: Uint32Array.from(functions.map((_, index) => index + 2)),
    functionFile: Uint32Array.from(functions.map(() => 1)),
    functionLine: Uint32Array.from(functions.map((key) => +key.split('@')[1])),
    functionColumn: Uint32Array.from(functions.map(() => 9)),
    functionKind: new Uint8Array(functions.length),
    frameFunction: Uint32Array.from(parsed.map(({ name, functionLine }) => functions.indexOf(`${name}@${functionLine}`))),
    frameLine: Uint32Array.from(parsed.map(({ line }) => line)),
    frameColumn: Uint32Array.from(parsed.map(({ column }) => column)),
    nodeParent: Uint32Array.from(nodeParent),
    nodeFrame: Uint32Array.from(nodeFrame),
    threads: threads ?? [
      { tid: 11, name: 'main' },
      { tid: 12, name: 'worker' },
    ],
    sampleNode: Uint32Array.from(sampleNode),
    sampleThread: Uint32Array.from(rows.map((row) => row[1])),
    sampleMode: Uint8Array.from(rows.map((row) => row[2])),
    sampleCount: Uint32Array.from(rows.map((row) => row[3])),
    sampleWeightNs: Float64Array.from(rows.map((row) => row[4])),
    totals: { samples: 0, lost: 0, truncated: 0, frames: 0, unresolvedFrames: 0, ...totals },
  };
}

/** 'root;leaf thread' -> values, to compare profiles whatever their numbering. */
function byStack(profile) {
  const result = {};
  for (const sample of profile.samples) {
    const stack = sample.locations.map((index) => {
      const [line] = profile.locations[index].lines;
      return `${profile.functions[line.function].name}:${line.line}:${line.column}`;
    });
    const key = `${stack.reverse().join(';')} ${sample.labels.map(({ str, num }) => str ?? num).join('/')}`;
    assert.not(key in result, `two rows of ${key}`);
    result[key] = sample.values;
  }
  return result;
}

const A = 'a@1:2:3';
const B = 'b@10:12:4';
const B_UNKNOWN = 'b@10:0:0';

test('slices merge: equal frames are one, weights are conserved, modes stay apart', () => {
  const builder = new ProfileBuilder({ mode: 'cpu' });
  assert.ok(builder.empty);
  builder.add(
    slice(
      [
        [[A, B], 0, 0, 2, 20e6],
        [[A], 1, 0, 1, 10e6],
        [[A, 'w@7:8:9'], 0, 1, 5, 50e6],
      ],
      { startUnixMs: 1_763_812_345_678.5, endUnixMs: 1_763_812_346_678.5, totals: { samples: 8, lost: 1 } },
    ),
  );
  assert.not.ok(builder.empty);
  builder.add(
    slice(
      [
        [[A, B], 0, 0, 1, 11e6],
        [[A, B, A], 0, 0, 1, 7e6],
        [[B_UNKNOWN], 0, 0, 1, 1e6],
        [[], 0, 0, 1, 2e6],
      ],
      {
        reverse: true,
        startUnixMs: 1_763_812_346_678.5,
        endUnixMs: 1_763_812_347_000,
        frequencyHz: 50,
        totals: { samples: 4, lost: 2, unresolvedFrames: 3 },
      },
    ),
  );
  const profile = builder.take();
  const rows = byStack(profile);
  const conserved = Object.entries(rows).reduce((sum, [stack, [, ns]]) => sum + (stack.endsWith('main/11') ? ns : 0), 0);
  assert.is(conserved, 41e6, 'of a thread to the nanosecond');
  for (const values of Object.values(rows)) values[1] = Math.round(values[1] / 1e5) * 1e5;
  assert.equal(rows, {
    'a:2:3;b:12:4 main/11': [3, 31e6],
    'a:2:3 worker/12': [1, 10e6],
    'a:2:3;b:12:4;a:2:3 main/11': [1, 7e6],
    // An unknown line shows as the function's own, with its column.
    'b:10:9 main/11': [1, 1e6],
    ' main/11': [1, 2e6],
  });
  assert.equal(profile.functions.map(({ name }) => name).sort(), ['a', 'b'], 'the wall stack is not in it');
  assert.equal(
    profile.functions.find(({ name }) => name === 'b'),
    { name: 'b', systemName: '', filename: '/app/a.js', startLine: 10, startColumn: 9 },
  );
  assert.is(profile.locations.length, 3);
  assert.equal(profile.sampleTypes, [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ]);
  assert.equal(profile.periodType, { type: 'cpu', unit: 'nanoseconds' });
  assert.is(profile.period, 20_000_000);
  assert.is(profile.timeNanos, 1_763_812_345_678_500_000n);
  assert.is(profile.durationNanos, 1_321_500_000);
  assert.equal(profile.comments, ['strobe: samples=12 lost=3 truncated=0 frames=0 unresolved_frames=3 mended=0']);
  const { startColumn: _, ...decoded } = decode(encodeGzip(profile), 'x').functions[0];
  assert.is(decoded.name, profile.functions[0].name);

  assert.ok(builder.empty, 'take starts anew');
  assert.is(builder.take().samples.length, 0);
});

test('weights are rounded within a step, small ones to nanoseconds; what a thread used is conserved', () => {
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 48271) >>> 0) % 2147483647;
    return seed / 2147483647;
  };
  for (const rows of [0, 1, 2, 5000]) {
    const threads = 3;
    const weights = Array.from({ length: rows }, () =>
      random() < 0.3 ? random() * 2e5 : random() < 0.9 ? 5e5 + random() * 1e6 : random() * 1e10,
    );
    const thread = weights.map(() => Math.floor(random() * threads));
    const rounded = roundWeights(Float64Array.from(weights), Uint32Array.from(thread), threads);
    assert.is(rounded.length, rows);
    const off = new Float64Array(threads);
    let stepped = 0;
    rounded.forEach((weight, row) => {
      assert.ok(Number.isInteger(weight) && weight >= 0, `${weight}`);
      const most = weights[row] < 2 ** 18 ? 0.5 : STEP_NS;
      assert.ok(Math.abs(weight - weights[row]) <= most, `${weights[row]} became ${weight}`);
      off[thread[row]] += weight - weights[row];
      if (weight % STEP_NS === 0) stepped++;
    });
    // Thousands of small weights of the fractions of a nanosecond, and the sum of doubles.
    for (const rest of off) assert.ok(Math.abs(rest) <= 1, `${rest} ns more than the thread used`);
    if (rows > 100) assert.ok(stepped > rows * 0.6, `${stepped} of ${rows} are steps`);
  }
});

test('a wall builder takes the wall rows', () => {
  const builder = new ProfileBuilder({ mode: 'wall' });
  builder.add(slice([[[A], 0, 0, 2, 20e6]]));
  assert.ok(builder.empty);
  builder.add(slice([[[A], 0, 1, 4, 40e6]]));
  const profile = builder.take();
  assert.equal(byStack(profile), { 'a:2:3 main/11': [4, 40e6] }, 'one large row is exact: it has what is left over');
  assert.equal(profile.sampleTypes[1], { type: 'wall', unit: 'nanoseconds' });
});

test('the bytes of a built profile are those of its objects, in either order', () => {
  const rows = Array.from({ length: 400 }, (_, i) => {
    const frames = Array.from(
      { length: i % 40 },
      (_unused, depth) => `f${(i * 7 + depth * depth) % 23}@${depth + 1}:${(i % 3) * depth}:${i % 5}`,
    );
    return [frames, i % 2, 0, 1 + (i % 3), (i + 1) * 1e5];
  });
  for (const keepOrder of [false, true]) {
    const build = () => {
      const builder = new ProfileBuilder({ mode: 'cpu', keepOrder });
      const own = [rows.slice(0, 150), rows.slice(150)].map((part) => builder.add(slice(part)));
      return { profile: builder.take(), own };
    };
    const { profile, own } = build();
    const read = decode(encode(profile), 'x');
    // A copy reads the samples and locations, as objects.
    const copy = { ...build().profile };
    assert.equal(read, decode(encode(copy), 'x'));
    assert.equal(read.samples, copy.samples);
    assert.equal(read.locations, copy.locations);
    const weigh = ({ samples }, index) => samples.reduce((sum, { values }) => sum + values[index], 0);
    assert.is(
      weigh(read, 0),
      rows.reduce((sum, row) => sum + row[3], 0),
    );
    assert.is(
      weigh(read, 1),
      rows.reduce((sum, row) => sum + row[4], 0),
    );
    if (!keepOrder) continue;
    // What add returned are the samples' places.
    own
      .flatMap((places) => [...places])
      .forEach((place, i) => {
        const names = read.samples[place].locations.map((at) => read.functions[read.locations[at].lines[0].function].name);
        assert.equal(
          names.reverse(),
          rows[i][0].map((frame) => frame.split('@')[0]),
        );
      });
  }
});

test('columns that do not fit together are refused', () => {
  const builder = new ProfileBuilder({ mode: 'cpu' });
  const broken = slice([[[A, B], 0, 0, 1, 1]]);
  broken.nodeParent[1] = 7;
  assert.throws(() => builder.add(broken), /not a slice's columns/);
  const odd = slice([[[A, B], 0, 0, 1, 1]]);
  odd.sampleNode = [1];
  assert.throws(() => builder.add(odd), TypeError);
});

test('one thread id with two names is two threads; names and order of threads may differ between slices', () => {
  const builder = new ProfileBuilder({ mode: 'cpu' });
  builder.add(slice([[[A], 0, 0, 1, 1]], { threads: [{ tid: 1, name: 'x' }] }));
  builder.add(
    slice(
      [
        [[A], 1, 0, 1, 1],
        [[A], 0, 0, 1, 1],
      ],
      {
        threads: [
          { tid: 1, name: 'y' },
          { tid: 1, name: 'x' },
        ],
      },
    ),
  );
  assert.equal(byStack(builder.take()), { 'a:2:3 x/1': [2, 2], 'a:2:3 y/1': [1, 1] });
});

test('the tuple table gives dense ids, also when it grows and for large elements', () => {
  for (const width of [2, 3, 4]) {
    const table = new TupleTable(width);
    const tuple = (n) => [n, 0xffffffff - n, n % 7, n].slice(0, width);
    for (let n = 0; n < 5000; n++) assert.is(table.intern(...tuple(n)), n);
    for (let n = 0; n < 5000; n++) assert.is(table.intern(...tuple(n)), n);
    assert.is(table.size, 5000);
    assert.is(table.at(4321, 1), 0xffffffff - 4321);
  }
});

test('profiles merge: equal stacks and labels are summed, time earliest, duration summed', () => {
  const one = fullProfile();
  const other = fullProfile();
  other.timeNanos -= 5n;
  other.period = 20_000_000;
  other.comments = ['hello', 'strobe: lost=4', 'more'];
  // Another numbering, another order of labels, another load address.
  other.functions.reverse();
  for (const location of other.locations) for (const line of location.lines) line.function = 2 - line.function;
  other.samples[0].labels.reverse();
  other.mappings[0].start += 0x1000n;
  other.mappings[0].limit += 0x1000n;
  for (const location of other.locations) if (location.mapping === 0) location.address += 0x1000n;
  const untouched = structuredClone(other);
  const merged = mergeProfiles([
    { name: 'one', profile: one },
    { name: 'other', profile: other },
  ]);
  assert.equal(other, untouched, 'inputs stay as they are');
  assert.equal(
    merged.samples.map(({ values }) => values),
    one.samples.map(({ values }) => values.map((value) => 2 * value)),
  );
  assert.equal(merged.mappings, one.mappings);
  assert.equal(
    merged.locations,
    one.locations.map((_, index) => merged.locations[index]),
    'three locations, no more',
  );
  assert.is(merged.locations.length, 3);
  assert.is(merged.functions.length, 3);
  assert.ok(merged.locations.some(({ address }) => address === 0xffff_ffff_8100_0010n));
  assert.is(merged.timeNanos, one.timeNanos - 5n);
  assert.is(merged.durationNanos, 2 * one.durationNanos);
  assert.is(merged.period, 20_000_000);
  assert.equal(merged.comments, ['strobe: lost=4 truncated=1', 'hello', 'more']);
  assert.equal(decode(encode(merged), 'x'), merged);
});

test('different labels, lines and inlining stay apart in a merge', () => {
  const one = fullProfile();
  const other = fullProfile();
  other.samples[0].labels[0].str = 'worker';
  other.locations[0].lines[0].column = 6;
  const merged = mergeProfiles([
    { name: 'one', profile: one },
    { name: 'other', profile: other },
  ]);
  assert.is(merged.samples.length, 5, 'the sample without a stack is the same one');
  assert.is(merged.locations.length, 4);
});

test('profiles that measure different things are refused, both named', () => {
  const other = fullProfile();
  other.sampleTypes[1].type = 'wall';
  assert.throws(
    () =>
      mergeProfiles([
        { name: 'one.pb.gz', profile: fullProfile() },
        { name: 'two.pb.gz', profile: other },
      ]),
    (error) =>
      error.code === 'ERR_PROFILE_INVALID' && /one\.pb\.gz and two\.pb\.gz/.test(error.message) && /wall\/nanoseconds/.test(error.message),
  );
});

const goTest = existsSync(GO_PPROF) ? test : test.skip;
goTest("Go's pprof tool reads our file and agrees on the numbers", () => {
  const builder = new ProfileBuilder({ mode: 'cpu' });
  builder.add(
    slice(
      [
        [[A, B], 0, 0, 3, 300e6],
        [[A], 1, 0, 1, 100e6],
        [[A, B, A], 0, 0, 1, 100e6],
      ],
      { startUnixMs: 1_763_812_345_678, endUnixMs: 1_763_812_346_678 },
    ),
  );
  const folder = mkdtempSync(join(tmpdir(), 'strobe-pprof-'));
  try {
    const file = join(folder, 'cpu.pb.gz');
    writeFileSync(file, encodeGzip(builder.take()));
    const go = (...args) =>
      execFileSync(GO_PPROF, [...args, file], {
        encoding: 'utf8',
        env: { ...process.env, PPROF_TMPDIR: folder },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    const top = go('-top', '-unit=ms');
    assert.match(top, /Duration: 1s, Total samples = 500ms/);
    // A row is within a step of its weight (src/pprof/weights.ts), the total exact.
    assert.match(top, /(300(\.01)?|299\.99)ms\s+60\.00%\s+60\.00%\s+(400(\.0[1-3])?|399\.9[7-9])ms\s+80\.00%\s+b\b/);
    assert.match(top, /(200(\.0[1-3])?|199\.9[7-9])ms\s+40\.00%\s+\S+\s+500ms\s+100%\s+a\b/);
    const traces = go('-traces');
    assert.match(traces, /thread_name:\s*main/);
    assert.match(traces, /thread_id:\s*11/);
    assert.match(go('-lines', '-top'), /a \/app\/a\.js:2/);
    writeFileSync(file, encodeGzip(decode(gzipSync(encode(fullProfile())), 'x')));
    assert.match(go('-raw'), /hello/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a gzipped profile is gzip', () => {
  assert.equal(Uint8Array.from(gunzipSync(encodeGzip(fullProfile()))), Uint8Array.from(encode(fullProfile())));
});

test.run();
