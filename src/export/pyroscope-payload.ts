// One window as Pyroscope takes it: push.v1.PushRequest (protobuf), or the form of the older /ingest. Inside is the same gzip pprof.
//
//   PushRequest { repeated RawProfileSeries series = 1 }    RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2 }
//   LabelPair { string name = 1; string value = 2 }         RawSample { bytes raw_profile = 1; string ID = 2 }
//
// `__name__` and the profile's own types make the type that its UI lists: `process_cpu:cpu:nanoseconds:cpu:nanoseconds`, `wall:wall:nanoseconds:wall:nanoseconds`.

import { ByteWriter } from '../pprof/byte-writer';
import type { FinishedProfile, ProcessFacts } from './exporter';
import { legalLabelName } from './label-guard';

const METRIC = { cpu: 'process_cpu', wall: 'wall' } as const;
/** What a service without a name is called; Pyroscope's own word for it. */
export const UNNAMED_SERVICE = 'unspecified';
/** Enough for most: the writer grows. */
const ROOM_FOR_LABELS = 1024;

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
  // Not protobufjs: loading it takes longer than all of a first delivery, in a process that may not live long.
  const out = new ByteWriter(gzipPprof.length + ROOM_FOR_LABELS);
  const field = (number: number) => out.uint32((number << 3) | 2);
  const text = (number: number, value: string) => {
    field(number);
    out.string(value);
  };
  field(1);
  out.open(gzipPprof.length);
  // Sorted, as the receiver keeps them.
  const pairs = [['__name__', METRIC[mode]] as const, ...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of pairs) {
    field(1);
    out.open();
    text(1, name);
    text(2, value);
    out.close();
  }
  field(2);
  out.open(gzipPprof.length);
  field(1);
  out.uint32(gzipPprof.length);
  out.raw(gzipPprof);
  text(2, id);
  out.close();
  out.close();
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
