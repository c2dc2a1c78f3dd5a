// What the tests of exactness share: a program of test/programs/exact under `strobe run` at 1 kHz, its profile as stacks of plain frames.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { decode, folder, NODE_MAJOR, ROOT, strobe, totalsFromComments } from './helpers.mjs';

const FIGURES = process.env.STROBE_TEST_FIGURES === '1';
const TRIES = 3;

/** Prints what the assertions only bound. */
export function figure(text) {
  if (FIGURES) console.log(`  Node ${NODE_MAJOR}: ${text}`);
}

export const percent = (part, whole) => `${((100 * part) / whole).toFixed(2)} %`;

/** Samples as `{ value, count, frames: [{ name, file, line, column }] }`, leaf first. */
export function stacksOf(profile) {
  const frames = profile.locations.map(({ lines }) =>
    lines.map((line) => ({
      name: profile.functions[line.function].name,
      file: profile.functions[line.function].filename,
      line: line.line,
      column: line.column,
    })),
  );
  return profile.samples.map(({ values, locations, labels }) => ({
    count: values[0],
    value: values[1],
    frames: locations.flatMap((location) => frames[location]),
    labels,
  }));
}

/**
 * V8's flags are the encoder's, too: where they make it slow, the program's end waits longer for it.
 * Runs `node [nodeArgs] program args…` under `strobe run`; the program writes what it has to say, as JSON, to the file EXACT_RESULT (stdout is V8's, which traces there).
 * @returns {Promise<{said: any, stacks: ReturnType<typeof stacksOf>, totals: Record<string, number>, samples: number}>}
 */
export async function profiled(program, { nodeArgs = [], args = [], env = {}, limitSeconds = 120, hz = 1000 }) {
  const out = folder();
  const result = join(out, 'said.json');
  const path = join(ROOT, 'test', 'programs', 'exact', program);
  const command = [process.execPath, ...nodeArgs, path, ...args.map(String)];
  const { stdout, stderr, code, signal } = await strobe(
    ['run', '--hz', String(hz), '--exit-timeout', '20', '--out', out, '--', ...command],
    {
      env: { ...env, EXACT_RESULT: result },
      limitSeconds,
      // Some of V8's flags leave files where the program runs.
      cwd: out,
    },
  );
  assert.is(code, 0, `${nodeArgs.join(' ')} ${program}: ${signal ?? `exit code ${code}`}\n${stdout}\n${stderr}`);
  const profile = decode(readFileSync(join(out, 'cpu.pb.gz')), 'cpu.pb.gz');
  const stacks = stacksOf(profile);
  return {
    said: JSON.parse(readFileSync(result, 'utf8')),
    stdout,
    stacks,
    totals: totalsFromComments(profile.comments).totals,
    samples: stacks.reduce((sum, { count }) => sum + count, 0),
  };
}

/** The sum of the stacks' CPU for which `matches(frames)` holds. */
export function sumOf(stacks, matches = () => true, what = 'value') {
  return stacks.reduce((sum, stack) => (matches(stack.frames) ? sum + stack[what] : sum), 0);
}

/**
 * A sampler that is right has to be lucky only now and then, one that is wrong misses every time: `measure(seconds)` returns { misses: string[], text }, and
 * is asked again with twice the time while something misses.
 */
export async function shows(seconds, measure) {
  let found = '';
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const { misses, text } = await measure(seconds * 2 ** attempt);
    figure(text);
    if (misses.length === 0) return;
    found += `${text}\n  ${misses.join('\n  ')}\n`;
  }
  assert.unreachable(found);
}
