// Windows to an OTLP receiver: HTTP, protobuf, compressed.

import { randomUUID } from 'node:crypto';
import * as zlib from 'node:zlib';
import { encodeOtlpProfiles } from '../formats/otlp';
import { readPartialSuccess, readStatusMessage } from '../formats/otlp-reply';
import type { FinishedProfile, ProcessFacts } from './exporter';
import type { Reply } from './http';
import { HttpSender } from './http-sender';
import type { OtlpExporter } from './otlp';
import type { Payload } from './payload';
import type { Environment } from './proxy';
import { UNNAMED_SERVICE } from './pyroscope-payload';
import type { Outcome } from './retry';
import type { Sender } from './sender';

type Encoding = 'gzip' | 'zstd' | 'identity';

/** Node 22.15 and later; the types are those of the oldest Node that is supported. */
const zstd = zlib as unknown as {
  zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
};
/** As for pprof: what compressing costs is the process's CPU. */
const GZIP_LEVEL = 1;
const MAX_REQUEST_BYTES = 2 ** 30;

export class OtlpSender implements Sender {
  readonly #path: string;
  readonly #http: HttpSender;
  readonly #facts: ProcessFacts;
  #encoding: Encoding;

  constructor(exporter: OtlpExporter, facts: ProcessFacts, env: Environment, now: () => number) {
    this.#path = exporter.path;
    this.#http = new HttpSender(exporter.network, env, now);
    this.#facts = facts;
    const zstdHere = exporter.compression === 'zstd' && zstd.zstdCompressSync !== undefined;
    this.#encoding = exporter.compression === 'none' ? 'identity' : zstdHere ? 'zstd' : 'gzip';
  }

  encode({ profile }: FinishedProfile): Payload {
    const { appName, tags, pid, hostname, version, nodeVersion } = this.#facts;
    const request = encodeOtlpProfiles(profile, {
      profileId: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
      resource: {
        'service.name': appName || UNNAMED_SERVICE,
        'host.name': hostname,
        'process.pid': pid,
        'process.runtime.name': 'nodejs',
        'process.runtime.version': nodeVersion.replace(/^v/, ''),
        ...tags,
      },
      scope: { name: 'strobe', version },
    });
    return { head: { encoding: this.#encoding }, body: compress(request, this.#encoding) };
  }

  async send(payload: Payload, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#attempt(payload, signal);
    const { reply, ...bare } = outcome;
    if (bare.kind === 'refused' && payload.head.encoding === 'zstd' && reply && refusesEncoding(reply) && zstd.zstdDecompressSync) {
      // It can't read zstd: gzip from now on, which every receiver reads, also for what waits already.
      this.#encoding = 'gzip';
      const request = zstd.zstdDecompressSync(payload.body, { maxOutputLength: MAX_REQUEST_BYTES });
      const { reply: _, ...again } = await this.#attempt({ head: { encoding: 'gzip' }, body: compress(request, 'gzip') }, signal);
      return again;
    }
    return bare;
  }

  close(): void {
    this.#http.close();
  }

  notes(): Record<string, string> {
    return { compression: this.#encoding === 'identity' ? 'none' : this.#encoding };
  }

  async #attempt({ head, body }: Payload, signal: AbortSignal): Promise<Outcome & { reply?: Reply }> {
    const encoding = head.encoding ?? 'identity';
    const headers = { 'content-type': 'application/x-protobuf', ...(encoding !== 'identity' && { 'content-encoding': encoding }) };
    const answer = await this.#http.send(this.#path, headers, body, signal, words);
    if (answer.kind !== 'delivered' || !answer.reply) return answer;
    const { rejected, message } = readPartialSuccess(answer.reply.body);
    return rejected > 0 || message !== '' ? { kind: 'delivered', rejected, reason: message } : answer;
  }
}

function compress(bytes: Uint8Array, encoding: Encoding): Uint8Array {
  if (encoding === 'zstd' && zstd.zstdCompressSync) return zstd.zstdCompressSync(bytes);
  return encoding === 'gzip' ? zlib.gzipSync(bytes, { level: GZIP_LEVEL }) : bytes;
}

/** 415 is what it should be; the Collector says 400 and names the header. */
function refusesEncoding({ status, body }: Reply): boolean {
  return status === 415 || (status === 400 && /content-encoding/i.test(body.toString('latin1')));
}

function words({ headers, body }: Reply): string {
  return String(headers['content-type']).includes('protobuf') ? readStatusMessage(body) : body.toString('utf8');
}
