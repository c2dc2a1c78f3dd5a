// A Worker that no wrapper of ours started joins the profile by itself.

import { isMainThread, threadId } from 'node:worker_threads';
import { loadNative } from '../native';
import { asStrobeError } from './failures';
import { threadName } from './threads';

/**
 * Lets the calling Worker join the profile. Only needed in a Worker that was started before the profiler, without the preload. Idempotent.
 * @returns true when a profiler runs in this process (the thread is sampled from now on); otherwise it is sampled as soon as one starts.
 */
export function joinThread(): boolean {
  const native = loadNative();
  try {
    return native.join(threadName(), isMainThread ? 0 : threadId, false);
  } catch (error) {
    throw asStrobeError(error);
  }
}
