// strobe report: a profile as a table, as JSON, or as collapsed stacks. Reads any pprof file, not only ours.

import { collapsedLines } from '../formats/collapsed';
import { withLabels } from '../formats/labels';
import { reportMarkdown } from '../formats/markdown';
import { buildReport, DEFAULT_TOP, idleSamples, reportJson } from '../formats/report';
import { reportText } from '../formats/report-text';
import { heaviestStacks } from '../formats/stacks';
import { shownSampleType } from '../pprof/schema';
import { keyValue, parse, readProfile, runCommand, sampleTypeIndex, UsageError, warnOfUnknownLabels, wholeNumber, writeOut } from './usage';

const HELP = `Usage: strobe report <profile.pb.gz> [options]

Shows where the time (or memory) of a profile went: the top functions by self value, then the threads.
Reads pprof, V8's .cpuprofile, speedscope's and Firefox's JSON. What a wall profile calls idle is shown apart.

Options:
  --top N            functions (and values of --by) to show (default ${DEFAULT_TOP})
  --by LABEL         group by a label, for example agent or thread_name
  --label KEY=VALUE  only samples with this label; repeat it to allow more values, or to ask for more labels
  --type NAME        the sample type to show, for example samples or inuse_space (default: the one that the profile names, else its last)
  --markdown         as Markdown: for pull requests and language models; with the heaviest stacks
  --json             the report as JSON (schema strobe-report/1)
  --collapsed        collapsed stacks for flamegraph.pl and speedscope: root;caller;leaf weight
  --threads          with --collapsed: the thread's name as the root of each stack
  --help             this text

Examples:
  strobe report strobe-out/cpu.pb.gz
  strobe report strobe-out/cpu.pb.gz --top 50 --by agent
  strobe report strobe-out/cpu.pb.gz --label thread_name=main
  strobe report strobe-out/cpu.pb.gz --markdown --top 10 >> "$GITHUB_STEP_SUMMARY"
  strobe report strobe-out/cpu.pb.gz --json | jq '.functions[0]'
  strobe report strobe-out/cpu.pb.gz --collapsed | flamegraph.pl > flame.svg
`;

/** In Markdown. */
const HEAVY_STACKS = 5;
const MOST_FUNCTIONS = 1_000_000;

/** @returns the exit code: 0, 1 for a file that cannot be read, 2 for a wrong command line */
export function reportCommand(argv: string[]): Promise<number> {
  return runCommand('report', () => report(argv));
}

async function report(argv: string[]): Promise<number> {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      top: { type: 'string' },
      by: { type: 'string' },
      label: { type: 'string', multiple: true },
      type: { type: 'string' },
      json: { type: 'boolean' },
      markdown: { type: 'boolean' },
      collapsed: { type: 'boolean' },
      threads: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOut([HELP]);
    return 0;
  }
  const [path, ...rest] = positionals;
  if (path === undefined) throw new UsageError('no profile given: strobe report <profile.pb.gz>');
  if (rest.length > 0) throw new UsageError(`one profile at a time, not ${positionals.length}: strobe merge makes one of several`);
  const shapes = (['json', 'markdown', 'collapsed'] as const).filter((name) => values[name]);
  if (shapes.length > 1) throw new UsageError(`${shapes.map((name) => `--${name}`).join(' and ')} exclude each other`);
  if (values.threads && !values.collapsed) throw new UsageError('--threads goes with --collapsed; to group by thread use --by thread_name');
  if (values.collapsed) {
    for (const name of ['top', 'by'] as const) {
      if (values[name] !== undefined) throw new UsageError(`--${name} has no meaning with --collapsed, which shows every stack`);
    }
  }
  const top = values.top === undefined ? DEFAULT_TOP : wholeNumber('--top', values.top, 1, MOST_FUNCTIONS);
  const labels = (values.label ?? []).map((text) => keyValue('--label', text));
  if (values.by === '') throw new UsageError('--by needs the name of a label, for example --by thread_name');

  const profile = await readProfile(path);
  const sampleType: { sampleType?: number } = values.type === undefined ? {} : { sampleType: sampleTypeIndex(profile, values.type) };
  warnOfUnknownLabels('report', [profile], [...labels.map(({ key }) => key), ...(values.by === undefined ? [] : [values.by])]);

  if (values.collapsed) {
    const lines = collapsedLines(profile, { ...sampleType, labels, threads: values.threads ?? false });
    await writeOut(endLines(lines));
    return 0;
  }
  const result = buildReport(profile, { ...sampleType, top, labels, ...(values.by === undefined ? {} : { by: values.by }) });
  if (values.json) await writeOut([`${JSON.stringify(reportJson(result), null, 2)}\n`]);
  else if (values.markdown) {
    const type = sampleType.sampleType ?? shownSampleType(profile);
    const stacks = heaviestStacks(withLabels(profile, labels), type, HEAVY_STACKS, idleSamples(profile, type));
    await writeOut([reportMarkdown(result, path, stacks)]);
  } else await writeOut([reportText(result, path)]);
  return 0;
}

function* endLines(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield `${line}\n`;
}
