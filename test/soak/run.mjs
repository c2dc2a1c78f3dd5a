// Runs the program of the endurance suite once and watches it from outside: does it beat, does it end, how?
//
// Contract: `soak(options)` resolves to everything that was said, and never waits for ever: a program without a heartbeat for `hangSeconds`, or that does not end
// that long after its time, gets its stacks dumped (gdb, when there is one) and is killed. A crash leaves a core file where the system writes one into the
// working directory; its stacks are dumped likewise. Nothing of its process group survives.

import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const PROGRAM = join(HERE, 'program.cjs');
const GDB_LIMIT_MS = 120_000;
const WATCH_MS = 1000;
const KEPT_STDERR = 20_000;

/** Compiles the suite's addon and the library that it opens into `dir`. @throws Error with the compiler's words */
export function buildNative(dir, headers) {
  mkdirSync(dir, { recursive: true });
  const compiler = process.env.CC ?? 'cc';
  const build = (source, output) => {
    const args = ['-O1', '-shared', '-fPIC', '-pthread', '-I', headers, '-o', join(dir, output), join(HERE, 'native', source), '-ldl'];
    const done = spawnSync(compiler, args, { encoding: 'utf8' });
    if (done.error || done.status !== 0) throw new Error(`${compiler} ${args.join(' ')}\n${done.error?.message ?? done.stderr}`);
    return join(dir, output);
  };
  return { addon: build('addon.c', 'addon.node'), plugin: build('plugin.c', 'plugin.so') };
}

/** All threads' native stacks of a process or of a core file; or why there are none. */
function stacks(node, target) {
  const args = ['-batch', '-nx', '-ex', 'set pagination off', '-ex', 'info threads', '-ex', 'thread apply all bt 60'];
  const done = spawnSync('gdb', [...args, ...target], { encoding: 'utf8', timeout: GDB_LIMIT_MS, maxBuffer: 64 << 20 });
  if (done.error) return `no stacks: gdb: ${done.error.message} (${node})`;
  return `${done.stdout}${done.stderr}`;
}

function coreIn(dir) {
  return readdirSync(dir).find((name) => /^core(\.\d+)?$/.test(name));
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody is left in the group
  }
}

const living = new Set(); // process groups of programs that run

function endAll(signal) {
  for (const pid of living) killGroup(pid);
  process.kill(process.pid, signal);
}

/**
 * @param options.name        of the run, for its files in `dir`: <name>.log (all that it said), <name>.stacks.txt when it hung or crashed
 * @param options.program     what program.cjs takes, `dir` left out
 * @param options.file        another program in its place (for tests)
 * @param options.onLine      sees each object as it comes
 * @returns {Promise<{ name, beats: object[], sessions: object[], failures: string[], done?: object, seconds: number }>}
 */
export async function soak({ name, node, nodeArgs = [], dir, env = {}, program, file = PROGRAM, hangSeconds = 90, nice = 0, onLine }) {
  const home = join(dir, name);
  mkdirSync(home, { recursive: true });
  const log = createWriteStream(join(dir, `${name}.log`));
  const out = { name, beats: [], sessions: [], failures: [], done: undefined, seconds: 0 };
  const startedMs = performance.now();
  const asked = JSON.stringify({ ...program, dir: home });
  // The shell lets a crash leave a core file, and is replaced by the program.
  const shell = ['-c', 'ulimit -c unlimited 2>/dev/null; exec nice -n "$0" "$@"', String(nice), node, ...nodeArgs, file, asked];
  const child = spawn('sh', shell, { cwd: home, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });

  if (living.size === 0) for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, endAll);
  living.add(child.pid);
  let lastBeatMs = performance.now();
  let stderr = '';
  let hung = '';
  const keep = (text) => writeFileSync(join(dir, `${name}.stacks.txt`), text);
  const watch = setInterval(() => {
    const now = performance.now();
    const late = (now - lastBeatMs) / 1000;
    const overdue = (now - startedMs) / 1000 - program.seconds;
    if (hung || (late < hangSeconds && overdue < 2 * hangSeconds)) return;
    hung = late >= hangSeconds ? `no heartbeat for ${late.toFixed(0)} s` : `still there ${overdue.toFixed(0)} s after its time`;
    keep(stacks(node, ['-p', String(child.pid)]));
    killGroup(child.pid);
  }, WATCH_MS);

  child.stderr.on('data', (data) => {
    log.write(data);
    stderr = (stderr + data).slice(-KEPT_STDERR);
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    log.write(`${line}\n`);
    let object;
    try {
      object = JSON.parse(line);
    } catch {
      out.failures.push(`said no JSON: ${line.slice(0, 200)}`);
      return;
    }
    if (object.beat !== undefined) {
      lastBeatMs = performance.now();
      out.beats.push(object);
      for (const stuck of object.busy) out.stuck = stuck;
    }
    if (object.session) out.sessions.push(object.session);
    if (object.failure) out.failures.push(object.failure);
    if (object.done) out.done = object.done;
    onLine?.(object, out);
  });
  const { code, signal } = await new Promise((ended) => {
    child.once('error', (error) => ended({ code: null, signal: error.message }));
    child.once('exit', (status, by) => {
      clearInterval(watch);
      // Children of its own may hold its pipes.
      killGroup(child.pid);
      const end = () => ended({ code: status, signal: by });
      const limit = setTimeout(end, 2000);
      child.once('close', () => {
        clearTimeout(limit);
        end();
      });
    });
  });
  clearInterval(watch);
  living.delete(child.pid);
  if (living.size === 0) for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, endAll);
  log.end();
  out.seconds = (performance.now() - startedMs) / 1000;
  if (hung) out.failures.push(`${hung}; stacks in ${name}.stacks.txt${out.stuck ? `; stuck in ${out.stuck}` : ''}`);
  else if (signal !== null || code !== 0) {
    const core = coreIn(home);
    if (core !== undefined) {
      keep(stacks(node, [node, join(home, core)]));
      rmSync(join(home, core));
    }
    const where = core ? `stacks in ${name}.stacks.txt` : signal ? 'no core file was left' : '';
    out.failures.push(`ended by ${signal ?? `exit code ${code}`}${where && `; ${where}`}\n${stderr.slice(-4000)}`);
  } else if (!out.done) out.failures.push('ended before its time');
  return out;
}

/** Reads and removes a session's files, so that long runs don't fill the disk. `decode` is the package's own reader. */
export function takeFiles(session, decode) {
  const read = (file) => {
    const profile = decode(readFileSync(file), file);
    rmSync(file);
    return profile;
  };
  if (!existsSync(session.file)) throw new Error(`no profile was left: ${session.file}`);
  const profile = read(session.file);
  const snapshots = session.snapshots.map(read);
  rmSync(dirname(session.file), { recursive: true, force: true });
  return { profile, snapshots };
}
