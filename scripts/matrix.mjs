// `npm run test:matrix [-- --majors 20,24] [-- --quick] [-- --tarball FILE]`: one packed package on every supported Node major.
//
// Contract: packs the package (`npm pack`, which builds the prebuild), installs the tarball in an empty folder where PATH leads to no compiler and no
// cmake, and takes a profile by `require`, by `import` and by `npx strobe run` under each major, always with the same binary. The function
// `hot` must be the one with the largest self. Then the suite runs under each major (not with --quick), the profile checks run on
// Debian's own Node if it is linked to libnode.so, and native/test/layout_check.cc is compiled against each major's headers.
// Last line `N passed, N failed[, N skipped]`; exit code 1 on a failure, 2 on a usage error. `--tarball` tests a package made elsewhere.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readTotalLine, tally } from '../test/run.mjs';
import { cleanEnv, cxxCompiler, requireDependencies, root, run } from './build-native.mjs';
import { ensureNodes, MAJORS, nodeBinary, nodeHeaders } from './nodes.mjs';

const PROGRAM_LIMIT_MS = 90_000;

/** A program whose `hot` uses about four times the CPU of `cold`; prints its Node version, so that the check knows who ran it. */
const WORK = `
function hot() { let x = 1; for (let i = 0; i < 4e7; i++) x = (x * 48271) % 2147483647; return x; }
function cold() { let x = 1; for (let i = 0; i < 1e7; i++) x = (x * 48271) % 2147483647; return x; }
async function work() {
  const end = Date.now() + 1500;
  let sum = 0;
  while (Date.now() < end) { sum += hot() + cold(); await new Promise(setImmediate); }
  return sum;
}
`;

const PROFILE = `
async function main() {
  const profiler = startProfiler({ mode: ['cpu'], frequencyHz: 200 });
  await work();
  const profile = await profiler.snapshot('cpu');
  await profiler.stop();
  writeFileSync(process.argv[2], profile);
  console.log(process.version);
}
main().catch((error) => { console.error(error); process.exitCode = 1; });
`;

const PROGRAMS = {
  'require.cjs': `const { writeFileSync } = require('node:fs');\nconst { startProfiler } = require('strobe');\n${WORK}${PROFILE}`,
  'import.mjs': `import { writeFileSync } from 'node:fs';\nimport { startProfiler } from 'strobe';\n${WORK}${PROFILE}`,
  'plain.cjs': `${WORK}work().then(() => console.log(process.version));\n`,
};

/** npm's own JavaScript files, so that they can be run by any Node binary: beside the npm in use. */
function npmScript(name) {
  const candidates = [process.env.npm_execpath && join(dirname(process.env.npm_execpath), name)];
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (existsSync(join(dir, 'npm'))) candidates.push(join(dirname(realpathSync(join(dir, 'npm'))), name));
  }
  const found = candidates.find((file) => file && existsSync(file));
  if (!found) throw new Error(`matrix: npm's ${name} was not found beside the npm on PATH; install npm (it comes with Node)`);
  return found;
}

/** Makes a folder with nothing but `node` and `sh` (npm needs it), and the environment that has no other PATH. */
function bareEnvironment(dir, node) {
  mkdirSync(dir, { recursive: true });
  symlinkSync(node, join(dir, 'node'));
  symlinkSync('/bin/sh', join(dir, 'sh'));
  const env = cleanEnv({ PATH: dir, PREBUILDS_ONLY: '1', npm_config_update_notifier: 'false' });
  for (const name of ['NODE_OPTIONS', 'STROBE_BINARY', 'CC', 'CXX']) delete env[name];
  return env;
}

function pack(folder) {
  const done = run('npm', ['pack', '--pack-destination', folder], { env: cleanEnv() });
  const file = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (!done.ok || !file) throw new Error(`${done.log}\nmatrix: npm pack failed; its log is above`);
  return join(folder, file);
}

/** Installs the tarball into an empty folder; returns the folder. */
function install(folder, tarball) {
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  for (const [name, source] of Object.entries(PROGRAMS)) writeFileSync(join(project, name), source);
  const env = bareEnvironment(join(folder, 'bin-install'), process.execPath);
  const done = run(process.execPath, [npmScript('npm-cli.js'), 'install', '--no-audit', '--no-fund', tarball], { cwd: project, env });
  if (!done.ok) throw new Error(`${done.log}\nmatrix: the packed package does not install; the log is above`);
  for (const tool of ['cmake', 'c++', 'g++', 'make']) {
    if (run('sh', ['-c', `command -v ${tool}`], { env }).ok) throw new Error(`matrix: the bare PATH still leads to ${tool}`);
  }
  return project;
}

/** The prebuilt binary of the installed package for this machine, as { file, hash }. */
function installedBinary(project) {
  const dir = join(project, 'node_modules', 'strobe', 'prebuilds', `linux-${process.arch}`);
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
  const file = join(dir, `strobe.${libc}.node`);
  if (!existsSync(file)) throw new Error(`matrix: the package holds no prebuilds/linux-${process.arch}/strobe.${libc}.node`);
  return { file, hash: createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12) };
}

/** Runs one way of profiling under one Node; returns what is wrong, or undefined when `hot` leads the report. */
function profileProblem(project, env, way, expectedVersion) {
  const node = join(env.PATH, 'node');
  const strobe = join('node_modules', 'strobe', 'dist', 'cli', 'main.js');
  const profile = way === 'npx strobe run' ? join(project, 'out', 'cpu.pb.gz') : join(project, `${way}.pb.gz`);
  rmSync(join(project, 'out'), { recursive: true, force: true });
  rmSync(profile, { force: true });
  const execute = (args) =>
    spawnSync(node, args, { cwd: project, env, encoding: 'utf8', timeout: PROGRAM_LIMIT_MS, killSignal: 'SIGKILL' });
  const args = {
    require: ['require.cjs', profile],
    import: ['import.mjs', profile],
    'npx strobe run': [npmScript('npx-cli.js'), '--no', 'strobe', 'run', '--out', 'out', 'plain.cjs'],
  }[way];
  const ran = execute(args);
  const said = `${ran.stdout ?? ''}${ran.stderr ?? ''}`;
  if (ran.status !== 0) return `the program ended with ${ran.signal ?? `exit code ${ran.status}`}\n${said}`;
  if (!ran.stdout.includes(expectedVersion)) return `the program was not run by Node ${expectedVersion}\n${said}`;
  if (!existsSync(profile)) return `no profile was written\n${said}`;
  const report = execute([strobe, 'report', profile, '--json']);
  if (report.status !== 0)
    return `strobe report ended with ${report.signal ?? `exit code ${report.status}`}\n${report.stdout}${report.stderr}`;
  let functions;
  try {
    functions = JSON.parse(report.stdout).functions;
  } catch (error) {
    return `strobe report --json is not JSON: ${error.message}\n${report.stdout.slice(0, 2000)}`;
  }
  if (!functions?.length) return `strobe report --json names no function\n${report.stdout.slice(0, 2000)}`;
  const top = functions.reduce((best, row) => (row.self > best.self ? row : best));
  if (top.name !== 'hot') return `the largest self is ${top.name}, not hot\n${JSON.stringify(functions.slice(0, 5), null, 2)}`;
  return undefined;
}

function checkNode(results, folder, project, label, node) {
  const version = run(node, ['--version']).log.trim();
  const env = bareEnvironment(join(folder, `bin-${label.replace(/\W+/g, '-')}`), node);
  for (const way of ['require', 'import', 'npx strobe run']) {
    const problem = profileProblem(project, env, way, version);
    const name = `${label} (${version}), ${way}`;
    if (problem) results.fail(name, problem.split('\n')[0], problem);
    else results.pass(name);
  }
}

function checkSuite(results, major) {
  const args = [join(root, 'test/run.mjs'), '--no-cpp', '--node', nodeBinary(major), '--env', 'PREBUILDS_ONLY=1'];
  const done = run(process.execPath, args, { env: cleanEnv() });
  const counts = readTotalLine(done.log);
  const extra = !done.ok && !(counts?.failed > 0) ? 1 : 0;
  results.add(`Node ${major}, test suite`, {
    passed: counts?.passed ?? 0,
    failed: (counts?.failed ?? 0) + extra,
    skipped: counts?.skipped ?? 0,
    note: extra ? (counts ? 'ran no test' : 'its runner died') : '',
    output: done.log,
  });
}

/** Some distributions split Node into a small program and libnode.so: V8's symbols then come from the library. */
function checkDebianNode(results, folder, project) {
  const name = 'Node of the distribution with libnode.so';
  const node = '/usr/bin/node';
  if (!existsSync(node)) return results.skip(name, `${node} is not there`);
  if (!/libnode\.so/.test(run('ldd', [node]).log)) return results.skip(name, `${node} is not linked to libnode.so`);
  const major = Number(/^v(\d+)/.exec(run(node, ['--version']).log)?.[1]);
  if (!MAJORS.includes(major)) return results.skip(name, `${node} is Node ${major}, supported are ${MAJORS.join(', ')}`);
  checkNode(results, folder, project, 'libnode.so', node);
}

/** Compiles the assertions on V8's layouts against a major's own headers. */
function checkLayout(results, major) {
  const name = `Node ${major}, layout check`;
  const source = join('native', 'test', 'layout_check.cc');
  if (!existsSync(join(root, source))) return results.fail(name, `${source} is missing`);
  const compiler = cxxCompiler();
  if (!compiler) return results.fail(name, 'a C++20 compiler is missing (Debian: g++; Fedora: gcc-c++)');
  // Node's headers are system headers here: their warnings are not ours. Majors whose v8.h needs C++23 get it.
  const flags = ['-fsyntax-only', '-isystem', nodeHeaders(major), '-I', join(root, 'native')];
  const v8 = run(compiler, ['-std=c++20', ...flags, '-x', 'c++', '-'], { input: '#include <v8.h>\n' });
  const standard = v8.ok ? 'c++20' : 'c++23';
  const done = run(compiler, [`-std=${standard}`, '-Wall', '-Wextra', ...flags, source]);
  if (done.ok) results.pass(name);
  else results.fail(name, `does not compile as ${standard}`, done.log);
}

function options() {
  const { values } = parseArgs({
    options: { majors: { type: 'string' }, quick: { type: 'boolean', default: false }, tarball: { type: 'string' } },
  });
  const majors = values.majors?.split(',').map(Number) ?? MAJORS;
  const unknown = majors.find((major) => !MAJORS.includes(major));
  if (unknown !== undefined) throw new Error(`--majors takes some of ${MAJORS.join(',')}, not '${values.majors}'`);
  if (values.tarball && !existsSync(values.tarball)) throw new Error(`--tarball: there is no ${values.tarball}`);
  return { majors, quick: values.quick, tarball: values.tarball && resolve(values.tarball) };
}

function main() {
  let asked;
  try {
    asked = options();
  } catch (error) {
    console.error(`matrix: ${error.message}\nusage: npm run test:matrix -- [--majors ${MAJORS.join(',')}] [--quick] [--tarball FILE]`);
    return 2;
  }
  const results = tally();
  const folder = mkdtempSync(join(tmpdir(), 'strobe-matrix-'));
  try {
    ensureNodes(asked.majors);
    for (const major of asked.majors) checkLayout(results, major);
    const project = install(folder, asked.tarball ?? pack(folder));
    const before = installedBinary(project);
    results.pass('package installs without compiler and cmake', `binary ${before.hash}`);
    for (const major of asked.majors) checkNode(results, folder, project, `Node ${major}`, nodeBinary(major));
    checkDebianNode(results, folder, project);
    if (installedBinary(project).hash === before.hash) results.pass('one binary for all majors');
    else results.fail('one binary for all majors', 'the binary changed during the run');
    if (!asked.quick) for (const major of asked.majors) checkSuite(results, major);
  } catch (error) {
    results.fail('matrix', error.message.trim().split('\n').at(-1), error.message);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results.end();
}

requireDependencies('matrix');
process.exitCode = main();
