// Are the lines right? Functions of several loops, each loop's time measured by the program itself: nearly all self time must stand on lines of loops, and
// each loop's share must be what the program measured; in each tier alone, and as V8 mixes them. And columns: two calls on one line are told apart.

import { test } from 'uvu';
import { percent, profiled, shows, sumOf } from './exact-helpers.mjs';
import { NODE_MAJOR } from './helpers.mjs';

const LEAST_ON_LOOPS = 0.95;
const MOST_POINTS = 3;
/** Calls that were mixed up would be off by 30 and more. */
const MOST_POINTS_OF_CALLS = 8;
const LEAST_SAMPLES = 1000;
const HAS_MAGLEV = NODE_MAJOR >= 24;
const FUNCTIONS = ['integers', 'floats', 'objects'];

const TIERS = {
  'as V8 mixes them': [],
  'TurboFan, no on-stack replacement': ['--no-use-osr', '--no-maglev'],
  TurboFan: ['--no-maglev'],
  Maglev: ['--no-turbofan'],
  'Maglev, no on-stack replacement': ['--no-turbofan', '--no-use-osr'],
  Sparkplug: ['--always-sparkplug', '--no-opt', '--no-maglev'],
  interpreter: ['--no-sparkplug', '--no-opt', '--no-maglev'],
};
/** Where calls may be inlined, they are measured without that too. */
const INLINES = ['TurboFan', 'Maglev'];
const needsMaglev = (name) => name.startsWith('Maglev');

async function measureLoops(name, seconds) {
  const { said, stacks } = await profiled('lines.cjs', { nodeArgs: TIERS[name], args: ['loops', seconds] });
  const loopOfLine = new Map(Object.entries(said.loops).flatMap(([loop, { lines }]) => lines.map((line) => [line, loop])));
  const wanted = Object.values(said.loops).reduce((sum, { took }) => sum + took, 0);
  const isOurs = ([{ name: func }]) => FUNCTIONS.includes(func);
  const samples = sumOf(stacks, isOurs, 'count');
  const self = sumOf(stacks, isOurs);
  const found = new Map(Object.keys(said.loops).map((loop) => [loop, 0]));
  const elsewhere = new Map();
  for (const { frames, value } of stacks) {
    // What a loop calls (a builtin, the collector) is the loop's too: its share is of time, not of self time.
    const ours = frames.find((frame) => FUNCTIONS.includes(frame.name));
    if (ours === undefined || frames.some((frame) => frame.name === 'mark' || frame.name === 'now')) continue;
    const loop = loopOfLine.get(ours.line);
    if (loop !== undefined) found.set(loop, found.get(loop) + value);
    else if (frames[0] === ours) {
      const place = `${ours.name}:${ours.line}:${ours.column}`;
      elsewhere.set(place, (elsewhere.get(place) ?? 0) + value);
    }
  }
  const off = [...elsewhere.values()].reduce((sum, value) => sum + value, 0);
  const all = [...found.values()].reduce((sum, value) => sum + value, 0);
  const errors = [...found].map(([loop, value]) => [loop, (100 * value) / all - (100 * said.loops[loop].took) / wanted]);
  const misses = [];
  if (samples < LEAST_SAMPLES) misses.push('too few samples');
  if (self - off < LEAST_ON_LOOPS * self) misses.push('self time on lines that are no loop');
  for (const [loop, error] of errors) {
    if (Math.abs(error) > MOST_POINTS)
      misses.push(`${loop} is off by ${error.toFixed(2)} of ${((100 * said.loops[loop].took) / wanted).toFixed(2)}`);
  }
  const shown = errors.map(([, error]) => error.toFixed(1)).join(' / ');
  const text = `${name}: ${samples} samples, ${percent(self - off, self)} of self time on loops' lines, shares off by ${shown} points`;
  if (misses.length > 0) {
    const top = [...elsewhere].sort((a, b) => b[1] - a[1]).slice(0, 8);
    misses.push(...top.map(([place, value]) => `${percent(value, self)} at ${place}`));
  }
  return { misses, text };
}

async function measureColumns(name, seconds) {
  const inlining = HAS_MAGLEV ? ['--no-turbo-inlining', '--no-maglev-inlining'] : ['--no-turbo-inlining'];
  const results = [];
  for (const extra of INLINES.includes(name) ? [[], inlining] : [[]]) {
    const { said, stacks } = await profiled('lines.cjs', { nodeArgs: [...TIERS[name], ...extra], args: ['columns', seconds] });
    const misses = [];
    const texts = [];
    const took = said.columns.a.took + said.columns.b.took;
    const inBoth = sumOf(stacks, (frames) => frames.some((frame) => frame.name === 'both'));
    for (const callee of ['a', 'b']) {
      const { line, column } = said.columns[callee];
      const calls = (frames) => frames.findIndex((frame, at) => at > 0 && frame.name === 'both' && frames[at - 1].name === callee);
      const called = sumOf(stacks, (frames) => calls(frames) > 0);
      const right = sumOf(stacks, (frames) => frames[calls(frames)]?.line === line && frames[calls(frames)]?.column === column);
      const atColumn = sumOf(stacks, (frames) =>
        frames.some((frame) => frame.name === 'both' && frame.line === line && frame.column === column),
      );
      const truth = said.columns[callee].took / took;
      if (right < 0.98 * called) misses.push(`${callee} is called at ${line}:${column}, so says only ${percent(right, called)}`);
      if (Math.abs(atColumn / inBoth - truth) > MOST_POINTS_OF_CALLS / 100) misses.push(`the share at ${line}:${column} is off`);
      texts.push(`${callee} at its column ${percent(right, called)}, share ${percent(atColumn, inBoth)} of a true ${percent(truth, 1)}`);
    }
    if (misses.length > 0) {
      const places = new Map();
      for (const { frames, value } of stacks) {
        const at = frames.findIndex((frame) => frame.name === 'both');
        if (at < 0) continue;
        const place = `${at > 0 ? frames[at - 1].name : ''} < both:${frames[at].line}:${frames[at].column}`;
        places.set(place, (places.get(place) ?? 0) + value);
      }
      misses.push(
        ...[...places]
          .sort((a, b) => b[1] - a[1])
          .slice(0, 6)
          .map(([place, value]) => `${percent(value, inBoth)} ${place}`),
      );
    }
    results.push({ misses, text: `${name}${extra.length > 0 ? ', not inlined' : ''}: ${texts.join('; ')}` });
  }
  return { misses: results.flatMap(({ misses }) => misses), text: results.map(({ text }) => text).join('\n    ') };
}

for (const name of Object.keys(TIERS)) {
  if (needsMaglev(name) && !HAS_MAGLEV) continue;
  test(`the lines of loops: ${name}`, () => shows(3, (seconds) => measureLoops(name, seconds)));
}
for (const name of ['as V8 mixes them', 'TurboFan', 'Maglev', 'Sparkplug', 'interpreter']) {
  if (needsMaglev(name) && !HAS_MAGLEV) continue;
  test(`two calls on one line: ${name}`, () => shows(2, (seconds) => measureColumns(name, seconds)));
}

test.run();
