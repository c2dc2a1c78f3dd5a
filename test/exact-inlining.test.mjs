// Are functions that V8 inlined named, with their lines? A hot loop in leaf, called by mid, called by outer, called by drive, all in one piece of optimised
// code, as functions, methods, closures and a callback of an array's method. The leaf's share is compared with what the program's own clock says.

import { test } from 'uvu';
import { percent, profiled, shows, sumOf } from './exact-helpers.mjs';
import { NODE_MAJOR } from './helpers.mjs';

// Of the true share. V8 14's Maglev and TurboFan keep fewer positions of inlined loops.
const LEAST_SHARE = NODE_MAJOR >= 26 ? 0.7 : 0.85;
const LEAST_RIGHT = 0.95;
const CALLERS = ['mid', 'outer', 'drive'];
const HAS_MAGLEV = NODE_MAJOR >= 24;

// Where Maglev peeled a loop, V8 gives calls that it inlined in the loop's main copy the position of the loop's header. So with Maglev only the order of the
// functions and the lines of the leaf are certain, and the lines of calls are checked without it.
const RUNS = HAS_MAGLEV
  ? [
      { name: 'as V8 mixes the tiers', nodeArgs: ['--trace-turbo-inlining', '--trace-maglev-inlining'], callLines: false },
      { name: 'no Maglev', nodeArgs: ['--trace-turbo-inlining', '--no-maglev'], callLines: true },
    ]
  : [{ name: 'as V8 mixes the tiers', nodeArgs: ['--trace-turbo-inlining'], callLines: true }];

/** The frames that a user wrote: an array's method may stand between a callback and its caller, or be inlined itself. */
const written = (frames) => frames.filter(({ name }) => !name.startsWith('Array') && !name.startsWith('forEach'));

const asText = (frames) =>
  frames
    .slice(0, 5)
    .map(({ name, line, column }) => `${name}:${line}:${column}`)
    .join(' < ');

/** Whether V8 (TurboFan, or Maglev, which says it in another way on each major) tells that it inlined the function. */
const wasInlined = (trace, name) => new RegExp(`^(== )?Inlining [^{<]*\\{?[^<]*<SharedFunctionInfo ${name}>`, 'm').test(trace);

async function measure(shape, { name: run, nodeArgs, callLines }, seconds) {
  const { said, stacks, stdout, samples } = await profiled('inlined.cjs', {
    nodeArgs,
    args: [shape, seconds],
  });
  const { took, lines } = said;
  const truth = took.drive / (took.drive + took.beside);
  const inParts = sumOf(stacks, (frames) => frames.some(({ name }) => name === 'drive' || name === 'beside'));
  const isLeaf = (frames) => frames[0].name === 'leaf';
  const leaf = sumOf(stacks, isLeaf);
  const atLoop = sumOf(stacks, (frames) => isLeaf(frames) && lines.loop.includes(frames[0].line));
  const hasOrder = (frames) => isLeaf(frames) && CALLERS.every((name, i) => written(frames)[i + 1]?.name === name);
  const hasLines = (frames) => hasOrder(frames) && CALLERS.every((name, i) => lines[`in ${name}`].includes(written(frames)[i + 1].line));
  const isRight = callLines ? hasLines : hasOrder;
  const inOrder = sumOf(stacks, hasOrder);
  const withLines = sumOf(stacks, hasLines);
  const inlined = ['leaf', 'mid', 'outer'].filter((name) => wasInlined(stdout, name));
  const misses = [];
  if (leaf / inParts < LEAST_SHARE * truth) misses.push('the share of the leaf is too small');
  if (leaf / inParts > 1.1 * truth) misses.push('the share of the leaf is too large');
  if (atLoop < LEAST_RIGHT * leaf) misses.push("lines of the leaf that are not its loop's");
  if (inOrder < LEAST_RIGHT * leaf) misses.push('stacks that are not leaf < mid < outer < drive');
  if (callLines && withLines < LEAST_RIGHT * leaf) misses.push('lines of callers that are not where they call');
  if (inlined.length < 3) misses.push(`V8 inlined only ${inlined}`);
  const text =
    `${shape}, ${run}: ${samples} samples, leaf ${percent(leaf, inParts)} of a true ${percent(truth, 1)}, ` +
    `${percent(leaf / inParts, truth)} of it; ` +
    `at its loop ${percent(atLoop, leaf)}, callers in order ${percent(inOrder, leaf)}, on the lines of their calls ${percent(withLines, leaf)}`;
  if (misses.length > 0) {
    const wrong = stacks
      .filter(({ frames }) => frames.some(({ name }) => name === 'drive') && !(isRight(frames) && lines.loop.includes(frames[0].line)))
      .sort((a, b) => b.value - a.value)
      .slice(0, 8)
      .map(({ frames, value }) => `${percent(value, inParts)} ${asText(frames)}`);
    misses.push(...wrong, JSON.stringify(lines));
  }
  return { misses, text };
}

for (const shape of ['plain', 'method', 'closure', 'callback']) {
  for (const run of RUNS) {
    test(`an inlined leaf has its share, its line and its callers: ${shape}, ${run.name}`, () =>
      shows(2, (seconds) => measure(shape, run, seconds)));
  }
}

test.run();
