// What was recorded, for the header of the page: time, duration, rate, samples, loss, the process. From the profile's own fields and its comments
// (src/pprof/totals.ts); comments of foreign profiles stand as they are.

import type { Profile } from '../../pprof/schema';
import { totalsFromComments } from '../../pprof/totals';
import { grouped, humanise, percent } from '../units';
import type { Fact } from './page-data';

/** Counts that mean loss: shown when above 0, as what the reader must know. */
const LOSSES = ['lost', 'truncated', 'unresolved_frames', 'source_maps_failed', 'source_maps_stale', 'source_map_frames_skipped'];
const NANOS_PER_MS = 1_000_000n;
/** Date takes no more. */
const LAST_MS = 8.64e15;
/** A stranger's profile may have any number of comments. */
const MOST_COMMENTS = 50;

export function startUnixMs(profile: Profile): number {
  const ms = Number(profile.timeNanos / NANOS_PER_MS);
  return ms > 0 && ms < LAST_MS ? ms : 0;
}

export function factsOf(profile: Profile): Fact[] {
  const facts: Fact[] = [];
  const { totals, others } = totalsFromComments(profile.comments);
  const start = startUnixMs(profile);
  if (start > 0) facts.push({ name: 'start', value: new Date(start).toISOString() });
  if (profile.durationNanos > 0) facts.push({ name: 'duration', value: humanise(profile.durationNanos, 'nanoseconds') });
  if (profile.period > 0) facts.push(periodFact(profile));
  const samples = sampleCount(profile);
  if (samples !== undefined) facts.push({ name: 'samples', value: grouped(samples) });
  for (const name of LOSSES) {
    const count = totals[name] ?? 0;
    if (count > 0) facts.push({ name: name.replaceAll('_', ' '), value: grouped(count), warn: true });
    else if (name === 'lost' && 'lost' in totals) facts.push({ name, value: '0' });
  }
  const cost = costFact(totals);
  if (cost) facts.push(cost);
  for (const comment of others.slice(0, MOST_COMMENTS)) facts.push(commentFact(comment));
  if (others.length > MOST_COMMENTS) facts.push({ name: 'comments left out', value: grouped(others.length - MOST_COMMENTS), warn: true });
  return facts;
}

function periodFact({ period, periodType }: Profile): Fact {
  if (periodType.unit === 'nanoseconds') {
    const hz = 1e9 / period;
    return { name: 'rate', value: `${hz >= 9.95 ? Math.round(hz) : Number(hz.toPrecision(2))} Hz` };
  }
  return { name: 'period', value: `${humanise(period, periodType.unit)}${periodType.type === '' ? '' : ` of ${periodType.type}`}` };
}

function sampleCount({ sampleTypes, samples }: Profile): number | undefined {
  const type = sampleTypes.findIndex(({ type, unit }) => /^samples?$/.test(type) && unit === 'count');
  if (type < 0) return undefined;
  return samples.reduce((sum, { values }) => sum + (values[type] ?? 0), 0);
}

function costFact(totals: Record<string, number>): Fact | undefined {
  const cpu = totals.process_cpu_ns ?? 0;
  if (cpu <= 0) return undefined;
  const parts = ['handler_ns', 'code_event_ns', 'sampler_ns', 'collector_ns', 'encoder_ns'];
  const own = parts.reduce((sum, name) => sum + (totals[name] ?? 0), 0);
  return { name: 'cost of profiling', value: `${percent(own, cpu)} of the process's CPU` };
}

/** `app=shop` and `tag env=prod` are ours; all else has no name. */
function commentFact(comment: string): Fact {
  const pair = /^(?:tag )?([\w.-]{1,40})=(.*)$/s.exec(comment);
  if (pair) return { name: pair[1] as string, value: pair[2] as string };
  return { name: comment.startsWith('strobe ') ? 'recorded by' : 'comment', value: comment };
}
