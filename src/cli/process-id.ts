// The <pid> of the commands that control a running process.

import { UsageError } from './usage';

/** The kernel's own limit of process ids is 2^22. */
const MAX_PID = 2 ** 22;

/**
 * @param example the command's name
 * @throws UsageError
 */
export function processId(positionals: string[], command: string): number {
  const [text, ...rest] = positionals;
  if (text === undefined)
    throw new UsageError(`no process given: strobe ${command} <pid>; strobe status lists the processes that can be controlled`);
  if (rest.length > 0) throw new UsageError(`one process at a time, not ${positionals.length}`);
  const pid = Number(text);
  if (!/^\d+$/.test(text) || pid < 1 || pid > MAX_PID) throw new UsageError(`<pid> must be a process id, not '${text}'`);
  return pid;
}
