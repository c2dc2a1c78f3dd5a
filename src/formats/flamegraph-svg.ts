// A flame graph as a static SVG. Boxes are functions under their callers, as wide as their share, coloured by the kind of code. The colours differ in hue and
// lightness for eyes that do not tell red from green, and the application's own functions are bold for printers without colour.

import { type Profile, shownSampleType, type ValueType } from '../pprof/schema';
import { CallTree, TREE_ROOT } from './call-tree';
import { countType } from './convert/write';
import { CODE_KINDS, type CodeKind, codeKind, KIND_NAMES } from './kind';
import { type LabelFilter, withLabels } from './labels';
import { type Box, renderSvg, type SvgOptions } from './svg';
import { grouped, humanise, percent } from './units';

export interface FlameGraphSvgOptions extends SvgOptions {
  /** Above the picture; default `flame graph`. */
  title?: string;
  /** Index of the sample type; default the one that the profile names, else its last. */
  sampleType?: number;
  /** Only samples that carry these labels. */
  labels?: LabelFilter[];
}

export const KIND_COLORS: Record<CodeKind, { light: string; dark: string; strong?: boolean }> = {
  application: { light: '#ffb347', dark: '#8f5a0c', strong: true },
  dependency: { light: '#8cc4f0', dark: '#1f5f8b' },
  node: { light: '#7fcfb0', dark: '#17694f' },
  builtin: { light: '#f5e77f', dark: '#75680f' },
  wasm: { light: '#e3a6cd', dark: '#7f3d68' },
  gc: { light: '#ef7f55', dark: '#a23c18' },
  native: { light: '#a9b4ee', dark: '#414f9f' },
  vm: { light: '#cdd1d8', dark: '#4c525c' },
};

/** @returns an SVG document */
export function flameGraphSvg(profile: Profile, options: FlameGraphSvgOptions = {}): string {
  const type = options.sampleType ?? shownSampleType(profile);
  const kept = withLabels(profile, options.labels ?? []);
  const tree = new CallTree(1);
  tree.add(kept, type);
  const sampleType = profile.sampleTypes[type] ?? { type: '', unit: '' };
  const whole = tree.value(TREE_ROOT);
  const share = (value: number) => (whole === 0 ? 0 : value / whole);
  const kinds = tree.functions.map(({ name, file }) => codeKind(name, file));
  const kindOf = new Map(tree.functions.map((func, i) => [func, kinds[i] as CodeKind]));
  const source = {
    children: (node: number) => [...tree.children(node)].sort((a, b) => compare(tree.func(a)?.name ?? '', tree.func(b)?.name ?? '')),
    width: (node: number) => share(tree.value(node)),
    box: (node: number): Box => {
      const func = tree.func(node);
      const value = tree.value(node);
      const numbers = `${humanise(value, sampleType.unit)}, ${percent(value, whole)} of ${humanise(whole, sampleType.unit)}`;
      if (!func) return { name: `all: ${humanise(whole, sampleType.unit)}`, title: `all\n${numbers}`, style: 'vm' };
      const self = tree.self(node);
      const place = func.file === '' ? '' : ` ${func.file}${func.line > 0 ? `:${func.line}` : ''}`;
      const kind = kindOf.get(func) as CodeKind;
      const own = self > 0 ? `\nself ${humanise(self, sampleType.unit)}, ${percent(self, whole)}` : '';
      return { name: func.name, title: `${func.name}${place}\n${numbers}${own}\n${KIND_NAMES[kind]}`, style: kind };
    },
    merged: (nodes: number[], width: number): Box => ({
      name: `${nodes.length} more`,
      title: `${grouped(nodes.length)} narrow boxes\n${(100 * width).toFixed(2)}% together`,
      style: 'vm',
    }),
  };
  return renderSvg(
    source,
    {
      title: options.title ?? 'flame graph',
      subtitle: subtitle(kept, sampleType, whole, options.labels ?? []),
      legend: kindShares(tree, kindOf, whole),
      styles: KIND_COLORS,
    },
    options,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function subtitle(profile: Profile, { type, unit }: ValueType, whole: number, labels: LabelFilter[]): string {
  const counts = countType(profile);
  const samples = profile.samples.reduce((sum, { values }) => sum + (values[counts] ?? 0), 0);
  const facts = [
    `${type}: ${humanise(whole, unit)}${profile.durationNanos > 0 ? ` in ${humanise(profile.durationNanos, 'nanoseconds')}` : ''}`,
  ];
  if (counts >= 0) facts.push(`${grouped(samples)} samples`);
  const unixMs = Number(profile.timeNanos / 1_000_000n);
  if (unixMs > 0 && unixMs < 8.64e15) facts.push(`from ${new Date(unixMs).toISOString()}`);
  if (labels.length > 0) facts.push(`only ${labels.map(({ key, value }) => `${key}=${value}`).join(', ')}`);
  return facts.join(' · ');
}

/** Self share of each kind of code that is there. */
function kindShares(tree: CallTree, kindOf: Map<object, CodeKind>, whole: number): { style: string; text: string }[] {
  const shares = new Map<CodeKind, number>();
  const open: number[] = [TREE_ROOT];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const func = tree.func(node);
    if (func) {
      const kind = kindOf.get(func) as CodeKind;
      shares.set(kind, (shares.get(kind) ?? 0) + tree.self(node));
    }
    for (const child of tree.children(node)) open.push(child);
  }
  return CODE_KINDS.filter((kind) => shares.has(kind)).map((kind) => ({
    style: kind,
    text: `${KIND_NAMES[kind]} ${percent(shares.get(kind) ?? 0, whole)}`,
  }));
}
