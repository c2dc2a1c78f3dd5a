// What an OTLP receiver gets, decoded by the public messages: dictionary, stacks, links, attributes, resource; and what its answers mean.

import * as zlib from 'node:zlib';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  aProfile,
  aWindow,
  deliver,
  FACTS,
  otlpExporter,
  otlpReply,
  readOtlp,
  readOtlpRequest,
  receiver,
  SPAN,
  until,
} from './delivery-helpers.mjs';
import { folder } from './helpers.mjs';

async function received(windows, { behave, settled, ...options } = {}) {
  const server = await receiver(behave);
  const { delivery, warnings } = deliver([otlpExporter({ endpoint: server.url, spool: { dir: `${folder()}/spool` }, ...options })], {
    facts: FACTS,
  });
  try {
    for (const window of windows) delivery.push(window);
    await until('all are settled', () => (settled ?? (({ delivered }) => delivered === windows.length))(delivery.stats()[0]));
    return { requests: server.requests, stats: delivery.stats()[0], warnings };
  } finally {
    await delivery.flush(100);
    await server.close();
  }
}

const attributesOf = (dictionary, indices) =>
  Object.fromEntries(
    indices.map((index) => {
      const { keyStrindex, value } = dictionary.attributeTable[index];
      return [dictionary.stringTable[keyStrindex], value.value === 'intValue' ? Number(value.intValue) : value.stringValue];
    }),
  );

test('the request: path, headers, resource, every table with its zero, stacks, links, attributes', async () => {
  const labels = [
    { key: 'trace_id', str: SPAN.trace },
    { key: 'span_id', str: SPAN.span },
    { key: 'agent', str: 'researcher' },
  ];
  const profile = aProfile({ labels });
  const { requests } = await received([aWindow(1, profile)], { headers: { 'x-api-key': 'k' } });
  const [{ url, headers }] = requests;
  assert.equal(
    [url, headers['content-type'], headers['content-encoding'], headers['x-api-key']],
    ['/v1development/profiles', 'application/x-protobuf', 'gzip', 'k'],
  );
  const { resourceProfiles, dictionary } = readOtlpRequest(requests[0]);
  const zeroes = [
    dictionary.mappingTable[0].memoryStart,
    dictionary.locationTable[0].lines.length,
    dictionary.functionTable[0].nameStrindex,
    dictionary.linkTable[0].traceId.every((byte) => byte === 0) &&
      dictionary.linkTable[0].traceId.length === 16 &&
      dictionary.linkTable[0].spanId.length === 8,
    dictionary.stringTable[0],
    dictionary.attributeTable[0].keyStrindex,
    dictionary.stackTable[0].locationIndices.length,
  ];
  assert.equal(zeroes, ['0', 0, 0, true, '', 0, 0]);
  const resource = Object.fromEntries(
    resourceProfiles[0].resource.attributes.map(({ key, value }) => [key, value.stringValue || Number(value.intValue)]),
  );
  assert.equal(
    [resource['service.name'], resource['host.name'], resource['process.pid'], resource.env, resource['process.runtime.name']],
    ['shop', 'host-1', process.pid, 'test', 'nodejs'],
  );
  const [{ scope, profiles }] = resourceProfiles[0].scopeProfiles;
  assert.is(scope.name, 'strobe');
  const [cpu] = profiles;
  const text = (index) => dictionary.stringTable[index];
  assert.equal([text(cpu.sampleType.typeStrindex), text(cpu.sampleType.unitStrindex)], ['cpu', 'nanoseconds']);
  assert.equal([text(cpu.periodType.typeStrindex), text(cpu.periodType.unitStrindex), cpu.period], ['cpu', 'nanoseconds', '10000000']);
  assert.equal([cpu.timeUnixNano, cpu.durationNano, cpu.profileId.length], [String(profile.timeNanos), '30000000000', 16]);
  assert.equal(attributesOf(dictionary, cpu.attributeIndices), { 'strobe.samples': 4, 'strobe.lost': 1 });
  const stack = ({ stackIndex }) =>
    dictionary.stackTable[stackIndex].locationIndices.map((location) => {
      const [line] = dictionary.locationTable[location].lines;
      const { nameStrindex, filenameStrindex } = dictionary.functionTable[line.functionIndex];
      return `${text(nameStrindex)} ${text(filenameStrindex)}:${line.line}:${line.column}`;
    });
  assert.equal(cpu.samples.map(stack), [['work /app/shop.js:11:3', 'main /app/shop.js:10:3'], ['main /app/shop.js:10:3']]);
  assert.equal(
    cpu.samples.map(({ values }) => values),
    [['30000000'], ['10000000']],
  );
  assert.equal(attributesOf(dictionary, cpu.samples[0].attributeIndices), { 'thread.name': 'main', 'thread.id': 7, agent: 'researcher' });
  const link = dictionary.linkTable[cpu.samples[0].linkIndex];
  assert.equal([link.traceId.toString('hex'), link.spanId.toString('hex')], [SPAN.trace, SPAN.span]);
  assert.is(cpu.samples[1].linkIndex, 0);
});

test('ids that are none stay attributes; odd texts and numbers do not break the request', async () => {
  const labels = [
    { key: 'trace_id', str: 'abc' },
    { key: 'span_id', str: SPAN.span },
    { key: 'odd', str: '\ud800 "\\\n日本' },
    { key: 'n', num: -5, unit: 'bytes' },
    { key: 'big', num: 2n ** 63n - 1n },
    { key: 'zero', num: 0 },
  ];
  const { requests } = await received([aWindow(1, { ...aProfile({ labels }), durationNanos: 1.5 })]);
  const { resourceProfiles, dictionary } = readOtlpRequest(requests[0]);
  const [sample] = resourceProfiles[0].scopeProfiles[0].profiles[0].samples;
  const attributes = attributesOf(dictionary, sample.attributeIndices);
  assert.equal(
    [attributes.trace_id, attributes.span_id, attributes.odd, attributes.n, attributes.zero, sample.linkIndex],
    ['abc', SPAN.span, '\ufffd "\\\n日本', -5, 0, 0],
  );
  const big = dictionary.attributeTable.find(({ keyStrindex }) => dictionary.stringTable[keyStrindex] === 'big');
  assert.is(big.value.intValue, String(2n ** 63n - 1n));
});

test('the path is the user’s; a base path is kept', async () => {
  const server = await receiver();
  const { delivery } = deliver([
    otlpExporter({ endpoint: `${server.url}/api/`, path: '/default/profiles', spool: false, compression: 'none' }),
  ]);
  delivery.push(aWindow(1));
  await until('it arrives', () => delivery.stats()[0].delivered === 1);
  assert.is(server.requests[0].url, '/api/default/profiles');
  assert.is(readOtlp(server.requests[0].body).resourceProfiles.length, 1);
  await delivery.flush(100);
  await server.close();
});

test('partial success is counted and said; a warning without rejection is kept; an answer of garbage is taken for "taken"', async () => {
  const replies = [
    otlpReply({ rejectedProfiles: 1, errorMessage: 'too old' }),
    otlpReply({ errorMessage: 'be careful' }),
    Buffer.from([0xff, 0xff, 0x01]),
    otlpReply(),
  ];
  const { stats, warnings } = await received(
    [1, 2, 3, 4].map((n) => aWindow(n)),
    {
      behave: (_, response, __, n) => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(replies[n]),
    },
  );
  assert.equal([stats.delivered, stats.partlyRejected, stats.failed, stats.lastError], [4, 1, 0, 'be careful']);
  assert.match(warnings[0], /left out 1 profiles: too old/);
});

test('a refusal in protobuf (google.rpc.Status) is read', async () => {
  const body = Buffer.concat([Buffer.from([0x08, 0x03, 0x12, 9]), Buffer.from('no such x')]);
  const { stats } = await received([aWindow(1)], {
    behave: (_, response) => response.writeHead(400, { 'content-type': 'application/x-protobuf' }).end(body),
    settled: ({ failed }) => failed === 1,
  });
  assert.is(stats.lastError, 'status 400 Bad Request: no such x');
});

const hasZstd = zlib.zstdCompressSync !== undefined;

test('zstd: where Node has it; a receiver that can’t read it gets gzip from then on, nothing is lost', async () => {
  const { requests, stats } = await received(
    [1, 2, 3].map((n) => aWindow(n)),
    {
      compression: 'zstd',
      behave: (request, response) => response.writeHead(request.headers['content-encoding'] === 'zstd' ? 415 : 200).end(),
    },
  );
  const encodings = requests.map(({ headers }) => headers['content-encoding']);
  assert.equal([stats.delivered, stats.failed, stats.notes.compression], [3, 0, 'gzip']);
  assert.is(encodings.filter((encoding) => encoding === 'gzip').length, 3);
  assert.is(encodings.includes('zstd'), hasZstd);
  for (const { headers, body } of requests)
    if (headers['content-encoding'] === 'gzip') assert.is(readOtlp(gunzipSync(body)).resourceProfiles.length, 1);
  if (!hasZstd) return;
  const taken = await received([aWindow(1)], { compression: 'zstd' });
  assert.is(readOtlp(zlib.zstdDecompressSync(taken.requests[0].body)).resourceProfiles.length, 1);
});

test.run();
