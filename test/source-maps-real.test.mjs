// Source maps through the whole way, from V8 to the file: a TypeScript service compiled by tsc, bundled and minified by esbuild, run by Node's own type
// stripping and transforming. The hot function must stand in the file that was written, its self time (95 % at least) on the lines of its loop.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decode, folder, INDEX, runNode, strobe, totalsFromComments } from './helpers.mjs';

const require = createRequire(import.meta.url);
const ts = require('typescript');

// Types and comments above the function move its lines when they are taken out.
const HOT = `export interface Settings {
  rounds: number;
  /** Comments go, too. */
  seed?: number;
}
export type Handler = (settings: Settings) => number;

/**
 * The loop stands on lines 16 to 19.
 */
export function hotLoop(settings: Settings): number {
  let state = settings.seed ?? 1;
  const rounds: number = settings.rounds;

  // LOOP
  for (let i = 0; i < rounds; i++) {
    state = (state * 48271) % 2147483647;
    state ^= i & 7;
  }
  return state;
}
`;
const LOOP = [16, 19];
const SERVICE = `import { type Handler, hotLoop } from './hot.ts';

interface Request { id: number }

const handlers: Record<string, Handler> = { work: (settings) => hotLoop(settings) };

export async function serveRequests(seconds: number): Promise<number> {
  const start = process.cpuUsage();
  let sum = 0;
  for (let id = 0; ; id++) {
    const request: Request = { id };
    sum += handlers.work({ rounds: 200_000, seed: 1 + (request.id % 1000) });
    const { user, system } = process.cpuUsage(start);
    if (user + system > seconds * 1e6) return sum;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
void serveRequests(1.5).then((sum) => console.log(sum));
`;
// Needs more than types taken out.
const ENUM = 'enum Level { Low = 1, High }\nconsole.log(Level.High);\n';

/** The service's sources in a folder of their own. */
function sources({ prefix = '', main = 'service.ts' } = {}) {
  const dir = folder();
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(dir, 'src', 'hot.ts'), HOT);
  writeFileSync(join(dir, 'src', main), prefix + SERVICE);
  return { dir, hot: join(dir, 'src', 'hot.ts'), main: join(dir, 'src', main) };
}

async function profileOf(args, options = {}) {
  const out = folder();
  const end = await strobe(['run', '--hz', '1000', '--out', out, ...args], options);
  assert.is(end.code, 0, end.stderr);
  return decode(readFileSync(join(out, 'cpu.pb.gz')), 'cpu.pb.gz');
}

/** Self time of the function by line; `file` is where it stands. */
function hotLines(profile, name) {
  const lines = new Map();
  let [self, total] = [0, 0];
  const files = new Set();
  for (const { locations, values } of profile.samples) {
    total += values[1];
    const leaf = profile.locations[locations[0]]?.lines[0];
    const func = leaf && profile.functions[leaf.function];
    if (func?.name !== name) continue;
    files.add(`${func.filename}:${func.startLine}`);
    self += values[1];
    lines.set(leaf.line, (lines.get(leaf.line) ?? 0) + values[1]);
  }
  return { lines, self, total, files: [...files] };
}

function standsIn(profile, file, { name = 'hotLoop', startLine = 11 } = {}) {
  const { lines, self, total, files } = hotLines(profile, name);
  const onLoop = [...lines].filter(([line]) => line >= LOOP[0] && line <= LOOP[1]).reduce((sum, [, value]) => sum + value, 0);
  const shown = [...lines].map(([line, value]) => `${line}: ${((100 * value) / self).toFixed(1)} %`).join(', ');
  console.log(`  ${name} ${((100 * self) / total).toFixed(1)} % of the profile; lines ${shown}`);
  assert.equal(files, [`${file}:${startLine}`]);
  assert.ok(self > 0.6 * total, `${name} has ${self} of ${total}`);
  assert.ok(onLoop >= 0.95 * self, `only ${onLoop} of ${self} on lines ${LOOP.join(' to ')}: ${shown}`);
  assert.not.match(profile.comments.join('\n'), /source_maps_failed=[1-9]|source_maps_stale=[1-9]/);
  assert.ok(totalsFromComments(profile.comments).totals.samples > 500);
}

/** Compiles with the compiler's own program, maps beside the output. */
function compile({ dir, main }, options = {}) {
  const outDir = join(dir, 'dist');
  const settings = {
    rootDir: join(dir, 'src'),
    outDir,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ES2022,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    rewriteRelativeImportExtensions: true,
    sourceMap: true,
    types: [],
    ...options,
  };
  const { emitSkipped } = ts.createProgram([main], settings).emit();
  assert.not(emitSkipped);
  return join(outDir, 'service.js');
}

test('a service compiled by tsc, external map', async () => {
  const made = sources();
  standsIn(await profileOf([compile(made)]), made.hot);
});

test('a service compiled by tsc, inline map, CommonJS', async () => {
  const made = sources();
  writeFileSync(join(made.dir, 'package.json'), '{}');
  const script = compile(made, {
    sourceMap: false,
    inlineSourceMap: true,
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    ignoreDeprecations: '5.0',
  });
  standsIn(await profileOf([script]), made.hot);
});

for (const [what, options] of [
  ['minified', { minify: true }],
  ['minified, ES module, inline map', { minify: true, format: 'esm', sourcemap: 'inline' }],
  ['not minified', {}],
]) {
  test(`a service bundled by esbuild, ${what}`, async () => {
    const made = sources();
    const outfile = join(made.dir, 'dist', options.format === 'esm' ? 'service.mjs' : 'service.cjs');
    await build({ entryPoints: [made.main], bundle: true, platform: 'node', sourcemap: true, outfile, logLevel: 'error', ...options });
    standsIn(await profileOf([outfile]), made.hot);
  });
}

test('without source maps: the positions of the code that runs', async () => {
  const made = sources();
  const outfile = join(made.dir, 'dist', 'service.cjs');
  await build({ entryPoints: [made.main], bundle: true, minify: true, platform: 'node', sourcemap: true, outfile, logLevel: 'error' });
  const profile = await profileOf(['--no-source-maps', outfile]);
  const files = new Set(profile.functions.map(({ filename }) => filename));
  assert.ok(files.has(outfile) && !files.has(made.hot), [...files].join('\n'));
});

const [major, minor] = process.versions.node.split('.').map(Number);
const strips = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
(strips ? test : test.skip)("Node's own type stripping: positions are the file's", async () => {
  const made = sources();
  standsIn(await profileOf([made.main]), made.hot);
});

const transforms = process.allowedNodeEnvironmentFlags.has('--experimental-transform-types');
(transforms ? test : test.skip)("Node's own type transforming: its map is in the text that the engine has", async () => {
  const made = sources({ prefix: ENUM });
  standsIn(await profileOf(['--', process.execPath, '--experimental-transform-types', made.main]), made.hot);
});

test('stats() counts the maps', async () => {
  const made = sources();
  const script = compile(made);
  writeFileSync(
    join(made.dir, 'stats.cjs'),
    `const profiler = require(${JSON.stringify(INDEX)}).startProfiler({ frequencyHz: 1000 });
    import(${JSON.stringify(script)}).then(async ({ serveRequests }) => {
      await serveRequests(1);
      await profiler.snapshot();
      const { sourceMaps, features } = profiler.stats();
      console.log(JSON.stringify({ sourceMaps, feature: features.sourceMaps }));
      process.exit();
    });`,
  );
  const end = await runNode([join(made.dir, 'stats.cjs')]);
  assert.is(end.code, 0, end.stderr);
  const { sourceMaps, feature } = JSON.parse(end.stdout.trim().split('\n').pop());
  assert.ok(sourceMaps.loaded >= 2 && sourceMaps.bytes > 0, JSON.stringify(sourceMaps));
  assert.equal([sourceMaps.failed, sourceMaps.stale, feature], [0, 0, 'on']);
});

test('a map as large as maps may be does not keep the end of the process: the profile is there in time', async () => {
  const dir = folder();
  const script = join(dir, 'large.cjs');
  const code =
    'const end = process.cpuUsage().user + 3e5; let x = 1; while (process.cpuUsage().user < end) for (let i = 0; i < 1e5; i++) x = (x * 48271) % 2147483647;';
  writeFileSync(script, `${code}\n//# sourceMappingURL=large.cjs.map\n`);
  const mappings = `AAAAA${`${',EAACA'.repeat(999)},EAGAA`.repeat(10_300)}`;
  writeFileSync(`${script}.map`, JSON.stringify({ version: 3, sources: ['large.ts'], names: ['x'], mappings }));
  const out = folder();
  const end = await strobe(['run', '--hz', '1000', '--out', out, script]);
  assert.equal([end.code, /not delivered/.test(end.stderr)], [0, false], end.stderr);
  const profile = decode(readFileSync(join(out, 'cpu.pb.gz')), 'cpu.pb.gz');
  // Read in half of exitTimeoutSeconds, or left out and counted: never lost.
  const { totals } = totalsFromComments(profile.comments);
  const files = profile.functions.map(({ filename }) => filename);
  assert.ok(
    files.includes(join(dir, 'large.ts')) || (files.includes(script) && totals.source_map_frames_skipped > 0),
    JSON.stringify(totals),
  );
});

test.run();
