// What a configuration says, wherever it stands.

import type { Exporter } from '../export/exporter';

export interface Settings {
  /** As startProfiler takes them. */
  options: {
    mode?: ('cpu' | 'wall')[];
    frequencyHz?: number;
    overheadBudgetPercent?: number;
    windowSeconds?: number;
    maxDepth?: number;
    exitTimeoutSeconds?: number;
    sourceMaps?: boolean;
    control?: boolean;
    appName?: string;
    tags?: Record<string, string>;
    exporters?: Exporter[];
  };
  /** False: the application runs unprofiled, because it is configured so. */
  enabled: boolean;
  /** Known tables that this version does not use. */
  notUsed: string[];
}
