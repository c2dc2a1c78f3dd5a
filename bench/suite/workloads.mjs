// The workloads: how much is done of each (bench/workloads/suite/ has the work itself).
//
// Contract: `units` is the fixed amount of a measured part at scale 1, about 1.2 s of CPU on a machine of 2024; a size of the suite multiplies it. `warm`
// is done before and not measured. `way`: 'part' measures inside a process whose profiler started long ago; 'whole' the process with its start and its end;
// 'idle' lets all processes idle side by side, for seconds that no size changes.

export const WORKLOADS = {
  cpu: { text: 'numbers, objects, strings, JSON; JIT-heavy', way: 'part', units: 50, warm: 20 },
  typescript: { text: 'the TypeScript compiler checks src/', way: 'part', units: 1, warm: 1 },
  promises: { text: 'chains of async functions', way: 'part', units: 600, warm: 150 },
  http: { text: 'JSON server under load, spans', way: 'part', units: 60, warm: 60 },
  streams: { text: 'streams, zlib, crypto', way: 'part', units: 40, warm: 10 },
  heap: { text: 'allocation beside 300 MB alive', way: 'part', units: 60, warm: 20 },
  threads: { text: 'four busy Workers', way: 'part', units: 10, warm: 4 },
  agent: { text: 'the demo agent service, labels and spans', way: 'part', units: 2, warm: 1 },
  loop: { text: 'short turns, 3,000 functions, a window each second: the pause', way: 'part', units: 600, warm: 150 },
  startup: { text: 'start-up of a large application, its end included', way: 'whole', units: 1, warm: 0 },
  idle: { text: 'a server without requests', way: 'idle', units: 10, warm: 0 },
};

/** A size: rounds beside the dropped one, how much of the units, of which workloads. */
export const SIZES = {
  quick: { pairs: 5, scale: 0.6, workloads: ['cpu', 'promises', 'http', 'threads', 'loop', 'idle'] },
  normal: { pairs: 9, scale: 1.6, workloads: Object.keys(WORKLOADS) },
  full: { pairs: 15, scale: 2.5, workloads: Object.keys(WORKLOADS) },
};
