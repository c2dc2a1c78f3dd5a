// From measurements to figures. Pure: plain objects in, plain objects out.
//
// Contract: a round is { variant: measurement } of one workload, measured in random order; figuresOf(rounds, windowSeconds) gives { floor, variants }: per variant
// estimates (median, low, high, n) of what differs from off *within a round*, and medians of the rest. `cost` and `wall` are ratios to the mean of the round's
// two offs; `cost` as if windows were as long as they are by default, `rawCost` as measured. A figure that a variant does not have is an estimate with n = 0.

import { estimate, median, quantile } from '../lib/stats.mjs';
import { OFF } from './variants.mjs';

/** How long a window is at defaults, seconds (strobe and Pyroscope's package 60, Datadog's tracer 65): what a shorter window of the bench adds is held against nobody. */
const DEFAULT_WINDOW_SECONDS = 60;

const present = (values) => values.filter((value) => value !== undefined && Number.isFinite(value));
const offsIn = (round) => OFF.filter((name) => round[name]);
/** The mean of the round's offs. */
const offOf = (round, read) => offsIn(round).reduce((sum, name) => sum + read(round[name]), 0) / offsIn(round).length;
const seconds = ({ wallMs }) => wallMs / 1000;

const READ = {
  cpuMs: (run) => run.cpuMs,
  wallMs: (run) => run.wallMs,
  loopP99Ms: (run) => run.loopP99Ms,
  loopMaxMs: (run) => run.loopMaxMs,
  peakBytes: (run) => run.peakBytes,
  residentBytes: (run) => run.residentBytes,
  switchesPerSecond: (run) => run.switches / seconds(run),
  cpuMsPerSecond: (run) => run.cpuMs / seconds(run),
  /** Of the longest gaps of the loop's seconds: the lower quartile, which noise of the machine reaches last (docs/bench.md, gaps). */
  heldMs: (run) => (run.said?.held?.length > 0 ? quantile(run.said.held, 0.25) : undefined),
  gapMs: (run) => (run.said?.gaps?.length > 0 ? quantile(run.said.gaps, 0.25) : undefined),
  samplesPerCpuSecond: (run) => (run.found && run.programMs > 0 ? run.found.samples / (run.programMs / 1000) : undefined),
  cpuFound: (run) => (run.found?.cpuNs > 0 ? run.found.cpuNs / 1e6 / run.programMs : undefined),
  /** With busy Workers: of the samples that the rate asks for, by the clock it counts in, the share that was delivered. */
  ticks: (run) => {
    const { workersCpuMs, workersWallMs } = run.said ?? {};
    if (!run.found || !run.hz || !workersCpuMs) return undefined;
    return run.found.samples / ((run.hz * (run.clock === 'cpu' ? workersCpuMs : workersWallMs)) / 1000);
  },
  bytes: (run) => run.sent?.bytes ?? run.found?.bytes,
  bodies: (run) => run.sent?.bodies ?? run.found?.files,
  startMs: (run) => run.startMs,
  loadMs: (run) => run.loadMs,
  rotationMs: (run) => (run.own?.rotations > 0 ? run.own.rotationMs / run.own.rotations : undefined),
};

/** What ends windows: strobe's encoder; the rotations that a peer held its thread for. */
const endingMs = (own) => (own?.rotationMs ?? 0) + (own?.encoderNs ?? 0) / 1e6;
/** strobe's collector is up to 0.2 s behind: it works on what a turn left, after it. */
const behindMs = (run) => ((run.own?.collectorNs ?? 0) - (run.ownInside?.collectorNs ?? run.own?.collectorNs ?? 0)) / 1e6;

/**
 * A run's CPU as if its windows were as long as by default: what ended windows within its turns is taken out, and as much as windows of default length would have of
 * it put in, wherever it was (between turns, too).
 */
function defaultWindowCpuMs(run, windowSeconds) {
  const all = endingMs(run.own);
  const inside = run.ownInside ? endingMs(run.ownInside) : all;
  // Where time is fixed and not the work, the run says how much work it did.
  return (run.cpuMs - inside + all * Math.min(1, windowSeconds / DEFAULT_WINDOW_SECONDS) + behindMs(run)) / (run.said?.work ?? 1);
}

/** Estimates of `read` of variant a against variant b in each round that has both: `how` makes one number of the two. */
export function paired(rounds, a, b, read, how) {
  const values = rounds.filter((round) => round[a] && round[b]).map((round) => how(read(round[a]), read(round[b])));
  return estimate(present(values));
}

/** Our CPU over a peer's, within a round. */
export function overPeer(rounds, ours, peer, windowSeconds) {
  const both = rounds.filter((round) => round[ours] && round[peer]);
  return estimate(both.map((round) => defaultWindowCpuMs(round[ours], windowSeconds) / defaultWindowCpuMs(round[peer], windowSeconds)));
}

export const difference = (a, b) => a - b;
export const readers = READ;

/** A figure's difference to the mean of the offs, within a round. */
export function overOff(rounds, variant, read) {
  const having = rounds.filter((round) => round[variant] && offsIn(round).length > 0);
  return estimate(present(having.map((round) => read(round[variant]) - offOf(round, read))));
}

function figuresOfVariant(rounds, variant, windowSeconds) {
  const having = rounds.filter((round) => round[variant]);
  const runs = having.map((round) => round[variant]);
  const compared = having.filter((round) => offsIn(round).length > 0);
  const ratio = (read) => estimate(present(compared.map((round) => read(round[variant]) / offOf(round, read))));
  const middles = Object.fromEntries(Object.entries(READ).map(([name, read]) => [name, median(present(runs.map(read)))]));
  return {
    n: runs.length,
    cost: ratio((run) => defaultWindowCpuMs(run, windowSeconds)),
    rawCost: ratio(READ.cpuMs),
    wall: ratio(READ.wallMs),
    ...middles,
  };
}

export function figuresOf(rounds, windowSeconds) {
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round)))];
  const floor = paired(rounds, 'off-a', 'off-b', READ.cpuMs, (a, b) => a / b);
  return { floor, variants: Object.fromEntries(names.map((name) => [name, figuresOfVariant(rounds, name, windowSeconds)])) };
}
