// process.execve() (Node 22.15 and 23.11 on) puts another program into this process. It runs no exit listener and no cleanup hook, and a sample signal that is on its
// way would end the new program, whose handlers are the default ones. So it is treated as an end: the last profile is delivered, the clock is off, then
// the call goes on. When it fails, the application lives on without a profiler, and is told.

type Execve = (file: string, args?: readonly string[], env?: Record<string, string>) => never;
const holder = process as { execve?: Execve };

/** Calls `end` before an execve, and `failed` when the call comes back. Returns the way back. */
export function beforeExecve(end: () => void, failed: () => void): () => void {
  const original = holder.execve;
  if (typeof original !== 'function') return () => {};
  const wrapper: Execve = (...args) => {
    end();
    try {
      return original.apply(process, args);
    } catch (error) {
      failed();
      throw error;
    }
  };
  holder.execve = wrapper;
  return () => {
    // Somebody may have wrapped ours meanwhile: then it stays, and `end` has nothing to end.
    if (holder.execve === wrapper) holder.execve = original;
  };
}
