// The workloads: how much is done of each (bench/workloads/suite/ has the work itself).
//
// Contract: `units` is the fixed amount of a measured part at scale 1, about 1.2 s of CPU on a machine of 2024; a size of the suite multiplies it. `warm`
// is done before and not measured, whatever the size: behind it V8 has compiled what it will (of http the last large piece after some 13,000 requests; measured before
// that, it is V8's compiling threads that are measured, and code that is there under one variant only costs several times what it costs later). `way`: 'turns' and 'seconds' measure inside a process whose profiler started long ago, 'turns' in small pieces between which the other
// variants have theirs, 'seconds' in one piece that is so long (what it looks at needs seconds without a break), whose figures are for as much work as was done in them; 'whole' measures the process with its start and its end;
// 'idle' lets all processes idle side by side, for seconds that no size changes.

/**
 * When V8 collects, left to itself, depends on how fast it found itself and the program to be: two processes without a profiler have two full collections or five in
 * the same work. With these, what was allocated alone decides.
 */
const steadyCollections = (growingPercent) => [
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--no-incremental-marking',
  `--heap-growing-percent=${growingPercent}`,
];

export const WORKLOADS = {
  cpu: { text: 'numbers, objects, strings, JSON; JIT-heavy', way: 'turns', units: 50, warm: 20 },
  typescript: { text: 'the TypeScript compiler checks src/', way: 'turns', units: 1, warm: 1, nodeArgs: steadyCollections(50) },
  promises: { text: 'chains of async functions', way: 'turns', units: 1800, warm: 600 },
  http: { text: 'JSON server under load, spans', way: 'turns', units: 60, warm: 160 },
  streams: { text: 'streams, zlib, crypto', way: 'turns', units: 40, warm: 10 },
  heap: { text: 'allocation beside 300 MB alive', way: 'turns', units: 60, warm: 40, nodeArgs: steadyCollections(10) },
  threads: { text: 'four busy Workers', way: 'turns', units: 10, warm: 6 },
  agent: { text: 'the demo agent service, labels and spans', way: 'turns', units: 2, warm: 1 },
  loop: { text: 'short turns, 3,000 functions, a window each second: the pause', way: 'seconds', units: 4, warm: 1 },
  startup: { text: 'start-up of a large application, its end included', way: 'whole', units: 1, warm: 0 },
  idle: { text: 'a server without requests', way: 'idle', units: 10, warm: 0 },
};

/** A turn is a twentieth of `units`, some 60 ms of CPU; the typescript compiler's, 1 s, can't be smaller: { units, count }. */
export function turnsOf({ units }, scale) {
  const all = Math.max(1, Math.round(units * scale));
  const each = Math.min(all, Math.max(1, Math.round(units / 20)));
  return { units: each, count: Math.max(1, Math.round(all / each)) };
}

/**
 * A size: rounds beside the dropped one, how much of the units, of which workloads. `beside`: { one: another } that run at the same time where both are asked for: what is
 * looked at in servers that idle (how often they wake up) is the same beside busy cores, and what is looked at in busy Workers (how much of their CPU is found) is no cost.
 * No workload whose cost is judged has them beside it: servers under @datadog/pprof wake up two hundred times a second.
 */
export const SIZES = {
  quick: { pairs: 5, scale: 0.6, workloads: ['cpu', 'promises', 'http', 'threads', 'loop', 'idle'], beside: { idle: 'threads' } },
  normal: { pairs: 9, scale: 1.6, workloads: Object.keys(WORKLOADS) },
  full: { pairs: 15, scale: 2.5, workloads: Object.keys(WORKLOADS) },
};

/** The workloads in their order, each as [name] or [name, the one beside it]. */
export function workloadsInTurn(names, beside = {}) {
  const companion = (name) => names.find((other) => beside[other] === name);
  return names.filter((name) => !names.includes(beside[name])).map((name) => (companion(name) ? [name, companion(name)] : [name]));
}
