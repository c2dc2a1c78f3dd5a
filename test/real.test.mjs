// Real programs: the TypeScript compiler checking this project, an HTTP server under autocannon, the demo. Every frame has a name (unresolved < 0.05 %), the
// functions that must be there are, nothing was lost, and the pprof tool reads the files.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, decode, folder, ROOT, shareByFunction, strobe, totalsFromComments } from './helpers.mjs';

const require = createRequire(import.meta.url);
const PPROF = join(ROOT, '.cache', 'bin', 'pprof');

/** Reads what a run left, checks what is true of every good profile. */
function check(out, { atLeast }) {
  const file = join(out, 'cpu.pb.gz');
  const profile = decode(readFileSync(file), file);
  const { totals } = totalsFromComments(profile.comments);
  console.log(
    `  ${totals.samples} samples, ${totals.frames} frames, unresolved ${((100 * totals.unresolved_frames) / totals.frames).toFixed(4)} %, lost ${totals.lost}`,
  );
  assert.ok(totals.samples >= atLeast, `only ${totals.samples} samples`);
  assert.ok(totals.unresolved_frames < 0.0005 * totals.frames, `${totals.unresolved_frames} of ${totals.frames} frames unresolved`);
  assert.ok(totals.lost <= 0.001 * totals.samples, `${totals.lost} lost`);
  return { profile, file };
}

function hasFunctions(profile, names) {
  const shares = shareByFunction(profile, names);
  for (const name of names) assert.ok(shares.get(name) > 0, `${name} is nowhere in the profile`);
}

/** The real pprof tool's top table. Needed in CI; elsewhere its absence is said. */
function readByPprof(file, mustHave) {
  if (!existsSync(PPROF)) {
    assert.not(process.env.CI, 'the pprof tool must be there in CI (.ci/run installs it)');
    console.log('  (the pprof tool is not installed in .cache/bin: not read by it)');
    return;
  }
  const { stdout, stderr, status } = spawnSync(PPROF, ['-top', '-nodecount=100000', '-nodefraction=0', '-edgefraction=0', file], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
  assert.match(stdout, /Type: cpu/);
  for (const name of mustHave) assert.ok(stdout.includes(name), `pprof -top does not show ${name}`);
}

test('the TypeScript compiler checks this project', async () => {
  const out = folder();
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, stdout, stderr } = await strobe(['run', '--hz', '1000', '--out', out, tsc, '-p', join(ROOT, 'tsconfig.json'), '--noEmit'], {
    limitSeconds: 120,
  });
  assert.is(code, 0, stdout + stderr);
  const { profile, file } = check(out, { atLeast: 500 });
  hasFunctions(profile, ['createProgram', 'parseSourceFile', 'checkSourceFile', 'bindSourceFile']);
  readByPprof(file, ['checkSourceFile', 'createProgram']);
});

test('an HTTP server under autocannon', async () => {
  const out = folder();
  const server = spawn(process.execPath, [CLI, 'run', '--hz', '1000', '--out', out, join(ROOT, 'test', 'programs', 'server.cjs')], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const port = await new Promise((resolve, reject) => {
    server.stdout.once('data', (data) => resolve(Number(data)));
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const autocannon = require('autocannon');
  const result = await autocannon({ url: `http://127.0.0.1:${port}/`, connections: 10, duration: 5 });
  server.stdin.end();
  const code = await new Promise((resolve) => server.on('close', resolve));
  assert.is(code, 0);
  assert.is(result.non2xx, 0);
  const { profile, file } = check(out, { atLeast: 1000 });
  hasFunctions(profile, ['selectRows', 'render']);
  readByPprof(file, ['selectRows', 'render']);
});

test('the demo', async () => {
  const out = folder();
  const { code, stdout, stderr } = await strobe(['run', '--hz', '1000', '--out', out, join(ROOT, 'examples', 'agent.mjs')], {
    env: { AGENT_SECONDS: '4' },
    limitSeconds: 60,
  });
  assert.is(code, 0, stdout + stderr);
  const { profile, file } = check(out, { atLeast: 1000 });
  hasFunctions(profile, ['parseHtml', 'queryRecords', 'archiveNotes']);
  const threads = new Set(profile.samples.flatMap(({ labels }) => labels.filter(({ key }) => key === 'thread_name').map(({ str }) => str)));
  assert.ok(threads.has('main') && [...threads].some((name) => name.includes('ranker')), [...threads].join(', '));
  readByPprof(file, ['parseHtml']);
  assert.match(stderr, /cost of profiling: \d/);
});

test.run();
