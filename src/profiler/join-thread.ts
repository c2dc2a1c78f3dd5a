// Preloaded into Workers (see threads.ts): registers this thread's isolate before the Worker's own code runs. In a main thread (a child process that
// inherited the Worker's execArgv) it does nothing. Workers that this Worker starts are followed, too. A failure is not the application's: the thread stays unsampled.

import { isMainThread, threadId } from 'node:worker_threads';
import { loadNative } from '../native';
import { followWorkers, threadName } from './threads';

if (!isMainThread) {
  try {
    const native = loadNative();
    native.join(threadName(), threadId, true);
    followWorkers(native);
  } catch (error) {
    process.emitWarning(`strobe: this Worker is not profiled: ${(error as Error).message}`);
  }
}
