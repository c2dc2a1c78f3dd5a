// What the delivery tests share: profiles to deliver, receivers on loopback that do what a test tells them to (also nothing, for ever), a clock that runs faster,
// and readers of what was sent, written from the public .proto files.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DIST } from './helpers.mjs';

const require = createRequire(import.meta.url);
const protobuf = require('protobufjs');
const load = (name) => require(join(DIST, 'export', `${name}.js`));

export const { Delivery } = load('delivery');
export const { finishedProfile } = load('finished');
export const { pyroscopeExporter } = load('pyroscope');
export const { otlpExporter } = load('otlp');
export const { pullExporter } = load('pull');
export const { fileExporter } = load('file');
export const { Spool } = load('spool');
export const { newOwner } = load('owner');

export const FACTS = {
  appName: 'shop',
  tags: { env: 'test' },
  pid: process.pid,
  hostname: 'host-1',
  version: '0.0.0',
  nodeVersion: process.version,
};
export const SPAN = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };

/** A profile as the builder makes them: main -> work, main -> (garbage collector); `labels` go on the first sample. */
export function aProfile({ mode = 'cpu', labels = [], samples, functions = 2 } = {}) {
  const thread = [
    { key: 'thread_name', str: 'main' },
    { key: 'thread_id', num: 7 },
  ];
  return {
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: mode, unit: 'nanoseconds' },
    ],
    samples: samples ?? [
      { locations: [1, 0], values: [3, 30_000_000], labels: [...thread, ...labels] },
      { locations: [0], values: [1, 10_000_000], labels: thread },
    ],
    mappings: [],
    locations: Array.from({ length: functions }, (_, i) => ({
      mapping: -1,
      address: 0n,
      lines: [{ function: i, line: 10 + i, column: 3 }],
      isFolded: false,
    })),
    functions: Array.from({ length: functions }, (_, i) => ({
      name: ['main', 'work'][i] ?? `f${i}`,
      systemName: '',
      filename: '/app/shop.js',
      startLine: 1 + i,
      startColumn: 1,
    })),
    timeNanos: 1_795_000_000_123_456_789n,
    durationNanos: 30e9,
    periodType: { type: mode, unit: 'nanoseconds' },
    period: 10_000_000,
    comments: ['strobe: samples=4 lost=1', 'app=shop'],
    defaultSampleType: '',
    dropFrames: '',
    keepFrames: '',
    docUrl: '',
  };
}

/** The n-th window; its number is in a label (a number: no guard of labels folds it), so that a receiver can tell windows apart. */
export function aWindow(number, profile = aProfile({ labels: [{ key: 'window', num: number }] })) {
  return finishedProfile(
    { mode: profile.periodType.type, scope: 'window', number, startUnixMs: Date.now() - 30_000, endUnixMs: Date.now() },
    profile,
  );
}

/** A clock whose hours pass in moments: `scale` times faster than the real one. `random` is repeatable. */
export function fastClock(scale) {
  const [start, real] = [Date.now(), performance.now()];
  let seed = 1;
  return {
    now: () => start + (performance.now() - real) * scale,
    setTimeout: (work, ms) => setTimeout(work, Math.min(ms / scale, 2 ** 30)),
    clearTimeout,
    random: () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    },
  };
}

/**
 * A receiver on loopback. `behave(request, response, body, n)` answers the n-th request (0, 1 …); without it: 200.
 * @returns {{ port, url, requests: {url, headers, body}[], behave, close() }}
 */
export async function receiver(behave, { server = createServer(), scheme = 'http', port = 0 } = {}) {
  const state = { requests: [], behave };
  server.on('request', (request, response) => {
    const n = state.requests.length;
    const entry = { url: request.url, method: request.method, headers: request.headers, body: undefined };
    state.requests.push(entry);
    request.on('error', () => undefined);
    const parts = [];
    request.on('data', (part) => parts.push(part));
    if (state.behave?.early?.(request, response, n)) return;
    request.on('end', () => {
      entry.body = Buffer.concat(parts);
      if (state.behave) state.behave(request, response, entry.body, n);
      else response.writeHead(200).end();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(state, {
    port: server.address().port,
    url: `${scheme}://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((closed) => {
        server.close(closed);
        server.closeAllConnections();
      }),
  });
}

/** Waits until `done()` is true; fails with `what` after `seconds`. */
export async function until(what, done, seconds = 20) {
  const end = performance.now() + seconds * 1000;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${typeof what === 'function' ? what() : what}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}

/** Delivery with what it said: { delivery, warnings }. */
export function deliver(exporters, { clock, env = {}, facts = FACTS, collect } = {}) {
  const warnings = [];
  const delivery = new Delivery(
    exporters,
    facts,
    { warn: (message) => warnings.push(message), ...(collect && { collect }) },
    { ...(clock && { clock }), env },
  );
  return { delivery, warnings };
}

const { root: pushRoot } = protobuf.parse(`syntax = "proto3";
  message PushRequest { repeated RawProfileSeries series = 1; }
  message RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2; }
  message LabelPair { string name = 1; string value = 2; }
  message RawSample { bytes raw_profile = 1; string ID = 2; }
`);
const PushRequest = pushRoot.lookupType('PushRequest');

/** One push: { labels: {name: value}, pprof (gzip bytes), id }. Throws where a Pyroscope would refuse. */
export function readPush(body) {
  const { series } = PushRequest.toObject(PushRequest.decode(body));
  if (series?.length !== 1 || series[0].samples?.length !== 1) throw new Error('one series with one sample was expected');
  const labels = {};
  for (const { name, value } of series[0].labels) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) throw new Error(`illegal label name ${name}`);
    if (name in labels) throw new Error(`label ${name} stands twice`);
    if (!value || value.length > 2048) throw new Error(`label ${name} has a value of ${value?.length ?? 0} characters`);
    labels[name] = value;
  }
  for (const name of ['__name__', 'service_name']) if (!labels[name]) throw new Error(`label ${name} is missing`);
  const [{ rawProfile, ID }] = series[0].samples;
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(ID)) throw new Error(`ID is no UUID: ${ID}`);
  if (rawProfile[0] !== 0x1f) throw new Error('the profile is not gzip');
  return { labels, pprof: rawProfile, id: ID };
}

/** A Pyroscope that takes pushes: the numbers of the windows that arrived, in order, duplicates too. */
export async function pyroscope(behave, options) {
  const { decode } = require(join(DIST, 'pprof', 'decode.js'));
  const arrived = [];
  const take = (body) => {
    const { pprof } = readPush(body);
    const profile = decode(pprof, 'push');
    const label = profile.samples.flatMap(({ labels }) => labels).find(({ key }) => key === 'window');
    arrived.push(label?.num);
  };
  const server = await receiver(undefined, options);
  server.behave = Object.assign(
    (request, response, body, n) => {
      if (behave?.(request, response, body, n)) return;
      try {
        take(body);
        response.writeHead(200, { 'content-type': 'application/proto' }).end();
      } catch (error) {
        response
          .writeHead(400, { 'content-type': 'application/json' })
          .end(JSON.stringify({ code: 'invalid_argument', message: error.message }));
      }
    },
    { early: behave?.early },
  );
  return Object.assign(server, { arrived });
}

const { root: otlpRoot } = protobuf.parse(`syntax = "proto3";
  message ExportProfilesServiceRequest { repeated ResourceProfiles resource_profiles = 1; ProfilesDictionary dictionary = 2; }
  message ExportProfilesServiceResponse { ExportProfilesPartialSuccess partial_success = 1; }
  message ExportProfilesPartialSuccess { int64 rejected_profiles = 1; string error_message = 2; }
  message ProfilesDictionary { repeated Mapping mapping_table = 1; repeated Location location_table = 2; repeated Function function_table = 3;
    repeated Link link_table = 4; repeated string string_table = 5; repeated KeyValueAndUnit attribute_table = 6; repeated Stack stack_table = 7; }
  message ResourceProfiles { Resource resource = 1; repeated ScopeProfiles scope_profiles = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeProfiles { Scope scope = 1; repeated Profile profiles = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; }
  message Profile { ValueType sample_type = 1; repeated Sample samples = 2; fixed64 time_unix_nano = 3; uint64 duration_nano = 4; ValueType period_type = 5;
    int64 period = 6; bytes profile_id = 7; uint32 dropped_attributes_count = 8; string original_payload_format = 9; bytes original_payload = 10;
    repeated int32 attribute_indices = 11; }
  message ValueType { int32 type_strindex = 1; int32 unit_strindex = 2; }
  message Sample { int32 stack_index = 1; repeated int32 attribute_indices = 2; int32 link_index = 3; repeated int64 values = 4; repeated fixed64 timestamps_unix_nano = 5; }
  message Stack { repeated int32 location_indices = 1; }
  message Mapping { uint64 memory_start = 1; uint64 memory_limit = 2; uint64 file_offset = 3; int32 filename_strindex = 4; repeated int32 attribute_indices = 5; }
  message Location { int32 mapping_index = 1; uint64 address = 2; repeated Line lines = 3; repeated int32 attribute_indices = 4; }
  message Line { int32 function_index = 1; int64 line = 2; int64 column = 3; }
  message Function { int32 name_strindex = 1; int32 system_name_strindex = 2; int32 filename_strindex = 3; int64 start_line = 4; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message KeyValueAndUnit { int32 key_strindex = 1; AnyValue value = 2; int32 unit_strindex = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`);
const OtlpRequest = otlpRoot.lookupType('ExportProfilesServiceRequest');
const OtlpResponse = otlpRoot.lookupType('ExportProfilesServiceResponse');

/** The request as an object, every field there. */
export function readOtlp(body) {
  return OtlpRequest.toObject(OtlpRequest.decode(body), { longs: String, defaults: true, oneofs: true });
}

export function readOtlpRequest({ headers, body }) {
  return readOtlp(headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
}

export function otlpReply(partialSuccess) {
  return Buffer.from(OtlpResponse.encode(OtlpResponse.fromObject(partialSuccess ? { partialSuccess } : {})).finish());
}
