// Delivery: finished profiles reach their exporters, or wait their turn, whatever the network does. Lives on the encoder's thread.
//
// Contract. `push` never throws and never waits: when it returns, each exporter with a spool has the profile on disk. Exporters know nothing of each other: one that
// hangs delays none. `flush` ends in the given time. Warnings: one a minute at most and one at the end; what was held back is in the next one's count.

import { type Clock, REAL_CLOCK } from './clock';
import { type Exporter, exporterTarget, type FinishedProfile, type ProcessFacts, wantsRun, wantsWindows } from './exporter';
import { Outlet } from './outlet';
import type { Environment } from './proxy';
import type { Collect, PullServer } from './pull-server';
import type { Sender } from './sender';
import type { Spool } from './spool';
import type { ExporterStats } from './stats';

const WARNING_MS = 60_000;

export interface DeliveryHooks {
  warn(message: string): void;
  /** Counts changed. */
  changed?(): void;
  /** Records a profile for the pull exporter. Without it that exporter answers 503. */
  collect?: Collect;
}

export interface DeliveryOptions {
  clock?: Clock;
  /** Proxies are read from it. Default process.env. */
  env?: Environment;
}

export class Delivery {
  readonly #outlets: { exporter: Exporter; outlet: Outlet }[] = [];
  readonly #servers: PullServer[] = [];
  readonly #hooks: DeliveryHooks;
  readonly #clock: Clock;
  #lastWarningMs = Number.NEGATIVE_INFINITY;
  #heldBack = 0;

  constructor(
    exporters: Exporter[],
    facts: ProcessFacts,
    hooks: DeliveryHooks,
    { clock = REAL_CLOCK, env = process.env }: DeliveryOptions = {},
  ) {
    this.#hooks = hooks;
    this.#clock = clock;
    const changed = () => hooks.changed?.();
    const warn = (message: string) => this.#warn(message);
    for (const exporter of exporters) {
      if (exporter.kind === 'pull') {
        const { PullServer: Server } = require('./pull-server') as typeof import('./pull-server');
        this.#servers.push(new Server(exporter, { collect: hooks.collect, warn, changed }, clock));
        continue;
      }
      const { spool, off } = openSpool(exporter, facts, clock);
      if (off !== '') warn(`${exporter.kind}Exporter (${exporterTarget(exporter)}): windows wait in memory only: ${off}`);
      this.#outlets.push({
        exporter,
        outlet: new Outlet(exporter, makeSender(exporter, facts, env, clock), spool, off, clock, { warn, changed }),
      });
    }
    changed();
  }

  /** True when some exporter wants profiles of this scope. */
  wants(scope: FinishedProfile['scope']): boolean {
    return this.#outlets.some(({ exporter }) => wants(exporter, { scope }));
  }

  push(profile: FinishedProfile): void {
    for (const { exporter, outlet } of this.#outlets) if (wants(exporter, profile)) outlet.accept(profile);
  }

  /** Tries what is left once more, within `deadlineMs` from now; then everything is closed. */
  async flush(deadlineMs: number): Promise<void> {
    // What is left behind is said at any rate.
    this.#lastWarningMs = Number.NEGATIVE_INFINITY;
    await Promise.all([...this.#outlets.map(({ outlet }) => outlet.flush(deadlineMs)), ...this.#servers.map((server) => server.close())]);
  }

  stats(): ExporterStats[] {
    return [...this.#outlets.map(({ outlet }) => outlet.stats()), ...this.#servers.map((server) => server.stats())];
  }

  #warn(message: string): void {
    const now = this.#clock.now();
    if (now - this.#lastWarningMs < WARNING_MS) {
      this.#heldBack++;
      return;
    }
    this.#lastWarningMs = now;
    const others = this.#heldBack > 0 ? ` (and ${this.#heldBack} warnings since the last one)` : '';
    this.#heldBack = 0;
    this.#hooks.warn(message + others);
  }
}

function wants(exporter: Exporter, { scope, part }: Pick<FinishedProfile, 'scope' | 'part'>): boolean {
  if (part === 'timeline' && !(exporter.kind === 'file' && exporter.timeline)) return false;
  return scope === 'run' ? wantsRun(exporter) : wantsWindows(exporter);
}

/** Modules of an exporter that nobody uses are not loaded. */
function makeSender(exporter: Exclude<Exporter, { kind: 'pull' }>, facts: ProcessFacts, env: Environment, clock: Clock): Sender {
  switch (exporter.kind) {
    case 'file':
      return new (require('./file-writer') as typeof import('./file-writer')).FileSender(exporter, clock.now);
    case 'pyroscope':
      return new (require('./pyroscope-sender') as typeof import('./pyroscope-sender')).PyroscopeSender(exporter, facts, env, clock.now);
    case 'otlp':
      return new (require('./otlp-sender') as typeof import('./otlp-sender')).OtlpSender(exporter, facts, env, clock.now);
  }
}

/** Only where windows go over the network: what hashes and claims is not loaded for files. */
function openSpool(exporter: Exporter, facts: ProcessFacts, clock: Clock): { spool: Spool | undefined; off: string } {
  if (!('network' in exporter) || exporter.network.spool === undefined) return { spool: undefined, off: '' };
  const { spoolOf } = require('./spool-open') as typeof import('./spool-open');
  try {
    return { spool: spoolOf(exporter, exporter.network.spool, facts.appName, clock.now), off: '' };
  } catch (error) {
    return { spool: undefined, off: (error as Error).message };
  }
}
