// Collapsed stacks (Brendan Gregg's FlameGraph format): a line a stack, `root;caller;leaf weight`, which flamegraph.pl, speedscope, inferno and
// difffolded.pl read. Frames are function names; an anonymous function carries its file and line, else all of them would be one box.
// Weights are whole numbers in the unit of the sample type (nanoseconds for CPU). Equal stacks are one line, in the order of first appearance.

import { type Line, type Location, type Profile, type Sample, shownSampleType } from '../pprof/schema';
import { hasLabels, type LabelFilter } from './labels';

export interface CollapsedOptions {
  /** Put the sample's `thread_name` first, as the root frame. Default false. */
  threads?: boolean;
  /** Index of the sample type; default the one that the profile names, else its last. */
  sampleType?: number;
  /** Keep only samples that carry these labels, as in a report. */
  labels?: LabelFilter[];
}

const ANONYMOUS = '(anonymous)';

/** Lines without their newline. Stacks of weight 0 are left out. */
export function* collapsedLines(profile: Profile, options: CollapsedOptions = {}): Generator<string> {
  const type = options.sampleType ?? shownSampleType(profile);
  const frames = profile.locations.map((location) => locationFrames(profile, location));
  const weights = new Map<string, number>();
  for (const sample of profile.samples) {
    if (options.labels && !hasLabels(sample, options.labels)) continue;
    const stack: string[] = [];
    if (options.threads) stack.push(threadName(sample));
    for (let depth = sample.locations.length - 1; depth >= 0; depth--)
      stack.push(...(frames[sample.locations[depth] as number] as string[]));
    if (stack.length === 0) stack.push('(no stack)');
    const key = stack.join(';');
    weights.set(key, (weights.get(key) ?? 0) + (sample.values[type] ?? 0));
  }
  for (const [stack, weight] of weights) if (Math.round(weight) !== 0) yield `${stack} ${Math.round(weight)}`;
}

/** The whole text, each line ended. */
export function collapsed(profile: Profile, options: CollapsedOptions = {}): string {
  let text = '';
  for (const line of collapsedLines(profile, options)) text += `${line}\n`;
  return text;
}

/** Root first, so inlined frames come after the function that holds them. */
function locationFrames(profile: Profile, location: Location): string[] {
  if (location.lines.length === 0) return [`0x${location.address.toString(16)}`];
  return location.lines.map((line) => frameName(profile, line)).reverse();
}

function frameName(profile: Profile, line: Line): string {
  const func = profile.functions[line.function];
  const name = func?.name || ANONYMOUS;
  return clean(name === ANONYMOUS && func?.filename ? `${name} ${func.filename}:${func.startLine || line.line}` : name);
}

function threadName(sample: Sample): string {
  const label = sample.labels.find(({ key }) => key === 'thread_name');
  return clean(label?.str || '(unnamed thread)');
}

/** `;` separates frames and a newline separates stacks, so neither may stand in a name. */
function clean(name: string): string {
  return name.replaceAll(';', ':').replace(/[\r\n]+/g, ' ');
}
