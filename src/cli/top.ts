// strobe top: where the CPU (or wall time) of a running process goes, live: a full-screen table on a terminal, repeated tables or JSON anywhere else.
//
// Each interval a recording of its own in the process is taken from; the last ones make a sliding window, which is merged into one profile. The work of
// merging, sorting and drawing is done here, not in the process.

import { setTimeout as wait } from 'node:timers/promises';
import { ControlClient } from '../control/client';
import { buildReport, reportJson } from '../formats/report';
import { reportText } from '../formats/report-text';
import { decode } from '../pprof/decode';
import { mergeProfiles, type NamedProfile } from '../pprof/merge';
import type { Profile } from '../pprof/schema';
import { processId } from './process-id';
import { Terminal } from './terminal';
import { TopView } from './top-view';
import { parse, runCommand, UsageError, wholeNumber, writeOut } from './usage';

const HELP = `Usage: strobe top <pid> [options]

Shows where the CPU of a running process goes: functions, threads and labels of the last seconds, live. Without a terminal on stdout, the tables are printed
one after the other. Its event loop takes no part, and its own profiles are not disturbed. The process must have been started with STROBE_CONTROL=1.

Options:
  --interval S     seconds from one table to the next, 0.2 to 60 (default: 2)
  --window S       seconds that a table covers, up to 150 intervals (default: 10, at least the interval)
  --mode cpu|wall  what to show (default: cpu); a mode that is off is switched on for the time
  --by LABEL       begin with this label (in printed tables: below the functions)
  --top N          functions of a printed table (default: 20)
  --once           one printed table, of one interval
  --json           one JSON object a line and interval: { schema: "strobe-top/1", pid, mode, report }; report as strobe report --json has it
  --help           this text

Keys: f functions, t threads, l labels (again: the next label), s sort, / filter, space pause, arrows and PgUp PgDn scroll, ? help, q quit

Examples:
  strobe top 4711
  strobe top 4711 --window 60 --by agent
  strobe top 4711 --once --json | jq '.report.functions[0]'
`;

const MOST_INTERVALS = 150;

interface Options {
  pid: number;
  intervalMs: number;
  /** Intervals in the window. */
  intervals: number;
  mode: 'cpu' | 'wall';
  by: string | undefined;
  top: number;
  once: boolean;
  json: boolean;
}

/** @returns the exit code: 0, 1 when the process can't be asked, 2 for a wrong command line */
export function topCommand(argv: string[]): Promise<number> {
  return runCommand('top', async () => {
    const options = readOptions(argv);
    if (options === 'help') {
      await writeOut([HELP]);
      return 0;
    }
    const client = await ControlClient.connect(options.pid);
    try {
      const status = await client.status();
      await client.record(options.mode);
      const { appName, stats } = status;
      const facts = { pid: options.pid, appName, mode: options.mode, hz: stats.frequencyHz };
      const plain = options.once || options.json || !process.stdout.isTTY || process.env.TERM === 'dumb';
      if (plain) await printTables(client, options);
      else await showScreen(client, options, new TopView(facts, options.by));
    } finally {
      client.close();
    }
    return 0;
  });
}

function seconds(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${name} must be a number of seconds from ${least} to ${most}, not '${text}'`);
  return value;
}

function readOptions(argv: string[]): Options | 'help' {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      interval: { type: 'string', default: '2' },
      window: { type: 'string' },
      mode: { type: 'string', default: 'cpu' },
      by: { type: 'string' },
      top: { type: 'string', default: '20' },
      once: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const pid = processId(positionals, 'top');
  const interval = seconds('--interval', values.interval, 0.2, 60);
  const window = seconds('--window', values.window ?? String(Math.max(10, interval)), interval, interval * MOST_INTERVALS);
  const { mode, by, once, json } = values;
  if (mode !== 'cpu' && mode !== 'wall') throw new UsageError(`--mode must be cpu or wall, not '${mode}'`);
  if (by === '') throw new UsageError('--by needs the name of a label, for example --by agent');
  const top = wholeNumber('--top', values.top, 1, 1_000_000);
  return { pid, intervalMs: interval * 1000, intervals: once ? 1 : Math.round(window / interval), mode, by, top, once, json };
}

/** The profiles of the last intervals, as one. */
class Window {
  readonly #parts: NamedProfile[] = [];

  constructor(
    readonly intervals: number,
    readonly name: string,
  ) {}

  /** @throws StrobeError ERR_PROFILE_INVALID */
  add(bytes: Uint8Array): Profile {
    this.#parts.push({ name: this.name, profile: decode(bytes, this.name) });
    if (this.#parts.length > this.intervals) this.#parts.shift();
    return mergeProfiles(this.#parts);
  }
}

const windowOf = ({ intervals, pid }: Options) => new Window(intervals, `the profile of process ${pid}`);

/** Until the process ends, or the reader of our output does. */
async function printTables(client: ControlClient, options: Options): Promise<void> {
  const { pid, mode, by, top, once, json } = options;
  const window = windowOf(options);
  let over = false;
  const ended = client.ended().then(() => {
    over = true;
  });
  process.stdout.on('error', () => {
    over = true;
  });
  while (!over) {
    await Promise.race([wait(options.intervalMs, undefined, { ref: true }), ended]);
    if (over && !once) break;
    // The end of the process gives what there is.
    const bytes = over ? await client.end() : await takeOrEnd(client);
    if (bytes === 'ended') break;
    const report = buildReport(window.add(bytes), { top, ...(by === undefined ? {} : { by }) });
    if (json) await writeOut([`${JSON.stringify({ schema: 'strobe-top/1', pid, mode, report: reportJson(report) })}\n`]);
    else await writeOut([`${reportText(report, `process ${pid}, ${mode}`)}${once ? '' : '\n'}`]);
    if (once) return;
  }
  process.stderr.write(`strobe top: process ${pid} ended, or its profiler did\n`);
}

async function showScreen(client: ControlClient, options: Options, view: TopView): Promise<void> {
  const window = windowOf(options);
  let quit = (): void => {};
  const left = new Promise<void>((resolve) => {
    quit = resolve;
  });
  const terminal: Terminal = new Terminal(
    () => view.lines(terminal.columns, terminal.rows),
    (key) => {
      if (!view.press(key, terminal.rows)) quit();
      terminal.draw();
    },
  );
  terminal.open();
  try {
    let over: 'left' | 'ended' | undefined;
    const ends = Promise.race([left.then(() => 'left' as const), client.ended().then(() => 'ended' as const)]);
    while (over === undefined) {
      const timer = new AbortController();
      const passed = wait(options.intervalMs, undefined, { signal: timer.signal });
      // Aborted below: the rejection is ours.
      passed.catch(() => undefined);
      over = (await Promise.race([ends, passed])) as typeof over;
      timer.abort();
      if (over !== undefined) break;
      const taken = await Promise.race([ends, takeOrEnd(client)]);
      if (typeof taken === 'string') {
        over = taken;
        break;
      }
      view.update(window.add(taken));
      terminal.draw();
    }
    if (over === 'ended') {
      view.note(`process ${options.pid} ended, or its profiler did: q quits`);
      terminal.draw();
      // What was last seen stays, for who reads it.
      if (process.stdin.isTTY) await left;
    }
  } finally {
    terminal.close();
  }
}

/** 'ended': the process did, before it answered. */
async function takeOrEnd(client: ControlClient): Promise<Uint8Array | 'ended'> {
  try {
    return await client.take();
  } catch (error) {
    if (client.isClosed) return 'ended';
    throw error;
  }
}
