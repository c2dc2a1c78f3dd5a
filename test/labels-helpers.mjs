// What the tests of labels share: a program of test/programs/labels in a process of its own, in each way that this Node can follow async work.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { decode, folder, INDEX, NODE_MAJOR, ROOT, runNode } from './helpers.mjs';

/** The flags under which this Node follows async work, and what stats().features.labels must say there. */
export const WAYS = {
  20: [{ flags: [], feature: 'on: by async hooks' }],
  22: [
    { flags: [], feature: 'on: by async hooks' },
    { flags: ['--experimental-async-context-frame'], feature: 'on: read from the async context frame' },
  ],
}[NODE_MAJOR] ?? [
  { flags: [], feature: 'on: read from the async context frame' },
  { flags: ['--no-async-context-frame'], feature: 'on: by async hooks' },
];

/** Runs the program; it writes its profile and what it has to say. Samples come with their labels as an object and the names on their stack, leaf first. */
export async function labelled(name, args, { flags = [], env = {}, limitSeconds = 150 } = {}) {
  const out = folder();
  const [profileFile, saidFile] = [join(out, 'profile.pb.gz'), join(out, 'said.json')];
  const path = join(ROOT, 'test', 'programs', 'labels', name);
  const ran = await runNode([...flags, path, ...args.map(String), profileFile, saidFile], {
    env: { STROBE_INDEX: INDEX, ...env },
    limitSeconds,
  });
  assert.is(ran.code, 0, `${flags.join(' ')} ${name}: ${ran.signal ?? `exit code ${ran.code}`}\n${ran.stdout}\n${ran.stderr}`);
  const profile = decode(readFileSync(profileFile), name);
  const samples = profile.samples.map(({ values, locations, labels }) => ({
    count: values[0],
    cpuNs: values[1],
    labels: Object.fromEntries(labels.map((label) => [label.key, label.str || label.num])),
    names: locations.flatMap((location) => profile.locations[location].lines.map((line) => profile.functions[line.function].name)),
  }));
  return { said: JSON.parse(readFileSync(saidFile, 'utf8')), samples };
}
