// What the bytes of a window hold: the same profile with less in it, step by step, until it holds what @datadog/pprof's file of the same work does.
//
// Contract: takes a decoded profile of strobe, leaves it as it is; each step is encoded as strobe's own files are.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const { encodeGzip } = createRequire(import.meta.url)(join(dist, 'pprof', 'encode.js'));

/** One location a function: no executing lines and columns. Stacks that become equal are one row. */
function byFunction(profile) {
  const rows = new Map();
  for (const { locations, values, labels } of profile.samples) {
    const stack = locations.map((location) => profile.locations[location].lines[0].function);
    const key = `${stack.join()} ${JSON.stringify(labels)}`;
    const row = rows.get(key);
    if (row) row.values = row.values.map((value, i) => value + values[i]);
    else rows.set(key, { locations: stack, values, labels });
  }
  const locations = profile.functions.map(({ startLine }, index) => ({
    mapping: -1,
    address: 0n,
    lines: [{ function: index, line: startLine, column: 0 }],
    isFolded: false,
  }));
  return { ...profile, locations, samples: [...rows.values()] };
}

/** Every sample weighs a period, as a profiler's do that counts ticks. */
const ofTicks = (profile) => ({
  ...profile,
  samples: profile.samples.map((sample) => ({ ...sample, values: [sample.values[0], sample.values[0] * profile.period] })),
});

/** About `samples` of the samples, each as likely as the other. */
function thinned(profile, samples) {
  const share = samples / profile.samples.reduce((sum, { values }) => sum + values[0], 0);
  const kept = profile.samples.map((sample) => {
    let count = 0;
    for (let i = 0; i < sample.values[0]; i++) if (Math.random() < share) count++;
    return { ...sample, values: [count, (sample.values[1] / sample.values[0]) * count] };
  });
  return { ...profile, samples: kept.filter(({ values }) => values[0] > 0) };
}

/** Rows of a table: what is in it, samples, stacks, bytes. `theirSamples`: how many the other profiler had of the same work; undefined: not known. */
export function bytesByContent(profile, theirSamples) {
  const row = (name, of) => [
    name,
    String(of.samples.reduce((sum, { values }) => sum + values[0], 0)),
    String(of.samples.length),
    String(encodeGzip(of).length),
  ];
  const functions = byFunction(profile);
  const ticks = ofTicks(functions);
  return [
    row('all of it', profile),
    row('without lines and columns', functions),
    row('and each sample weighs a period', ticks),
    ...(theirSamples === undefined ? [] : [row('and as many samples as theirs', ofTicks(byFunction(thinned(profile, theirSamples))))]),
  ];
}
