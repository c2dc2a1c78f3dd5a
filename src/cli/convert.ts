// strobe convert: a profile of one tool as a file of another.

import { gzipSync } from 'node:zlib';
import { writeFileAtomic } from '../export/atomic';
import { convertTo, ENDINGS_HELP, formatOf, OUTPUT_FORMATS, type OutputFormat } from '../formats/convert/formats';
import { withLabels } from '../formats/labels';
import { keyValue, parse, readProfile, runCommand, sampleTypeIndex, UsageError, warnOfUnknownLabels, writeOutBytes } from './usage';

const HELP = `Usage: strobe convert <profile> -o FILE [options]

Reads pprof, V8's .cpuprofile, speedscope's JSON and the Firefox Profiler's processed JSON (each also gzipped),
and writes any of them. Says on stderr what the new format has no place for.

Options:
  -o, --output FILE  the file to write (written whole or not at all), or - for standard output.
                     Its name says the format: ${ENDINGS_HELP};
                     another .gz behind it gzips
  --to FORMAT        the format: ${OUTPUT_FORMATS.join(', ')}
  --label KEY=VALUE  only samples with this label; repeat it to allow more values, or to ask for more labels
  --type NAME        only this sample type, for example cpu or inuse_space
  --help             this text

Examples:
  strobe convert strobe-out/cpu.pb.gz -o cpu.speedscope.json
  strobe convert strobe-out/cpu.pb.gz -o main.cpuprofile --label thread_name=main
  strobe convert CPU.20261122.101010.1234.0.001.cpuprofile -o cpu.pb.gz
  strobe convert cpu.pb.gz --to firefox -o profile.json.gz
  strobe convert cpu.pb.gz --to collapsed -o - | flamegraph.pl > flame.svg
`;

/** @returns the exit code: 0, 1 for files that cannot be read, converted or written, 2 for a wrong command line */
export function convertCommand(argv: string[]): Promise<number> {
  return runCommand('convert', () => convert(argv));
}

async function convert(argv: string[]): Promise<number> {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      to: { type: 'string' },
      label: { type: 'string', multiple: true },
      type: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOutBytes([HELP]);
    return 0;
  }
  const [path, ...rest] = positionals;
  if (path === undefined) throw new UsageError('no profile given: strobe convert <profile> -o FILE');
  if (rest.length > 0) throw new UsageError(`one profile at a time, not ${positionals.length}: strobe merge makes one of several`);
  const { output } = values;
  if (!output) throw new UsageError('-o FILE is missing: the file to write, or - for standard output');
  const format = wantedFormat(values.to, output);
  const labels = (values.label ?? []).map((text) => keyValue('--label', text));

  const profile = await readProfile(path);
  const sampleType = values.type === undefined ? {} : { sampleType: sampleTypeIndex(profile, values.type) };
  warnOfUnknownLabels(
    'convert',
    [profile],
    labels.map(({ key }) => key),
  );
  const { parts, notes } = convertTo(format, withLabels(profile, labels), { ...sampleType, title: path, raw: output.endsWith('.pb') });
  for (const note of notes) process.stderr.write(`strobe convert: ${note}\n`);
  if (output === '-') await writeOutBytes(parts);
  else {
    const bytes = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    await writeFileAtomic(output, output.endsWith('.gz') && format !== 'pprof' ? gzipSync(bytes) : bytes);
  }
  return 0;
}

function wantedFormat(to: string | undefined, output: string): OutputFormat {
  if (to === undefined) {
    const format = output === '-' ? undefined : formatOf(output);
    if (format) return format;
    const what = output === '-' ? 'standard output says no format' : `the name '${output}' says no format`;
    throw new UsageError(`${what}: add --to ${OUTPUT_FORMATS.join('|')}, or end the name in ${ENDINGS_HELP}`);
  }
  if (!(OUTPUT_FORMATS as readonly string[]).includes(to))
    throw new UsageError(`--to must be one of ${OUTPUT_FORMATS.join(', ')}, not '${to}'`);
  return to as OutputFormat;
}
