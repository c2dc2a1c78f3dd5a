// The file exporter: finished profiles as gzip pprof files in one directory.
//
// Names never collide: a window's file carries the start's time (to the millisecond), the process id and a number, unless plain names are asked for (`strobe run`, which owns
// its directory). Files appear whole: they are written under a temporary name and renamed.

import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StrobeError } from '../errors';
import { ioError, writeFileAtomic } from './atomic';
import type { FinishedProfile } from './exporter';

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

export function fileName(exporter: FileExporter, profile: FinishedProfile): string {
  const number = String(profile.number).padStart(4, '0');
  if (exporter.names === 'plain')
    return profile.scope === 'run' ? `${profile.mode}.pb.gz` : join('windows', `${profile.mode}-${number}.pb.gz`);
  const time = new Date(profile.startUnixMs).toISOString().replace(/[-:.]/g, '');
  return `${profile.mode}-${time}-${process.pid}${profile.scope === 'run' ? '' : `-${number}`}.pb.gz`;
}

/** @throws StrobeError ERR_IO */
export async function writeProfile(exporter: FileExporter, profile: FinishedProfile): Promise<string> {
  const path = join(exporter.dir, fileName(exporter, profile));
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw ioError('write', path, cause);
  }
  await writeFileAtomic(path, profile.bytes);
  return path;
}
