// Whole stacks where V8 gives none, or only a part: samples inside garbage collections have the stack that triggered them; a stack deeper than maxDepth keeps
// its leaf side, says so and is counted.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { figure, percent, profiled, shows, stacksOf, sumOf } from './exact-helpers.mjs';
import { decode, folder, INDEX, ROOT, runNode } from './helpers.mjs';

const COLLECTOR = '(garbage collector)';
const LEAST_WITH_STACK = 0.9;
const LEAST_SAMPLES = 100;

// Marking that V8 does as tasks of the event loop has no stack: nobody's allocation waits for it. It is left out by a flag.
async function measureCollector(kind, allocators, seconds) {
  const { stacks } = await profiled('garbage.cjs', { nodeArgs: ['--no-incremental-marking-task'], args: [kind, seconds] });
  const collects = (frames) => frames[0].name === COLLECTOR;
  const samples = sumOf(stacks, collects, 'count');
  const withStack = sumOf(stacks, (frames) => collects(frames) && frames.length > 1, 'count');
  const withAllocator = sumOf(stacks, (frames) => collects(frames) && frames.some(({ name }) => allocators.includes(name)), 'count');
  const misses = [];
  if (samples < LEAST_SAMPLES) misses.push('too few samples in the collector');
  if (withStack < LEAST_WITH_STACK * samples) misses.push('collections without a stack');
  if (withAllocator < LEAST_WITH_STACK * samples) misses.push('collections without the function that allocated');
  const text = `${kind}: ${samples} samples in the collector, ${percent(withStack, samples)} with a stack, ${percent(withAllocator, samples)} with the allocating function`;
  if (misses.length > 0) {
    const kinds = new Map();
    for (const { frames, count } of stacks) {
      if (!collects(frames) || frames.some(({ name }) => allocators.includes(name))) continue;
      const top = frames
        .slice(0, 4)
        .map(({ name }) => name)
        .join(' < ');
      kinds.set(top, (kinds.get(top) ?? 0) + count);
    }
    misses.push(
      ...[...kinds]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 8)
        .map(([top, count]) => `${count} ${top}`),
    );
  }
  return { misses, text };
}

test('collections have a stack: objects', () => shows(3, (seconds) => measureCollector('objects', ['allocateObjects'], seconds)));
test('collections have a stack: strings and JSON', () =>
  shows(3, (seconds) => measureCollector('strings', ['allocateStrings', 'work'], seconds)));

async function deep(maxDepth, depth) {
  const out = folder();
  const env = { EXACT_INDEX: INDEX, EXACT_PROFILE: join(out, 'cpu.pb.gz'), EXACT_RESULT: join(out, 'said.json') };
  const program = join(ROOT, 'test', 'programs', 'exact', 'deep.cjs');
  const { code, stdout, stderr } = await runNode([program, maxDepth, depth, 2].map(String), { env });
  assert.is(code, 0, stdout + stderr);
  const profile = decode(readFileSync(env.EXACT_PROFILE), 'cpu.pb.gz');
  return { stacks: stacksOf(profile), said: JSON.parse(readFileSync(env.EXACT_RESULT, 'utf8')) };
}

test('a stack deeper than maxDepth keeps its leaf side, says so, and is counted', async () => {
  const { stacks, said } = await deep(40, 200);
  const isDeep = (frames) => frames[0].name === 'bottom';
  const samples = sumOf(stacks, isDeep, 'count');
  figure(`maxDepth 40 of 200: ${samples} samples at the bottom, stats().truncated ${said.truncated}`);
  assert.ok(samples > 200, `only ${samples} samples`);
  for (const { frames } of stacks.filter((stack) => isDeep(stack.frames))) {
    assert.is(frames.at(-1).name, '(truncated)');
    assert.ok(frames.slice(1, -1).every(({ name }) => name === 'recurse'));
    // maxDepth counts V8's frames: the interrupted function and functions that were inlined come on top, and `(truncated)`.
    assert.ok(frames.length > 40, `${frames.length} frames`);
    assert.ok(frames.length < 200, `${frames.length} frames`);
  }
  const cut = sumOf(stacks, (frames) => frames.at(-1).name === '(truncated)', 'count');
  assert.ok(Math.abs(cut - said.truncated) <= 0.01 * cut + 1, `${cut} stacks cut, ${said.truncated} counted`);
});

test('a stack of less than maxDepth is whole', async () => {
  const { stacks, said } = await deep(512, 200);
  const samples = sumOf(stacks, (frames) => frames[0].name === 'bottom', 'count');
  const whole = sumOf(
    stacks,
    (frames) => frames[0].name === 'bottom' && frames.filter(({ name }) => name === 'recurse').length === 201,
    'count',
  );
  figure(`maxDepth 512 of 200: ${samples} samples at the bottom, ${percent(whole, samples)} whole, stats().truncated ${said.truncated}`);
  assert.is(said.truncated, 0);
  assert.ok(whole >= 0.99 * samples, `${whole} of ${samples} whole`);
});

test.run();
