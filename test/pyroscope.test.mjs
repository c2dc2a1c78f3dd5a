// What Pyroscope gets: its public protobuf (and the older /ingest), decoded by a receiver that refuses what Pyroscope refuses; types and units as its UI lists
// them; labels that can't flood it.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  aProfile,
  aWindow,
  deliver,
  FACTS,
  finishedProfile,
  pyroscopeExporter,
  readPush,
  receiver,
  SPAN,
  until,
} from './delivery-helpers.mjs';
import { DIST, decode, INDEX, program, runNode } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { LabelGuard, legalLabelName, OTHER } = require(join(DIST, 'export', 'label-guard.js'));

/** The type as Pyroscope's UI names it. */
function typeOf({ labels, pprof }) {
  const profile = decode(pprof, 'push');
  const { type, unit } = profile.sampleTypes.at(-1);
  return `${labels.__name__}:${type}:${unit}:${profile.periodType.type}:${profile.periodType.unit}`;
}

async function received(windows, options = {}, facts = FACTS) {
  const server = await receiver();
  const { delivery } = deliver([pyroscopeExporter({ endpoint: server.url, spool: false, ...options })], { facts });
  try {
    for (const window of windows) delivery.push(window);
    await until('all arrive', () => delivery.stats()[0].delivered === windows.length);
    return { requests: server.requests, stats: delivery.stats()[0] };
  } finally {
    await delivery.flush(100);
    await server.close();
  }
}

test('push: path, headers, labels, types of CPU and wall', async () => {
  const labels = [
    { key: 'span_id', str: SPAN.span },
    { key: 'trace_id', str: SPAN.trace },
    { key: 'agent', str: 'researcher' },
  ];
  const { requests } = await received(
    [aWindow(1, aProfile({ labels })), aWindow(1, aProfile({ mode: 'wall' }))],
    { tenant: 'team-a', username: 'me', password: 'secret', headers: { 'x-extra': 'yes' } },
    { ...FACTS, tags: { env: 'test', 'k8s.pod/name': 'shop-1', __name__: 'mine', empty: '' } },
  );
  for (const { url, method, headers } of requests) {
    assert.equal([method, url, headers['content-type']], ['POST', '/push.v1.PusherService/Push', 'application/proto']);
    assert.equal(
      [headers['x-scope-orgid'], headers['x-extra'], headers.authorization],
      ['team-a', 'yes', `Basic ${Buffer.from('me:secret').toString('base64')}`],
    );
  }
  const [cpu, wall] = requests.map(({ body }) => readPush(body));
  assert.equal(cpu.labels, {
    __name__: 'process_cpu',
    service_name: 'shop',
    hostname: 'host-1',
    env: 'test',
    k8s_pod_name: 'shop-1',
    name__: 'mine',
  });
  assert.equal([typeOf(cpu), typeOf(wall)], ['process_cpu:cpu:nanoseconds:cpu:nanoseconds', 'wall:wall:nanoseconds:wall:nanoseconds']);
  const sample = Object.fromEntries(decode(cpu.pprof, 'cpu').samples[0].labels.map(({ key, str, num }) => [key, str ?? num]));
  assert.equal([sample.span_id, sample.trace_id, sample.agent, sample.thread_name], [SPAN.span, SPAN.trace, 'researcher', 'main']);
  assert.is.not(cpu.id, wall.id);
});

test('ingest: name, times in milliseconds, the form with the types', async () => {
  const { requests } = await received([aWindow(1)], { api: 'ingest' }, { ...FACTS, appName: 'my shop', tags: { env: 'a,b}c' } });
  const [{ url, headers, body }] = requests;
  const { pathname, searchParams } = new URL(url, 'http://x');
  assert.is(pathname, '/ingest');
  assert.is(searchParams.get('name'), 'my_shop{hostname=host-1,env=a_b_c}');
  assert.equal([searchParams.get('format'), searchParams.get('spyName'), searchParams.get('sampleRate')], ['pprof', 'strobe', '100']);
  assert.is(Number(searchParams.get('until')) - Number(searchParams.get('from')) >= 30_000, true);
  // Node's own parser of forms reads it.
  const form = await new Response(body, { headers: { 'content-type': headers['content-type'] } }).formData();
  const profile = decode(new Uint8Array(await form.get('profile').arrayBuffer()), 'form');
  assert.is(profile.samples.length, 2);
  assert.equal(Object.keys(JSON.parse(await form.get('sample_type_config').text())), ['samples', 'cpu']);
});

const rows = (labelsOf, count) =>
  aProfile({ samples: Array.from({ length: count }, (_, i) => ({ locations: [0], values: [1, 10], labels: labelsOf(i) })) });

test('labels: values past the limit become (other), spans and numbers pass, no time is lost', async () => {
  const many = rows(
    (i) => [
      { key: 'session', str: `s${i}` },
      { key: 'span_id', str: i.toString(16).padStart(16, '0') },
      { key: 'thread_id', num: i },
    ],
    300,
  );
  const { requests, stats } = await received([aWindow(1, many), aWindow(2, many)], { maxLabelValues: 10 });
  for (const { body } of requests) {
    const profile = decode(readPush(body).pprof, 'x');
    const values = (key) =>
      new Set(profile.samples.map(({ labels }) => labels.find((label) => label.key === key)).map(({ str, num }) => str ?? num));
    assert.equal([values('session').size, values('span_id').size, values('thread_id').size], [11, 300, 300]);
    assert.ok(values('session').has(OTHER) && values('session').has('s0'));
    assert.is(
      profile.samples.reduce((sum, sample) => sum + sample.values[1], 0),
      3000,
    );
  }
  assert.is(stats.notes.labelsFolded, 580);
});

test('labels: sets are bounded, dropped ones are gone, names are legal, a value seen no more makes room', () => {
  const guard = new LabelGuard({ maxValues: 100, maxSeries: 12, drop: ['user'], reserved: ['env'] });
  const profile = rows(
    (i) => [
      { key: 'agent', str: `a${i % 3}` },
      { key: 'tool', str: `t${i % 50}` },
      { key: 'user', str: `u${i}` },
      { key: 'env', str: 'x' },
      { key: '日本', str: 'y'.repeat(5000) },
    ],
    300,
  );
  const before = structuredClone(profile);
  const { samples } = guard.apply(profile, 0);
  assert.equal(profile, before, 'the profile itself is left alone: others deliver it, too');
  const sets = new Set(samples.map(({ labels }) => JSON.stringify(labels)));
  assert.is(sets.size, 3, 'the label with the most values is folded');
  const [{ labels }] = samples;
  assert.equal(
    labels.map(({ key }) => key),
    ['agent', 'tool', 'label_env', legalLabelName('日本')],
  );
  assert.ok(labels[3].str.length < 600);

  const small = new LabelGuard({ maxValues: 2, maxSeries: 100, drop: [], reserved: [] });
  const values = (names, hour) =>
    small
      .apply(
        rows((i) => [{ key: 'k', str: names[i] }], names.length),
        hour * 3_600_001,
      )
      .samples.map(({ labels: [label] }) => label.str);
  assert.equal(values(['a', 'b', 'c'], 0), ['a', 'b', OTHER]);
  assert.equal(values(['c', 'a'], 0.5), [OTHER, 'a']);
  assert.equal(values(['c', 'a', 'd'], 1.2), ['c', 'a', OTHER]);
  const same = rows(() => [{ key: 'k', str: 'c' }], 5);
  assert.is(small.apply(same, 1.3 * 3_600_001), same, 'nothing to change: nothing is copied');
});

test('the profiler itself: its windows arrive, stats() counts them at once', async () => {
  const server = await receiver();
  const source = `
    const { startProfiler, pyroscopeExporter, withLabels } = require(${JSON.stringify(INDEX)});
    const profiler = startProfiler({ frequencyHz: 500, windowSeconds: 1, appName: 'real', tags: { env: 'ci' },
      exporters: [pyroscopeExporter({ endpoint: ${JSON.stringify(server.url)}, spool: false })] });
    function burn() { const end = Date.now() + 2500; let x = 0; while (Date.now() < end) x += Math.sqrt(x + 1); return x; }
    withLabels({ agent: 'researcher' }, burn);
    const { exporters: [one] } = profiler.stats().delivery;
    profiler.stop().then(() => console.log(JSON.stringify({ during: one, after: profiler.stats().delivery })));`;
  try {
    const end = await runNode([program(source)]);
    assert.equal([end.code, end.stderr], [0, '']);
    const { during, after } = JSON.parse(end.stdout);
    // The loop was blocked for all of it: windows were delivered meanwhile.
    assert.ok(during.delivered >= 1, JSON.stringify(during));
    assert.ok(after.delivered >= 2 && after.failed === 0 && after.exporters[0].delivered === after.delivered, JSON.stringify(after));
    const pushes = server.requests.map(({ body }) => readPush(body));
    assert.is(pushes.length, after.delivered);
    assert.equal(new Set(pushes.map(typeOf)), new Set(['process_cpu:cpu:nanoseconds:cpu:nanoseconds']));
    const names = pushes.flatMap(({ pprof }) => decode(pprof, 'x').functions.map(({ name }) => name));
    assert.ok(names.includes('burn'));
    assert.ok(pushes.some(({ pprof }) => decode(pprof, 'x').samples.some(({ labels }) => labels.some(({ str }) => str === 'researcher'))));
  } finally {
    await server.close();
  }
});

test('a period of 0 and texts that are no Unicode do not break a payload', async () => {
  const odd = { ...aProfile({ labels: [{ key: 'k', str: '\ud800' }] }), period: 0 };
  const { requests } = await received(
    [finishedProfile({ mode: 'cpu', scope: 'window', number: 1, startUnixMs: 0 }, odd)],
    {},
    { ...FACTS, tags: { t: 'x\udfff' } },
  );
  assert.is(readPush(requests[0].body).labels.t, 'x\ufffd');
});

test.run();
