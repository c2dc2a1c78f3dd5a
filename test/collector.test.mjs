// startTracing() against receivers: one on loopback that decodes what comes, always; and a real OpenTelemetry Collector, built from test/collector/ where there
// is a Go toolchain (not in CI: half a gigabyte of modules), which prints what it took.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { collector, freePort } from './collector-helpers.mjs';
import { folder, INDEX, runNode } from './helpers.mjs';
import { PROGRAMS } from './span-helpers.mjs';

const require = createRequire(import.meta.url);
const protobuf = require('protobufjs');

// opentelemetry/proto/trace/v1/trace.proto, as far as it is looked at.
const { root } = protobuf.parse(`syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span { bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; repeated KeyValue attributes = 9; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`);
const Request = root.lookupType('Request');

const attributesOf = (list) =>
  Object.fromEntries(
    list.map(({ key, value }) => [key, value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue)]),
  );

/** A receiver on loopback: { port, requests, close() }. */
async function receiver() {
  const requests = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      let body = Buffer.concat(parts);
      if (request.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
      requests.push({ url: request.url, headers: request.headers, body });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return { port: server.address().port, requests, close: () => server.close() };
}

async function traced(endpoint, ...args) {
  const end = await runNode([join(PROGRAMS, 'traced.cjs'), endpoint, ...args], { env: { STROBE_INDEX: INDEX } });
  assert.is(end.code, 0, `${end.signal ?? end.code}\n${end.stderr}`);
  return JSON.parse(end.stdout.trim().split('\n').at(-1));
}

for (const way of ['shutdown', 'beforeExit']) {
  test(`OTLP over loopback: path, headers, resource, CPU of spans (sent by ${way})`, async () => {
    const { port, requests, close } = await receiver();
    try {
      const { spans, refused, joined } = await traced(`http://127.0.0.1:${port}`, way);
      assert.match(refused, /^ERR_INVALID_OPTION .*attachTracing\(\)/);
      assert.equal(joined, ['strobe', 'strobe']);
      assert.is(requests.length, 1);
      const [{ url, headers, body }] = requests;
      assert.is(url, '/v1/traces');
      assert.is(headers['x-tenant'], 'strobe-tests');
      assert.is(headers['content-type'], 'application/x-protobuf');
      const { resourceSpans } = Request.toObject(Request.decode(body), { longs: Number });
      const resource = attributesOf(resourceSpans[0].resource.attributes);
      assert.is(resource['service.name'], 'traced');
      assert.is(resource['deployment.environment.name'], 'test');
      assert.ok(resource['telemetry.sdk.version']);
      const got = Object.fromEntries(
        resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)).map((span) => [span.name, span]),
      );
      assert.equal(Object.keys(got).sort(), ['child', 'root']);
      for (const name of ['root', 'child']) {
        assert.is(Buffer.from(got[name].spanId).toString('hex'), spans[name].spanId);
        assert.is(Buffer.from(got[name].traceId).toString('hex'), spans[name].traceId);
      }
      const [parent, child] = [attributesOf(got.root.attributes), attributesOf(got.child.attributes)];
      assert.ok(child['resource.cpu.self_micros'] > 40_000, JSON.stringify(child));
      assert.ok(
        Math.abs(parent['resource.cpu.micros'] - child['resource.cpu.micros'] - parent['resource.cpu.self_micros']) <= 1,
        JSON.stringify({ parent, child }),
      );
      assert.is(parent['pyroscope.profile.id'], spans.root.spanId);
      assert.is(child['pyroscope.profile.id'], undefined);
    } finally {
      close();
    }
  });
}

test('startTracing refuses wrong options and changes nothing', () => {
  const { startTracing, StrobeError } = require(INDEX);
  for (const options of [
    null,
    { endpoint: 'collector:4318' },
    { endpoint: 4318 },
    { headers: { a: 1 } },
    { headers: ['a'] },
    { serviceName: '' },
    { resourceAttributes: { a: {} } },
    { sampler: 'always' },
    { spanLabels: 'agent.name' },
    { labelUnsampledSpans: 1 },
    { endPoint: 'http://localhost:4318' },
  ]) {
    assert.throws(
      () => startTracing(options),
      (error) => error instanceof StrobeError && error.code === 'ERR_INVALID_OPTION',
      JSON.stringify(options),
    );
  }
  assert.is(globalThis[Symbol.for('opentelemetry.js.api.1')]?.trace, undefined);
});

const { binary, why } = collector();
const NAME = 'a real Collector takes the spans with their CPU';
if (binary === undefined) {
  console.log(`  skipped: ${why}`);
  test.skip(NAME, () => undefined);
} else {
  test(NAME, async () => {
    const port = await freePort();
    const config = join(folder(), 'config.yaml');
    writeFileSync(
      config,
      `receivers: { otlp: { protocols: { http: { endpoint: '127.0.0.1:${port}' } } } }
exporters: { debug: { verbosity: detailed, use_internal_logger: false, output_paths: [stdout] } }
service: { pipelines: { traces: { receivers: [otlp], exporters: [debug] } } }
`,
    );
    const child = spawn(binary, [`--config=file:${config}`], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const ended = new Promise((done) => child.once('exit', done));
    const until = async (what, done) => {
      for (let i = 0; i < 200; i++) {
        if (await done()) return;
        if (child.exitCode !== null) break;
        await new Promise((next) => setTimeout(next, 50));
      }
      assert.unreachable(`${what}:\n${output}`);
    };
    try {
      await until('the Collector listens', () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          () => true,
          () => false,
        ),
      );
      const { spans } = await traced(`http://127.0.0.1:${port}`);
      await until(
        'both spans are printed',
        () => spans.root.spanId && output.includes(spans.root.spanId) && output.includes(spans.child.spanId),
      );
      for (const { spanId, traceId } of Object.values(spans)) {
        const text = output.slice(output.lastIndexOf('Span #', output.search(new RegExp(`ID +: ${spanId}`))));
        assert.match(text, traceId);
        const micros = /resource\.cpu\.micros: Int\((\d+)\)/.exec(text)?.[1];
        const self = /resource\.cpu\.self_micros: Int\((\d+)\)/.exec(text)?.[1];
        assert.ok(Number(micros) >= Number(self) && Number(self) > 40_000, text.slice(0, 2000));
      }
      assert.match(output, `pyroscope.profile.id: Str(${spans.root.spanId})`);
      assert.match(output, 'service.name: Str(traced)');
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  });
}

test.run();
