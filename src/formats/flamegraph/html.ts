// The flame graph page: one file that holds its data, its code and its style, opens from disk and asks nobody for anything.
//
// Its Content-Security-Policy allows the one script and the one style by their hashes and nothing else: no request, no inline handler, no eval. Data travels as
// text of the base64 alphabet and as JSON without `<`, so that no name in a profile can end an element; the page shows names as text nodes only.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { StrobeError } from '../../errors';
import { type Profile, shownSampleType, type ValueType } from '../../pprof/schema';
import type { LabelFilter } from '../labels';
import type { Timeline } from '../timeline';
import { grouped } from '../units';
import { pageAssets } from './assets';
import { packColumns } from './columns';
import { factsOf, startUnixMs } from './facts';
import type { Fact, PageHead, ProfileHead } from './page-data';
import { TreeBuilder } from './tree';

export interface PageInput {
  /** What the page calls the profile: the file's name. */
  name: string;
  profile: Profile;
  /** Gives the page its heat map. */
  timeline?: Timeline;
}

export interface PageOptions {
  /** Heading and window title. */
  title?: string;
  /** Keep samples that carry these labels, as in a report. */
  labels?: LabelFilter[];
}

export interface DifferentialOptions extends PageOptions {
  /** What the page calls the two; default 'before' and 'after'. */
  names?: [before: string, after: string];
}

/** Level 9 takes twice the time for 2 % less. */
const GZIP_LEVEL = 6;

/**
 * One page of one or more profiles; the page's menu switches between their sample types.
 * @throws StrobeError ERR_INVALID_OPTION for no profile, ERR_IO when the page's code was not built
 */
export function flameGraphHtml(inputs: PageInput[], options: PageOptions = {}): string {
  const [first] = inputs;
  if (!first) throw new StrobeError('ERR_INVALID_OPTION', 'a flame graph needs at least one profile');
  const parts = inputs.map(({ name, profile, timeline }) => {
    const tree = new TreeBuilder(profile.sampleTypes.length, options.labels);
    tree.add(
      profile,
      profile.sampleTypes.map((_, type) => type),
      timeline,
    );
    const head: ProfileHead = {
      name,
      types: profile.sampleTypes,
      shown: shownSampleType(profile),
      facts: [...filterFacts(options.labels), ...factsOf(profile), ...negativeFacts(tree)],
      durationNanos: profile.durationNanos,
      startUnixMs: startUnixMs(profile),
    };
    return { head, tree };
  });
  const head: PageHead = {
    schema: 'strobe-page/1',
    title: options.title ?? inputs.map(({ name }) => name).join(', '),
    kind: 'profile',
    profiles: parts.map(({ head }) => head),
  };
  return page(
    head,
    parts.map(({ tree }) => tree),
  );
}

/**
 * One page that shows what changed from one profile to the other. Sample types that both have are compared.
 * @throws StrobeError ERR_PROFILE_INVALID when the profiles have no sample type in common, ERR_IO when the page's code was not built
 */
export function differentialHtml(before: Profile, after: Profile, options: DifferentialOptions = {}): string {
  const names = options.names ?? ['before', 'after'];
  const types = after.sampleTypes.filter((type) => indexOf(before, type) >= 0);
  if (types.length === 0) {
    const list = ({ sampleTypes }: Profile) => sampleTypes.map(({ type, unit }) => `${type}/${unit}`).join(', ');
    throw new StrobeError(
      'ERR_PROFILE_INVALID',
      `${names[0]} and ${names[1]} cannot be compared, they measure different things: ${list(before)} against ${list(after)}. Compare profiles of one kind.`,
    );
  }
  const tree = new TreeBuilder(2 * types.length, options.labels);
  [before, after].forEach((profile, side) => {
    const columns = profile.sampleTypes.map(() => -1);
    types.forEach((type, i) => {
      columns[indexOf(profile, type)] = 2 * i + side;
    });
    tree.add(profile, columns);
  });
  const facts = [...filterFacts(options.labels), ...bothFacts(factsOf(before), factsOf(after))];
  const shown = after.sampleTypes[shownSampleType(after)] as ValueType;
  const head: PageHead = {
    schema: 'strobe-page/1',
    title: options.title ?? `${names[0]} → ${names[1]}`,
    kind: 'diff',
    profiles: [
      {
        name: `${names[0]} → ${names[1]}`,
        types,
        shown: Math.max(0, types.findIndex(sameType(shown))),
        facts: [...facts, ...negativeFacts(tree)],
        durationNanos: after.durationNanos,
        startUnixMs: startUnixMs(after),
      },
    ],
  };
  return page(head, [tree]);
}

const sameType = (wanted: ValueType) => (type: ValueType) => type.type === wanted.type && type.unit === wanted.unit;
const indexOf = (profile: Profile, wanted: ValueType): number => profile.sampleTypes.findIndex(sameType(wanted));

function filterFacts(labels: LabelFilter[] = []): Fact[] {
  return labels.map(({ key, value }) => ({ name: 'only', value: `${key}=${value}` }));
}

/** `duration 30 s → 31 s`. */
function bothFacts(before: Fact[], after: Fact[]): Fact[] {
  const rest = [...after];
  const facts = before.map(({ name, value, warn }) => {
    const at = rest.findIndex((fact) => fact.name === name);
    const other = at < 0 ? undefined : rest.splice(at, 1)[0];
    return { name, value: `${value} → ${other?.value ?? 'not said'}`, warn: Boolean(warn || other?.warn) };
  });
  return [...facts, ...rest.map((fact) => ({ ...fact, value: `not said → ${fact.value}` }))];
}

function negativeFacts({ negative }: TreeBuilder): Fact[] {
  return negative === 0 ? [] : [{ name: 'values below 0, left out', value: grouped(negative), warn: true }];
}

function page(head: PageHead, trees: TreeBuilder[]): string {
  const { script, style } = pageAssets();
  const policy = [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(style)}'`,
    // The empty icon, without which a browser asks the server for one.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const data = trees.map(
    (tree, i) =>
      `<script type="text/plain" id="profile-${i}">${gzipSync(packColumns(tree.columns()), { level: GZIP_LEVEL }).toString('base64')}</script>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="strobe">
<title>${escapeText(head.title)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<noscript>This page draws a flame graph with JavaScript, which is switched off here. The same profile as text: strobe report FILE</noscript>
<div id="app"></div>
<script type="application/json" id="head">${escapeJson(head)}</script>
${data.join('\n')}
<script>${script}</script>
</body>
</html>
`;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** JSON keeps its meaning; nothing in it looks like markup. JSON.stringify escapes lone surrogates itself. */
function escapeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function escapeText(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
