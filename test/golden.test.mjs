// Golden frames: a fixed program (test/golden) whose every construct must give exactly the reviewed frames, names, lines and columns, in every tier.
//
// The reviewed files are test/golden/node-NN.json: a case's stack from the leaf to the case's own function, one list for all tiers or one a tier where V8
// itself differs. A leaf has no column (its loop has several). `node test/golden.test.mjs --update` writes the running major's file anew: look at the
// difference before it is committed. docs/add-a-node-major.md tells how a new major gets its file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decode, folder, INDEX, NODE_MAJOR, ROOT, run } from './helpers.mjs';

const MODES = {
  interpreted: ['--no-opt', '--no-sparkplug', ...(NODE_MAJOR >= 22 ? ['--no-maglev'] : [])],
  sparkplug: ['--always-sparkplug', '--no-opt', ...(NODE_MAJOR >= 22 ? ['--no-maglev'] : [])],
  optimised: [],
};
/** Of a case's samples; the rest is other tiers on the way up, collections, the loop that drives. */
const NEEDED = 0.5;
const FEWEST_SAMPLES = 20;
const MILLISECONDS = 80;
const TRIES = 4;
/** What a tier is entitled to: with no optimising compiler nothing is replaced on the stack, but all else must be the same. */
const FILE = join(ROOT, 'test', 'golden', `node-${NODE_MAJOR}.json`);

/** One case's stacks, most weight first: [{ frames, share }]. */
function stacks(profile) {
  const weights = new Map();
  let total = 0;
  for (const sample of profile.samples) {
    const frames = sample.locations.map((index) => {
      const [{ function: id, line, column }] = profile.locations[index].lines;
      const { name, filename } = profile.functions[id];
      return { name, file: basename(filename), line, column };
    });
    const end = frames.findIndex(({ file }) => file === 'program.mjs' || file === 'task_queues' || file === 'promises');
    const own = end < 0 ? frames : frames.slice(0, end);
    if (own.length === 0) continue;
    const texts = own.map(({ name, file, line, column }, depth) =>
      [name, line === 0 ? file : `${file}:${line}${depth === 0 ? '' : `:${column}`}`].filter(Boolean).join(' '),
    );
    const key = texts.join('\n');
    weights.set(key, (weights.get(key) ?? 0) + sample.values[0]);
    total += sample.values[0];
  }
  return {
    total,
    stacks: [...weights].sort((a, b) => b[1] - a[1]).map(([key, weight]) => ({ frames: key.split('\n'), share: weight / total })),
  };
}

async function record(mode, milliseconds) {
  const out = join(folder(), 'profiles.json');
  const program = join(ROOT, 'test', 'golden', 'program.mjs');
  const end = await run(process.execPath, [...MODES[mode], program, out, String(milliseconds)], {
    env: { GOLDEN_STROBE: INDEX },
    limitSeconds: 120,
  });
  assert.is(end.code, 0, end.stderr);
  const profiles = JSON.parse(readFileSync(out, 'utf8'));
  return Object.fromEntries(Object.entries(profiles).map(([name, base64]) => [name, stacks(decode(Buffer.from(base64, 'base64')))]));
}

const expected = (golden, name, mode) => (Array.isArray(golden[name]) ? golden[name] : golden[name]?.[mode]);

/** What of a recording is not as reviewed. */
function misses(golden, recorded, mode) {
  const found = [];
  for (const [name, { total, stacks: seen }] of Object.entries(recorded)) {
    const frames = expected(golden, name, mode);
    if (!frames) {
      found.push(`${name}: not in the golden file`);
      continue;
    }
    const share = seen.find((stack) => stack.frames.join('\n') === frames.join('\n'))?.share ?? 0;
    if (total >= FEWEST_SAMPLES && share >= NEEDED) continue;
    const top = seen[0] ? `${(100 * seen[0].share).toFixed(0)} % ${seen[0].frames.join(' < ')}` : 'nothing';
    found.push(`${name}: ${total} samples, ${(100 * share).toFixed(0)} % as reviewed (${frames.join(' < ')}); most are ${top}`);
  }
  for (const name of Object.keys(golden)) if (!recorded[name]) found.push(`${name}: in the golden file, not in the program`);
  return found;
}

async function update() {
  const golden = {};
  for (const mode of Object.keys(MODES)) {
    for (const [name, { stacks: seen }] of Object.entries(await record(mode, 2 * MILLISECONDS))) {
      golden[name] ??= {};
      golden[name][mode] = seen[0].frames;
    }
  }
  for (const [name, byMode] of Object.entries(golden)) {
    const lists = Object.values(byMode);
    if (lists.every((list) => list.join('\n') === lists[0].join('\n'))) golden[name] = lists[0];
  }
  writeFileSync(FILE, `${JSON.stringify(golden, null, 2)}\n`);
  console.log(`wrote ${FILE}: review it`);
}

if (process.argv.includes('--update')) {
  await update();
} else {
  for (const mode of Object.keys(MODES)) {
    test(`every construct gives the reviewed frames, ${mode}`, async () => {
      assert.ok(existsSync(FILE), `${FILE} is missing: docs/add-a-node-major.md tells how it is made`);
      const golden = JSON.parse(readFileSync(FILE, 'utf8'));
      let found;
      // More time for each case, not less to ask.
      for (let attempt = 0; attempt < TRIES; attempt++) {
        found = misses(golden, await record(mode, MILLISECONDS * 2 ** attempt), mode);
        if (found.length === 0) return;
      }
      assert.unreachable(found.join('\n'));
    });
  }
  test.run();
}
