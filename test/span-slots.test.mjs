// labels/span-slots.ts: slots in the engine's memory, given out by JavaScript.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { startProfiler } = require(join(DIST, 'index.js'));
const { isProfilerRunning, labelEngine } = require(join(DIST, 'labels', 'engine.js'));
const { NO_ROOM, closeSlot, generationOf, openSlot, readSlot } = require(join(DIST, 'labels', 'span-slots.js'));

/** Of a thread; slot 0 stands for none. */
const SLOTS = 131_072;
const engine = labelEngine();
/** The chunks that the engine gave: their memory, as a handler sees it. */
const given = [];
const { spanChunk } = engine;
engine.spanChunk = () => {
  const chunk = spanChunk();
  if (chunk) given.push(chunk);
  return chunk;
};
const counters = (slot) => {
  const chunk = given.find(({ first }) => slot >= first && slot < first + 1024);
  return {
    generation: new Int32Array(chunk.memory, (slot - chunk.first) * 24, 1),
    ns: new Float64Array(chunk.memory, (slot - chunk.first) * 24 + 8, 2),
  };
};

test('a thread that was never sampled has no slots', () => {
  assert.is(isProfilerRunning(), false);
  assert.is(openSlot(), 0);
});

let profiler;
test('a slot is zero when it is opened, and nobody else has its generation', () => {
  profiler = startProfiler({ exporters: [] });
  assert.is(isProfilerRunning(), true);
  const slot = openSlot();
  const generation = generationOf(slot);
  assert.is(generation & 1, 1);
  assert.is(readSlot(slot, generation), 0);
  const { ns } = counters(slot);
  ns[0] = 3;
  ns[1] = 4;
  assert.is(readSlot(slot, generation), 7);
  assert.is(readSlot(slot, generation + 2), -1);
  closeSlot(slot, generation + 2);
  assert.is(readSlot(slot, generation), 7, 'not its own');
  closeSlot(slot, generation);
  closeSlot(slot, generation);
  assert.is(readSlot(slot, generation), -1);
  assert.is(openSlot(), slot, 'the one that was used last');
  assert.is(generationOf(slot), generation + 2);
  assert.is(readSlot(slot, generation + 2), 0);
  closeSlot(slot, generation + 2);
});

test('as many as there are, each once', () => {
  const all = [];
  for (let slot = openSlot(); slot !== NO_ROOM; slot = openSlot()) all.push(slot);
  assert.is(all.length, SLOTS - 1);
  assert.is(new Set(all).size, all.length);
  for (const slot of all) closeSlot(slot, generationOf(slot));
  const again = openSlot();
  assert.ok(again > 0);
  closeSlot(again, generationOf(again));
});

test('a slot whose generations are used up is not given out again', () => {
  const slot = openSlot();
  counters(slot).generation[0] = -1; // four billion uses later
  closeSlot(slot, -1);
  assert.is(readSlot(slot, 0), 0, 'the generation of nobody');
  for (let i = 0; i < SLOTS; i++) {
    const other = openSlot();
    if (other === NO_ROOM) break;
    assert.is.not(other, slot);
  }
});

test('after the profiler JavaScript knows that nothing is counted', async () => {
  await profiler.stop();
  assert.is(isProfilerRunning(), false);
});

test.run();
