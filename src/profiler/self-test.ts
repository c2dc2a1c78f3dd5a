// Runs the engine's self-test in the encoder's isolate: what is read of V8's heap is compared with a function whose lines and inlining are known, in this
// very binary. What fails is switched off by the engine; here it is only run and reported. Layouts belong to the binary, so one isolate speaks for all, and
// the application's threads do nothing for it.

import { runInThisContext } from 'node:vm';
import { EMPTY_SET, Label } from '../label';
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
  return [failures(verdicts), testLabels(native)].filter((text) => text !== '').join(', ');
}

/** A label with known fields, read by the engine in both ways. */
function testLabels(native: NativeAddon): string {
  const words = Int32Array.from({ length: 12 }, (_, i) => 0x01010101 * (i + 1) * (i % 2 === 0 ? 1 : -1));
  const [id, generation, slot, slotGeneration, trace0, trace1, trace2, trace3, span0, span1, root0, root1] = words as unknown as number[];
  const span = { slot, slotGeneration, trace0, trace1, trace2, trace3, span0, span1, root0, root1 } as never;
  const label = new Label({ ...EMPTY_SET, id: id as number, generation: generation as number }, span, undefined);
  const key = {};
  const frame = new Map<object, unknown>([
    [{}, 1],
    [key, label],
    [{}, 2],
  ]);
  const other = new Map<object, unknown>(Array.from({ length: 9 }, () => [{}, label]));
  const { holder, frame: inFrame } = native.testLabels(label, { current: label }, frame, other, key, new Uint32Array(words.buffer));
  const failed = [...new Set([holder, inFrame])].filter((verdict) => verdict !== 'passed' && verdict !== 'not there');
  return failed.length > 0 ? `labels (${failed.join('; ')})` : '';
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
