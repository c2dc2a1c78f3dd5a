// What the engine keeps of code that comes and goes: a program that compiles all the time, for ever, needs no more memory for its code than its heap has room for.

import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { INDEX } from './helpers.mjs';

const { startProfiler } = createRequire(import.meta.url)(INDEX);
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
setFlagsFromString('--expose-gc');
// What V8 itself keeps is not dead: Node 26 keeps functions made from text for long.
setFlagsFromString('--no-compilation-cache');
const gc = runInNewContext('gc');

const ROUNDS = 8;
const FUNCTIONS = 8_000;

test('functions that are thrown away leave the code map', async () => {
  const profiler = startProfiler({ frequencyHz: 100 });
  const entries = [];
  try {
    let made = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < FUNCTIONS; i++) new Function('a', `return a * ${made++}`)(1);
      // Twice: the first one may only end a marking that began before.
      gc();
      gc();
      await profiler.snapshot();
      await later(50);
      entries.push(profiler.stats().codeEntries);
    }
    // Bytecode and code of each, where nothing leaves: two entries a function.
    const { codeEvictedDead, memory } = profiler.stats();
    if (process.env.STROBE_TEST_FIGURES) console.log(`  ${made} functions: ${entries.join(', ')} entries, ${codeEvictedDead} were dead`);
    assert.ok(codeEvictedDead > made / 2, `${codeEvictedDead} of ${made} were found dead`);
    assert.ok(entries.at(-1) < made, `${entries.at(-1)} entries behind ${made} functions: ${entries.join(', ')}`);
    for (const [part, bytes] of Object.entries(memory)) assert.ok(bytes >= 0 && bytes < 2 ** 30, `${part}: ${bytes}`);
    assert.ok(memory.code > 0 && memory.names > 0 && memory.rings > 0, JSON.stringify(memory));
  } finally {
    await profiler.stop();
  }
});

test.run();
