// One run of a workload under a variant: a fresh process (host.cjs), and what its profiler delivered.
//
// Contract: startRun() resolves to a run that is warm: `turn(units)` does so much of the workload, measured, and resolves to its CPU in ms; `trial(units)` does the same and is not in the measurement; `end()` resolves to the measurement of all turns together
// (see figures.mjs). runOnce() is a run in one piece. A run that broke throws wherever it is asked next: it is never a measurement. The sink is one process for all runs.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { environment, launch, runTimed, scratch } from '../lib/child.mjs';
import { delivered } from './delivered.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const HOST = file('host.cjs');
/** The encoder's own start and its self-test are over by then; V8's idle collection of a loaded heap is not (idle waits for that). */
export const SETTLE_MS = 300;
/** Longer than an idle run: the delivery of what the start left is not idling. */
const IDLE_WINDOW_SECONDS = 300;
/** Of a process that waits while many others have their turns. */
const LIMIT_MS = 30 * 60_000;

export class Sink {
  #child;
  #ended;
  #url;
  #runs = 0;

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
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** A place for one run: { url, close() }. What comes there goes to `folder`; `close` resolves to { bodies, bytes }. */
  open(folder) {
    const name = `run-${++this.#runs}`;
    this.#child.send({ open: name, folder });
    return { url: `${this.#url}/${name}`, close: () => this.#close(name) };
  }

  async #close(name) {
    const answered = new Promise((resolve) => {
      const listen = (message) => {
        if (message.close !== name) return;
        this.#child.off('message', listen);
        resolve(message);
      };
      this.#child.on('message', listen);
    });
    this.#child.send({ close: name });
    return await Promise.race([answered, this.#ended]);
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

/** What a run is told and where it leaves what it finds; `finish` makes the measurement of its last line. */
function prepared({ sink, workload, name, variant, scale, idleSeconds, idleSettleSeconds, windowSeconds, turns = false }) {
  const folder = scratch();
  const whole = workload.way === 'whole';
  const idle = workload.way === 'idle';
  const place = sink.open(folder);
  const order = {
    variant: { kind: variant.kind, hz: variant.hz, modes: variant.modes, labels: variant.labels, export: variant.export },
    workload: name,
    // With turns each message says how many.
    units: idle ? idleSeconds : workload.way === 'seconds' ? Math.max(1, Math.round(workload.units * scale)) : workload.units,
    warmUnits: workload.warm,
    // With turns they all settle together.
    settleMs: idle ? idleSettleSeconds * 1000 : turns ? 0 : SETTLE_MS,
    windowSeconds: idle ? IDLE_WINDOW_SECONDS : windowSeconds,
    folder,
    sink: place.url,
    whole,
    turns,
  };
  const what = `${name}, ${variant.label}`;
  return {
    args: [...(workload.nodeArgs ?? []), ...(variant.nodeArgs?.(folder) ?? []), HOST],
    env: environment({ BENCH_RUN: JSON.stringify(order) }),
    finish: async (stdout, outer = {}) => {
      const result = lastLine(stdout, what);
      if (result.said.failed) throw new Error(`${what}: ${result.said.failed} requests failed`);
      // Asked after every run: a sink that died makes no measurement.
      const { bodies, bytes } = await place.close();
      const sent = variant.export ? { bodies, bytes } : undefined;
      const found = idle || variant.kind === 'off' ? undefined : delivered(folder);
      rmSync(folder, { recursive: true, force: true });
      // What the profiler's rate counts in: strobe's in CPU time, the others' in wall time of each thread.
      return { ...result, ...outer, sent, found, hz: variant.hz, clock: variant.kind === 'strobe' ? 'cpu' : 'wall' };
    },
  };
}

export async function runOnce(given) {
  const { args, env, finish } = prepared(given);
  if (given.workload.way !== 'whole') return finish((await launch(given.node, args, { env }).ended).stdout);
  const { stdout, ...times } = await runTimed(given.node, args, env);
  return finish(stdout, times);
}

export async function startRun(given) {
  const { args, env, finish } = prepared({ ...given, turns: true });
  const { child, ended } = launch(given.node, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], limitMs: LIMIT_MS });
  const what = `${given.name}, ${given.variant.label}`;
  const early = ended.then(() => Promise.reject(new Error(`${what}: ended before its turns were over`)));
  early.catch(() => undefined);
  const told = async () => (await Promise.race([once(child, 'message'), early]))[0];
  await told();
  const work = async (message) => {
    child.send(message);
    const { failed, cpuMs } = await told();
    if (failed) throw new Error(`${what}: ${failed} requests failed`);
    return cpuMs;
  };
  return {
    turn: (units) => work({ units }),
    trial: (units) => work({ units, trial: true }),
    end: async () => {
      child.send({ end: true });
      return finish((await ended).stdout);
    },
  };
}
