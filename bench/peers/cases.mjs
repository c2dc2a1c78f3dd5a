// The five cases: which profilers take part, and from measurements to what is shown. Pure.
//
// Contract: CASES is the order of the page. peersOf(case, missing) says who takes part ({ label, way, hz }); show(case, measured) makes of
// [{ label, way, runs: [measurement] }] a plain { id, title, program, truth, blind, columns, rows, plot }: text for a table on any medium, numbers for a plot. A figure is
// the median of a profiler's runs, with the least and the most of them where it is the case's main one. A plot's bars have a mark: the truth.

import { median } from '../lib/stats.mjs';

const DATADOG = '@datadog/pprof';
const PYROSCOPE = '@pyroscope/nodejs';
const rate = (hz) => (hz >= 1000 ? `${hz / 1000} kHz` : `${hz} Hz`);

const peer = (way, name, hz) => ({ way, hz, package: name, label: `${name}, ${rate(hz)}` });
/** Each at the rate its vendor sets; Datadog's is 99 Hz. */
const usual = (withPyroscope) => [
  peer('strobe', 'strobe', 100),
  peer('inspector', 'node:inspector', 100),
  peer('datadog', DATADOG, 99),
  ...(withPyroscope ? [peer('pyroscope', PYROSCOPE, 100)] : []),
];
const fast = () => [peer('strobe', 'strobe', 1000), peer('inspector', 'node:inspector', 1000), peer('datadog', DATADOG, 1000)];

const percent = (value, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)} %` : '-');
const ms = (value) => (Number.isFinite(value) ? `${value.toFixed(Math.abs(value) < 10 ? 2 : 1)} ms` : '-');
const points = (value) => (Number.isFinite(value) ? value.toFixed(1) : '-');
const whole = (value) => (Number.isFinite(value) ? value.toFixed(0) : '-');
const sum = (values) => values.reduce((all, value) => all + value, 0);

/** The middle of a figure over the runs, with its range. */
function middle(runs, of) {
  const values = runs.map(of);
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}
const ranged = ({ median: value, low, high }, text) => `${text(value)} [${text(low)} to ${text(high)}]`;

function showInlined(measured) {
  const rows = measured.map(({ label, runs }) => ({ label, ofTruth: middle(runs, (run) => run.ofTruth), runs }));
  return {
    columns: ['', 'true share of the leaf', 'self share shown', 'of the truth [least to most]'],
    rows: rows.map(({ label, runs, ofTruth }) => [
      label,
      percent(median(runs.map(({ truth }) => truth))),
      percent(median(runs.map(({ leaf }) => leaf))),
      ranged(ofTruth, percent),
    ]),
    plot: bars('% of the true share', 100, rows, ({ ofTruth }) => ofTruth, 100),
  };
}

const SHARES = [0.6, 0.3, 0.1];
const perCpuSecond = ({ samples, cpuNs }) => samples / (cpuNs / 1e9);
const delivered = ({ valueNs, cpuNs }) => valueNs / cpuNs;
/** Of the ticks that the clock is set to: strobe's ticks by CPU, the others' by the time that passes in each thread. */
const ticks = (way, { samples, cpuNs, wallNs }) => samples / (way === 'strobe' ? cpuNs / 1e6 : wallNs / 1e6);

function showThreads(measured) {
  const error = ({ shares }) => 100 * Math.max(...shares.map((share, at) => Math.abs(share - SHARES[at])));
  return {
    columns: ['', 'shares shown (60 / 30 / 10)', 'largest error', 'samples a CPU second (1000)', 'of its ticks', 'CPU delivered (100 %)'],
    rows: [
      ['truth', '60.0 / 30.0 / 10.0 %', '', '1000', '', '100 %'],
      ...measured.map(({ label, way, runs }) => [
        label,
        `${SHARES.map((_, at) => (100 * median(runs.map(({ shares }) => shares[at]))).toFixed(1)).join(' / ')} %`,
        `${points(median(runs.map(error)))} points`,
        ranged(middle(runs, perCpuSecond), whole),
        percent(median(runs.map((run) => ticks(way, run)))),
        ranged(middle(runs, delivered), percent),
      ]),
    ],
    plot: bars('samples a CPU second, 1000 asked for', 1000, measured, ({ runs }) => middle(runs, perCpuSecond)),
  };
}

function showRotation(measured) {
  const bare = measured.find(({ way }) => way === 'none');
  const floor = median(bare.runs.map(({ heldMs }) => heldMs));
  return {
    columns: ['', 'longest gap a second', 'held: without waiting for a core', 'added by the profiler', 'windows'],
    rows: measured.map(({ label, way, runs }) => {
      const held = middle(runs, ({ heldMs }) => heldMs);
      return [
        label,
        ms(median(runs.map(({ gapMs }) => gapMs))),
        ranged(held, ms),
        way === 'none' ? 'the truth: 0' : ms(held.median - floor),
        way === 'none' ? '' : whole(median(runs.map(({ rotations }) => rotations))),
      ];
    }),
    plot: bars('ms that the loop is held in each second, at best', floor, measured, ({ runs }) => middle(runs, ({ heldMs }) => heldMs)),
  };
}

const share = (parts, name) => parts[name] / sum(Object.values(parts));

function showAwaits(measured) {
  const labelled = ({ way }) => way !== 'inspector';
  const part = (runs, task, name) => median(runs.map((run) => share(run[task], name)));
  const both = (run, name) => (run.A[name] + run.B[name]) / sum([...Object.values(run.A), ...Object.values(run.B)]);
  const cell = (entry, task, name) => (labelled(entry) ? percent(part(entry.runs, task, name)) : 'no labels');
  const columns = ['', ...['A', 'B'].flatMap((task) => [`${task} under its own label`, `under the other's`, 'under none'])];
  return {
    columns,
    rows: [
      ['truth', '100 %', '0 %', '0 %', '100 %', '0 %', '0 %'],
      ...measured.map((entry) => [
        entry.label,
        ...['A', 'B'].flatMap((task) => ['own', 'other', 'none'].map((name) => cell(entry, task, name))),
      ]),
    ],
    plot: stacks(
      'CPU of both tasks',
      ['own label', "the other's", 'none'],
      measured.filter(labelled).map(({ label, runs }) => ({
        label,
        values: ['own', 'other', 'none'].map((name) => median(runs.map((run) => both(run, name)))),
      })),
      [1, 0, 0],
    ),
  };
}

const ROUTES = ['short', 'long', 'none'];

/** All runs as one: a run alone has few samples. */
function pooled(runs) {
  const over = (name) => Object.fromEntries(ROUTES.map((route) => [route, sum(runs.map((run) => run[name][route]))]));
  return { units: over('units'), byLabel: over('byLabel') };
}

function showRequests(measured) {
  const labelled = measured.filter(({ way }) => way !== 'inspector');
  const pairs = ({ units, byLabel }) => ROUTES.map((route) => ({ true: share(units, route), shown: share(byLabel, route) }));
  const error = (run) => 100 * Math.max(...pairs(run).map((pair) => Math.abs(pair.shown - pair.true)));
  return {
    columns: [
      '',
      ...ROUTES.map((route) => (route === 'none' ? 'no label: true, shown' : `${route}: true, shown`)),
      'samples',
      'largest error, runs together [one run]',
    ],
    rows: measured.map(({ label, way, runs }) => {
      const bare = way === 'inspector';
      const { low, high } = middle(runs, error);
      return [
        label,
        ...pairs(pooled(runs)).map((pair) => `${percent(pair.true)}, ${bare ? 'no labels' : percent(pair.shown)}`),
        whole(sum(runs.map(({ samples }) => samples))),
        bare ? '-' : `${points(error(pooled(runs)))} [${points(low)} to ${points(high)}] points`,
      ];
    }),
    plot: stacks(
      'CPU of the work',
      ['short', 'long', 'no label'],
      labelled.map(({ label, runs }) => ({ label, values: pairs(pooled(runs)).map(({ shown }) => shown) })),
      pairs(pooled(measured.flatMap(({ runs }) => runs))).map((pair) => pair.true),
    ),
  };
}

/** Bars with a range and a mark; `scale` turns the figure into the unit. */
function bars(unit, mark, rows, of, scale = 1) {
  const scaled = ({ median: value, low, high }) => ({ value: value * scale, low: low * scale, high: high * scale });
  return { kind: 'bars', unit, mark, rows: rows.map((row) => ({ label: row.label, ...scaled(of(row)) })) };
}

const stacks = (unit, series, rows, truth) => ({ kind: 'stacks', unit, series, rows: [{ label: 'truth', values: truth }, ...rows] });

export const CASES = [
  {
    id: 'inlined',
    title: 'An inlined hot leaf',
    program:
      'drive calls outer calls mid calls leaf, whose loop is all their work; V8 makes one piece of code of it. Other work takes turns.',
    truth: "the leaf's share of the CPU, by the thread's clock around each turn",
    blind: 'The first moments, before V8 optimises, are in both; they flatter who names no inlined function.',
    peers: fast,
    show: showInlined,
  },
  {
    id: 'threads',
    title: '60 / 30 / 10 on four busy threads at 1 kHz',
    program:
      'The main thread and three Workers, each busy all the time, three functions in cycles of 10 ms that do 60, 30 and 10 % of the units of work.',
    truth: 'units done; CPU of all four threads by their own clocks',
    blind:
      'The peers tick by the time that passes, also while a thread waits for a core: where threads outnumber cores their samples a CPU second are more than 1000 and say less than they seem to; of their ticks most are lost then. CPU delivered is what the profile says of CPU (the inspector: samples x 1 ms) over the clocks.',
    peers: fast,
    show: showThreads,
  },
  {
    id: 'rotation',
    title: 'Pause of the loop when a window ends',
    program: 'A loop of short turns through 3,000 functions, stacks 25 deep that hardly repeat; a window ends each second and is encoded.',
    truth: 'the loop times itself; the first row is the same loop without a profiler',
    blind:
      'The lower quartile of the seconds: a pause at fewer than three of four rotations would not show. Windows of a second hold few stacks: those of 60 s that vendors set hold more, and their pauses are longer.',
    windows: true,
    peers: () => [{ way: 'none', hz: 0, label: 'no profiler' }, ...usual(true)],
    show: showRotation,
  },
  {
    id: 'awaits',
    title: 'A label after await',
    program:
      'Two tasks at once, each in a label of its own, hop through awaits of promises, setImmediate, timers and file calls, and compute after each.',
    truth: "whose work a sample is, its function says; all of it was done in that task's label",
    blind: 'CPU of the hops themselves, a few microseconds each, is not counted: it has no function that says whose it is.',
    peers: () => usual(true),
    show: showAwaits,
  },
  {
    id: 'requests',
    title: 'CPU per label: short requests beside long ones',
    program:
      'A request of 0.5 ms every 5 ms with an await inside, two long tasks in slices of 4 ms between awaits, housekeeping without a label.',
    truth: 'units of work done in each label: all units are one function, so they cost the same',
    blind:
      'Chance: of 300 samples a share of 80 % has a standard error of 2.3 points, one of 5 % of 1.3. Who ticks by the time that passes takes more samples a CPU second on a busy machine. True shares differ between rows because the short requests come by the clock.',
    peers: () => usual(true),
    show: showRequests,
  },
];

/** `missing`: package name -> why it is not there. */
export const peersOf = (of, missing) => of.peers().filter((one) => !missing.has(one.package));

/** Measurements of one case -> what is shown of it. Profilers without a run are left out. */
export function show(of, measured) {
  const { id, title, program, truth, blind } = of;
  return { id, title, program, truth, blind, ...of.show(measured.filter(({ runs }) => runs.length > 0)) };
}
