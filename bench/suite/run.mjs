// One run of a workload under a variant: a fresh process (host.cjs), and what its profiler delivered.
//
// Contract: runOnce() returns one measurement (see figures.mjs) or throws: a run that broke is never a measurement. The sink is one process for all runs.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { environment, launch, runTimed, scratch } from '../lib/child.mjs';
import { delivered } from './delivered.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const HOST = file('host.cjs');
/** The encoder's own start and its self-test are over by then; V8's idle collection of a loaded heap is not (idle waits for that). */
const SETTLE_MS = 600;
const IDLE_SETTLE_MS = 20_000;
/** Longer than an idle run: the delivery of what the start left is not idling. */
const IDLE_WINDOW_SECONDS = 60;

export class Sink {
  #child;
  #ended;
  url;

  async start(node) {
    const { child, ended } = launch(node, [file('sink.mjs')], {
      env: environment(),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      limitMs: 24 * 3600_000,
    });
    // Runs side by side ask it at once.
    child.setMaxListeners(0);
    this.#child = child;
    this.#ended = ended.then(() => Promise.reject(new Error('the sink ended')));
    this.#ended.catch(() => undefined);
    const [{ port }] = await Promise.race([once(child, 'message'), this.#ended]);
    this.url = `http://127.0.0.1:${port}`;
  }

  /** What came since the last call: { bodies, bytes }; what comes from now on goes to `folder` (none: it is only counted). */
  async take(folder) {
    this.#child.send({ folder });
    const [report] = await Promise.race([once(this.#child, 'message'), this.#ended]);
    return report;
  }

  /** It leaves by itself: of a child that its parent disconnects, Node never says that it closed. */
  async end() {
    this.#child.send({ end: true });
    await this.#ended.catch(() => undefined);
  }
}

function lastLine(stdout, what) {
  try {
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch {
    throw new Error(`${what}: printed no result\n${stdout}`);
  }
}

export async function runOnce({ node, sink, workload, name, variant, scale, windowSeconds, shared = false }) {
  const folder = scratch();
  const whole = workload.way === 'whole';
  const idle = workload.way === 'idle';
  const order = {
    variant: { kind: variant.kind, hz: variant.hz, modes: variant.modes, labels: variant.labels, export: variant.export },
    workload: name,
    units: idle || whole ? workload.units : Math.max(1, Math.round(workload.units * scale)),
    // A fraction of the work needs no more than a fraction of the warm-up.
    warmUnits: Math.ceil(workload.warm * Math.min(1, 2 * scale)),
    settleMs: idle ? IDLE_SETTLE_MS : SETTLE_MS,
    windowSeconds: idle ? IDLE_WINDOW_SECONDS : windowSeconds,
    folder,
    sink: sink.url,
    whole,
  };
  const args = [...(variant.nodeArgs?.(folder) ?? []), HOST];
  const env = environment({ BENCH_RUN: JSON.stringify(order) });
  // Runs side by side share the sink: then nobody asks whose bytes they are, and nothing is kept.
  await sink.take(shared ? undefined : folder);
  const what = `${name}, ${variant.label}`;
  let outer;
  let result;
  if (whole) {
    const { stdout, ...times } = await runTimed(node, args, env);
    result = lastLine(stdout, what);
    outer = times;
  } else {
    result = lastLine((await launch(node, args, { env }).ended).stdout, what);
  }
  if (result.said.failed) throw new Error(`${what}: ${result.said.failed} requests failed`);
  // Asked after every run: a sink that died makes no measurement.
  const taken = await sink.take(undefined);
  const sent = shared || !variant.export ? undefined : taken;
  const found = shared || variant.kind === 'off' ? undefined : delivered(folder);
  rmSync(folder, { recursive: true, force: true });
  // What the profiler's rate counts in: strobe's in CPU time, the others' in wall time of each thread.
  return { ...result, ...outer, sent, found, hz: variant.hz, clock: variant.kind === 'strobe' ? 'cpu' : 'wall' };
}
