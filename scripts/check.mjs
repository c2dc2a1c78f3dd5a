// `npm run check [-- --fix] [-- --product]`: formats, lint and types of everything: biome, tsc, clang-format, clang-tidy.
//
// Contract: one line a check, the whole output of a failing one, last line `N passed, N failed[, N skipped]`; exit code 1 on a failure.
// `--product` leaves the C++ tests out of clang-tidy, which takes as long for them as for all the rest.
// `--fix` applies formats and safe lint fixes first. clang-tidy is not an npm package: when it is missing that is a failure in CI (CI=true)
// and a named skip elsewhere. Runs without a build; build/compile_commands.json (made by the build, and with the tests by `npm test`) gives clang-tidy the exact flags.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { tally } from '../test/run.mjs';
import { isMain, requireDependencies, root, run } from './build-native.mjs';

const require = createRequire(import.meta.url);
const moduleFile = (name, file) => join(dirname(require.resolve(`${name}/package.json`)), file);

/** C++ files under native/ that belong to another system, or need headers that only scripts/matrix.mjs (layout_check) or `npm run bench:micro` has. */
const FOREIGN = /(_macos|_windows)\.cc$|(^|\/)layout_check\.cc$|(^|\/)test\/micro\//;

function nativeFiles(...endings) {
  const dir = join(root, 'native');
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true })
    .map((file) => join('native', file))
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .sort();
}

function checkBiome(results, fix) {
  const folders = ['src', 'test', 'scripts', 'bench', 'examples'].filter((folder) => existsSync(join(root, folder)));
  const args = [
    'check',
    ...(fix ? ['--write'] : []),
    '--error-on-warnings',
    '--no-errors-on-unmatched',
    '--max-diagnostics=200',
    ...folders,
  ];
  const done = run(process.execPath, [moduleFile('@biomejs/biome', 'bin/biome'), ...args]);
  if (done.ok) results.pass('biome');
  else results.fail('biome', 'formats and safe fixes: npm run check -- --fix', done.log);
}

function checkTypes(results) {
  // The page's code runs in a browser: types of its own.
  for (const project of ['tsconfig.json', 'src/viewer/tsconfig.json']) {
    const done = run(process.execPath, [moduleFile('typescript', 'bin/tsc'), '-p', project, '--noEmit']);
    if (done.ok) results.pass(`tsc ${project}`);
    else results.fail(`tsc ${project}`, '', done.log);
  }
}

function checkClangFormat(results, fix) {
  const files = nativeFiles('.h', '.cc');
  if (files.length === 0) return results.skip('clang-format', 'native/ holds no source file');
  const program = [process.execPath, moduleFile('clang-format', 'index.js')];
  if (!run(program[0], [program[1], '--version']).ok) {
    return results.skip('clang-format', `the npm package clang-format has no binary for ${process.platform}-${process.arch}`);
  }
  const done = run(program[0], [program[1], '-style=file', ...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...files]);
  if (done.ok) return results.add('clang-format', { passed: 1, note: `${files.length} files` });
  const lines = new Map(); // file -> the lines to change: clang-format names each place in a line
  for (const [, file, line] of done.log.matchAll(/^(native\S+?):(\d+):\d+: /gm)) lines.set(file, (lines.get(file) ?? new Set()).add(line));
  const summary = [...lines].map(([file, numbers]) => `${file}: lines ${[...numbers].join(', ')}`).join('\n');
  results.fail('clang-format', 'applied by: npm run check -- --fix', summary || done.log);
}

/** Flags for a file that no compile database knows: the addon's own files, whose recipe is in build/ (cmake-js) only. */
function plainFlags() {
  const include = (dir) => ['-isystem', dir];
  return [
    '-std=c++20',
    '-I',
    join(root, 'native'),
    ...include(moduleFile('node-addon-api', '')),
    ...include(moduleFile('node-api-headers', 'include')),
    '-DNAPI_VERSION=8',
    '-DNAPI_DISABLE_CPP_EXCEPTIONS',
    '-DNODE_ADDON_API_DISABLE_DEPRECATED',
    '-DSTROBE_VERSION="0.0.0"',
  ];
}

function runAsync(command, args) {
  return new Promise((done) => {
    const chunks = [];
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    child.once('error', (error) => done({ ok: false, log: `${error.message}\n` }));
    child.once('close', (status) => done({ ok: status === 0, log: Buffer.concat(chunks).toString() }));
  });
}

async function checkClangTidy(results, productOnly) {
  const isTest = (file) => file.startsWith(join('native', 'test'));
  const files = nativeFiles('.cc').filter((file) => !FOREIGN.test(file) && !(productOnly && isTest(file)));
  if (files.length === 0) return results.skip('clang-tidy', 'native/ holds no source file');
  const version = run('clang-tidy', ['--version']);
  if (!version.ok) {
    const reason = 'clang-tidy is not installed (Debian: clang-tidy; Fedora: clang-tools-extra; Alpine: clang-extra-tools)';
    return process.env.CI === 'true' ? results.fail('clang-tidy', reason) : results.skip('clang-tidy', reason);
  }
  const database = join(root, 'build', 'compile_commands.json');
  const known = new Set();
  if (existsSync(database)) {
    for (const entry of JSON.parse(readFileSync(database, 'utf8'))) known.add(relative(root, resolve(entry.directory, entry.file)));
  }
  // gcc's flags stand in the database; those that clang does not know must not count as findings.
  const tolerant = ['--extra-arg=-Wno-unknown-warning-option', '--extra-arg=-Wno-ignored-optimization-argument'];
  const findings = [];
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const flags = known.has(file) ? ['-p', dirname(database), file] : [file, '--', ...plainFlags()];
      // Tests may be slow where that makes them plain.
      const checks = isTest(file) ? ['--checks=-performance-*'] : [];
      const done = await runAsync('clang-tidy', ['--quiet', ...checks, ...tolerant, ...flags]);
      if (!done.ok) findings.push({ file, log: done.log.replace(/^\d+ warnings? (generated|treated as errors?)\.?\n/gm, '') });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  findings.sort((a, b) => a.file.localeCompare(b.file));
  if (findings.length === 0) return results.add('clang-tidy', { passed: 1, note: `${files.length} files` });
  const names = findings.map(({ file }) => basename(file)).join(', ');
  results.fail('clang-tidy', `findings in ${names}`, findings.map(({ log }) => log).join('\n'));
}

async function main() {
  const unknown = process.argv.slice(2).filter((argument) => argument !== '--fix' && argument !== '--product');
  if (unknown.length > 0) {
    console.error(`check: unknown argument ${unknown[0]}\nusage: npm run check [-- --fix] [-- --product]`);
    return 2;
  }
  const fix = process.argv.includes('--fix');
  const results = tally();
  checkBiome(results, fix);
  checkTypes(results);
  checkClangFormat(results, fix);
  await checkClangTidy(results, process.argv.includes('--product'));
  return results.end();
}

if (isMain(import.meta.url)) {
  requireDependencies('check');
  process.exitCode = await main();
}
