// What an exporter is to the encoder. An exporter crosses to the encoder's thread as plain data (its description); the encoder makes the part that
// works from it. Deliveries are made by the encoder only, never by an application's thread.

import type { Profile } from '../pprof/schema';
import { type FileExporter, wantsRun as fileWantsRun, wantsWindows as fileWantsWindows } from './file';
import type { OtlpExporter } from './otlp';
import type { PullExporter } from './pull';
import type { PyroscopeExporter } from './pyroscope';

/** Plain data: structured-cloned to the encoder. */
export type Exporter = FileExporter | PyroscopeExporter | OtlpExporter | PullExporter;

/** True for what a factory made; a description written by hand lacks what it fills in. */
export function isExporter(value: unknown): value is Exporter {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, dir, port, network } = value as Record<string, unknown>;
  if (kind === 'file') return typeof dir === 'string';
  if (kind === 'pull') return typeof port === 'number';
  return (kind === 'pyroscope' || kind === 'otlp') && typeof network === 'object' && network !== null;
}

/** Says how to make one, for the message that refuses something else. */
export const EXPORTER_FACTORIES =
  'fileExporter({ dir }), pyroscopeExporter({ endpoint }), otlpExporter({ endpoint }) or pullExporter({ port })';

/** Facts about the process that payloads carry. */
export interface ProcessFacts {
  /** '' when it was not given. */
  appName: string;
  tags: Record<string, string>;
  pid: number;
  hostname: string;
  /** Of strobe. */
  version: string;
  /** `process.version`. */
  nodeVersion: string;
}

/** One finished profile. An exporter encodes what it wants of it, once, while `Delivery.push` runs; nothing of it is kept. */
export interface FinishedProfile {
  mode: 'cpu' | 'wall';
  /** 'run': from start to stop; 'window': one window of it. */
  scope: 'run' | 'window';
  /** 1, 2, 3 … among the windows of this mode. */
  number: number;
  startUnixMs: number;
  endUnixMs: number;
  /** 'timeline': `bytes` are the timeline (formats/timeline.ts) of the run's profile. */
  part?: 'timeline';
  profile: Profile;
  /** gzip pprof; made when first read. */
  readonly bytes: Uint8Array;
}

export function wantsWindows(exporter: Exporter): boolean {
  return exporter.kind === 'file' ? fileWantsWindows(exporter) : exporter.kind !== 'pull';
}

export function wantsRun(exporter: Exporter): boolean {
  return exporter.kind === 'file' && fileWantsRun(exporter);
}

/** What stats, warnings and messages call an exporter. No secrets. */
export function exporterTarget(exporter: Exporter): string {
  switch (exporter.kind) {
    case 'file':
      return exporter.dir;
    case 'pull':
      return `http://${exporter.host.includes(':') ? `[${exporter.host}]` : exporter.host}:${exporter.port}`;
    default:
      return exporter.network.endpoint;
  }
}
