// strobe.toml: found, parsed, and read into what startProfiler takes.
//
// The file is one for all of strobe; today its [telemetry.profiling] tables are used. Tables of parts that are to come are accepted unread and named in `notUsed`, so that
// a file for the whole kit works. Everything else that is not known is an error.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { StrobeError } from '../errors';
import { ioError } from '../export/io-error';
import { readExporter } from './exporters';
import { findLines } from './lines';
import type { Settings } from './settings';
import { Table } from './table';

export const DEFAULT_FILE = 'strobe.toml';
/** A configuration is written by people. */
const MAX_BYTES = 2 ** 20;

const TOP = ['telemetry'];
const TELEMETRY = ['enabled', 'logging', 'tracing', 'metrics', 'profiling', 'attribution', 'memory'];
const LATER = ['logging', 'tracing', 'metrics', 'attribution', 'memory'];
const PROFILING = [
  'enabled',
  'application_name',
  'tags',
  'source_maps',
  'max_depth',
  'exit_timeout_seconds',
  'cpu',
  'wall',
  'memory',
  'exporter',
  'exporters',
];
const CPU = ['enabled', 'frequency', 'continuous', 'duration_seconds'];
const WALL = ['enabled'];

/**
 * The file that `STROBE_CONFIG` names, else ./strobe.toml when there is one; undefined for none.
 * @throws StrobeError ERR_IO, ERR_INVALID_OPTION with file and line
 */
export function readConfigFile(env: Record<string, string | undefined>): Settings | undefined {
  const named = env.STROBE_CONFIG;
  const file = named || DEFAULT_FILE;
  if (!named && !existsSync(file)) return undefined;
  let text: string;
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / 2 ** 20} MiB`);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw ioError('read the configuration', file, cause);
  }
  return readConfig(text, file, env);
}

/** @throws StrobeError ERR_INVALID_OPTION with file and line */
export function readConfig(text: string, file: string, env: Record<string, string | undefined>): Settings {
  // Loaded where there is a file to read, not in every process.
  const { parse } = require('smol-toml') as { parse(text: string): Record<string, unknown> };
  let values: Record<string, unknown>;
  try {
    values = parse(text);
  } catch (cause) {
    // The parser's message shows the lines around, which may hold secrets.
    const { line, message } = cause as Error & { line?: number };
    const reason = message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
    throw new StrobeError('ERR_INVALID_OPTION', `${file}${line ? ` line ${line}` : ''}: no valid TOML: ${reason}`);
  }
  return readProfiling(new Table({ file, lines: findLines(text), env }, '', values));
}

function readProfiling(top: Table): Settings {
  const settings: Settings = { options: {}, enabled: true, notUsed: [] };
  const telemetry = top.only(TOP).table('telemetry')?.only(TELEMETRY);
  if (!telemetry) return settings;
  settings.notUsed.push(...LATER.filter((key) => telemetry.has(key)).map((key) => `telemetry.${key}`));
  const profiling = telemetry.table('profiling')?.only(PROFILING);
  settings.enabled = (telemetry.flag('enabled') ?? true) && (profiling?.flag('enabled') ?? true);
  if (!profiling || !settings.enabled) return settings;
  if (profiling.has('memory')) settings.notUsed.push('telemetry.profiling.memory');

  const cpu = profiling.table('cpu')?.only(CPU);
  const wall = profiling.table('wall')?.only(WALL);
  const modes = [
    ...((cpu?.flag('enabled') ?? true) ? (['cpu'] as const) : []),
    ...((wall?.flag('enabled') ?? false) ? (['wall'] as const) : []),
  ];
  if (modes.length === 0) return { ...settings, enabled: false };
  const exporters = profiling.tables('exporters');
  const single = profiling.table('exporter');
  if (single && exporters.length > 0) profiling.refuse('exporter', 'stands beside [[telemetry.profiling.exporters]]: use one of the two');
  const read = (single ? [single] : exporters).map(readExporter);
  const names = [
    ...new Set([profiling.text('application_name'), ...read.map(({ appName }) => appName)].filter((name) => name !== undefined)),
  ];
  if (names.length > 1) profiling.refuse('exporters', `name different applications (${names.join(', ')}): one process has one name`);
  // On demand: nothing is sent by itself.
  const continuous = cpu?.flag('continuous') ?? true;
  const kept = read.map(({ exporter }) => exporter).filter(({ kind }) => continuous || kind === 'pull');
  if (!continuous && read.length > kept.length) settings.notUsed.push('exporters other than pull (continuous = false)');
  Object.assign(
    settings.options,
    withoutUndefined({
      mode: cpu || wall ? modes : undefined,
      frequencyHz: limited(cpu, 'frequency', 1, 1000),
      windowSeconds: limited(cpu, 'duration_seconds', 1, 3600),
      maxDepth: limited(profiling, 'max_depth', 1, 4096),
      exitTimeoutSeconds: limited(profiling, 'exit_timeout_seconds', 0, 60),
      sourceMaps: profiling.flag('source_maps'),
      appName: names[0],
      tags: profiling.table('tags')?.record(),
      exporters: read.length > 0 || !continuous ? kept : undefined,
    }),
  );
  return settings;
}

/** Checked here too, so that the message has the file's line and key. */
function limited(table: Table | undefined, key: string, least: number, most: number): number | undefined {
  const value = table?.number(key);
  if (value !== undefined && !(value >= least && value <= most))
    table?.refuse(key, `must be a number from ${least} to ${most}, got ${value}`);
  return value;
}

function withoutUndefined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
