// What an exporter is to the encoder. An exporter crosses to the encoder's thread as plain data (its description); the encoder makes the part that
// works from it. Deliveries are made by the encoder only, never by an application's thread.

import type { FileExporter } from './file';

/** Plain data: structured-cloned to the encoder. */
export type Exporter = FileExporter;

/** One finished profile, encoded. */
export interface FinishedProfile {
  mode: 'cpu' | 'wall';
  /** 'run': from start to stop; 'window': one window of it. */
  scope: 'run' | 'window';
  /** 1, 2, 3 … among the windows of this mode. */
  number: number;
  startUnixMs: number;
  /** gzip pprof. */
  bytes: Uint8Array;
}
