// The file exporter, as the application's thread sees it: its description and the check of its directory. What writes is in file-writer.ts, on the encoder's
// thread only: this file loads nothing that a starting application would wait for.

import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { StrobeError } from '../errors';
import { ioError } from './io-error';

export interface FileExporterOptions {
  /** Directory of the profiles, made when it is missing. */
  dir: string;
  /** 'windows' (default): one file a window. 'run': one file from start to stop. 'both'. */
  write?: 'windows' | 'run' | 'both';
  /** 'unique' (default): time, process id and number in each name. 'plain': cpu.pb.gz and windows/cpu-0001.pb.gz, for a directory of this run's own. */
  names?: 'unique' | 'plain';
}

export interface FileExporter {
  kind: 'file';
  dir: string;
  write: 'windows' | 'run' | 'both';
  names: 'unique' | 'plain';
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function fileExporter(options: FileExporterOptions): FileExporter {
  const refuse = (message: string): never => {
    throw new StrobeError('ERR_INVALID_OPTION', `fileExporter: ${message}`);
  };
  if (typeof options !== 'object' || options === null || typeof options.dir !== 'string' || options.dir === '') {
    return refuse("dir must be the path of a directory, for example fileExporter({ dir: './profiles' })");
  }
  const { write = 'windows', names = 'unique' } = options;
  if (!['windows', 'run', 'both'].includes(write)) refuse(`write must be 'windows', 'run' or 'both', got ${JSON.stringify(write)}`);
  if (!['unique', 'plain'].includes(names)) refuse(`names must be 'unique' or 'plain', got ${JSON.stringify(names)}`);
  return { kind: 'file', dir: resolve(options.dir), write, names };
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
