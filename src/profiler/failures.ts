// What a profiler says when something fails: the engine's errors as the package's own, the encoder that could not be started, calls behind the end.

import { writeSync } from 'node:fs';
import { StrobeError, type StrobeErrorCode } from '../errors';

/** Turns the addon's errors into ours. */
export function asStrobeError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_ALREADY_RUNNING') {
    return new StrobeError(code, 'the profiler is already running in this process; stop() the first one before starting another', {
      cause: error,
    });
  }
  if (code === 'ERR_UNSUPPORTED_RUNTIME') {
    return new StrobeError(
      code as StrobeErrorCode,
      `this runtime (${process.release?.name ?? 'unknown'} ${process.version}) can not be profiled: ${message}. strobe needs Node.js 20 or later.`,
      { cause: error },
    );
  }
  return error;
}

/** Nothing asynchronous is done any more when a process ends. */
export function sayAtExit(message: string): void {
  try {
    writeSync(2, `strobe: ${message}\n`);
  } catch {
    // Nobody reads stderr.
  }
}

export function encoderRefused(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_ACCESS_DENIED'
    ? "Node's permission model refuses the Worker that writes the profiles: add --allow-worker, --allow-addons, --allow-fs-read for strobe's own folder " +
        'and --allow-fs-write for the folder of the profiles'
    : `the Worker that writes the profiles could not be started: ${message}`;
}

export function notRunning(what: string): StrobeError {
  return new StrobeError('ERR_NOT_RUNNING', `${what}: the profiler is not running; start it with startProfiler()`);
}
