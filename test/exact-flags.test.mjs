// Does V8 run any other way under strobe when it is told to compile, collect or lay out frames in unusual ways? A varied program ends well and every frame has
// a name. Flags that this Node has not are left out.

import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import { percent, profiled, shows } from './exact-helpers.mjs';

const MOST_UNRESOLVED = 0.001;
const LEAST_SAMPLES = 100;
const SETS = [
  [],
  ['--stress-compaction'],
  ['--stress-scavenge=20', '--stress-marking=20'],
  ['--always-sparkplug'],
  ['--always-sparkplug', '--stress-compaction'],
  ['--jitless'],
  ['--interpreted-frames-native-stack'],
  ['--no-opt'],
  ['--no-sparkplug', '--no-opt', '--no-maglev'],
  ['--stress-inline'],
  ['--stress-concurrent-inlining'],
  ['--maglev'],
  ['--stress-maglev'],
  ['--no-turbofan'],
  ['--always-osr'],
  ['--always-turbofan'],
  ['--turbolev'],
  ['--deopt-every-n-times=200'],
  ['--no-lazy-feedback-allocation'],
  ['--no-short-builtin-calls'],
  ['--perf-basic-prof'],
  ['--cpu-prof'],
  ['--experimental-async-context-frame'],
];
const KNOWN = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' }).stdout;
const known = (flag) => {
  const name = flag.replace(/^--(no-)?/, '').replace(/=.*/, '');
  return new RegExp(`^ +--(no-)?${name} `, 'm').test(KNOWN) || process.allowedNodeEnvironmentFlags.has(`--${name}`);
};

async function measure(flags, seconds) {
  const { totals, samples } = await profiled('varied.cjs', { nodeArgs: flags, args: [seconds] });
  const { frames, unresolved_frames: unresolved } = totals;
  const misses = [];
  if (samples < LEAST_SAMPLES) misses.push('too few samples');
  if (!(unresolved < MOST_UNRESOLVED * frames)) misses.push('too many frames without a name');
  const name = flags.join(' ') || 'no flags';
  return { misses, text: `${name}: ${samples} samples, unresolved ${unresolved} of ${frames} frames, ${percent(unresolved, frames)}` };
}

for (const flags of SETS) {
  if (!flags.every(known)) continue;
  test(`a varied program: ${flags.join(' ') || 'no flags'}`, () => shows(0.7, (seconds) => measure(flags, seconds)));
}

test.run();
