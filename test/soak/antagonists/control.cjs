// What an operator does to a profiler that runs: start, stop, start again; other rates; snapshots at any time. Not in the twin.
//
// Each session leaves { session: { file, snapshots: [files], clocks: [four readings], before, after } } on stdout for the judge outside: its whole profile, all its
// snapshots (together they are the profile again), each thread's CPU clock right before and after both the start and the stop (`{ tid: ns }`), the ids of
// the threads that live through all of it, and the engine's counters at the end before and at this one. Files are decoded outside: the garbage of decoding must not be in this process's memory.

const { writeFileSync } = require('node:fs');
const { join } = require('node:path');

const recordsWall = new WeakSet(); // profilers

/** What can be changed while a profiler runs, changed at random. Grows with the profiler: what this version does not offer is passed over. */
async function liveControl(profiler, { random, count }) {
  const hz = Math.round(1000 ** random.next());
  profiler.setFrequency(hz);
  count('rates');
  if (typeof profiler.startMode !== 'function' || typeof profiler.stopMode !== 'function') return;
  if (random.next() < 0.5) return;
  if (recordsWall.has(profiler)) {
    await profiler.snapshot('wall');
    count('wall snapshots');
    await profiler.stopMode('wall');
    recordsWall.delete(profiler);
  } else {
    await profiler.startMode('wall');
    recordsWall.add(profiler);
  }
  count('mode changes');
}

/** CPU clocks of the threads that live as long as a session: main and the steady Workers, which the first session starts with. */
function clocksOf(strobe) {
  const clocks = {};
  for (const { tid, kind, cpuNs } of strobe.processStats().threads) if (kind === 'main' || kind === 'worker') clocks[tid] = cpuNs;
  return clocks;
}

function numbersOf({ samples, lost, truncated, frames, unresolvedFrames, droppedSlices, labels, features, overhead }) {
  return { samples, lost, truncated, frames, unresolvedFrames, droppedSlices, refusedLabels: labels.refusedSamples, features, overhead };
}

const control = {
  every: 300,
  make: async (context) => {
    const { strobe, random, count, say, pause, dir, alive, options, shared } = context;
    let number = 0;
    // The engine's counters go on from one session to the next: what a session added is the difference between two ends.
    let last = { samples: 0, lost: 0, droppedSlices: 0, refusedLabels: 0 };
    const session = async () => {
      const n = number++;
      const endMs = performance.now() + 1000 * random.int(2, Math.max(2, Math.min(40, Math.round(options.seconds / 4))));
      const [exporterDir, snapshots] = [join(dir, `session-${n}`), []];
      const before = clocksOf(strobe);
      const profiler = strobe.startProfiler({
        frequencyHz: random.int(1, 1000),
        windowSeconds: 1,
        maxDepth: random.among([512, 512, 64, 4]),
        exitTimeoutSeconds: 60,
        exporters: [strobe.fileExporter({ dir: exporterDir, write: random.next() < 0.2 ? 'both' : 'run', names: 'plain' })],
      });
      const started = clocksOf(strobe);
      count('starts');
      shared.following = true;
      const snapshot = async () => {
        const file = join(dir, `session-${n}-${snapshots.length}.pb.gz`);
        snapshots.push(file);
        writeFileSync(file, await profiler.snapshot());
        count('snapshots');
      };
      while (alive() && performance.now() < endMs) {
        await pause(random.gap(700));
        if (random.next() < 0.6) await liveControl(profiler, context);
        else if (random.next() < 0.5) await snapshot();
        else {
          profiler.stats();
          count('stats');
        }
      }
      await snapshot();
      const steady = profiler.stats().threads.filter(({ name }) => name === 'main' || / steady \d$/.test(name));
      const stopping = clocksOf(strobe);
      const stopped = profiler.stop();
      const after = clocksOf(strobe);
      await stopped;
      count('stops');
      const numbers = numbersOf(profiler.stats());
      say({
        session: {
          file: join(exporterDir, 'cpu.pb.gz'),
          snapshots,
          steady: steady.map(({ tid }) => tid),
          clocks: [before, started, stopping, after],
          before: last,
          after: numbers,
        },
      });
      last = numbers;
    };
    return session;
  },
};

module.exports = { control };
