// A real OpenTelemetry Collector (built from test/collector/ where there is a Go toolchain, not in CI) takes the profiler's windows over OTLP, rejects none,
// and prints our functions, labels and span links.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { collector, freePort } from './collector-helpers.mjs';
import { until } from './delivery-helpers.mjs';
import { folder, INDEX, program, ROOT, runNode } from './helpers.mjs';

const SOURCE = (endpoint) => `
  const { startProfiler, otlpExporter, withLabels, StrobeContextManager, startTracing } = require(${JSON.stringify(INDEX)});
  const profiler = startProfiler({ frequencyHz: 500, windowSeconds: 1, appName: 'collected', tags: { 'deployment.environment.name': 'test' },
    exporters: [otlpExporter({ endpoint: '${endpoint}', spool: false })] });
  const tracing = startTracing({ endpoint: 'http://127.0.0.1:1', labelUnsampledSpans: true });
  const { trace } = require('@opentelemetry/api');
  function collectedWork() { const end = Date.now() + 1500; let x = 0; while (Date.now() < end) x += Math.sqrt(x + 1); return x; }
  (async () => {
    while (profiler.stats().features.labels === undefined) await new Promise(setImmediate);
    let ids;
    await new Promise((next) => setTimeout(next, 300));
    trace.getTracer('t').startActiveSpan('root', (span) => { ids = span.spanContext(); withLabels({ agent: 'archivist' }, collectedWork); span.end(); });
    await profiler.stop();
    console.log(JSON.stringify({ ids, delivery: profiler.stats().delivery }));
    process.exit(0);
  })();`;

const { binary, why } = collector();
const NAME = 'a real Collector takes the profiles, with functions, labels and links';
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
service: { pipelines: { profiles: { receivers: [otlp], exporters: [debug] } } }
`,
    );
    const child = spawn(binary, [`--config=file:${config}`, '--feature-gates=service.profilesSupport'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    const ended = new Promise((done) => child.once('exit', done));
    try {
      await until('the Collector listens', () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          () => true,
          () => false,
        ),
      );
      // The program needs the application's packages: it stands where they are found.
      const path = program(SOURCE(`http://127.0.0.1:${port}`));
      const end = await runNode([path], { env: { NODE_PATH: join(ROOT, 'node_modules') } });
      assert.is(end.code, 0, end.stderr);
      const { ids, delivery } = JSON.parse(end.stdout.trim().split('\n').at(-1));
      const [stats] = delivery.exporters;
      assert.ok(stats.delivered >= 2, JSON.stringify(stats));
      assert.equal([stats.failed, stats.partlyRejected, stats.lastError], [0, 0, ''], JSON.stringify(stats));
      await until(
        () => `the windows are printed:\n${output}`,
        () => output.includes('collectedWork'),
      );
      if (process.env.STROBE_TEST_FIGURES) console.log(output.slice(0, 12_000));
      assert.match(output, /service\.name: Str\(collected\)/);
      assert.match(output, /deployment\.environment\.name: Str\(test\)/);
      for (const text of ['archivist', 'thread.name', 'nanoseconds', 'cpu'])
        assert.ok(output.includes(text), `${text} is not in:\n${output}`);
      assert.ok(
        output.includes(ids.traceId) && output.includes(ids.spanId),
        `link ${JSON.stringify(ids)} is not in:\n${output.slice(0, 5000)}`,
      );
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
  });
}

test.run();
