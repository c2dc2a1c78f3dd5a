// What the suite claims, and whether the measurements bear it out. Pure: rounds in, verdicts out (docs/bench.md says the same in words).
//
// Contract: a verdict is { workload, claim, verdict, why, gate, open }. `gate`: a fail of it ends the suite with exit code 1. `open`: not decided, and the bad side of
// the limit is inside the interval: with --full that ends it with 1, too. `pass` and `fail` both need the whole interval on their side of the limit, and a
// fail has to stand clear of the noise floor as well: so one machine in one state does not give both.

import { number, percent } from '../lib/table.mjs';
import { FAIL, noDifference, PASS, UNKNOWN, under } from '../lib/verdict.mjs';
import { difference, overOff, overPeer, paired, readers } from './figures.mjs';
import { DEFAULTS, FAST, RIVAL, VARIANTS } from './variants.mjs';

const COST_LIMIT = 1.05;
const AIM = 1.01;
const PAUSE_LIMIT_MS = 2;
const IDLE_LIMIT = 1;
/** Of the program's CPU, how much a profile may miss or invent with four busy threads at 1 kHz. */
const FOUND = [0.95, 1.05];
/** A peer that is better by less than this does not win: below what the measurement can tell. */
const MARGIN = { pauseMs: 1, wakeups: 0.5, ticks: 0.02, found: 0.02 };

export const REACHED = 'reached';
export const NOT_REACHED = 'not reached';

const halfWidth = ({ low, high }) => (high - low) / 2;

/** `under` the limit, and a fail only when noise can't explain it: the floor's, or, where off ran only once, the figure's own. */
function underWithNoise(value, floor, limit, show) {
  const given = under(value, limit, show);
  const noise = Number.isFinite(floor.low) ? halfWidth(floor) : halfWidth(value);
  return given.verdict === FAIL && !(value.low - noise >= limit) ? { ...given, verdict: UNKNOWN } : given;
}

/** Of five differences around 0 all are above it once in thirty-two times: a fail has to stand clear of 0 by the figure's own noise. */
const standingClear = (given, value) => (given.verdict === FAIL && value.low <= halfWidth(value) ? { ...given, verdict: UNKNOWN } : given);

/** The cost of a variant. */
export function costVerdict(cost, floor, limit = COST_LIMIT) {
  const { verdict, why } = underWithNoise(cost, floor, limit, percent);
  return { verdict, why: `${why}, noise floor ${percent(floor.low)} to ${percent(floor.high)}` };
}

const undecided = (verdict, bad) => verdict === UNKNOWN && bad;

function costs(workload, { rounds, figures, windowSeconds }) {
  const { floor, variants } = figures;
  const out = [];
  const ours = variants[DEFAULTS];
  if (ours?.cost.n > 0) {
    const { cost } = ours;
    const given = costVerdict(cost, floor);
    out.push({
      workload,
      claim: 'cost at defaults under 5 %',
      ...given,
      gate: true,
      open: undecided(given.verdict, cost.high >= COST_LIMIT),
    });
    const reached = cost.median < AIM ? REACHED : NOT_REACHED;
    out.push({ workload, claim: 'aim: median at defaults under 1 %', verdict: reached, why: `median ${percent(cost.median)}` });
  }
  if (variants[FAST]?.cost.n > 0) {
    const { median } = variants[FAST].cost;
    out.push({
      workload,
      claim: 'aim: median at 1 kHz under 5 %',
      verdict: median < COST_LIMIT ? REACHED : NOT_REACHED,
      why: `median ${percent(median)}`,
    });
  }
  if (ours && variants[RIVAL]) {
    const ratio = overPeer(rounds, DEFAULTS, RIVAL, windowSeconds);
    const given = underWithNoise(ratio, floor, 1, (value) => number(value, 3));
    out.push({ workload, claim: `costs less than ${VARIANTS[RIVAL].label}`, ...given });
  }
  return out;
}

const peersIn = (rounds, also = () => true) =>
  Object.entries(VARIANTS)
    .filter(([name, variant]) => variant.maker === 'peer' && also(variant) && rounds.some((round) => round[name]))
    .map(([name]) => name);

/** Nobody is better by more than the margin: `worse` is our figure minus the peer's, larger is worse for us. */
export function noPeerWins(worse, margin, show) {
  const given = under(worse, margin, show);
  return { ...given, why: `ours less theirs ${given.why}` };
}

function against(workload, what, rounds, peers, ours, read, margin, show) {
  return peers.map((peer) => {
    const worse = paired(rounds, ours, peer, read, difference);
    const given = noPeerWins(worse, margin, show);
    const claim = `${what}: ${VARIANTS[peer].label} does not win`;
    return { workload, claim, ...given, gate: true, open: undecided(given.verdict, worse.high >= margin) };
  });
}

const ms = (value) => `${number(value)} ms`;

function pauses(workload, { rounds }) {
  const own = overOff(rounds, DEFAULTS, readers.heldMs);
  if (own.n === 0) return [];
  const given = standingClear(noDifference(own, PAUSE_LIMIT_MS, ms), own);
  // --cpu-prof has no windows: it delivers at the end only.
  const peers = peersIn(rounds, ({ kind }) => kind !== 'cpu-prof');
  return [
    { workload, claim: 'no pause for a window (longest held gap, over off)', ...given, gate: false },
    ...against(workload, 'pause', rounds, peers, DEFAULTS, readers.heldMs, MARGIN.pauseMs, ms),
  ];
}

function idles(workload, { rounds }) {
  const own = overOff(rounds, DEFAULTS, readers.switchesPerSecond);
  if (own.n === 0) return [];
  const given = under(own, IDLE_LIMIT, (value) => number(value));
  return [
    {
      workload,
      claim: 'idle: less than 1 wake-up a second more',
      ...given,
      gate: true,
      open: undecided(given.verdict, own.high >= IDLE_LIMIT),
    },
    ...against(workload, 'idle wake-ups', rounds, peersIn(rounds), DEFAULTS, readers.switchesPerSecond, MARGIN.wakeups, (value) =>
      number(value),
    ),
  ];
}

const share = (value) => `${number(100 * value, 1)} %`;
/** The inspector's profile has no CPU time: nothing to compare. */
const withCpu = (rounds, peers) => peers.filter((peer) => rounds.some((round) => round[peer]?.found?.cpuNs > 0));

function deliveries(workload, { rounds, figures }) {
  const ours = figures.variants[FAST];
  if (!ours) return [];
  const peers = peersIn(rounds, ({ hz }) => hz === 1000);
  const missing = (run) => 1 - readers.ticks(run);
  const wrong = (run) => Math.abs(1 - readers.cpuFound(run));
  const { cpuFound } = ours;
  const found = cpuFound >= FOUND[0] && cpuFound <= FOUND[1];
  return [
    {
      workload,
      claim: 'the CPU of four busy threads at 1 kHz is found',
      verdict: found ? PASS : FAIL,
      why: `${number(100 * cpuFound, 1)} % of the program's CPU, ${number(100 * FOUND[0], 0)} to ${number(100 * FOUND[1], 0)} % wanted`,
      gate: true,
    },
    ...against(workload, 'samples lost of those asked for at 1 kHz', rounds, peers, FAST, missing, MARGIN.ticks, share),
    ...against(workload, 'CPU missed or invented at 1 kHz', rounds, withCpu(rounds, peers), FAST, wrong, MARGIN.found, share),
  ];
}

const MORE = { loop: pauses, idle: idles, threads: deliveries };

/** `measured` is { workload: { rounds, figures, windowSeconds } }. */
export function verdictsOf(measured) {
  return Object.entries(measured).flatMap(([workload, one]) => [
    ...(workload === 'idle' ? [] : costs(workload, one)),
    ...(MORE[workload]?.(workload, one) ?? []),
  ]);
}

/** Exit code: 1 when a gate failed; with `strict` (--full) also when one stayed open on the bad side. */
export const exitCode = (verdicts, strict) =>
  verdicts.some(({ gate, verdict, open }) => gate && (verdict === FAIL || (strict && open))) ? 1 : 0;
