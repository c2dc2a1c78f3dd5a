// The file exporter, as the application's thread sees it: its description and the check of its directory. What writes is in file-writer.ts, on the encoder's
// thread only: this file loads nothing that a starting application would wait for.

import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { StrobeError } from '../errors';
import { Checks } from './checks';
import { ioError } from './io-error';

export interface FileExporterOptions {
  /** Directory of the profiles, made when it is missing. */
  dir: string;
  /** 'windows' (default): one file a window. 'run': one file from start to stop. 'both'. */
  write?: 'windows' | 'run' | 'both';
  /** 'unique' (default): time, process id and number in each name. 'plain': cpu.pb.gz and windows/cpu-0001.pb.gz, for a directory of this run's own. */
  names?: 'unique' | 'plain';
  /** With a run's profile, when its samples were taken (`cpu.timeline.gz`), for the heat map of a flame graph page. Costs 16 bytes a sample. Default false. */
  timeline?: boolean;
  /**
   * Bounds of what the directory keeps of windows, all processes' together: files, bytes, seconds since they were written. The oldest are removed, and only
   * files whose names strobe gives. Default: no bound.
   */
  maxFiles?: number;
  maxBytes?: number;
  maxAgeSeconds?: number;
}

export interface FileExporter {
  kind: 'file';
  timeline: boolean;
  dir: string;
  write: 'windows' | 'run' | 'both';
  names: 'unique' | 'plain';
  maxFiles: number | undefined;
  maxBytes: number | undefined;
  maxAgeSeconds: number | undefined;
}

const KNOWN = ['dir', 'write', 'names', 'timeline', 'maxFiles', 'maxBytes', 'maxAgeSeconds'] as const;

/** @throws StrobeError ERR_INVALID_OPTION */
export function fileExporter(options: FileExporterOptions): FileExporter {
  const wantsDirectory = "must be the path of a directory, for example fileExporter({ dir: './profiles' })";
  const checks = new Checks('fileExporter', options ?? {}, KNOWN);
  const dir = checks.raw('dir');
  if (typeof dir !== 'string' || dir === '') return checks.refuse(`dir ${wantsDirectory}`);
  return {
    kind: 'file',
    timeline: checks.flag('timeline', false),
    dir: resolve(dir),
    write: checks.choice('write', ['windows', 'run', 'both'], 'windows'),
    names: checks.choice('names', ['unique', 'plain'], 'unique'),
    maxFiles: checks.optionalNumber('maxFiles', { least: 1, most: 1e9, unit: 'files', whole: true }),
    maxBytes: checks.optionalNumber('maxBytes', { least: 1, most: 2 ** 50, unit: 'bytes', whole: true }),
    maxAgeSeconds: checks.optionalNumber('maxAgeSeconds', { least: 1, most: 1e10, unit: 'seconds' }),
  };
}

/**
 * Makes the directory and checks that it can be written, before anything is started.
 * @throws StrobeError ERR_IO
 */
export function prepareFileExporter(exporter: FileExporter): void {
  try {
    mkdirSync(exporter.dir, { recursive: true });
    if (!statSync(exporter.dir).isDirectory()) throw new Error('not a directory');
    accessSync(exporter.dir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new StrobeError('ERR_IO', `exporters: fileExporter's dir: ${ioError('write to', exporter.dir, cause).message}`, { cause });
  }
}

export function wantsWindows(exporter: FileExporter): boolean {
  return exporter.write !== 'run';
}

export function wantsRun(exporter: FileExporter): boolean {
  return exporter.write !== 'windows';
}

/** Some exporter keeps when samples were taken. */
export function wantsTimes(exporters: readonly { kind: string }[]): boolean {
  return exporters.some(
    (exporter) => exporter.kind === 'file' && (exporter as FileExporter).timeline && wantsRun(exporter as FileExporter),
  );
}
