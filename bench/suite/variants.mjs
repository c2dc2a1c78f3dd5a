// The variants: what runs beside the program. A name is what --variant takes; `label` is what tables show.
//
// Contract: `off A` and `off B` are the same; their ratio is the noise floor. `only`: the workloads that a variant is for. `maker`: 'strobe', 'peer' or
// 'none'. SETS says which take part by default in each size of the suite.

/** What Datadog's tracer sets. */
const DATADOG_HZ = 99;
const INSPECTOR_US = 10_000;

export const VARIANTS = {
  'off-a': { label: 'off', maker: 'none', kind: 'off' },
  'off-b': { label: 'off again', maker: 'none', kind: 'off' },
  'strobe-100': { label: 'strobe 100 Hz', maker: 'strobe', kind: 'strobe', hz: 100 },
  'strobe-plus': { label: 'strobe 100 Hz, labels + export', maker: 'strobe', kind: 'strobe', hz: 100, labels: true, export: true },
  'strobe-1k': { label: 'strobe 1 kHz', maker: 'strobe', kind: 'strobe', hz: 1000 },
  /** What being there costs, all but the samples. */
  'strobe-1hz': { label: 'strobe 1 Hz, labels + export', maker: 'strobe', kind: 'strobe', hz: 1, labels: true, export: true },
  'strobe-wall': { label: 'strobe 100 Hz, CPU + wall', maker: 'strobe', kind: 'strobe', hz: 100, modes: ['cpu', 'wall'] },
  'strobe-labels': { label: 'strobe 100 Hz, labels + spans', maker: 'strobe', kind: 'strobe', hz: 100, labels: true },
  'strobe-export': { label: 'strobe 100 Hz, source maps + export', maker: 'strobe', kind: 'strobe', hz: 100, export: true },
  datadog: { label: '@datadog/pprof 99 Hz', maker: 'peer', kind: 'datadog', hz: DATADOG_HZ, package: '@datadog/pprof' },
  'datadog-1k': {
    label: '@datadog/pprof 1 kHz',
    maker: 'peer',
    kind: 'datadog',
    hz: 1000,
    package: '@datadog/pprof',
    only: ['threads'],
  },
  pyroscope: { label: '@pyroscope/nodejs 100 Hz', maker: 'peer', kind: 'pyroscope', hz: 100, package: '@pyroscope/nodejs', export: true },
  inspector: { label: 'inspector 10 ms', maker: 'peer', kind: 'inspector', hz: 100 },
  'inspector-1k': { label: 'inspector 1 ms', maker: 'peer', kind: 'inspector', hz: 1000, only: ['threads'] },
  'cpu-prof': {
    label: '--cpu-prof 10 ms',
    maker: 'peer',
    kind: 'cpu-prof',
    nodeArgs: (folder) => ['--cpu-prof', '--cpu-prof-interval', String(INSPECTOR_US), '--cpu-prof-dir', folder],
  },
};

export const OFF = ['off-a', 'off-b'];
/** Verdict 1 is about this one. */
export const DEFAULTS = 'strobe-plus';
export const FAST = 'strobe-1k';
export const RIVAL = 'datadog';

/** What --quick needs of the workloads that other claims are about. */
export const QUICK_ONLY = {
  promises: ['off-a', 'strobe-plus'],
  http: ['off-a', 'strobe-plus'],
  threads: ['strobe-1k', 'datadog-1k'],
  loop: ['off-a', 'strobe-plus', 'datadog'],
  idle: ['off-a', 'off-b', 'strobe-plus', 'datadog'],
};

export const SETS = {
  quick: ['off-a', 'off-b', 'strobe-plus'],
  normal: ['off-a', 'off-b', 'strobe-100', 'strobe-plus', 'strobe-1k', 'datadog', 'datadog-1k'],
  full: Object.keys(VARIANTS),
};
