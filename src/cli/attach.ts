// strobe attach: records a running process through its own profiler, and leaves what `strobe run` leaves.
//
// The recording is a subscriber of its own in that process: its windows and exporters notice nothing. An earlier run's files are replaced when the profile is
// here, not before.

import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ControlClient } from '../control/client';
import { StrobeError } from '../errors';
import { writeFileAtomic } from '../export/atomic';
import { ioError } from '../export/io-error';
import { printable } from '../formats/units';
import { processId } from './process-id';
import { StatusLine } from './progress';
import { RUN_FILES, summarise } from './run-summary';
import { parse, runCommand, UsageError, wholeNumber, writeOut } from './usage';

const HELP = `Usage: strobe attach <pid> [options]

Records a running process and leaves in DIR what strobe run leaves: cpu.pb.gz (wall.pb.gz), flamegraph.html, flamegraph.svg, report.txt, stacks.txt.
Ctrl-C ends early and keeps what was recorded; so does the end of the process. Its event loop takes no part, and its own profiles are not disturbed.
The process must have been started with STROBE_CONTROL=1 (node --import strobe/register, strobe run) or startProfiler({ control: true }).

Options:
  --duration S     seconds to record, 1 to 3600 (default: 30)
  --mode cpu|wall  what to record (default: cpu); a mode that is off is switched on for the time
  --out DIR        where to (default: strobe-out); an earlier run's files there are replaced
  --top N          functions in the summary (default: 10)
  --help           this text

Examples:
  strobe attach 4711
  strobe attach 4711 --duration 10 --mode wall --out slow-request
`;

/** @returns the exit code: 0, 1 when nothing could be recorded, 2 for a wrong command line */
export function attachCommand(argv: string[]): Promise<number> {
  return runCommand('attach', () => attach(argv));
}

async function attach(argv: string[]): Promise<number> {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      duration: { type: 'string', default: '30' },
      mode: { type: 'string', default: 'cpu' },
      out: { type: 'string', default: 'strobe-out' },
      top: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOut([HELP]);
    return 0;
  }
  const pid = processId(positionals, 'attach');
  const duration = wholeNumber('--duration', values.duration, 1, 3600);
  const top = wholeNumber('--top', values.top, 1, 1000);
  const { mode } = values;
  if (mode !== 'cpu' && mode !== 'wall') throw new UsageError(`--mode must be cpu or wall, not '${mode}'; two of them are two recordings`);
  const dir = resolve(values.out);
  try {
    mkdirSync(dir, { recursive: true });
  } catch (cause) {
    throw ioError('write to --out', dir, cause);
  }

  const client = await ControlClient.connect(pid);
  let bytes: Uint8Array;
  let seconds: number;
  let hz: number;
  let appName: string;
  try {
    ({
      appName,
      stats: { frequencyHz: hz },
    } = await client.status());
    if (await client.record(mode)) process.stderr.write(`strobe: ${mode} was off in process ${pid}; it is on while this records\n`);
    const start = performance.now();
    await recordFor(client, duration, `strobe: recording ${mode} of process ${pid}`);
    seconds = (performance.now() - start) / 1000;
    bytes = await client.end();
  } finally {
    client.close();
  }
  if (bytes.length === 0) throw new StrobeError('ERR_PROFILE_INVALID', `process ${pid} sent no profile`);
  for (const old of RUN_FILES) rmSync(join(dir, old), { recursive: true, force: true });
  await writeFileAtomic(join(dir, `${mode}.pb.gz`), bytes);
  const title = printable(appName ? `${appName} (process ${pid})` : `process ${pid}`);
  await summarise({ dir, hz: Number(hz.toFixed(1)), top, title, followsChildren: false }, { code: 0, signal: null }, seconds);
  return 0;
}

/** Until the time is over, Ctrl-C, a SIGTERM, or the end of the process. */
async function recordFor(client: ControlClient, seconds: number, what: string): Promise<void> {
  const start = performance.now();
  const passed = () => Math.round((performance.now() - start) / 1000);
  const status = new StatusLine(process.stderr, () => `${what}, ${passed()} of ${seconds} s; Ctrl-C ends it and keeps it`);
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const early = () => end();
  const timer = setTimeout(early, seconds * 1000);
  process.on('SIGINT', early).on('SIGTERM', early);
  client.ended().then(early, early);
  status.start();
  try {
    await over;
  } finally {
    clearTimeout(timer);
    status.stop();
    // A second Ctrl-C ends the command itself.
    process.off('SIGINT', early).off('SIGTERM', early);
  }
}
