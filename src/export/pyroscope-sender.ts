// Windows to Pyroscope, by push.v1 or /ingest.

import { randomUUID } from 'node:crypto';
import { encodeGzip } from '../pprof/encode';
import type { FinishedProfile, ProcessFacts } from './exporter';
import { HttpSender } from './http-sender';
import { LabelGuard } from './label-guard';
import type { Payload } from './payload';
import type { Environment } from './proxy';
import type { PyroscopeExporter } from './pyroscope';
import { ingestForm, ingestQuery, pushRequest, seriesLabels } from './pyroscope-payload';
import type { Outcome } from './retry';
import type { Sender } from './sender';

const PUSH_PATH = '/push.v1.PusherService/Push';
const NANOS_PER_SECOND = 1e9;

export class PyroscopeSender implements Sender {
  readonly #api: PyroscopeExporter['api'];
  readonly #http: HttpSender;
  readonly #labels: Map<string, string>;
  readonly #guard: LabelGuard;
  readonly #now: () => number;

  constructor(exporter: PyroscopeExporter, facts: ProcessFacts, env: Environment, now: () => number) {
    this.#api = exporter.api;
    this.#http = new HttpSender(exporter.network, env, now);
    this.#labels = seriesLabels(facts);
    this.#now = now;
    this.#guard = new LabelGuard({
      maxValues: exporter.maxLabelValues,
      maxSeries: exporter.maxSeries,
      drop: exporter.dropLabels,
      reserved: this.#labels.keys(),
    });
  }

  encode(finished: FinishedProfile): Payload {
    const guarded = this.#guard.apply(finished.profile, this.#now());
    const bytes = guarded === finished.profile ? finished.bytes : encodeGzip(guarded);
    const id = randomUUID();
    if (this.#api === 'push') return { head: { api: 'push' }, body: pushRequest(finished.mode, this.#labels, bytes, id) };
    const { period } = finished.profile;
    const rate = period > 0 ? Math.round(NANOS_PER_SECOND / period) : 100;
    return {
      head: { api: 'ingest', query: ingestQuery(finished, this.#labels, rate), boundary: id },
      body: ingestForm(finished.mode, bytes, id),
    };
  }

  /** By what the entry is: it may come from a process with another `api`. */
  send({ head, body }: Payload, signal: AbortSignal): Promise<Outcome> {
    if (head.api === 'ingest') {
      return this.#http.send(`/ingest?${head.query}`, { 'content-type': `multipart/form-data; boundary=${head.boundary}` }, body, signal);
    }
    return this.#http.send(PUSH_PATH, { 'content-type': 'application/proto', 'connect-protocol-version': '1' }, body, signal);
  }

  close(): void {
    this.#http.close();
  }

  notes(): Record<string, number> {
    return { labelsFolded: this.#guard.folded };
  }
}
