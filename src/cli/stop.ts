// strobe stop: ends the profiler of a running process; the process lives on.

import { ControlClient } from '../control/client';
import { processId } from './process-id';
import { parse, runCommand, writeOut } from './usage';

const HELP = `Usage: strobe stop <pid>

Ends the profiler of a running process: its last profile is delivered, the process lives on, unprofiled. That is done by the thread that started the
profiler; while its event loop is blocked, the profiler goes on, and this command says so (exit code 1).
The process must have been started with STROBE_CONTROL=1.

Examples:
  strobe stop 4711
`;

/** @returns the exit code: 0, 1 when it could not be done (yet), 2 for a wrong command line */
export function stopCommand(argv: string[]): Promise<number> {
  return runCommand('stop', async () => {
    const { values, positionals } = parse({ args: argv, allowPositionals: true, options: { help: { type: 'boolean', short: 'h' } } });
    if (values.help) {
      await writeOut([HELP]);
      return 0;
    }
    const pid = processId(positionals, 'stop');
    const client = await ControlClient.connect(pid);
    try {
      const { delivered, failed } = await client.stop();
      process.stderr.write(
        `strobe stop: the profiler of process ${pid} has ended; ${Number(delivered)} profiles delivered, ${Number(failed)} failed\n`,
      );
    } finally {
      client.close();
    }
    return 0;
  });
}
