// Checks what a user gives to startProfiler and fills in the defaults. Nothing is started or changed before every option is known to be good.

import { StrobeError } from '../errors';
import { EXPORTER_FACTORIES, type Exporter, isExporter } from '../export/exporter';
import { didYouMean } from '../nearest';

export const PROFILE_MODES = ['cpu', 'wall'] as const;
export type ProfileMode = (typeof PROFILE_MODES)[number];

export interface StartOptions {
  /** Profiles to record. Default ['cpu']. */
  mode?: ProfileMode | ProfileMode[];
  /** Samples a second, 1 to 1000: of CPU time in the CPU profile, of wall time in the wall profile. Default 100. */
  frequencyHz?: number;
  /** Frames kept of a stack, from the leaf on, 1 to 4096; deeper stacks are cut at the root and marked `(truncated)`. Default 512. */
  maxDepth?: number;
  /** Length of a delivered window, seconds, 1 to 3600. Default 30. */
  windowSeconds?: number;
  /** Show positions in the files that source maps lead to (TypeScript, bundles). Maps are read in strobe's own thread. Default true. */
  sourceMaps?: boolean;
  /**
   * The share of the process's CPU that strobe may use, percent, 0.05 to 50: the rate is lowered below `frequencyHz` as far as it takes. Of a process that uses
   * less than a tenth of a core, the share of a tenth of a core. Default: no limit.
   */
  overheadBudgetPercent?: number;
  /** Opens a Unix socket for `strobe status`, `attach`, `top` and `stop` of this user. Default false. */
  control?: boolean;
  /** How long an ending process waits for the last profile to be written, seconds, 0 to 60. Default 2. */
  exitTimeoutSeconds?: number;
  /** Name of the service; stands in the profile's comments. */
  appName?: string;
  /** Facts about the process (environment, version); stand in the profile's comments. */
  tags?: Record<string, string>;
  /** Where finished profiles go. Default none: `snapshot()` is the only reader. */
  exporters?: Exporter[];
}

export interface CheckedOptions {
  mode: ProfileMode[];
  frequencyHz: number;
  maxDepth: number;
  windowSeconds: number;
  sourceMaps: boolean;
  control: boolean;
  exitTimeoutSeconds: number;
  /** 0: no limit. */
  overheadBudgetPercent: number;
  appName: string;
  tags: Record<string, string>;
  exporters: Exporter[];
}

const KNOWN = [
  'mode',
  'frequencyHz',
  'maxDepth',
  'windowSeconds',
  'sourceMaps',
  'control',
  'exitTimeoutSeconds',
  'overheadBudgetPercent',
  'appName',
  'tags',
  'exporters',
] as const;

export const MAX_DEPTH = 4096;

function refuse(message: string): never {
  throw new StrobeError('ERR_INVALID_OPTION', message);
}

/** What was given, as it reads in a message: '100' (a string), NaN, -1. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value)} (a string)`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function number(name: string, value: unknown, least: number, most: number, fallback: number, unit: string): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    refuse(`${name} must be a number from ${least} to ${most} (${unit}), got ${shown(value)}`);
  }
  return value;
}

/** @throws StrobeError ERR_INVALID_OPTION unless `value` is a number from 1 to 1000. */
export function checkFrequency(value: unknown): number {
  return number('frequencyHz', value, 1, 1000, 100, 'samples a second');
}

export function checkMode(value: unknown): ProfileMode {
  if (value !== 'cpu' && value !== 'wall') refuse(`mode must be 'cpu' or 'wall', got ${shown(value)}`);
  return value;
}

export function checkOptions(given: StartOptions = {}): CheckedOptions {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    refuse(`startProfiler takes an object of options, got ${shown(given)}`);
  for (const key of Object.keys(given)) {
    if ((KNOWN as readonly string[]).includes(key)) continue;
    refuse(`unknown option '${key}'${didYouMean(key, KNOWN)} Known options: ${KNOWN.join(', ')}`);
  }
  const modes = given.mode === undefined ? ['cpu'] : Array.isArray(given.mode) ? given.mode : [given.mode];
  if (modes.length === 0) refuse("mode must name at least one profile: 'cpu', 'wall'");
  const maxDepth = number('maxDepth', given.maxDepth, 1, MAX_DEPTH, 512, 'frames');
  if (!Number.isInteger(maxDepth)) refuse(`maxDepth must be a whole number of frames, got ${maxDepth}`);
  const sourceMaps = given.sourceMaps ?? true;
  if (typeof sourceMaps !== 'boolean') refuse(`sourceMaps must be true or false, got ${shown(sourceMaps)}`);
  const control = given.control ?? false;
  if (typeof control !== 'boolean') refuse(`control must be true or false, got ${shown(control)}`);
  if (given.appName !== undefined && typeof given.appName !== 'string') refuse(`appName must be a string, got ${shown(given.appName)}`);
  const tags = given.tags ?? {};
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) refuse(`tags must be an object of strings, got ${shown(tags)}`);
  for (const [key, value] of Object.entries(tags)) {
    if (typeof value !== 'string') refuse(`tags.${key} must be a string, got ${shown(value)}`);
  }
  const exporters = given.exporters ?? [];
  if (!Array.isArray(exporters)) refuse(`exporters must be an array, got ${shown(exporters)}`);
  for (const [i, exporter] of exporters.entries()) {
    if (!isExporter(exporter)) refuse(`exporters[${i}] is not an exporter; make one with ${EXPORTER_FACTORIES}`);
  }
  return {
    mode: [...new Set(modes.map(checkMode))],
    frequencyHz: checkFrequency(given.frequencyHz),
    maxDepth,
    windowSeconds: number('windowSeconds', given.windowSeconds, 1, 3600, 30, 'seconds'),
    sourceMaps,
    control,
    exitTimeoutSeconds: number('exitTimeoutSeconds', given.exitTimeoutSeconds, 0, 60, 2, 'seconds'),
    overheadBudgetPercent:
      given.overheadBudgetPercent === undefined
        ? 0
        : number('overheadBudgetPercent', given.overheadBudgetPercent, 0.05, 50, 0, "percent of the process's CPU"),
    appName: given.appName ?? '',
    tags: { ...tags },
    exporters: [...exporters],
  };
}
