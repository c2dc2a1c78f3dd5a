// attachTracing() in applications that set up OpenTelemetry themselves: the SDK's 2.12 line (NodeSDK, NodeTracerProvider) and its 3.x line. What they
// registered goes on working, samples carry their spans' ids, and detach() leaves no trace.
//
// The SDKs come from npm, once, into .cache/otel-2 and .cache/otel-3; without a registry these tests are skipped by name.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { folder, INDEX, runNode } from './helpers.mjs';
import { LINES, otelLine, PROGRAMS, samplesOf } from './span-helpers.mjs';

const [major, minor] = process.versions.node.split('.').map(Number);
const FLAGS = process.execArgv.filter((flag) => flag.startsWith('--experimental'));

async function attached(dir, way) {
  const out = folder();
  const end = await runNode([...FLAGS, join(PROGRAMS, 'attached.cjs'), way, out], {
    env: { STROBE_INDEX: INDEX, OTEL_HOME: dir, OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' },
  });
  assert.is(end.code, 0, `${end.signal ?? end.code}\n${end.stderr}`);
  return { ...JSON.parse(end.stdout.trim().split('\n').at(-1)), samples: samplesOf(readFileSync(join(out, 'cpu.pb.gz'))) };
}

for (const [line, way, supported] of [
  [2, 'sdk-node', true],
  [2, 'provider', true],
  [3, 'sdk-node', major > 22 || (major === 22 && minor >= 15)],
]) {
  const name = `${LINES[line].join(' ')}: ${way}`;
  if (!supported) {
    test.skip(`${name} (needs Node 22.15)`, () => undefined);
    continue;
  }
  const { dir, why } = otelLine(line);
  if (dir === undefined) {
    console.log(`  skipped: ${why}`);
    test.skip(name, () => undefined);
    continue;
  }
  test(name, async () => {
    const found = await attached(dir, way);
    assert.is(found.early.contextManager, 'none', 'before the SDK is there');
    assert.is(found.early.spanProcessor, 'none');
    assert.match(found.early.reasons.contextManager, /after the application has started/);
    assert.match(found.early.reasons.spanProcessor, /after the application has started/);
    const joined = { contextManager: 'attached', spanProcessor: 'attached', reasons: {} };
    assert.equal(found.first, joined);
    assert.equal(found.second, joined, 'twice is once');
    assert.equal(found.own, ['kept', true], 'the application’s own context goes on');
    assert.ok(found.restored, 'detach() gives the manager its own with() back');

    const byName = Object.fromEntries(found.ended.map((span) => [span.name, span]));
    assert.equal(Object.keys(byName).sort(), ['after', 'again', 'inner', 'outer']);
    const { outer, inner, after, again } = byName;
    assert.is(inner.parent, outer.spanId);
    assert.is(outer.attributes['pyroscope.profile.id'], outer.spanId);
    assert.not('pyroscope.profile.id' in inner.attributes);
    for (const span of [outer, inner]) {
      const { 'resource.cpu.micros': all, 'resource.cpu.self_micros': self } = span.attributes;
      assert.ok(Number.isInteger(all) && Number.isInteger(self) && self > 0 && all >= self, JSON.stringify(span.attributes));
    }
    assert.ok(outer.attributes['resource.cpu.micros'] >= inner.attributes['resource.cpu.micros']);
    assert.equal(after.attributes, {}, 'after detach() spans are left alone');
    assert.is(again.attributes['pyroscope.profile.id'], again.spanId, 'attached again');

    const own = found.samples.filter(({ names }) => names.includes('work_attached'));
    const sum = (list) => list.reduce((total, { value }) => total + value, 0);
    for (const span of [outer, inner]) {
      const samples = own.filter(({ labels }) => labels.span_id === span.spanId);
      assert.ok(sum(samples) > 0.25 * sum(own), `${span.name}: ${sum(samples) / sum(own)} of the work's CPU`);
      assert.ok(samples.every(({ labels }) => labels.trace_id === span.traceId && labels.local_root_span_id === outer.spanId));
      assert.ok(samples.every(({ labels }) => labels['agent.name'] === 'planner'));
    }
    assert.ok(
      own.every(({ labels }) => [outer.spanId, inner.spanId].includes(labels.span_id)),
      'no sample of the work is without its span',
    );
  });
}

test.run();
