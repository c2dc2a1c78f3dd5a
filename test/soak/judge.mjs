// From what a run of the endurance suite said to what is wrong with it. Pure functions of numbers and profiles; `test/soak.test.mjs` shows that each can fail.

const MIB = 2 ** 20;
/** Windows of the resident size: within one, the least value is taken, because what is garbage at the moment is no growth. */
const WINDOW_SECONDS = 20;
const LEAST_WINDOWS = 40;
const WARM_UP = 0.2;
const Z95 = 1.96;
/** Clocks are read a little before and after the profiler's own cut; below this, a difference says nothing. */
const SLACK_NS = 3e6;
export const TOLERANCE = 0.02;

/** [{ t: s, value }] -> the least value of each window of the last 80 %. */
export function windowMinima(points) {
  const end = points.at(-1)?.t ?? 0;
  const windowSeconds = Math.min(WINDOW_SECONDS, end / LEAST_WINDOWS);
  const windows = new Map();
  for (const { t, value } of points) {
    if (t < WARM_UP * end) continue;
    const window = Math.floor(t / windowSeconds);
    const known = windows.get(window);
    if (known === undefined || value < known.value) windows.set(window, { t, value });
  }
  return [...windows.values()];
}

/** Theil-Sen: the median of all pairs' slopes, with Sen's interval (95 %). Value per second; { slope, low, high, n }, NaN for fewer than 3 points. */
export function theilSen(points) {
  const slopes = [];
  for (const [i, a] of points.entries()) {
    for (const b of points.slice(i + 1)) if (b.t !== a.t) slopes.push((b.value - a.value) / (b.t - a.t));
  }
  slopes.sort((a, b) => a - b);
  const n = points.length;
  if (n < 3) return { slope: Number.NaN, low: Number.NaN, high: Number.NaN, n };
  const spread = Z95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (index) => slopes[Math.max(0, Math.min(slopes.length - 1, Math.round(index)))];
  const middle = (slopes.length - 1) / 2;
  return {
    slope: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
    n,
  };
}

/** Growth of the resident size, MiB a minute, of beats ({ beat, rss }). */
export function growth(beats) {
  const fit = theilSen(windowMinima(beats.map(({ beat, rss }) => ({ t: beat, value: rss }))));
  const perMinute = (value) => (value * 60) / MIB;
  return { slope: perMinute(fit.slope), low: perMinute(fit.low), high: perMinute(fit.high), n: fit.n };
}

/** How much faster the first grows than the second; the interval is that of two independent estimates. */
export function growthAbove(one, other) {
  const slope = one.slope - other.slope;
  const half = ({ low, high }) => (high - low) / 2;
  const width = Math.hypot(half(one), half(other));
  return { slope, low: slope - width, high: slope + width };
}

const labelOf = (sample, wanted) => {
  const label = sample.labels.find(({ key }) => key === wanted);
  return label && (label.str || Number(label.num));
};

/** Nanoseconds by kernel thread id, of threads whose name `keep` accepts. */
export function cpuByThread(profile, keep = () => true) {
  const out = new Map();
  for (const sample of profile.samples) {
    if (!keep(labelOf(sample, 'thread_name'))) continue;
    const tid = labelOf(sample, 'thread_id');
    out.set(tid, (out.get(tid) ?? 0) + sample.values[1]);
  }
  return out;
}

const isSteady = (name) => name === 'main' || / steady \d$/.test(name);

/**
 * What is wrong with one session; `profile` and `snapshots` are its decoded files, `totals(profile)` gives the engine's own counts. `mostLost`: the share of samples
 * that may be lost, counted.
 * @returns {{ misses: string[], worst: number, cpuNs: number, samples: number, lost: number }} worst: the largest deviation of a thread from its clock (0.01: 1 %)
 */
export function judgeSession(session, { profile, snapshots, totals, mostLost = TOLERANCE }) {
  const misses = [];
  const [before, started, stopping, after] = session.clocks;
  const found = cpuByThread(profile, isSteady);
  let worst = 0;
  let cpuNs = 0;
  for (const [tid, value] of found) {
    // The profile's start lies between the first two readings, its end between the last two. A thread that joined later has no reading at the start.
    if ([before, started, stopping, after].some((reading) => reading[tid] === undefined)) continue;
    const least = stopping[tid] - started[tid];
    const most = after[tid] - before[tid];
    cpuNs += value;
    const off = value < least - SLACK_NS ? value / least - 1 : value > most + SLACK_NS ? value / most - 1 : 0;
    if (Math.abs(off) > Math.abs(worst)) worst = off;
    if (Math.abs(off) > TOLERANCE)
      misses.push(`thread ${tid}: ${value / 1e6} ms in the profile, ${least / 1e6} to ${most / 1e6} ms by its clock`);
  }
  for (const tid of Object.keys(before)) {
    const used = (stopping[tid] ?? 0) - (started[tid] ?? 0);
    if (started[tid] !== undefined && used > 10 * SLACK_NS && session.steady.includes(Number(tid)) && !found.has(Number(tid))) {
      misses.push(`thread ${tid} is not in the profile, and used ${used / 1e6} ms`);
    }
  }
  const said = totals(profile);
  const rows = profile.samples.reduce((sum, { values }) => sum + values[0], 0);
  if (rows !== said.samples + said.lost)
    misses.push(`${rows} samples in the rows, ${said.samples} recorded and ${said.lost} lost by the totals`);
  const of = (name) => session.after[name] - session.before[name];
  if (of('samples') !== said.samples) misses.push(`the engine took ${of('samples')} samples, the profile has ${said.samples}`);
  if (of('lost') !== said.lost) misses.push(`the engine lost ${of('lost')} samples, the profile says ${said.lost}`);
  if (of('droppedSlices') !== 0) misses.push(`${of('droppedSlices')} slices were dropped`);
  if (said.lost > mostLost * (said.samples + said.lost)) misses.push(`${said.lost} of ${said.samples + said.lost} samples were lost`);
  if (session.after.refusedLabels !== session.before.refusedLabels) misses.push('labels failed their checks');
  for (const [name, state] of Object.entries(session.after.features)) {
    // What nobody asked for is no miss.
    if (!/^on\b|^off: not asked for$/.test(state)) misses.push(`feature ${name}: ${state}`);
  }
  const inSnapshots = snapshots.reduce((sum, snapshot) => sum + totals(snapshot).samples, 0);
  if (inSnapshots > said.samples) misses.push(`${inSnapshots} samples in the snapshots, ${said.samples} in the whole profile`);
  return { misses, worst, cpuNs, samples: said.samples, lost: said.lost };
}

/** Antagonists, and their named ways, that did nothing: { antagonist: { counter: n } } and what must be in it. */
export function idle(done, expected) {
  const out = [];
  for (const name of expected) {
    const counters = Object.entries(done[name] ?? {});
    if (!counters.some(([, n]) => n > 0)) out.push(name);
  }
  return out;
}
