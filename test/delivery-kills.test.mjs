// 200 windows, a tenth of all requests fail, the process is killed twice at the worst moment: every window arrives, at most one is doubled a kill, counts add up.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { run } from './delivery-run.mjs';

test('200 windows, 10 % faults, two SIGKILLs', async () => {
  const result = await run();
  const text = JSON.stringify(result);
  if (process.env.STROBE_TEST_FIGURES) console.log(text);
  assert.equal(result.lost, [], text);
  assert.ok(result.duplicates <= 2, text);
  assert.ok(result.faults >= 10, `the receiver failed: ${text}`);
  assert.equal([result.failed, result.dropped, result.left], [0, 0, 0], text);
  const { last } = result;
  assert.is(last.accepted, result.pushedByLast);
  // What it delivered is what it made, and what the dead ones left.
  assert.ok(last.delivered >= last.accepted && last.takenOver >= 1, text);
});

test.run();
