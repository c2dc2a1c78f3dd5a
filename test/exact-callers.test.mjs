// Is the caller of a tiny function right? A function that is all prologue and epilogue is sampled there most of the time, where V8's own answer leaves its
// caller out. Every tiny function of test/programs/exact/tiny.cjs has one caller that may be, and that one's caller is `drive`; each tier alone, and callers
// in a lower tier than what they call. Inlining is off: it would leave no calls.

import { test } from 'uvu';
import { percent, profiled, shows, sumOf } from './exact-helpers.mjs';
import { NODE_MAJOR } from './helpers.mjs';

const MOST_WRONG = 0.005;
const LEAST_SAMPLES = 2000;
const HAS_MAGLEV = NODE_MAJOR >= 24;
const NO_INLINING = HAS_MAGLEV ? ['--no-turbo-inlining', '--no-maglev-inlining'] : ['--no-turbo-inlining'];
const TURBOFAN_ONLY = HAS_MAGLEV ? ['--no-maglev'] : [];
const NO_OPTIMISER = [...TURBOFAN_ONLY, '--no-opt'];

// `low`: V8 is told never to optimise the callers. `caller` and `tiny` are the tiers expected at the end; reported, not required.
const TIERS = {
  TurboFan: { flags: TURBOFAN_ONLY, caller: 'Turbofan', tiny: 'Turbofan' },
  Maglev: { flags: ['--no-turbofan'], caller: 'Maglev', tiny: 'Maglev' },
  Sparkplug: { flags: ['--always-sparkplug', ...NO_OPTIMISER], caller: 'Sparkplug', tiny: 'Sparkplug' },
  interpreter: { flags: ['--no-sparkplug', ...NO_OPTIMISER], caller: 'Ignition', tiny: 'Ignition' },
  'interpreted callers of TurboFan': { flags: ['--no-sparkplug', ...TURBOFAN_ONLY], low: true, caller: 'Ignition', tiny: 'Turbofan' },
  'interpreted callers of Maglev': { flags: ['--no-sparkplug', '--no-turbofan'], low: true, caller: 'Ignition', tiny: 'Maglev' },
  'Sparkplug callers of TurboFan': { flags: ['--always-sparkplug', ...TURBOFAN_ONLY], low: true, caller: 'Sparkplug', tiny: 'Turbofan' },
  'Sparkplug callers of Maglev': { flags: ['--always-sparkplug', '--no-turbofan'], low: true, caller: 'Sparkplug', tiny: 'Maglev' },
};

/** What stands where `caller7` should, or `drive`; '' when the stack is right, undefined when it is none of ours. */
function wrongParent(frames) {
  const at = frames.findIndex(({ name }) => /^(tiny|caller)\d/.test(name));
  if (at < 0) return undefined;
  let above = at;
  const tiny = frames[at].name.match(/^tiny(\d+)_/);
  if (tiny) {
    above++;
    if (frames[above]?.name !== `caller${tiny[1]}`)
      return `${frames[at].name.replace(/\d+/, 'N')} < ${frames[above]?.name.replace(/\d+/, 'N')}`;
  }
  return frames[above + 1]?.name === 'drive' ? '' : `callerN < ${frames[above + 1]?.name}`;
}

async function measure(name, seconds) {
  const { flags, low, caller, tiny } = TIERS[name];
  const { said, stacks, totals } = await profiled('tiny.cjs', {
    nodeArgs: ['--allow-natives-syntax', ...NO_INLINING, ...flags],
    args: low ? [seconds, 'low-callers'] : [seconds],
  });
  const isOurs = (frames) => wrongParent(frames) !== undefined;
  const isWrong = (frames) => isOurs(frames) && wrongParent(frames) !== '';
  const isTiny = ([{ name: leaf }]) => /^tiny\d/.test(leaf);
  const samples = sumOf(stacks, isOurs, 'count');
  const wrong = sumOf(stacks, isWrong, 'count');
  const inTiny = sumOf(stacks, isTiny, 'count');
  const wrongTiny = sumOf(stacks, (frames) => isTiny(frames) && isWrong(frames), 'count');
  const misses = [];
  if (samples < LEAST_SAMPLES) misses.push('too few samples');
  if (wrong >= MOST_WRONG * samples) misses.push('too many stacks with a wrong caller');
  const text =
    `${name}: ${samples} samples, ${percent(wrong, samples)} with a wrong caller; ${inTiny} of them in tiny functions, ${percent(wrongTiny, inTiny)} wrong; ` +
    `${totals.mended} mended; in the tier ${said.caller[caller] ?? 0} of 20 callers, ${said.tiny[tiny] ?? 0} of 120 tiny functions`;
  if (misses.length > 0) {
    const kinds = new Map();
    for (const { frames, count } of stacks) {
      const parent = wrongParent(frames);
      if (parent) kinds.set(parent, (kinds.get(parent) ?? 0) + count);
    }
    misses.push(
      ...[...kinds]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 12)
        .map(([kind, count]) => `${count} ${kind}`),
    );
  }
  return { misses, text };
}

for (const name of Object.keys(TIERS)) {
  if (name.includes('Maglev') && !HAS_MAGLEV) continue;
  test(`the callers of tiny functions: ${name}`, () => shows(5, (seconds) => measure(name, seconds)));
}

test.run();
