// The program of the endurance suite: every antagonist at once, in one process, for so many seconds; profiled, or (the twin) without strobe in it.
//   node program.cjs '{ "seed": 1, "seconds": 30, "profiled": true, "dir": …, "index": …, "addon": …, "plugin": …, "only": [], "without": [], "load": 1 }'
//
// Contract: one JSON object a line on stdout; a line each second is the heartbeat that the watchdog outside waits for.
//   { beat: seconds since the start, rss, heap, external: bytes, engine: strobe's own by part (profiled only), busy: [antagonists whose step has taken longer
//   than STUCK_MS] }
//   { session: … } see antagonists/control.cjs        { failure: 'what must not have happened' }
//   { done: { antagonist: { counter: n } } } the last one
// It ends by itself, with exit code 0, when the time is over: a process that can't end is a finding too.
//
// An antagonist is { every: mean pause between its steps in ms, make(context) -> step(): promise }. A step counts what it did (`context.count`), is
// awaited, and must come to an end; what it throws is a failure. The choices come from the seed.

const { mkdirSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { stream } = require('./random.cjs');

const options = JSON.parse(process.argv[2]);
// First, as an application does: Workers are followed from a class that was taken after this. What is loaded before (libasan) is not for child processes.
delete process.env.LD_PRELOAD;
const strobe = options.profiled ? require(options.index) : undefined;

// Also between two sessions.
const engine = options.profiled ? require(join(dirname(options.index), 'native.js')).loadNative() : undefined;

const ANTAGONISTS = {
  ...require('./antagonists/workers.cjs'),
  ...require('./antagonists/code.cjs'),
  ...require('./antagonists/memory.cjs'),
  ...require('./antagonists/labels.cjs'),
  ...require('./antagonists/system.cjs'),
  ...(strobe ? require('./antagonists/control.cjs') : {}),
};

const STUCK_MS = 120_000;
const BEAT_MS = 1000;

const startedMs = performance.now();
const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
const counts = {};
const shared = { following: !strobe }; // are new Workers followed by a profiler, or is there none?
const since = new Map(); // antagonist -> when its running step began
const pausing = new Set(); // what ends the pauses early
let alive = true;

/** Ends early when the run does. */
function pause(ms) {
  if (!alive) return Promise.resolve();
  return new Promise((done) => {
    const end = () => {
      pausing.delete(end);
      clearTimeout(timer);
      done();
    };
    const timer = setTimeout(end, ms);
    pausing.add(end);
  });
}

async function drive(name, { every, make }) {
  const random = stream(options.seed, name);
  const mine = {};
  counts[name] = mine;
  const context = {
    options,
    strobe,
    random,
    say,
    shared,
    pause,
    dir: join(options.dir, name),
    alive: () => alive,
    count: (what, n = 1) => {
      mine[what] = (mine[what] ?? 0) + n;
    },
    fail: (what) => say({ failure: `${name}: ${what}` }),
  };
  mkdirSync(context.dir, { recursive: true });
  const step = await make(context);
  // A long mean gap must not be longer than a short run: each antagonist has its first step within the first quarter.
  let longestMs = (options.seconds * 1000) / 4;
  while (alive) {
    await pause(Math.min(longestMs, random.gap(every / (options.load ?? 1))));
    longestMs = Number.POSITIVE_INFINITY;
    if (!alive) break;
    since.set(name, performance.now());
    await step();
    since.delete(name);
  }
  // What has an end of its own: sessions, Workers that live long.
  await step.end?.();
}

function beat() {
  const { rss, heapTotal, external } = process.memoryUsage();
  const now = performance.now();
  const busy = [...since].filter(([, from]) => now - from > STUCK_MS).map(([name]) => name);
  say({ beat: (now - startedMs) / 1000, rss, heap: heapTotal, external, engine: engine?.stats().memory, busy });
}

async function main() {
  // The twin has no `control`.
  const unknown = [...(options.only ?? []), ...(options.without ?? [])].filter(
    (name) => !(name in ANTAGONISTS) && (strobe || name !== 'control'),
  );
  if (unknown.length > 0) say({ failure: `no such antagonist: ${unknown.join(', ')}; there are ${Object.keys(ANTAGONISTS).join(', ')}` });
  const wanted = Object.keys(ANTAGONISTS).filter(
    (name) => (!(options.only?.length > 0) || options.only.includes(name)) && !options.without?.includes(name),
  );
  beat();
  const beats = setInterval(beat, BEAT_MS);
  const over = setTimeout(() => {
    alive = false;
    for (const end of [...pausing]) end();
  }, options.seconds * 1000);
  const failed = (name) => (error) => {
    say({ failure: `${name}: ${error?.stack ?? error}` });
    process.exitCode = 1;
    since.delete(name);
  };
  await Promise.all(wanted.map((name) => drive(name, ANTAGONISTS[name]).catch(failed(name))));
  clearTimeout(over);
  clearInterval(beats);
  beat();
  say({ done: counts });
}

main();
