// The Pyroscope exporter, as the application's thread sees it: its checked description. What encodes and sends is in pyroscope-sender.ts.

import { Checks } from './checks';
import { type CheckedNetwork, checkNetwork, hideSecrets, NETWORK_OPTIONS, type NetworkOptions } from './network';

export interface PyroscopeExporterOptions extends NetworkOptions {
  /** 'push' (default): `push.v1.PusherService/Push`, protobuf. 'ingest': the older `/ingest`, for what stands before a Pyroscope and knows only that. */
  api?: 'push' | 'ingest';
  /**
   * String labels of samples, other than `span_id` and `trace_id`, become series of the backend. Values kept of one label within an hour, 1 to 10,000, default 100;
   * the rest is sent as `(other)` and counted.
   */
  maxLabelValues?: number;
  /** Different sets of such labels kept in one window, 1 to 10,000, default 200; past that, the labels with the most values are folded. */
  maxSeries?: number;
  /** Labels of samples that are not sent at all. */
  dropLabels?: string[];
}

export interface PyroscopeExporter {
  kind: 'pyroscope';
  api: 'push' | 'ingest';
  maxLabelValues: number;
  maxSeries: number;
  dropLabels: string[];
  network: CheckedNetwork;
}

/** @throws StrobeError ERR_INVALID_OPTION */
export function pyroscopeExporter(options: PyroscopeExporterOptions): PyroscopeExporter {
  const checks = new Checks('pyroscopeExporter', options ?? {}, [...NETWORK_OPTIONS, 'api', 'maxLabelValues', 'maxSeries', 'dropLabels']);
  const dropLabels = checks.raw('dropLabels') ?? [];
  if (!Array.isArray(dropLabels) || dropLabels.some((label) => typeof label !== 'string')) {
    return checks.refuse("dropLabels must be an array of labels' names");
  }
  return hideSecrets({
    kind: 'pyroscope',
    api: checks.choice('api', ['push', 'ingest'], 'push'),
    maxLabelValues: checks.number('maxLabelValues', { least: 1, most: 10_000, fallback: 100, unit: 'values of one label', whole: true }),
    maxSeries: checks.number('maxSeries', { least: 1, most: 10_000, fallback: 200, unit: 'sets of labels in one window', whole: true }),
    dropLabels: [...dropLabels],
    network: checkNetwork(checks, 'http://localhost:4040'),
  });
}
