// labels/frames.ts: the async context frame is found where Node has it, leaves nothing behind, and entering by it is AsyncLocalStorage.run in all that can be seen.

import { AsyncLocalStorage, AsyncResource, executionAsyncId } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST, NODE_MAJOR } from './helpers.mjs';

const { findFrames, runInFrame } = createRequire(import.meta.url)(join(DIST, 'labels', 'frames.js'));

// Node 20 has none; 22 only when it is asked to.
const expected = NODE_MAJOR >= 24 || process.execArgv.includes('--experimental-async-context-frame');
const frames = findFrames();

test('frames are found exactly where Node follows storages by them', () => {
  assert.is(frames !== undefined, expected);
});

test('looking for them changes nothing that is current', () => {
  const storage = new AsyncLocalStorage();
  storage.run('value', () => {
    const before = frames?.current();
    const id = executionAsyncId();
    const again = findFrames();
    assert.is(again, frames);
    assert.is(storage.getStore(), 'value');
    assert.is(executionAsyncId(), id);
    // Not an equal one: each storage more makes every later copy larger.
    assert.is(frames?.current(), before);
  });
});

if (frames !== undefined) {
  const storage = new AsyncLocalStorage();
  const other = new AsyncLocalStorage();
  const inside = (value, fn) => runInFrame(frames, storage, value, fn);

  test('the value is there inside, through awaits and callbacks, and gone after it', async () => {
    const results = [];
    const work = inside('a', async () => {
      results.push(storage.getStore());
      await undefined;
      results.push(storage.getStore());
      inside('b', () => results.push(storage.getStore()));
      results.push(storage.getStore());
      await new Promise((resolve) => setTimeout(resolve, 1));
      results.push(storage.getStore());
      return 'done';
    });
    assert.is(storage.getStore(), undefined);
    assert.is(await work, 'done');
    assert.equal(results, ['a', 'a', 'b', 'a', 'a']);
    assert.is(storage.getStore(), undefined);
  });

  test('what is thrown comes out, and what was current before is current', () => {
    storage.run('outer', () => {
      const before = frames.current();
      assert.throws(
        () =>
          inside('inner', () => {
            throw new Error('from inside');
          }),
        /from inside/,
      );
      assert.is(storage.getStore(), 'outer');
      assert.is(frames.current(), before);
    });
  });

  test('what another storage was set to inside stays, as with run()', () => {
    for (const enter of [inside, (value, fn) => storage.run(value, fn)]) {
      new AsyncResource('test').runInAsyncScope(() =>
        storage.run('outer', () => {
          enter('inner', () => {
            other.enterWith('kept');
            assert.is(storage.getStore(), 'inner');
          });
          assert.is(other.getStore(), 'kept');
          assert.is(storage.getStore(), 'outer');
        }),
      );
    }
    assert.is(other.getStore(), undefined);
  });

  test('a storage that was disabled inside stays disabled, as with run()', () => {
    for (const enter of [inside, (value, fn) => storage.run(value, fn)]) {
      const disabled = new AsyncLocalStorage();
      disabled.run('value', () => {
        enter('inner', () => enter('deeper', () => disabled.disable()));
        assert.is(disabled.getStore(), undefined);
      });
      storage.run('outer', () => {
        enter('inner', () => disabled.disable());
        assert.is(storage.getStore(), 'outer');
      });
    }
  });

  test('other storages are there inside and bound functions keep theirs', () => {
    other.run('of the other', () => {
      const bound = inside('a', () => {
        assert.is(other.getStore(), 'of the other');
        return AsyncResource.bind(() => [storage.getStore(), other.getStore()]);
      });
      other.run('else', () => assert.equal(bound(), ['a', 'of the other']));
    });
  });
}

test.run();
