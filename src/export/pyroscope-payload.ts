// One window as Pyroscope takes it: push.v1.PushRequest (protobuf), or the form of the older /ingest. Inside is the same gzip pprof.
//
//   PushRequest { repeated RawProfileSeries series = 1 }    RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2 }
//   LabelPair { string name = 1; string value = 2 }         RawSample { bytes raw_profile = 1; string ID = 2 }
//
// `__name__` and the profile's own types make the type that its UI lists: `process_cpu:cpu:nanoseconds:cpu:nanoseconds`, `wall:wall:nanoseconds:wall:nanoseconds`.

import { Writer } from 'protobufjs/minimal';
import type { FinishedProfile, ProcessFacts } from './exporter';
import { legalLabelName } from './label-guard';

const METRIC = { cpu: 'process_cpu', wall: 'wall' } as const;
/** What a service without a name is called; Pyroscope's own word for it. */
export const UNNAMED_SERVICE = 'unspecified';

/** Labels of the series, `__name__` left out. A tag of the name `hostname` or `service_name` wins. */
export function seriesLabels({ appName, tags, hostname }: ProcessFacts): Map<string, string> {
  const labels = new Map([
    ['service_name', appName || UNNAMED_SERVICE],
    ['hostname', hostname],
  ]);
  for (const [name, value] of Object.entries(tags)) if (value !== '') labels.set(legalLabelName(name), value);
  return labels;
}

/** @param id a UUID, the same in every attempt */
export function pushRequest(mode: FinishedProfile['mode'], labels: Map<string, string>, gzipPprof: Uint8Array, id: string): Uint8Array {
  const out = Writer.create();
  const message = (field: number) => out.uint32((field << 3) | 2);
  message(1).fork();
  // Sorted, as the receiver keeps them.
  const pairs = [['__name__', METRIC[mode]] as const, ...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of pairs) {
    message(1).fork();
    message(1).string(name);
    message(2).bytes(Buffer.from(value));
    out.ldelim();
  }
  message(2).fork();
  message(1).bytes(gzipPprof);
  message(2).string(id);
  out.ldelim();
  out.ldelim();
  return out.finish();
}

/** The query of /ingest. Label values stand there unquoted. */
export function ingestQuery(
  profile: Pick<FinishedProfile, 'startUnixMs' | 'endUnixMs'>,
  labels: Map<string, string>,
  sampleRate: number,
): string {
  const legal = (text: string) => text.replace(/[^A-Za-z0-9_./-]/g, '_');
  const name = labels.get('service_name') ?? UNNAMED_SERVICE;
  const pairs = [...labels].filter(([label]) => label !== 'service_name').map(([label, value]) => `${label}=${legal(value)}`);
  return new URLSearchParams({
    name: `${legal(name)}{${pairs.join(',')}}`,
    from: String(Math.floor(profile.startUnixMs)),
    until: String(Math.ceil(profile.endUnixMs)),
    format: 'pprof',
    spyName: 'strobe',
    sampleRate: String(sampleRate),
  }).toString();
}

/** The body of /ingest: the profile, and what its sample types mean. */
export function ingestForm(mode: FinishedProfile['mode'], gzipPprof: Uint8Array, boundary: string): Uint8Array {
  const types = {
    samples: { units: 'samples', aggregation: 'sum', sampled: true },
    [mode]: { units: 'nanoseconds', aggregation: 'sum', sampled: true },
  };
  const part = (name: string, type: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`;
  return Buffer.concat([
    Buffer.from(part('profile', 'application/octet-stream')),
    gzipPprof,
    Buffer.from(`\r\n${part('sample_type_config', 'application/json')}${JSON.stringify(types)}\r\n--${boundary}--\r\n`),
  ]);
}
