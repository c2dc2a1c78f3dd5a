// Two profiles as one flame graph. A box is as wide as its shares before and after together, so that what vanished and what is new both show; its colour says
// how much of it grew or shrank. Numbers in the boxes, too: colour alone is not read by everybody.

import type { Profile, ValueType } from '../pprof/schema';
import { CallTree, TREE_ROOT } from './call-tree';
import { type Box, renderSvg, type SvgOptions } from './svg';
import { humanise } from './units';

export interface DifferentialSvgOptions extends SvgOptions {
  title?: string;
  /** Index of the sample type in each profile. */
  beforeType: number;
  afterType: number;
  /** Compare values as they are, not shares of the whole. */
  absolute?: boolean;
  /** 'red-blue' (default): red grew; 'colour-blind': orange grew, on blue, told apart by all eyes and in grey. */
  palette?: Palette;
}

export const PALETTES = ['red-blue', 'colour-blind'] as const;
export type Palette = (typeof PALETTES)[number];

/** From hardly changed to new (or gone). */
const STEPS = 5;
const UNCHANGED = { light: '#dfe2e7', dark: '#3a3f48' };
/** [grew, shrank] in light and dark: the strongest colour; the steps lead to it from UNCHANGED. */
const STRONGEST: Record<Palette, { light: [string, string]; dark: [string, string] }> = {
  'red-blue': { light: ['#e5484d', '#5b8def'], dark: ['#c1363b', '#2f63c9'] },
  'colour-blind': { light: ['#f08a00', '#4f93d1'], dark: ['#b36200', '#1f5f9f'] },
};

/** @returns an SVG document */
export function differentialSvg(before: Profile, after: Profile, options: DifferentialSvgOptions): string {
  const absolute = options.absolute ?? false;
  const tree = new CallTree(2, { byLine: false });
  const wholes = [total(before, options.beforeType), total(after, options.afterType)] as const;
  const scale = (whole: number) => (absolute ? 1 : whole > 0 ? 1 / whole : 0);
  tree.add(before, options.beforeType, 0, scale(wholes[0]));
  tree.add(after, options.afterType, 1, scale(wholes[1]));
  const { unit } = after.sampleTypes[options.afterType] as ValueType;
  const shown = (value: number) => (absolute ? humanise(value, unit) : `${(100 * value).toFixed(2)}%`);
  const change = (a: number, b: number) => `${b >= a ? '+' : '−'}${shown(Math.abs(b - a))}${absolute ? '' : ' points'}`;
  const both = (node: number) => tree.value(node, 0) + tree.value(node, 1);
  const whole = both(TREE_ROOT);
  const source = {
    children: (node: number) => [...tree.children(node)].sort((a, b) => ((tree.func(a)?.name ?? '') < (tree.func(b)?.name ?? '') ? -1 : 1)),
    width: (node: number) => (whole === 0 ? 0 : both(node) / whole),
    box: (node: number): Box => {
      const func = tree.func(node);
      const [a, b] = [tree.value(node, 0), tree.value(node, 1)];
      const name = func?.name ?? 'all';
      const place = func && func.file !== '' ? ` ${func.file}` : '';
      const title = `${name}${place}\nbefore ${shown(a)}, after ${shown(b)}: ${change(a, b)}`;
      const worth = Math.abs(b - a) > 0.001 * Math.max(tree.value(TREE_ROOT, 0), tree.value(TREE_ROOT, 1));
      return { name: worth ? `${name} ${change(a, b).replace(' points', '')}` : name, title, style: styleOf(a, b) };
    },
    merged: (nodes: number[], width: number): Box => ({
      name: `${nodes.length} more`,
      title: `${nodes.length} narrow boxes\n${(100 * width).toFixed(2)}% of the picture`,
      style: 'same',
    }),
  };
  const styles = palette(options.palette ?? 'red-blue');
  return renderSvg(
    source,
    {
      title: options.title ?? 'differential flame graph',
      subtitle: `width: before + after${absolute ? '' : ', each as shares of its whole'} · before ${humanise(wholes[0], unit)}, after ${humanise(wholes[1], unit)}`,
      legend: [
        { style: `grew${STEPS}`, text: 'grew, or new' },
        { style: 'grew2', text: 'grew a little' },
        { style: 'same', text: 'unchanged' },
        { style: 'shrank2', text: 'shrank a little' },
        { style: `shrank${STEPS}`, text: 'shrank, or gone' },
      ],
      styles,
    },
    options,
  );
}

function total(profile: Profile, type: number): number {
  return profile.samples.reduce((sum, { values }) => sum + Math.max(0, values[type] ?? 0), 0);
}

/** By the change relative to the box: 1 is new, -1 is gone. */
function styleOf(before: number, after: number): string {
  const change = before + after === 0 ? 0 : (after - before) / (before + after);
  const step = Math.min(STEPS, Math.round(Math.abs(change) * STEPS * 1.4));
  return step === 0 ? 'same' : `${change > 0 ? 'grew' : 'shrank'}${step}`;
}

function palette(name: Palette): Record<string, { light: string; dark: string }> {
  const { light, dark } = STRONGEST[name];
  const styles: Record<string, { light: string; dark: string }> = { same: UNCHANGED };
  for (let step = 1; step <= STEPS; step++) {
    const part = 0.25 + (0.75 * step) / STEPS;
    styles[`grew${step}`] = { light: mix(UNCHANGED.light, light[0], part), dark: mix(UNCHANGED.dark, dark[0], part) };
    styles[`shrank${step}`] = { light: mix(UNCHANGED.light, light[1], part), dark: mix(UNCHANGED.dark, dark[1], part) };
  }
  return styles;
}

/** `part` of the way from one colour to another, both #rrggbb. */
function mix(from: string, to: string, part: number): string {
  const channel = (color: string, at: number) => Number.parseInt(color.slice(at, at + 2), 16);
  return `#${[1, 3, 5]
    .map((at) =>
      Math.round(channel(from, at) + (channel(to, at) - channel(from, at)) * part)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;
}
