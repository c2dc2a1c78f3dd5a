// `npm run build:native`: makes build/Release/strobe.node ready, and says in one line how.
//
// Contract: with CMakeLists.txt, cmake and a C++20 compiler at hand it builds with cmake-js (Release), and skips when a stamp says that nothing
// changed. Without the tools it is content with a prebuilt binary that fits this machine. Otherwise it names what is missing and how to get it,
// and exits 1. A successful build prints one line; a failed one prints its whole log.
// Other scripts import `buildAddon` (another folder, other CMake definitions) and the small helpers below it.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/** The checkout's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

/** True when `url` (a module's import.meta.url) is the program that node was asked to run. */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(url));
}

/** Ends the program with a clear message when the development dependencies are not installed. */
export function requireDependencies(script) {
  const needed = ['cmake-js', 'node-addon-api', 'prebuildify', 'typescript', '@biomejs/biome', 'clang-format'];
  const absent = needed.filter((name) => !existsSync(join(root, 'node_modules', name)));
  if (absent.length === 0) return;
  console.error(`${script}: not installed: ${absent.join(', ')}. Run npm ci (development dependencies included) first.`);
  process.exit(1);
}

/** Runs a command to its end; returns { ok, log, status, signal }. `log` is stdout and stderr, for showing when it failed. */
export function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 256 << 20, ...options });
  const log = `${done.stdout ?? ''}${done.stderr ?? ''}${done.error ? `${done.error.message}\n` : ''}`;
  return { ok: done.status === 0, log, status: done.status, signal: done.signal };
}

/** The environment without npm's own settings: a user's `nodedir`, `prefix` or the like must not steer a build or an install. */
export function cleanEnv(extra = {}) {
  const env = { ...process.env, ...extra };
  for (const name of Object.keys(env)) {
    if (
      /^npm_config_(nodedir|prefix|local_prefix|msvs_version|arch|platform|build_from_source|global|omit|include|dry_run|json)$/i.test(name)
    ) {
      delete env[name];
    }
  }
  return env;
}

const CXX20_PROBE =
  '#include <atomic>\n#include <bit>\n#include <concepts>\n#include <span>\nstatic_assert(std::integral<int>);\nint main() {}\n';

/** True when `compiler` compiles and links a small program with these flags. */
export function compilerAccepts(compiler, flags, source = CXX20_PROBE) {
  const dir = mkdtempSync(join(tmpdir(), 'strobe-probe-'));
  try {
    writeFileSync(join(dir, 'probe.cc'), source);
    return run(compiler, [...flags, join(dir, 'probe.cc'), '-o', join(dir, 'probe')], { cwd: dir }).ok;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The C++ compiler that CMake takes: $CXX or the first of the usual names that starts; undefined when there is none. */
export function cxxCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  return names.find((name) => run(name, ['--version']).ok);
}

const INSTALL = {
  cmake: { debian: 'cmake', fedora: 'cmake', alpine: 'cmake' },
  'make or ninja': { debian: 'make', fedora: 'make', alpine: 'make' },
  'a C++20 compiler (gcc 11, clang 14 or newer)': { debian: 'g++', fedora: 'gcc-c++', alpine: 'g++ linux-headers' },
};

/** The names of the build tools that this machine lacks, and the sentence that tells how to install them. */
export function missingTools() {
  const missing = [];
  if (!run('cmake', ['--version']).ok) missing.push('cmake');
  if (!run('ninja', ['--version']).ok && !run('make', ['--version']).ok) missing.push('make or ninja');
  const compiler = cxxCompiler();
  if (compiler === undefined || !compilerAccepts(compiler, ['-std=c++20'])) missing.push('a C++20 compiler (gcc 11, clang 14 or newer)');
  const packages = (system) => missing.map((name) => INSTALL[name][system]).join(' ');
  const advice =
    `  Debian, Ubuntu: sudo apt-get install ${packages('debian')}\n` +
    `  Fedora:         sudo dnf install ${packages('fedora')}\n` +
    `  Alpine:         sudo apk add ${packages('alpine')}`;
  return { missing, advice };
}

function filesUnder(dir) {
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Changes when anything that goes into the binary does: sources, the recipe, the version, the headers, the compiler, the definitions. */
function stampOf(defines) {
  const hash = createHash('sha256');
  const inputs = [join(root, 'CMakeLists.txt'), ...filesUnder(join(root, 'native')).filter((file) => !file.includes(`${sep}test${sep}`))];
  for (const file of inputs)
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  const versions = ['node-addon-api', 'node-api-headers', 'cmake-js'].map((name) => require(`${name}/package.json`).version);
  const compiler = run(cxxCompiler() ?? 'c++', ['--version']).log;
  hash.update(JSON.stringify([require(join(root, 'package.json')).version, versions, compiler, process.arch, defines]));
  return hash.digest('hex');
}

/**
 * Builds the addon with cmake-js into `<out>/<config>/strobe.node`.
 * @returns { ok, binary, log, skipped }: `skipped` when the stamp in `out` says that nothing changed.
 */
export function buildAddon({ out = 'build', config = 'Release', defines = {}, env = {} } = {}) {
  const binary = join(root, out, config, 'strobe.node');
  const stampFile = join(root, out, `.stamp-${config}`);
  const stamp = stampOf({ ...defines, config });
  if (existsSync(binary) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp)
    return { ok: true, binary, log: '', skipped: true };
  rmSync(stampFile, { force: true });

  const args = ['--directory', root, '--out', join(root, out), '--config', config];
  const definitions = Object.entries(defines).map(([name, value]) => `--CD${name}=${value}`);
  const cmakeJs = (command, extra) =>
    run(process.execPath, [join(root, 'node_modules/cmake-js/bin/cmake-js'), command, ...args, ...extra], { env: cleanEnv(env) });
  let step = cmakeJs('configure', definitions);
  if (!step.ok) {
    // A cache made by another generator or in another place cannot be reused: once more in an empty folder.
    rmSync(join(root, out), { recursive: true, force: true });
    step = cmakeJs('configure', definitions);
  }
  if (step.ok) step = cmakeJs('build', ['--parallel', '2']);
  if (step.ok && !existsSync(binary))
    step = { ok: false, log: `${step.log}\nThe build ended well but left no ${relative(root, binary)}.\n` };
  if (step.ok) writeFileSync(stampFile, stamp);
  return { ok: step.ok, binary, log: step.log, skipped: false };
}

/** The prebuilt binary that node-gyp-build would load here, or undefined. */
function fittingPrebuild() {
  process.env.PREBUILDS_ONLY = '1'; // read once, when the module loads
  try {
    return require('node-gyp-build').resolve(root);
  } catch {
    return undefined;
  }
}

function main() {
  const started = Date.now();
  const hasSources = existsSync(join(root, 'CMakeLists.txt'));
  const hasCmakeJs = existsSync(join(root, 'node_modules/cmake-js'));
  const { missing, advice } = missingTools();
  if (hasSources && hasCmakeJs && missing.length === 0) {
    const { ok, binary, log, skipped } = buildAddon();
    if (!ok) {
      console.error(log);
      console.error('build:native: the build of the addon failed; its log is above.');
      return 1;
    }
    console.log(
      `build:native: ${relative(root, binary)} ${skipped ? 'is up to date' : `built in ${((Date.now() - started) / 1000).toFixed(1)} s`}`,
    );
    return 0;
  }
  const prebuild = fittingPrebuild();
  if (prebuild) {
    console.log(`build:native: nothing built, ${relative(root, prebuild)} fits this machine`);
    return 0;
  }
  console.error(`build:native: cannot build the addon, and prebuilds/ holds no binary for ${process.platform}-${process.arch}.`);
  if (!hasSources) console.error('  CMakeLists.txt is missing: run this in a checkout of the repository.');
  if (!hasCmakeJs) console.error('  cmake-js is missing: run npm ci (development dependencies included) first.');
  if (missing.length > 0) console.error(`  Missing: ${missing.join(', ')}. Install:\n${advice}`);
  return 1;
}

if (isMain(import.meta.url)) process.exitCode = main();
