// The machine and the container: platform, Node, limits. Reads /proc and the cgroup files; what is not there is no limit, what cannot be read is said.

import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { platformSupported } from '../native';
import { broken, degraded, type Finding, ok } from './finding';

/** Those that the tests run on. */
const TESTED_MAJORS = [20, 22, 24, 26];
const LEAST_MAJOR = 20;

/** Sampler, collector, encoder, with the threads that a Worker brings. */
const OWN_THREADS = 8;
const ROOM_FOR_THREADS = 3 * OWN_THREADS;
const ROOM_FOR_SIGNALS = 256;
/** What the encoder and the engine take in a busy service. */
const ROOM_FOR_MEMORY = 128 * 2 ** 20;

export function checkPlatform(): Finding[] {
  const name = `${process.platform}-${process.arch}, ${libc()}, kernel ${release()}`;
  const platform = platformSupported()
    ? ok('platform', name)
    : broken('platform', `${name}: strobe has no engine for it yet`, 'profile on linux-x64 or linux-arm64');
  const major = Number(process.versions.node.split('.')[0]);
  const versions = `Node ${process.version}, V8 ${process.versions.v8}`;
  if (major < LEAST_MAJOR) return [platform, broken('node', `${versions}: too old`, `strobe needs Node ${LEAST_MAJOR} or later`)];
  return [
    platform,
    TESTED_MAJORS.includes(major)
      ? ok('node', versions)
      : degraded(
          'node',
          `${versions}: not among the tested majors (${TESTED_MAJORS.join(', ')})`,
          'features whose self-test fails are off; the others are exact',
        ),
  ];
}

function libc(): string {
  if (process.platform !== 'linux') return 'no glibc or musl';
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  // Without it the report looks up names of open connections, which may take seconds.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'musl';
}

/** The text of a file; undefined when there is none. */
function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** cgroup files of this process, in version 2 or 1; inside a container its own group is often mounted at the root. */
export class Cgroup {
  readonly #folders: Record<string, string[]> = {};
  readonly version: 0 | 1 | 2;

  /** @param proc, sys roots of /proc and /sys (for tests) */
  constructor(
    private readonly proc = '/proc',
    private readonly sys = '/sys',
  ) {
    const root = join(sys, 'fs/cgroup');
    const groups = (text(join(proc, 'self/cgroup')) ?? '').split('\n').map((line) => line.split(':'));
    for (const [, controllers = '', ...path] of groups) {
      const own = path.join(':');
      if (controllers === '') this.#folders[''] = [join(root, own), root];
      else
        for (const name of controllers.split(','))
          this.#folders[name] = [join(root, controllers, own), join(root, name, own), join(root, name)];
    }
    this.version =
      text(join(root, 'cgroup.controllers')) !== undefined ? 2 : Object.keys(this.#folders).some((name) => name !== '') ? 1 : 0;
  }

  /** @param v1 `controller/file` */
  read(v2: string, v1: string): string | undefined {
    const [controller = '', file = ''] = this.version === 2 ? ['', v2] : v1.split('/');
    for (const folder of this.#folders[controller] ?? []) {
      const found = text(join(folder, file));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** CPUs that the quota allows; undefined without one. */
  cpus(): number | undefined {
    if (this.version === 2) {
      const [quota, period] = (this.read('cpu.max', '') ?? 'max').split(' ');
      return quota === 'max' ? undefined : Number(quota) / Number(period || 100_000);
    }
    const quota = Number(this.read('', 'cpu/cpu.cfs_quota_us') ?? -1);
    const period = Number(this.read('', 'cpu/cpu.cfs_period_us') ?? 0);
    return quota > 0 && period > 0 ? quota / period : undefined;
  }

  memory(): { limit: number; used: number } | undefined {
    const limit = Number(this.read('memory.max', 'memory/memory.limit_in_bytes') ?? Number.NaN);
    // Version 1 says "none" with a number near 2^63.
    if (!(limit < 2 ** 60)) return undefined;
    return { limit, used: Number(this.read('memory.current', 'memory/memory.usage_in_bytes') ?? 0) };
  }

  pids(): { limit: number; used: number } | undefined {
    const limit = Number(this.read('pids.max', 'pids/pids.max') ?? Number.NaN);
    return Number.isFinite(limit) ? { limit, used: Number(this.read('pids.current', 'pids/pids.current') ?? 0) } : undefined;
  }

  get roots(): { proc: string; sys: string } {
    return { proc: this.proc, sys: this.sys };
  }
}

export function checkLimits(cgroup = new Cgroup()): Finding[] {
  const { proc } = cgroup.roots;
  const status = fields(text(join(proc, 'self/status')) ?? '', /^(\w+):\s*(.*)$/);
  const limits = text(join(proc, 'self/limits')) ?? '';
  return [cpuQuota(cgroup), memory(cgroup), pids(cgroup, limits), signals(status), seccomp(status)];
}

function fields(lines: string, shape: RegExp): Map<string, string> {
  return new Map(
    lines.split('\n').flatMap((line) => {
      const [, name, value] = shape.exec(line) ?? [];
      return name === undefined ? [] : [[name, value ?? ''] as [string, string]];
    }),
  );
}

function cpuQuota(cgroup: Cgroup): Finding {
  const cpus = cgroup.cpus();
  if (cpus === undefined) return ok('limit:cpu', cgroup.version === 0 ? 'no cgroup' : `no CPU quota (cgroup ${cgroup.version})`);
  const throttled = /nr_throttled (\d+)/.exec(cgroup.read('cpu.stat', 'cpu/cpu.stat') ?? '')?.[1] ?? '0';
  const quota = `${Number(cpus.toFixed(2))} CPUs by quota, throttled ${throttled} times`;
  return cpus < 1
    ? degraded(
        'limit:cpu',
        quota,
        'a throttled process stands still between its samples, and so does the encoder: raise the quota, or lower frequencyHz',
      )
    : ok('limit:cpu', quota);
}

function memory(cgroup: Cgroup): Finding {
  const found = cgroup.memory();
  if (!found) return ok('limit:memory', 'no memory limit');
  const free = found.limit - found.used;
  const said = `${mebibytes(free)} free of ${mebibytes(found.limit)}`;
  return free < ROOM_FOR_MEMORY
    ? degraded('limit:memory', said, `the encoder wants up to ${mebibytes(ROOM_FOR_MEMORY)}: raise the limit, or set sourceMaps: false`)
    : ok('limit:memory', said);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function pids(cgroup: Cgroup, limits: string): Finding {
  const found = cgroup.pids();
  const soft = /^Max processes\s+(\S+)/m.exec(limits)?.[1];
  const byUser = soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  const free = found ? found.limit - found.used : Number.POSITIVE_INFINITY;
  const said = found
    ? `${free} more threads of ${found.limit} (cgroup)`
    : byUser < Number.POSITIVE_INFINITY
      ? `${byUser} threads a user (ulimit -u)`
      : 'no limit of threads';
  const room = Math.min(free, byUser);
  if (room < OWN_THREADS)
    return broken('limit:threads', said, `the engine and its Worker start ${OWN_THREADS} threads: raise pids.max or ulimit -u`);
  if (room < ROOM_FOR_THREADS)
    return degraded('limit:threads', said, `the engine and its Worker start ${OWN_THREADS} threads: raise pids.max or ulimit -u`);
  return ok('limit:threads', said);
}

/** `SigQ: used/limit`, of all processes of the user. A queued real-time signal that finds no room is not sent: the sample is late. */
function signals(status: Map<string, string>): Finding {
  const [used = 0, limit] = (status.get('SigQ') ?? '').split('/').map(Number);
  if (limit === undefined) return degraded('limit:signals', 'how many signals may be pending is not known', '');
  const free = Math.max(0, limit - used);
  const said = `${free} more pending signals of ${limit} (ulimit -i)`;
  const advice = 'the sampler sends real-time signals, which need a place in the queue of the user: raise ulimit -i';
  if (free < 1) return broken('limit:signals', said, advice);
  return free < ROOM_FOR_SIGNALS ? degraded('limit:signals', said, advice) : ok('limit:signals', said);
}

function seccomp(status: Map<string, string>): Finding {
  const mode = status.get('Seccomp');
  if (status.get('TracerPid') !== undefined && status.get('TracerPid') !== '0')
    return degraded(
      'seccomp',
      `process ${status.get('TracerPid')} traces this one`,
      'each sample is a stop under a debugger: detach it before measuring',
    );
  if (mode === '2') return ok('seccomp', 'a filter is active; whether it lets the engine work is what engine and clock say');
  return mode === '1' ? broken('seccomp', 'strict mode', 'no profiler runs there') : ok('seccomp', 'no filter');
}
