// What `strobe run` says and leaves when the program has ended: it only reads the profiles that the program's process wrote.

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { writeFileAtomic } from '../export/atomic';
import { collapsed } from '../formats/collapsed';
import { flameGraphHtml, type PageInput } from '../formats/flamegraph/html';
import { flameGraphSvg } from '../formats/flamegraph-svg';
import { buildReport } from '../formats/report';
import { reportText } from '../formats/report-text';
import { decodeTimeline, type Timeline, timelineMismatch } from '../formats/timeline';
import { humanise } from '../formats/units';
import type { Profile } from '../pprof/schema';
import { totalsFromComments } from '../pprof/totals';
import { PROCESSES } from '../profiler/run-request';
import { readProfile } from './usage';

export interface Run {
  dir: string;
  hz: number;
  top: number;
  /** Of the flame graphs: the program. */
  title: string;
  followsChildren: boolean;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

const MODES = ['cpu', 'wall'] as const;
type Mode = (typeof MODES)[number];

const STACKS = { cpu: 'stacks.txt', wall: 'wall-stacks.txt' } as const;

/** All that a run may leave in its directory. */
export const RUN_FILES = [
  'cpu.pb.gz',
  'wall.pb.gz',
  'cpu.timeline.gz',
  'wall.timeline.gz',
  'flamegraph.html',
  'flamegraph.svg',
  'report.txt',
  'stacks.txt',
  'wall-stacks.txt',
  'windows',
];

function costLine(profile: Profile): string {
  const { totals } = totalsFromComments(profile.comments);
  const part = (name: string) => totals[name] ?? 0;
  const onThreads = part('handler_ns') + part('signal_ns') + part('gc_ns') + part('code_event_ns');
  const besides = part('sampler_ns') + part('collector_ns') + part('encoder_ns');
  const cpu = part('process_cpu_ns');
  const share = (ns: number) => (cpu > 0 ? `${((100 * ns) / cpu).toFixed(2)} %` : 'none');
  return (
    `cost of profiling: ${share(onThreads + besides)} of the process's CPU: ${humanise(onThreads, 'nanoseconds')} on its threads ` +
    `(${share(onThreads)}), ${humanise(besides, 'nanoseconds')} beside them`
  );
}

/** How many Node processes the program started besides the profiled one; the list of them goes. */
function takeOthers(run: Run): number {
  const path = join(run.dir, PROCESSES);
  try {
    const ids = readFileSync(path, 'utf8').split('\n').filter(Boolean);
    rmSync(path, { force: true });
    return ids.length - 1;
  } catch {
    return 0; // No Node process, or a directory that is gone.
  }
}

function othersLine(run: Run, others: number): string {
  const processes = `${others} more Node process${others === 1 ? '' : 'es'}`;
  return run.followsChildren
    ? `${processes} profiled, each in a file of its own: ${relative(process.cwd(), run.dir) || '.'}/cpu-<time>-<pid>.pb.gz (strobe merge makes one)`
    : `${processes} ran unprofiled; --follow-children profiles them, too`;
}

/** Of the mode's profile; undefined when there is none, or it can't be used: the page then has no heat map. */
function timelineOf(run: Run, mode: Mode, profile: Profile): Timeline | undefined {
  const path = join(run.dir, `${mode}.timeline.gz`);
  if (!existsSync(path)) return undefined;
  const timeline = decodeTimeline(readFileSync(path), path);
  return timelineMismatch(profile, timeline) === undefined ? timeline : undefined;
}

/** flamegraph.html with all modes, flamegraph.svg with the first. */
async function drawFlameGraphs(run: Run, profiles: Map<Mode, Profile>): Promise<void> {
  const inputs: PageInput[] = [...profiles].map(([mode, profile]) => {
    const timeline = timelineOf(run, mode, profile);
    return { name: `${mode}.pb.gz`, profile, ...(timeline && { timeline }) };
  });
  await writeFileAtomic(join(run.dir, 'flamegraph.html'), flameGraphHtml(inputs, { title: run.title }));
  const [first] = profiles.values();
  if (first) await writeFileAtomic(join(run.dir, 'flamegraph.svg'), flameGraphSvg(first, { title: run.title }));
}

export async function summarise(run: Run, ending: Ending, seconds: number): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const others = takeOthers(run);
  const shown = (file: string) => relative(process.cwd(), join(run.dir, file)) || '.';
  const recorded = MODES.filter((mode) => existsSync(join(run.dir, `${mode}.pb.gz`)));
  if (recorded.length === 0) {
    say(
      `strobe: no profile was written: the program ${ending.signal ? `was ended by ${ending.signal}` : `ended with code ${ending.code}`} ` +
        (ending.signal
          ? 'and had no chance to write it'
          : 'before the profiler was started, or started no Node process; see the messages above'),
    );
    return;
  }
  const profiles = new Map<Mode, Profile>();
  for (const mode of recorded) profiles.set(mode, await readProfile(join(run.dir, `${mode}.pb.gz`)));
  const reports = (top: number) =>
    [...profiles].map(([mode, profile]) => reportText(buildReport(profile, { top }), shown(`${mode}.pb.gz`))).join('\n');
  await writeFileAtomic(join(run.dir, 'report.txt'), reports(100));
  for (const [mode, profile] of profiles) await writeFileAtomic(join(run.dir, STACKS[mode]), collapsed(profile, { threads: true }));
  // Pictures that can't be made cost nobody the report.
  const notDrawn = await drawFlameGraphs(run, profiles).then(
    () => undefined,
    (error: Error) => error.message,
  );
  say(`\nstrobe: ${seconds.toFixed(1)} s recorded at ${run.hz} Hz`);
  process.stderr.write(reports(run.top));
  const [first] = profiles.values();
  if (first) say(costLine(first));
  const files = [
    ...recorded.map((mode) => `${mode}.pb.gz`),
    ...(notDrawn ? [] : ['flamegraph.svg']),
    'report.txt',
    ...recorded.map((mode) => STACKS[mode]),
  ].map(shown);
  if (existsSync(join(run.dir, 'windows'))) files.push(`${shown('windows')}/ (${readdirSync(join(run.dir, 'windows')).length})`);
  say(`files: ${files.join('  ')}`);
  say(notDrawn ? `no flame graph: ${notDrawn}` : `open ${shown('flamegraph.html')} in a browser: flame graph, heat map over time, labels`);
  if (others > 0) say(othersLine(run, others));
}
