// Runs every case of the golden frames for a while, one after the other, under a profiler of its own; prints nothing. Usage: node program.mjs OUT MILLISECONDS
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { spin as imported, wasmCase } from './module.mjs';

const require = createRequire(import.meta.url);
const { cases } = require('./cases.cjs');
const { startProfiler } = require(process.env.GOLDEN_STROBE);
const [, , out, milliseconds] = process.argv;

const all = { ...cases, esm: () => imported(10_000), wasm: wasmCase };

async function runCase(name, work) {
  // The name of the case stands on the stack: that is how its samples are found.
  const driver = {
    async [`case:${name}`]() {
      const end = Date.now() + Number(milliseconds);
      while (Date.now() < end) {
        const result = work(10_000);
        if (typeof result?.then === 'function') await result;
      }
    },
  }[`case:${name}`];
  await driver();
}

const profiler = startProfiler({ frequencyHz: 1000 });
const profiles = {};
for (const [name, work] of Object.entries(all)) {
  await runCase(name, work);
  profiles[name] = Buffer.from(await profiler.snapshot('cpu')).toString('base64');
}
await profiler.stop();
writeFileSync(out, JSON.stringify(profiles));
