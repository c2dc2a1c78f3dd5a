// The workloads: how much is done of each (bench/workloads/suite/ has the work itself).
//
// Contract: `way`: 'turns' and 'seconds' measure inside a process whose profiler started long ago, 'turns' in small pieces between which the other variants have theirs,
// 'seconds' in one piece that is so long (what it looks at needs seconds without a break), whose figures are for as much work as was done in them; 'whole' measures the
// process with its start and its end; 'idle' lets all processes idle side by side, for as long as the size says. With turns the amount of work is found out on the
// machine, once for all variants (turnsOf); else `units` is it, at scale 1. `warm` is done before and not measured, whatever the size: behind it V8 has compiled what
// it will (of http the last large piece after some 13,000 requests; measured before that, it is V8's compiling threads that are measured, and code that is there under
// one variant only costs several times what it costs later). `ms`: how much CPU is measured at scale 1 where PART_MS is too little.

/** CPU without a profiler of one turn and of a measured part at scale 1, milliseconds. Shorter turns are mostly about caches that others have filled meanwhile. */
export const TURN_MS = 60;
const PART_MS = 1200;

/**
 * When V8 collects, left to itself, depends on how fast it found itself and the program to be, and on how large a heap was when it was young: of two processes without a
 * profiler one has two full collections in a part and the other five, or one, which is some per cent of the part, and the other none. With these, what was
 * allocated decides, and nothing else.
 */
const steadyYoung = ['--min-semi-space-size=16', '--max-semi-space-size=16'];
/** No full collection in a small heap: a part is too short to have its fair share of them. */
const steadyOld = ['--initial-old-space-size=256'];
/** Many full collections in a large one. */
const steadyLarge = (growingPercent) => [...steadyYoung, '--no-incremental-marking', `--heap-growing-percent=${growingPercent}`];

export const WORKLOADS = {
  cpu: { text: 'numbers, objects, strings, JSON; JIT-heavy', way: 'turns', warm: 20, nodeArgs: [...steadyYoung, ...steadyOld] },
  typescript: { text: 'the TypeScript compiler checks src/export', way: 'turns', warm: 1, ms: 4000, nodeArgs: steadyLarge(50) },
  promises: { text: 'chains of async functions', way: 'turns', warm: 4000, nodeArgs: steadyOld },
  http: { text: 'JSON server under load, spans', way: 'turns', warm: 145, nodeArgs: steadyOld },
  streams: { text: 'streams, zlib, crypto', way: 'turns', warm: 10, nodeArgs: steadyOld },
  heap: { text: 'allocation beside 300 MB alive', way: 'turns', warm: 40, ms: 3000, nodeArgs: steadyLarge(10) },
  threads: { text: 'four busy Workers', way: 'turns', warm: 6, nodeArgs: steadyOld },
  agent: { text: 'the demo agent service, labels and spans', way: 'turns', warm: 12, nodeArgs: steadyOld },
  loop: { text: 'short turns, 3,000 functions, a window each second: the pause', way: 'seconds', units: 4, warm: 1 },
  startup: { text: 'start-up of a large application, its end included', way: 'whole', units: 1, warm: 0 },
  idle: { text: 'a server without requests', way: 'idle', warm: 0 },
};

/** `unitMs`: CPU of a unit on this machine without a profiler. A unit of the typescript compiler, 1 s and more, can't be divided: { units, count } of a turn. */
export function turnsOf({ ms = PART_MS }, scale, unitMs) {
  const units = Math.max(1, Math.round(TURN_MS / unitMs));
  return { units, count: Math.max(1, Math.round((ms * scale) / (units * unitMs))) };
}

/**
 * A size: rounds beside the dropped one, how much of the units, of which workloads (quick: those that have a claim of their own, `cpu`, and `http`, which has labels);
 * how long servers settle and idle: V8 collects once or twice some 8 s after a heap's last growth, later where more servers start at a time, and one collection wakes a
 * profiler up, for some thirty ticks at 100 Hz. `beside`: { one: another } that run at the same time where both are asked for: what is
 * looked at in servers that idle (how often they wake up) is the same beside busy cores, and what is looked at in busy Workers (how much of their CPU is found) is no cost.
 * No workload whose cost is judged has them beside it: servers under @datadog/pprof wake up two hundred times a second.
 */
export const SIZES = {
  quick: {
    pairs: 5,
    scale: 0.45,
    idleSeconds: 10,
    idleSettleSeconds: 20,
    workloads: ['cpu', 'http', 'threads', 'loop', 'idle'],
    beside: { idle: 'threads' },
  },
  normal: { pairs: 9, scale: 1.6, idleSeconds: 60, idleSettleSeconds: 45, workloads: Object.keys(WORKLOADS) },
  full: { pairs: 15, scale: 2.5, idleSeconds: 60, idleSettleSeconds: 45, workloads: Object.keys(WORKLOADS) },
};

/** The workloads in their order, each as [name] or [name, the one beside it]. */
export function workloadsInTurn(names, beside = {}) {
  const companion = (name) => names.find((other) => beside[other] === name);
  return names.filter((name) => !names.includes(beside[name])).map((name) => (companion(name) ? [name, companion(name)] : [name]));
}
