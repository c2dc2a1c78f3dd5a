// When the samples of a profile were taken: what pprof has no field for, in a file beside it (`cpu.pb.gz`, `cpu.timeline.gz`). The heat map of the flame
// graph page is made of it.
//
// File: gzip of one JSON object { schema: 'strobe-timeline/1', startUnixMs, bucketMs, bucket, sample, value }. The three columns have one length; `bucket` and
// `sample` are differences to the entry before (small numbers: gzip leaves 2 to 4 bytes an entry). The input may be a stranger's: everything is checked.

import { gunzipSync, gzipSync } from 'node:zlib';
import { StrobeError } from '../errors';
import type { Profile } from '../pprof/schema';

/** When the samples of a profile were taken. Columns of equal length, sorted by bucket. */
export interface Timeline {
  startUnixMs: number;
  bucketMs: number;
  /** Since startUnixMs, in buckets. */
  bucket: Uint32Array;
  /** Index into Profile.samples. */
  sample: Uint32Array;
  /** In the profile's last sample type (nanoseconds). */
  value: Float64Array;
}

export const TIMELINE_SCHEMA = 'strobe-timeline/1';

/** A day at 1 kHz on four threads is half of it; a gzip of 1 MiB may claim to hold more. */
const MAX_UNPACKED_BYTES = 2 ** 29;
const MAX_UINT32 = 0xffffffff;

/** @throws StrobeError ERR_INVALID_OPTION for columns that `decodeTimeline` would refuse */
export function encodeTimeline(timeline: Timeline): Uint8Array {
  const { startUnixMs, bucketMs, bucket, sample, value } = timeline;
  const problem = problemOf(startUnixMs, bucketMs, [bucket.length, sample.length, value.length]) ?? unsorted(bucket) ?? negative(value);
  if (problem !== undefined) throw new StrobeError('ERR_INVALID_OPTION', `the timeline cannot be written: ${problem}`);
  const json = JSON.stringify({
    schema: TIMELINE_SCHEMA,
    startUnixMs,
    bucketMs,
    bucket: differences(bucket),
    sample: differences(sample),
    value: Array.from(value),
  });
  return gzipSync(json);
}

/**
 * @param source what messages call the input: its file name
 * @throws StrobeError ERR_PROFILE_INVALID
 */
export function decodeTimeline(bytes: Uint8Array, source = 'the timeline'): Timeline {
  const fail = (problem: string, cause?: unknown) =>
    new StrobeError('ERR_PROFILE_INVALID', `${source} is not a valid timeline: ${problem}`, cause === undefined ? undefined : { cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES }).toString('utf8'));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'it holds no JSON' : 'its gzip data is damaged, cut off or larger than 512 MiB';
    throw fail(reason, cause);
  }
  if (typeof parsed !== 'object' || parsed === null) throw fail('it holds no object');
  const { schema, startUnixMs, bucketMs, bucket, sample, value } = parsed as Record<string, unknown>;
  if (schema !== TIMELINE_SCHEMA) throw fail(`its schema is ${JSON.stringify(schema)?.slice(0, 40)}, not '${TIMELINE_SCHEMA}'`);
  if (!Array.isArray(bucket) || !Array.isArray(sample) || !Array.isArray(value)) throw fail('a column is missing');
  const problem = problemOf(startUnixMs, bucketMs, [bucket.length, sample.length, value.length]);
  if (problem !== undefined) throw fail(problem);
  const buckets = summed(bucket, 0);
  if (!buckets) throw fail('its buckets are not whole numbers in order');
  const samples = summed(sample, -MAX_UINT32);
  if (!samples) throw fail('its sample indexes are not whole numbers from 0 on');
  if (!value.every((one) => typeof one === 'number')) throw fail('a value is not a number');
  const values = Float64Array.from(value as number[]);
  const wrong = negative(values);
  if (wrong !== undefined) throw fail(wrong);
  return { startUnixMs: startUnixMs as number, bucketMs: bucketMs as number, bucket: buckets, sample: samples, value: values };
}

/**
 * What speaks against the timeline being that of the profile (another run's file may lie beside it); undefined when nothing does.
 * A timeline may hold less than the profile, never more.
 */
export function timelineMismatch(profile: Profile, timeline: Timeline): string | undefined {
  const sums = new Float64Array(profile.samples.length);
  const entries = new Uint32Array(profile.samples.length);
  for (let i = 0; i < timeline.sample.length; i++) {
    const sample = timeline.sample[i] as number;
    if (sample >= sums.length) return `it speaks of sample ${sample}, the profile has ${sums.length}`;
    sums[sample] = (sums[sample] as number) + (timeline.value[i] as number);
    entries[sample] = (entries[sample] as number) + 1;
  }
  for (let sample = 0; sample < sums.length; sample++) {
    // The profile's values are rounded to whole nanoseconds.
    const most = (profile.samples[sample]?.values.at(-1) ?? 0) * (1 + 1e-6) + 1 + (entries[sample] as number);
    if ((sums[sample] as number) > most) return `its values of sample ${sample} add up to more than the profile has`;
  }
  return undefined;
}

function problemOf(startUnixMs: unknown, bucketMs: unknown, lengths: number[]): string | undefined {
  if (typeof startUnixMs !== 'number' || !Number.isFinite(startUnixMs)) return 'startUnixMs is not a number';
  if (typeof bucketMs !== 'number' || !Number.isFinite(bucketMs) || bucketMs <= 0) return 'bucketMs is not a number above 0';
  if (lengths.some((length) => length !== lengths[0])) return `its columns have different lengths (${lengths.join(', ')})`;
  return undefined;
}

function unsorted(bucket: Uint32Array): string | undefined {
  for (let i = 1; i < bucket.length; i++)
    if ((bucket[i] as number) < (bucket[i - 1] as number)) return `its buckets are out of order at entry ${i}`;
  return undefined;
}

function negative(value: Float64Array): string | undefined {
  const at = value.findIndex((one) => !(one >= 0 && Number.isFinite(one)));
  return at < 0 ? undefined : `value ${at} is ${value[at]}, not a finite number from 0 on`;
}

function differences(column: Uint32Array): number[] {
  const result = new Array<number>(column.length);
  for (let i = 0, last = 0; i < column.length; i++) {
    result[i] = (column[i] as number) - last;
    last = column[i] as number;
  }
  return result;
}

/** The running sum of whole numbers from `least` on; undefined where one is none, or the sum leaves uint32. */
function summed(column: unknown[], least: number): Uint32Array | undefined {
  const result = new Uint32Array(column.length);
  let sum = 0;
  for (let i = 0; i < column.length; i++) {
    const step = column[i];
    if (typeof step !== 'number' || !Number.isInteger(step) || step < least) return undefined;
    sum += step;
    if (sum < 0 || sum > MAX_UINT32) return undefined;
    result[i] = sum;
  }
  return result;
}
