// Colours. A frame's fill says what kind of code it is, which package, which label value, or how it changed; its text must stay readable on it (contrast of at
// least 4.5:1, which test/flamegraph-page.test.mjs checks for every fill of both themes).

import type { Kind } from '../formats/flamegraph/page-data';

export type ThemeName = 'light' | 'dark';

export interface Theme {
  name: ThemeName;
  background: string;
  text: string;
  frameText: string;
  merged: string;
  border: string;
  match: string;
  matchText: string;
  accent: string;
}

export const THEMES: Record<ThemeName, Theme> = {
  light: {
    name: 'light',
    background: '#ffffff',
    text: '#1c2024',
    frameText: '#17191c',
    merged: '#cdd3da',
    border: '#ffffff',
    match: '#e59bf5',
    matchText: '#17191c',
    accent: '#1f5fd0',
  },
  dark: {
    name: 'dark',
    background: '#15181c',
    text: '#e6e8eb',
    frameText: '#f4f5f7',
    merged: '#3d444d',
    border: '#15181c',
    match: '#8d2fa8',
    matchText: '#ffffff',
    accent: '#7fb0ff',
  },
};

export const KIND_NAMES: Record<Kind, string> = {
  application: 'application',
  dependency: 'dependency',
  node: 'Node internal',
  builtin: 'builtin',
  wasm: 'WebAssembly',
  gc: 'garbage collection',
  native: 'native',
  engine: 'VM state',
};

/** Hue, saturation of each kind. */
const KIND_HUES: Record<Kind, [hue: number, saturation: number]> = {
  application: [32, 88],
  dependency: [208, 62],
  node: [148, 38],
  builtin: [54, 58],
  wasm: [268, 55],
  gc: [2, 66],
  native: [188, 40],
  engine: [220, 8],
};

/** Neighbours of one kind differ a little, so that they can be told apart. */
const SHADES = 4;
/** Hues of packages and label values, in the order of their weight. Far apart, and told apart by lightness too. */
const CATEGORY_HUES: [hue: number, saturation: number][] = [
  [208, 65],
  [32, 85],
  [148, 45],
  [268, 55],
  [54, 65],
  [340, 65],
  [180, 50],
  [96, 45],
  [300, 40],
  [16, 70],
];
export const CATEGORIES = CATEGORY_HUES.length;

function fill(theme: ThemeName, [hue, saturation]: [number, number], shade: number): string {
  return theme === 'light' ? hsl(hue, saturation, 77 - 3.5 * shade) : hsl(hue, saturation * 0.62, 26 + 2.2 * shade);
}

export function kindFill(theme: ThemeName, kind: Kind, shade: number): string {
  return fill(theme, KIND_HUES[kind], shade % SHADES);
}

export function categoryFill(theme: ThemeName, category: number): string {
  return category >= CATEGORIES ? otherFill(theme) : fill(theme, CATEGORY_HUES[category] as [number, number], 1);
}

/** What has no category: none of the packages, samples without the label. */
export function otherFill(theme: ThemeName): string {
  return theme === 'light' ? hsl(220, 8, 80) : hsl(220, 8, 30);
}

export type Palette = 'red-blue' | 'orange-blue';
const DIFF_STEPS = 8;
// More is the first, less the second. Orange against blue is told apart with every common colour blindness; red against blue is what flame graphs use.
const DIFF_HUES: Record<Palette, [number, number]> = { 'red-blue': [2, 216], 'orange-blue': [34, 216] };

/** @param change from -1 (all gone) to 1 (all new) */
export function diffFill(theme: ThemeName, palette: Palette, change: number): string {
  const step = Math.min(DIFF_STEPS, Math.round(Math.abs(change) * DIFF_STEPS));
  if (step === 0) return theme === 'light' ? hsl(220, 8, 88) : hsl(220, 8, 26);
  const hue = DIFF_HUES[palette][change > 0 ? 0 : 1];
  const strength = step / DIFF_STEPS;
  return theme === 'light' ? hsl(hue, 60 + 28 * strength, 88 - 22 * strength) : hsl(hue, 20 + 50 * strength, 26 + 6 * strength);
}

/** Heat from 0 to 1: from the background to a strong red by way of yellow, each step darker (light theme) or lighter (dark theme) than the one before. */
export function heatFill(theme: ThemeName, heat: number): string {
  const strength = Math.max(0, Math.min(1, heat));
  const hue = 50 - 48 * strength;
  return theme === 'light' ? hsl(hue, 95, 90 - 48 * strength) : hsl(10 + 42 * strength, 85, 16 + 52 * strength);
}

/** FNV-1a: a function keeps its shade from page to page. */
export function shadeOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < Math.min(text.length, 64); i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 8) % SHADES;
}

/** As #rrggbb: a canvas reads that fastest. */
function hsl(hue: number, saturation: number, lightness: number): string {
  const s = saturation / 100;
  const l = lightness / 100;
  const spread = s * Math.min(l, 1 - l);
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    const value = l - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(0)}${channel(8)}${channel(4)}`;
}
