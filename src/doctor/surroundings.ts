// What stands beside strobe in the process: options of Node, other profilers, the permission model, and the place where profiles go.

import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { broken, degraded, type Finding, ok } from './finding';

type Rule = [pattern: RegExp, summary: string, advice: string];

/** Options of Node that change what a profile is worth. */
const FLAGS: Rule[] = [
  [
    /^--cpu-prof/,
    "V8's own profiler records, too (--cpu-prof)",
    'both profiles are true; the other one stops the loop and costs CPU, which strobe shows',
  ],
  [/^--heap-prof/, 'the heap sampler records (--heap-prof)', 'allocations cost more, and their cost is in the profile'],
  [
    /^--(prof|perf-basic-prof|perf-prof|interpreted-frames-native-stack)/,
    "V8's code logging is on",
    'compiled code is slower than in production: measure without it',
  ],
  [/^--inspect/, 'an inspector is open (--inspect)', 'a debugger that pauses or profiles changes what is measured'],
  [
    /^--(jitless|no-opt|max-lazy|no-sparkplug|no-maglev|no-turbofan)/,
    'V8 runs with fewer compilers',
    'the profile is true for this configuration only',
  ],
];

/** Agents with a profiler of their own: how they are recognised in preloads and in the environment. */
const AGENTS: Rule[] = [
  [/dd-trace|@datadog\/pprof|DD_PROFILING_ENABLED=(1|true|auto)/, 'Datadog’s profiler', 'DD_PROFILING_ENABLED=false'],
  [/@pyroscope\/nodejs/, 'Pyroscope’s own profiler', 'leave its start() out: strobe delivers to Pyroscope'],
  [/newrelic/, 'the New Relic agent', 'profiling.enabled: false in its configuration'],
  [/@splunk\/otel|SPLUNK_PROFILER_ENABLED=(1|true)/, 'Splunk’s profiler', 'SPLUNK_PROFILER_ENABLED=false'],
  [/@sentry\/profiling-node/, 'Sentry’s profiler', 'profilesSampleRate: 0'],
  [/[\\/](clinic|@clinic|0x)[\\/]/, 'a profiling command line', 'one profiler at a time'],
];

const NOTED = ['DD_PROFILING_ENABLED', 'SPLUNK_PROFILER_ENABLED'];

/** NODE_OPTIONS splits at spaces; double quotes keep some. */
export function splitOptions(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+/g)].map(([word]) => word.replace(/"/g, ''));
}

export function checkConflicts(env: NodeJS.ProcessEnv = process.env, execArgv: string[] = process.execArgv): Finding[] {
  const words = [...execArgv, ...splitOptions(env.NODE_OPTIONS ?? '')];
  const findings: Finding[] = [];
  for (const [pattern, summary, advice] of FLAGS)
    if (words.some((word) => pattern.test(word))) findings.push(degraded('conflict:flags', summary, advice));
  const loaded = [...words, ...NOTED.map((name) => `${name}=${env[name] ?? ''}`)].join(' ');
  for (const [pattern, who, off] of AGENTS)
    if (pattern.test(loaded))
      findings.push(
        degraded(
          'conflict:profiler',
          `${who} is configured to run in the same process`,
          `both work; it stops the loop at each of its windows, which strobe shows as the application's time. To turn it off: ${off}`,
        ),
      );
  if (env.LD_PRELOAD)
    findings.push(
      degraded(
        'conflict:preload',
        `LD_PRELOAD is set (${env.LD_PRELOAD})`,
        'allocators are fine; what takes over signals or threads may not be',
      ),
    );
  findings.push(...permission(words));
  return findings.length > 0 ? findings : [ok('conflicts', 'no other profiler, no option that changes what is measured')];
}

/** The permission model: an addon, a Worker and files are three permissions. */
function permission(words: string[]): Finding[] {
  if (!words.some((word) => /^--(experimental-)?permission(=|$)/.test(word))) return [];
  const missing = ['--allow-addons', '--allow-worker', '--allow-fs-read', '--allow-fs-write'].filter(
    (flag) => !words.some((word) => word.startsWith(flag)),
  );
  if (missing.length === 0) return [ok('permission', 'the permission model allows what strobe needs')];
  const needed = missing.filter((flag) => flag !== '--allow-fs-write');
  const said = `the permission model is on, without ${missing.join(', ')}`;
  const advice =
    'strobe is a native addon with a Worker that writes files: add --allow-addons --allow-worker --allow-fs-read=* --allow-fs-write=<directory of the profiles>';
  return [needed.length > 0 ? broken('permission', said, advice) : degraded('permission', said, advice)];
}

/** Can profiles be written where they would go? By doing it: rights, quotas and read-only mounts all answer that way. */
export function checkDirectory(env: NodeJS.ProcessEnv = process.env, cwd = process.cwd()): Finding[] {
  const wanted = env.STROBE_DIR ? resolve(cwd, env.STROBE_DIR) : join(cwd, 'profiles');
  let there = wanted;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  try {
    rmdirSync(mkdtempSync(join(there, '.strobe-doctor-')));
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why =
      {
        EACCES: 'permission denied',
        EROFS: 'the file system is read-only',
        ENOSPC: 'no space left',
        EDQUOT: 'the quota is used up',
        ENOTDIR: 'a part of the path is not a folder',
      }[code] ?? message;
    const said = `profiles cannot be written to ${wanted}: ${why}`;
    const advice = `set STROBE_DIR (or fileExporter's dir, or --out) to a directory that can be written, for example one in ${tmpdir()}`;
    return [env.STROBE_DIR ? broken('directory', said, advice) : degraded('directory', said, advice)];
  }
  return [ok('directory', `profiles can be written to ${wanted}`)];
}
