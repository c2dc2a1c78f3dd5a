// strobe diff: what grew and what shrank between two profiles, as a table, JSON, Markdown or a picture; and a gate for builds.

import { StrobeError } from '../errors';
import { writeFileAtomic } from '../export/atomic';
import { buildDiff, commonType, type DiffOptions, diffJson } from '../formats/diff';
import { differentialSvg, PALETTES, type Palette } from '../formats/diff-svg';
import { diffText } from '../formats/diff-text';
import { judgeGrowth } from '../formats/gate';
import { withLabels } from '../formats/labels';
import { diffMarkdown } from '../formats/markdown';
import { DEFAULT_TOP } from '../formats/report';
import type { Profile } from '../pprof/schema';
import { keyValue, parse, readProfile, runCommand, UsageError, warnOfUnknownLabels, wholeNumber, writeOut } from './usage';

const HELP = `Usage: strobe diff <before> <after> [options]

Compares two profiles function by function: shares of the whole, so that runs of different length compare.
Functions are matched by name and file; moved lines don't matter. A change marked ~ is within what sampling alone explains.

Options:
  --absolute         compare values as they are
  --top N            functions (and values of --by) to show (default ${DEFAULT_TOP})
  --by LABEL         compare the values of a label, too, for example agent
  --label KEY=VALUE  only samples with this label, in both profiles; repeatable
  --type NAME        the sample type (default: the one that <after> shows)
  --json             as JSON (schema strobe-diff/1)
  --markdown         as Markdown, for pull requests
  -o, --output FILE  a picture: FILE.svg, or FILE.html to explore
  --title TEXT       of the picture
  --palette NAME     of the picture: ${PALETTES.join(' or ')} (default ${PALETTES[0]})
  --fail-above N%    exit code 1 when the self or total share of a function grew by more than N percentage points
                     (with --absolute: by more than N % of the whole before), and by more than sampling explains
  --help             this text

Examples:
  strobe diff main.pb.gz branch.pb.gz
  strobe diff main.pb.gz branch.pb.gz --markdown --fail-above 5% >> "$GITHUB_STEP_SUMMARY"
  strobe diff before.pb.gz after.pb.gz --by agent --absolute
  strobe diff before.pb.gz after.pb.gz -o diff.svg --palette colour-blind
`;

const MOST_ROWS = 1_000_000;

/** @returns the exit code: 0, 1 for files that cannot be read or a failed --fail-above, 2 for a wrong command line */
export function diffCommand(argv: string[]): Promise<number> {
  return runCommand('diff', () => diff(argv));
}

async function diff(argv: string[]): Promise<number> {
  const { values, positionals } = parse({
    args: argv,
    allowPositionals: true,
    options: {
      absolute: { type: 'boolean' },
      top: { type: 'string' },
      by: { type: 'string' },
      label: { type: 'string', multiple: true },
      type: { type: 'string' },
      json: { type: 'boolean' },
      markdown: { type: 'boolean' },
      output: { type: 'string', short: 'o' },
      title: { type: 'string' },
      palette: { type: 'string' },
      'fail-above': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOut([HELP]);
    return 0;
  }
  const [beforePath, afterPath] = positionals;
  if (beforePath === undefined || afterPath === undefined || positionals.length > 2)
    throw new UsageError(`two profiles are compared, not ${positionals.length}: strobe diff <before> <after>`);
  if (values.json && values.markdown) throw new UsageError('--json and --markdown exclude each other');
  if (values.by === '') throw new UsageError('--by needs the name of a label, for example --by thread_name');
  const top = values.top === undefined ? DEFAULT_TOP : wholeNumber('--top', values.top, 1, MOST_ROWS);
  const labels = (values.label ?? []).map((text) => keyValue('--label', text));
  const limit = values['fail-above'] === undefined ? undefined : percentage('--fail-above', values['fail-above']);
  const picture = pictureKind(values.output, values);

  const [before, after] = [await readProfile(beforePath), await readProfile(afterPath)];
  const types = commonType(before, after, values.type);
  if (!types) throw noCommonType(before, after, [beforePath, afterPath], values.type);
  const wanted = [...labels.map(({ key }) => key), ...(values.by === undefined ? [] : [values.by])];
  warnOfUnknownLabels('diff', [before, after], wanted);
  const options: DiffOptions = { absolute: values.absolute ?? false, labels, ...(values.by === undefined ? {} : { by: values.by }) };
  const names = { before: beforePath, after: afterPath };
  const sides = [withLabels(before, labels), withLabels(after, labels)] as const;

  if (picture && values.output) {
    const common = {
      beforeType: types.before,
      afterType: types.after,
      absolute: values.absolute ?? false,
      title: values.title ?? `${beforePath} → ${afterPath}`,
    };
    const palette = (values.palette ?? PALETTES[0]) as Palette;
    const text =
      picture === 'svg'
        ? differentialSvg(...sides, { ...common, palette })
        : await html(...sides, { title: common.title, names: [names.before, names.after] });
    await writeFileAtomic(values.output, text);
  }
  // A picture alone is what was asked for with -o; a table beside it, when its form was named.
  if (!picture || values.json || values.markdown) {
    const shown = buildDiff(before, after, types, { ...options, top });
    await writeOut([
      values.json ? `${JSON.stringify(diffJson(shown), null, 2)}\n` : values.markdown ? diffMarkdown(shown, names) : diffText(shown, names),
    ]);
  }
  return limit === undefined ? 0 : gate(buildDiff(before, after, types, { ...options, top: MOST_ROWS }), limit);
}

function gate(all: ReturnType<typeof buildDiff>, limit: number): number {
  const say = (line: string) => process.stderr.write(`strobe diff: ${line}\n`);
  const { failed, unsure } = judgeGrowth(all, limit);
  for (const line of unsure) say(`not counted, sampling alone may explain it (record longer): ${line}`);
  for (const line of failed) say(`above ${100 * limit}%: ${line}`);
  return failed.length > 0 ? 1 : 0;
}

/** `5%` or `5` as 0.05. */
function percentage(option: string, text: string): number {
  const [, digits] = /^(\d+(?:\.\d+)?)\s*%?$/.exec(text.trim()) ?? [];
  const value = Number(digits);
  if (digits === undefined || value > 100)
    throw new UsageError(`${option} must be a percentage from 0 to 100, for example 5%, not '${text}'`);
  return value / 100;
}

function pictureKind(output: string | undefined, given: { title?: string; palette?: string }): 'svg' | 'html' | undefined {
  if (output === undefined) {
    for (const name of ['title', 'palette'] as const)
      if (given[name] !== undefined) throw new UsageError(`--${name} goes with -o FILE.svg or -o FILE.html`);
    return undefined;
  }
  if (given.palette !== undefined && !(PALETTES as readonly string[]).includes(given.palette))
    throw new UsageError(`--palette must be ${PALETTES.join(' or ')}, not '${given.palette}'`);
  const kind = /\.(svg|html)$/i.exec(output)?.[1]?.toLowerCase();
  if (kind === undefined)
    throw new UsageError(`-o must end in .svg or .html, not '${output}'; for a table use --json or --markdown and the shell's >`);
  return kind as 'svg' | 'html';
}

function noCommonType(before: Profile, after: Profile, [a, b]: [string, string], wanted?: string): UsageError | StrobeError {
  const list = ({ sampleTypes }: Profile) => sampleTypes.map(({ type, unit }) => `${type}/${unit}`).join(', ');
  const types = `${a} has ${list(before)}; ${b} has ${list(after)}`;
  if (wanted !== undefined) return new UsageError(`--type must be a sample type of both profiles, not '${wanted}': ${types}`);
  return new StrobeError('ERR_PROFILE_INVALID', `the profiles measure different things: ${types}. Choose one that both have with --type`);
}

/** The page is loaded when asked for: only this needs it. It offers every sample type that both have, absolute and normalised, and both palettes. */
async function html(before: Profile, after: Profile, options: { title: string; names: [string, string] }): Promise<string> {
  const { differentialHtml } = await import('../formats/flamegraph/html.js');
  return differentialHtml(before, after, options);
}
