// strobe flamegraph: profiles as a page that opens in a browser, or as an SVG. Reads any pprof file, not only ours.

import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { StrobeError } from '../errors';
import { writeFileAtomic } from '../export/atomic';
import { ioError } from '../export/io-error';
import { flameGraphHtml, type PageInput } from '../formats/flamegraph/html';
import { type LabelFilter, labelKeys } from '../formats/labels';
import { decodeTimeline, type Timeline, timelineMismatch } from '../formats/timeline';
import { humanise } from '../formats/units';
import type { Profile } from '../pprof/schema';
import { keyValue, parse, readProfile, runCommand, UsageError, writeOut } from './usage';

const HELP = `Usage: strobe flamegraph <profile.pb.gz>... [options]

Makes one HTML file that opens in any browser, without a network: flame graph, callers and callees, table, labels.
A file FILE.timeline.gz beside FILE.pb.gz adds the heat map over time. Several profiles share one page; its menu switches.

Options:
  -o, --output FILE  the file to write; its ending says what: .html or .svg (one profile) (default: beside the first profile, .html)
  --title TEXT       heading of the page (default: the names of the profiles)
  --label KEY=VALUE  only samples with this label; repeat it to allow more values, or to ask for more labels
  --help             this text

Examples:
  strobe flamegraph strobe-out/cpu.pb.gz
  strobe flamegraph strobe-out/cpu.pb.gz strobe-out/wall.pb.gz -o run.html --title 'checkout, after the fix'
  strobe flamegraph strobe-out/cpu.pb.gz --label agent=researcher -o researcher.html
  strobe flamegraph strobe-out/cpu.pb.gz -o cpu.svg
`;

const PROFILE_ENDING = /\.(?:pb|pprof|prof)(?:\.gz)?$|\.gz$/i;

/** @returns the exit code: 0, 1 for files that cannot be read or written, 2 for a wrong command line */
export function flamegraphCommand(argv: string[]): Promise<number> {
  return runCommand('flamegraph', () => flamegraph(argv));
}

async function flamegraph(argv: string[]): Promise<number> {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      output: { type: 'string', short: 'o' },
      title: { type: 'string' },
      label: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOut([HELP]);
    return 0;
  }
  const [first] = positionals;
  if (first === undefined) throw new UsageError('no profile given: strobe flamegraph <profile.pb.gz>');
  const output = values.output ?? `${stem(first)}.html`;
  const ending = extname(output).toLowerCase();
  if (ending !== '.html' && ending !== '.htm' && ending !== '.svg') throw new UsageError(`-o must end in .html or .svg, not '${output}'`);
  if (ending === '.svg' && positionals.length > 1)
    throw new UsageError(`an SVG shows one profile, not ${positionals.length}: give an .html file, or merge them first (strobe merge)`);
  const labels = (values.label ?? []).map((text) => keyValue('--label', text));

  const inputs: PageInput[] = [];
  for (const path of positionals) {
    await refuseOverwriting(path, output);
    const profile = await readProfile(path);
    const timeline = ending === '.svg' ? undefined : await timelineOf(path, profile);
    inputs.push({ name: basename(path), profile, ...(timeline ? { timeline } : {}) });
  }
  warnOfUnknownLabels(
    inputs.map(({ profile }) => profile),
    labels.map(({ key }) => key),
  );
  const options = { labels, ...(values.title === undefined ? {} : { title: values.title }) };
  const text =
    ending === '.svg'
      ? await svg((inputs[0] as PageInput).profile, { ...options, title: values.title ?? basename(first) })
      : flameGraphHtml(inputs, options);
  await writeFileAtomic(output, text);
  process.stderr.write(`${output} (${humanise(Buffer.byteLength(text), 'bytes')})${ending === '.svg' ? '' : ': open it in a browser'}\n`);
  return 0;
}

function stem(path: string): string {
  return join(dirname(path), basename(path).replace(PROFILE_ENDING, '') || 'flamegraph');
}

async function refuseOverwriting(input: string, output: string): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => resolve(path));
  if ((await real(input)) === (await real(output))) throw new UsageError(`-o '${output}' is the profile itself: name another file`);
}

/** The time line beside the profile. One that is damaged or another run's costs the heat map, not the page; it is said. */
async function timelineOf(path: string, profile: Profile): Promise<Timeline | undefined> {
  const beside = `${stem(path)}.timeline.gz`;
  if (beside === path) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(beside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return withoutHeatMap(ioError('read', beside, cause).message);
  }
  let timeline: Timeline;
  try {
    timeline = decodeTimeline(bytes, beside);
  } catch (error) {
    if (error instanceof StrobeError) return withoutHeatMap(error.message);
    throw error;
  }
  const mismatch = timelineMismatch(profile, timeline);
  return mismatch === undefined ? timeline : withoutHeatMap(`${beside} does not belong to ${path}: ${mismatch}`);
}

function withoutHeatMap(why: string): undefined {
  process.stderr.write(`strobe flamegraph: no heat map: ${why}\n`);
  return undefined;
}

/** A misspelt label gives an empty graph, which must not look like "no CPU was used". */
function warnOfUnknownLabels(profiles: Profile[], wanted: string[]): void {
  const known = [...new Set(profiles.flatMap(labelKeys))].sort();
  for (const key of wanted) {
    if (known.includes(key)) continue;
    const there = known.length > 0 ? `the labels are: ${known.join(', ')}` : 'the samples have no labels';
    process.stderr.write(`strobe flamegraph: no sample has the label '${key}'; ${there}\n`);
  }
}

/** Loaded when asked for: most pages are HTML. */
async function svg(profile: Profile, options: { title: string; labels: LabelFilter[] }): Promise<string> {
  return (await import('../formats/flamegraph-svg.js')).flameGraphSvg(profile, options);
}
