// When what a signal costs is measured again (src/profiler/signal-measures.ts), on timers of the test's own.

import { createRequire } from 'node:module';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const { measureSignalsNowAndThen } = createRequire(import.meta.url)('../dist/profiler/signal-measures.js');

/** The gaps between `count` measures, seconds; `enough` says of each whether there was enough to measure. */
function gaps(count, enough) {
  const found = [];
  const { setTimeout: real } = globalThis;
  let pending;
  globalThis.setTimeout = (then, ms) => {
    pending = { then, ms };
    return { unref() {} };
  };
  try {
    measureSignalsNowAndThen({ measureSignals: () => enough(found.length) }, () => found.length >= count);
    while (pending) {
      const { then, ms } = pending;
      pending = undefined;
      found.push(ms / 1000);
      then();
    }
  } finally {
    globalThis.setTimeout = real;
  }
  return found;
}

test('a busy process is measured each second at first, rarer and rarer, and every two minutes in the end', () => {
  const found = gaps(40, () => true);
  assert.equal(found.slice(0, 12), [1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4]);
  assert.equal(found.slice(-4), [128, 128, 128, 128]);
});

test('a process with too few signals is woken up half as often each time', () => {
  assert.equal(
    gaps(10, () => false),
    [1, 2, 4, 8, 16, 32, 64, 128, 128, 128],
  );
  assert.equal(
    gaps(6, (at) => at > 2),
    [1, 2, 4, 4, 4, 4],
  );
});

test('it ends with the encoder', () => {
  assert.equal(
    gaps(1, () => true),
    [1],
  );
});

test.run();
