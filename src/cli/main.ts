#!/usr/bin/env node
// The command line: picks the command. Exit codes: 0, 1 for what went wrong with files, 2 for usage, or that of the program that `run` ran.

import { packageVersion } from '../native';

const HELP = `strobe ${packageVersion}: true profiles of Node.js programs

Usage
  strobe run [options] <script.js> [args…]     profile a program from start to end
  strobe run [options] -- <command…>           the same for any command that starts Node
  strobe report <profile.pb.gz> [options]      top functions, threads, labels
  strobe diff <before> <after> [options]       what grew and what shrank
  strobe flamegraph <profile.pb.gz>… [options] a page for the browser: flame graph, heat map, labels
  strobe merge <files…> -o FILE                one profile from several
  strobe convert <profile> -o FILE             to and from speedscope, Firefox, .cpuprofile, collapsed
  strobe status [<pid>]                        what the profiler of a running process does
  strobe attach <pid> [options]                records a running process (started with STROBE_CONTROL=1)
  strobe top <pid> [options]                   its functions, threads and labels, live
  strobe stop <pid>                            ends its profiler
  strobe doctor                                what works here, and what to do about the rest

  strobe <command> --help                      options and examples of a command
  strobe --version

Examples
  strobe run app.js
  strobe report strobe-out/cpu.pb.gz --top 30
`;

async function main(argv: string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'run':
      return (await import('./run.js')).runCommandLine(rest);
    case 'report':
      return (await import('./report.js')).reportCommand(rest);
    case 'flamegraph':
      return (await import('./flamegraph.js')).flamegraphCommand(rest);
    case 'merge':
      return (await import('./merge.js')).mergeCommand(rest);
    case 'diff':
      return (await import('./diff.js')).diffCommand(rest);
    case 'convert':
      return (await import('./convert.js')).convertCommand(rest);
    case 'status':
      return (await import('./status.js')).statusCommand(rest);
    case 'attach':
      return (await import('./attach.js')).attachCommand(rest);
    case 'top':
      return (await import('./top.js')).topCommand(rest);
    case 'stop':
      return (await import('./stop.js')).stopCommand(rest);
    case 'doctor':
      return (await import('./doctor.js')).doctorCommand(rest);
    case '--version':
    case '-v':
      process.stdout.write(`${packageVersion}\n`);
      return 0;
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(HELP);
      return 0;
    default:
      process.stderr.write(
        command === undefined
          ? HELP
          : `strobe: unknown command '${command}'; commands: run, report, diff, flamegraph, merge, convert, status, attach, top, stop, doctor (strobe --help)\n`,
      );
      return 2;
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    process.stderr.write(`strobe: ${(error as Error).stack ?? error}\n`);
    process.exitCode = 1;
  },
);
