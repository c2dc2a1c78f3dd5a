// `strobe run`: runs a program with the preload, passes its exit code or signal on, then says where its CPU went.
//
// The program owns stdin, stdout and stderr; strobe's own words go to stderr, before and after it. The profile is written by the program's process itself
// (register.ts, asked by STROBE_RUN), so it is there however the program ends; this process only reads it.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { ioError } from '../export/io-error';
import { PROCESSES, type RunRequest } from '../profiler/run-request';
import { StatusLine } from './progress';
import { type Ending, RUN_FILES, type Run, summarise } from './run-summary';
import { keyValue, parse, runCommand, UsageError } from './usage';

const HELP = `Usage: strobe run [options] <script.js> [args…]
       strobe run [options] -- <command…>

Profiles a program from start to end, all its JavaScript threads, and leaves in DIR
  cpu.pb.gz       the whole run, for pprof and strobe report (wall.pb.gz with --mode wall)
  flamegraph.html a page for the browser: flame graph, heat map over time, labels, callers and callees
  flamegraph.svg  the flame graph as a picture
  report.txt      top functions and threads
  stacks.txt      collapsed stacks, for other tools (wall-stacks.txt)
  windows/        one profile a window, with --window

Options
  --out DIR             where to (default: strobe-out)
  --hz N                samples a second, 1 to 1000 (default: 100)
  --mode cpu,wall       what to record: CPU time, wall time, or both (default: cpu)
  --budget P            keep strobe's own CPU at P percent of the program's, by a lower rate
  --window S            also write a profile every S seconds
  --exit-timeout S      seconds that the ending program waits for its profile to be written, 0 to 60 (2)
  --no-source-maps      show positions in the code that runs, not in the files it was made from
  --label k=v           a fact about the run, kept in the profile (repeatable)
  --follow-children     profile Node processes that the program starts, too
  --top N               functions in the summary (default: 10)
  --help

The exit code (or signal) is the program's.

Examples
  strobe run app.js --port 8080
  strobe run --hz 1000 --out prof build.mjs
  strobe run -- npm test
`;

const OPTIONS = {
  out: { type: 'string', default: 'strobe-out' },
  hz: { type: 'string', default: '100' },
  mode: { type: 'string', default: 'cpu' },
  budget: { type: 'string' },
  window: { type: 'string' },
  'exit-timeout': { type: 'string' },
  'no-source-maps': { type: 'boolean', default: false },
  label: { type: 'string', multiple: true, default: [] as string[] },
  'follow-children': { type: 'boolean', default: false },
  top: { type: 'string', default: '10' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Our options end at the first word that is no option: the program's own options are not ours to read. */
function split(argv: string[]): { ours: string[]; program: string[]; isCommand: boolean } {
  let i = 0;
  while (i < argv.length) {
    const word = argv[i] ?? '';
    if (word === '--') return { ours: argv.slice(0, i), program: argv.slice(i + 1), isCommand: true };
    if (!word.startsWith('-')) break;
    const known = OPTIONS[word.replace(/^--/, '') as keyof typeof OPTIONS];
    i += known?.type === 'string' ? 2 : 1;
  }
  return { ours: argv.slice(0, i), program: argv.slice(i), isCommand: false };
}

function numberOption(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most)) {
    throw new UsageError(`${name} must be a number from ${least} to ${most}, got '${text}'`);
  }
  return value;
}

interface Plan extends Run {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

const REGISTER = resolve(__dirname, '..', 'register.js');

/** NODE_OPTIONS splits at spaces; a path with some needs quotes. */
function quoted(path: string): string {
  return /[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, '\\$&')}"` : path;
}

function plan(argv: string[]): Plan | 'help' {
  const { ours, program, isCommand } = split(argv);
  const { values } = parse({ args: ours, options: OPTIONS, strict: true, allowPositionals: false });
  if (values.help) return 'help';
  const hz = numberOption('--hz', values.hz, 1, 1000);
  const top = numberOption('--top', values.top, 1, 1000);
  const modes = [...new Set(values.mode.split(',').map((mode) => mode.trim()))];
  for (const mode of modes)
    if (mode !== 'cpu' && mode !== 'wall') throw new UsageError(`--mode must be cpu, wall or cpu,wall; got '${values.mode}'`);
  const budget = values.budget === undefined ? undefined : numberOption('--budget', values.budget, 0.05, 50);
  const exitTimeout = values['exit-timeout'] === undefined ? undefined : numberOption('--exit-timeout', values['exit-timeout'], 0, 60);
  const window = values.window === undefined ? undefined : numberOption('--window', values.window, 1, 3600);
  const labels = values.label.map((text) => keyValue('--label', text));
  const [first, ...args] = program;
  if (first === undefined) {
    throw new UsageError(
      isCommand ? 'no command after --; for example: strobe run -- npm test' : 'no script to run; for example: strobe run app.js',
    );
  }
  if (!isCommand) {
    try {
      require.resolve(resolve(first));
    } catch (cause) {
      throw ioError('run', first, existsSync(first) ? cause : Object.assign(new Error(), { code: 'ENOENT' }));
    }
  }
  const dir = resolve(values.out);
  const tags = Object.fromEntries(labels.map(({ key, value }) => [key, value]));
  const request: RunRequest = { dir, windows: window !== undefined, tags };
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    STROBE_RUN: JSON.stringify(request),
    STROBE_MODE: modes.join(','),
    STROBE_FREQUENCY_HZ: String(hz),
    STROBE_FOLLOW_CHILDREN: values['follow-children'] ? '1' : '0',
  };
  delete env.STROBE_OWNER_PID;
  delete env.STROBE_ENABLED;
  delete env.STROBE_OVERHEAD_BUDGET_PERCENT;
  if (budget !== undefined) env.STROBE_OVERHEAD_BUDGET_PERCENT = String(budget);
  if (values['no-source-maps']) env.STROBE_SOURCE_MAPS = '0';
  if (exitTimeout !== undefined) env.STROBE_EXIT_TIMEOUT_SECONDS = String(exitTimeout);
  if (window !== undefined) env.STROBE_WINDOW_SECONDS = String(window);
  if (isCommand || values['follow-children']) {
    env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ? `${process.env.NODE_OPTIONS} ` : ''}--require ${quoted(REGISTER)}`;
  }
  const preload = values['follow-children'] ? [] : ['--require', REGISTER];
  const common = { env, dir, hz, top, title: [first, ...args].join(' ').slice(0, 120), followsChildren: values['follow-children'] };
  return isCommand ? { command: first, args, ...common } : { command: process.execPath, args: [...preload, first, ...args], ...common };
}

/** Runs the program to its end. A terminal's Ctrl-C reaches it without us; other signals to this process are passed on. */
function runProgram(run: Plan): Promise<Ending> {
  return new Promise((done, failed) => {
    const child = spawn(run.command, run.args, { stdio: 'inherit', env: run.env });
    const passOn = (signal: NodeJS.Signals) => {
      const fromTerminal = signal === 'SIGINT' && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
      if (!fromTerminal) child.kill(signal);
    };
    const passed: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
    for (const signal of passed) process.on(signal, passOn);
    const release = () => {
      for (const signal of passed) process.off(signal, passOn);
    };
    child.on('error', (error) => {
      release();
      failed(ioError('run', run.command, error));
    });
    child.on('exit', (code, signal) => {
      release();
      done({ code, signal });
    });
  });
}

export function runCommandLine(argv: string[]): Promise<number> {
  return runCommand('run', async () => {
    const run = plan(argv);
    if (run === 'help') {
      process.stdout.write(HELP);
      return 0;
    }
    try {
      mkdirSync(run.dir, { recursive: true });
      // What an earlier run left would be taken for this one's.
      for (const old of [...RUN_FILES, PROCESSES]) rmSync(join(run.dir, old), { recursive: true, force: true });
    } catch (cause) {
      throw ioError('write to --out', run.dir, cause);
    }
    // Nobody reads our messages: the program and its exit code are not concerned.
    process.stderr.on('error', () => undefined);
    const start = Date.now();
    const status = new StatusLine(
      process.stderr,
      () => `strobe: recording at ${run.hz} Hz, ${Math.round((Date.now() - start) / 1000)} s, to ${run.dir}`,
    );
    status.start();
    let ending: Ending;
    try {
      ending = await runProgram(run);
    } finally {
      status.stop();
    }
    try {
      await summarise(run, ending, (Date.now() - start) / 1000);
    } catch (error) {
      // The program's exit code is the user's; what went wrong with the summary is said.
      process.stderr.write(`strobe: ${(error as Error).message}\n`);
    }
    if (ending.signal) {
      // Ends as the program did, so that a shell or a supervisor sees the same.
      process.kill(process.pid, ending.signal);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return 128 + (constants.signals[ending.signal] ?? 0);
    }
    return ending.code ?? 1;
  });
}
