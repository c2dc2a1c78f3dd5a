// Random profiles from a seed, and what two profiles must agree in: the same stacks of functions with the same values under the same labels.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DIST } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { emptyProfile } = require(join(DIST, 'pprof/schema.js'));

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Names that break careless writers. */
export const HOSTILE = [
  '<script>alert(1)</script>',
  '"quoted" \'and\' \\back\\',
  ']]></script><!--',
  'a;b c 12',
  'line\nbreak\ttab\u0000nul\u001b[31m',
  '\u202eright to left\u202c',
  'half \ud800 pair',
  '\u2028\u2029',
  '| `pipe` | *star* [link](http://x) @team #1',
  '😀'.repeat(10),
  'x'.repeat(200),
  '__proto__',
  'constructor',
];

/** @param options `most`: largest value; `types`: sample types; `counts`: largest number of samples a row */
export function randomProfile(seed, { most = 2 ** 40, types, counts = 20 } = {}) {
  const random = randomFrom(seed);
  const below = (n) => Math.floor(random() * n);
  const profile = emptyProfile();
  profile.sampleTypes = types ?? [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ];
  profile.periodType = { ...profile.sampleTypes.at(-1) };
  profile.period = 10_000_000;
  profile.timeNanos = 1_763_812_345_678_000_000n;
  profile.durationNanos = 2_000_000_000;
  profile.mappings = [
    {
      start: 0x400000n,
      limit: 0x800000n,
      offset: 0n,
      filename: '/bin/app',
      buildId: 'abc',
      hasFunctions: true,
      hasFilenames: true,
      hasLineNumbers: true,
      hasInlineFrames: true,
    },
  ];
  const functions = 5 + below(20);
  for (let i = 0; i < functions; i++) {
    const name = random() < 0.3 ? HOSTILE[below(HOSTILE.length)] : `f${i}`;
    const filename = random() < 0.2 ? '' : random() < 0.2 ? HOSTILE[below(HOSTILE.length)] : `/app/${i % 3}.js`;
    profile.functions.push({ name, systemName: '', filename, startLine: below(100) + 1, startColumn: 0 });
  }
  for (let i = 0; i < 30; i++) {
    const lines = Array.from({ length: below(4) + (i % 10 === 0 ? 0 : 1) }, () => ({
      function: below(functions),
      line: below(500) + 1,
      column: 0,
    }));
    profile.locations.push({ mapping: random() < 0.3 ? 0 : -1, address: BigInt(0x400000 + i), lines, isFolded: false });
  }
  const threads = [
    [
      { key: 'thread_name', str: 'main' },
      { key: 'thread_id', num: 100 },
    ],
    [{ key: 'thread_name', str: HOSTILE[below(HOSTILE.length)] }],
    [],
  ];
  for (let i = 0; i < 60; i++) {
    const count = 1 + below(counts);
    profile.samples.push({
      locations: Array.from({ length: below(12) }, () => below(30)),
      values: profile.sampleTypes.map(({ unit }) => (unit === 'count' ? count : Math.floor(random() ** 4 * most) + 1)),
      labels: threads[below(threads.length)],
    });
  }
  return profile;
}

/** The functions of a stack, outermost first, as one text a frame. `lines`: with their executing lines. */
export function framesOf(profile, sample, lines = false) {
  const frames = [];
  for (const index of sample.locations.toReversed()) {
    const location = profile.locations[index];
    if (location.lines.length === 0) {
      frames.push(`0x${location.address.toString(16)} ${profile.mappings[location.mapping]?.filename ?? ''} 0${lines ? ' 0' : ''}`);
      continue;
    }
    for (const line of location.lines.toReversed()) {
      const func = profile.functions[line.function];
      frames.push(`${func.name} ${func.filename} ${func.startLine}${lines ? ` ${line.line}` : ''}`);
    }
  }
  return frames;
}

/** Stack and labels as text -> values by type name. What two profiles that say the same agree in. */
export function content(
  profile,
  { lines = false, labels = ['thread_name', 'thread_id'], types = profile.sampleTypes.map(({ type }) => type) } = {},
) {
  const rows = new Map();
  for (const sample of profile.samples) {
    const kept = labels.flatMap((key) =>
      sample.labels.filter((label) => label.key === key).map((label) => [key, label.str ?? String(label.num)]),
    );
    const key = JSON.stringify([framesOf(profile, sample, lines), kept]);
    const row = rows.get(key) ?? Object.fromEntries(types.map((type) => [type, 0n]));
    for (const type of types) row[type] += BigInt(sample.values[profile.sampleTypes.findIndex((known) => known.type === type)]);
    rows.set(key, row);
  }
  return [...rows].map(([key, row]) => `${key} ${types.map((type) => `${type}=${row[type]}`).join(' ')}`).sort();
}
