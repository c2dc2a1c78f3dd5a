// The file exporter's working part, in the encoder: finished profiles as gzip pprof files in one directory.
//
// Names never collide: a window's file carries the start's time (to the millisecond), the process id and a number, unless plain names are asked for
// (`strobe run`, which owns its directory). Files appear whole: they are written under a temporary name and renamed. A write that fails is repeated like any
// delivery: a full disk may have room again.

import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from './atomic';
import type { FinishedProfile } from './exporter';
import type { FileExporter } from './file';
import { ioError } from './io-error';
import type { Payload } from './payload';
import { removeOldFiles } from './retention';
import type { Outcome } from './retry';
import type { Sender } from './sender';

export function fileName(
  exporter: FileExporter,
  profile: Pick<FinishedProfile, 'mode' | 'scope' | 'number' | 'startUnixMs' | 'part'>,
): string {
  const ending = profile.part === 'timeline' ? 'timeline.gz' : 'pb.gz';
  const number = String(profile.number).padStart(4, '0');
  if (exporter.names === 'plain')
    return profile.scope === 'run' ? `${profile.mode}.${ending}` : join('windows', `${profile.mode}-${number}.pb.gz`);
  const time = new Date(profile.startUnixMs).toISOString().replace(/[-:.]/g, '');
  return `${profile.mode}-${time}-${process.pid}${profile.scope === 'run' ? '' : `-${number}`}.${ending}`;
}

async function writeProfile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw ioError('write', path, cause);
  }
  await writeFileAtomic(path, bytes);
}

export class FileSender implements Sender {
  #removed = 0;

  constructor(
    readonly exporter: FileExporter,
    readonly now: () => number,
  ) {}

  encode(profile: FinishedProfile): Payload {
    return { head: { name: fileName(this.exporter, profile) }, body: profile.bytes };
  }

  async send({ head, body }: Payload): Promise<Outcome> {
    const path = join(this.exporter.dir, head.name ?? '');
    try {
      await writeProfile(path, body);
    } catch (error) {
      return { kind: 'retry', reason: (error as Error).message };
    }
    try {
      this.#removed += await removeOldFiles(dirname(path), this.exporter, this.now());
    } catch (error) {
      return { kind: 'delivered', reason: `old profiles could not be removed: ${(error as Error).message}` };
    }
    return { kind: 'delivered' };
  }

  close(): void {}

  notes(): Record<string, number> {
    return { filesRemoved: this.#removed };
  }
}
