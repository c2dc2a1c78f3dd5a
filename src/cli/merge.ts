// strobe merge: profiles of several processes, hosts or windows -> one file.

import { writeFileAtomic } from '../export/atomic';
import { encodeGzip } from '../pprof/encode';
import { mergeProfiles, type NamedProfile } from '../pprof/merge';
import { parse, readProfile, runCommand, UsageError, writeOut } from './usage';

const HELP = `Usage: strobe merge <profile.pb.gz>... -o FILE

Makes one pprof profile of several that measure the same things: equal stacks with equal labels are added up,
the time is the earliest, the duration is the sum.

Options:
  -o, --output FILE  the file to write (written whole or not at all)
  --help             this text

Examples:
  strobe merge strobe-out/windows/*.pb.gz -o run.pb.gz
  strobe merge host-a/cpu.pb.gz host-b/cpu.pb.gz -o fleet.pb.gz
`;

/** @returns the exit code: 0, 1 for files that cannot be read, merged or written, 2 for a wrong command line */
export function mergeCommand(argv: string[]): Promise<number> {
  return runCommand('merge', () => merge(argv));
}

async function merge(argv: string[]): Promise<number> {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOut([HELP]);
    return 0;
  }
  if (positionals.length === 0) throw new UsageError('no profiles given: strobe merge <profile.pb.gz>... -o FILE');
  if (!values.output) throw new UsageError('-o FILE is missing: the file to write the merged profile to');

  const inputs: NamedProfile[] = [];
  for (const name of positionals) inputs.push({ name, profile: await readProfile(name) });
  await writeFileAtomic(values.output, encodeGzip(mergeProfiles(inputs)));
  return 0;
}
