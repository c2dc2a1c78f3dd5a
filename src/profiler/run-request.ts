// What `strobe run` asks of the Node processes that it starts (STROBE_RUN, JSON), and which of them owns the run's files.
//
// A child of the owner knows it by STROBE_OWNER_PID. A shell that starts two programs has no such ancestor: there the first process to write its id into
// the run's PROCESSES file, which `strobe run` makes way for and removes, is the owner. Nothing here throws: a process that can't tell stays what it would be.

import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface RunRequest {
  dir: string;
  windows: boolean;
  tags: Record<string, string>;
}

/** In the directory of a run while it runs: the ids of its Node processes, one a line, the owner's first. */
export const PROCESSES = '.processes';

export function runRequest(): RunRequest | undefined {
  return process.env.STROBE_RUN ? (JSON.parse(process.env.STROBE_RUN) as RunRequest) : undefined;
}

function writeOwnId(path: string, flags: string | number): NodeJS.ErrnoException | undefined {
  try {
    const file = openSync(path, flags);
    writeSync(file, `${process.pid}\n`);
    closeSync(file);
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

/** The process id of the run's owner. */
export function claim({ dir }: RunRequest, known: string | undefined): string {
  const own = String(process.pid);
  if (known === own) return own;
  const path = join(dir, PROCESSES);
  if (known === undefined) {
    try {
      mkdirSync(dir, { recursive: true });
    } catch {
      return own; // Refused with a clear message when the profiler starts.
    }
    if (writeOwnId(path, 'wx')?.code !== 'EEXIST') return own;
  }
  writeOwnId(path, constants.O_WRONLY | constants.O_APPEND);
  return known ?? 'another';
}
