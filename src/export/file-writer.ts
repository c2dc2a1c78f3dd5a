// The file exporter's working part, in the encoder: finished profiles as gzip pprof files in one directory.
//
// Names never collide: a window's file carries the start's time (to the millisecond), the process id and a number, unless plain names are asked for
// (`strobe run`, which owns its directory). Files appear whole: they are written under a temporary name and renamed.

import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from './atomic';
import type { FinishedProfile } from './exporter';
import type { FileExporter } from './file';
import { ioError } from './io-error';

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
