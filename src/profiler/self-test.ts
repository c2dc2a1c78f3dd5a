// Runs the engine's self-test in the encoder's isolate: what is read of V8's heap is compared with a function whose lines and inlining are known, in this
// very binary. What fails is switched off by the engine; here it is only run and reported. Layouts belong to the binary, so one isolate speaks for all, and
// the application's threads do nothing for it.

import { runInThisContext } from 'node:vm';
import type { NativeAddon, SelfTestVerdicts } from '../native';

/** It is over in some milliseconds where code is optimised as usual; with optimisation switched off it gives up after this. */
const LIMIT_MS = 50;
/** Iterations a call: enough that a few calls make V8 optimise. */
const ITERATIONS = 500;

/** What failed, as a sentence; '' when nothing did. */
export function runSelfTest(native: NativeAddon): string {
  let probe: ((n: number) => number) | undefined;
  const verdicts = native.selfTest(
    (source) => {
      probe = runInThisContext(source, { filename: 'strobe:self-test' });
    },
    () => probe?.(ITERATIONS),
    LIMIT_MS,
  );
  return failures(verdicts);
}

const FEATURES = {
  bytecode: 'lines of interpreted code',
  baseline: 'lines of Sparkplug code',
  optimised: 'inlined functions and lines of optimised code',
  sourceMap: "source maps named by scripts that aren't on disk",
  exitFrame: 'stacks of incremental collections',
} as const;

function failures(verdicts: SelfTestVerdicts): string {
  return (Object.keys(FEATURES) as (keyof typeof FEATURES)[])
    .filter((name) => !['passed', 'not seen'].includes(verdicts[name]))
    .map((name) => `${FEATURES[name]} (${verdicts[name]})`)
    .join(', ');
}
