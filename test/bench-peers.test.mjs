// The bench of the peers and the micro-benchmarks: made-up measurements become the right rows, names stay text in page and Markdown, and small real runs say something.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { duration, rows as microRows } from '../bench/micro/shown.mjs';
import { CASES, peersOf, show } from '../bench/peers/cases.mjs';
import { measure, reduce } from '../bench/peers/measure.mjs';
import { page } from '../bench/peers/page.mjs';
import { asMarkdown, asText } from '../bench/peers/text.mjs';
import { ROOT, runNode } from './helpers.mjs';

const HOSTILE = '<img src=x onerror=alert(1)> | [a](javascript:b)';
const machine = { node: 'v20.0.0', cpus: 2, model: HOSTILE, kernel: '6.1', load: [0.1, 0.2] };
const found = { machine, left: [HOSTILE], date: '2026-01-01' };
const caseOf = (id) => CASES.find((of) => of.id === id);
const shownOf = (id, measured) => ({ ...show(caseOf(id), measured), asked: { runs: 3, seconds: 5 } });
const rowOf = ({ rows }, label) => rows.find(([name]) => name === label);
const sample = (names, value, labels = {}, count = 1) => ({ names, value, labels, count });

test('threads: shares, samples and CPU are over what the programs measured', () => {
  const samples = [
    sample(['burn', 'partSixty', 'measured'], 50e6, {}, 50),
    sample(['burn', 'partThirty', 'measured'], 30e6, {}, 30),
    sample(['burn', 'partTen', 'measured'], 20e6, {}, 20),
    sample(['burn', 'partTen', 'warmUp'], 900e6, {}, 900),
  ];
  const run = reduce.threads({ truth: { cpuNs: 200e6, wallNs: 400e6 }, samples });
  assert.equal(run, { cpuNs: 200e6, wallNs: 400e6, samples: 100, valueNs: 100e6, shares: [0.5, 0.3, 0.2] });
  const shown = shownOf('threads', [
    { label: 'strobe', way: 'strobe', runs: [run] },
    { label: 'other', way: 'inspector', runs: [run] },
  ]);
  assert.equal(rowOf(shown, 'strobe').slice(1), [
    '50.0 / 30.0 / 20.0 %',
    '10.0 points',
    '500 [500 to 500]',
    '50.0 %',
    '50.0 % [50.0 % to 50.0 %]',
  ]);
  assert.is(rowOf(shown, 'other')[4], '25.0 %');
});

test('rotation: what the profiler adds to the loop without one', () => {
  const truth = { perSecond: [10, 12, 14, 90].map((heldMs) => ({ gapMs: heldMs + 1, heldMs })) };
  const run = reduce.rotation({ truth, rotations: 4 });
  assert.equal(run, { gapMs: 12.5, heldMs: 11.5, medianHeldMs: 13, rotations: 4 });
  const bare = { ...run, heldMs: 1.5, rotations: undefined };
  const shown = shownOf('rotation', [
    { label: 'no profiler', way: 'none', runs: [bare, bare] },
    { label: 'peer', way: 'datadog', runs: [run, { ...run, heldMs: 21.5 }] },
  ]);
  assert.equal(rowOf(shown, 'peer'), ['peer', '12.5 ms', '16.5 ms [11.5 ms to 21.5 ms]', '15.0 ms', '4']);
  assert.is(shown.plot.mark, 1.5);
});

test("awaits: each task's CPU by the label that it stands under", () => {
  const samples = [
    sample(['burn', 'workOfA', 'task'], 60, { task: 'A' }),
    sample(['burn', 'workOfA', 'task'], 30, { task: 'B' }),
    sample(['burn', 'workOfA', 'task'], 10),
    sample(['burn', 'workOfB', 'task'], 50, { task: 'B' }),
    sample(['burn', 'workOfA', 'warmUp'], 1000, { task: 'B' }),
    sample(['task'], 1000, { task: 'B' }),
  ];
  const run = reduce.awaits({ truth: { cpuNs: 150, units: { A: 2, B: 1 } }, samples });
  assert.equal(run.A, { own: 60, other: 30, none: 10 });
  assert.equal(run.B, { own: 50, other: 0, none: 0 });
  const shown = shownOf('awaits', [
    { label: 'p', way: 'datadog', runs: [run] },
    { label: 'i', way: 'inspector', runs: [run] },
  ]);
  assert.equal(rowOf(shown, 'p'), ['p', '60.0 %', '30.0 %', '10.0 %', '100.0 %', '0.0 %', '0.0 %']);
  assert.ok(
    rowOf(shown, 'i')
      .slice(1)
      .every((text) => text === 'no labels'),
  ); // it has none, whatever the samples say
  assert.equal(
    shown.plot.rows.map(({ label }) => label),
    ['truth', 'p'],
  );
});

test('requests: CPU by label beside the units done in it', () => {
  const samples = [
    sample(['burn', 'workOfShort'], 20, { route: 'short' }),
    sample(['burn', 'workOfShort'], 10),
    sample(['burn', 'workOfLong'], 60, { route: 'long' }),
    sample(['burn', 'housekeeping'], 10),
    sample(['somethingElse'], 500, { route: 'long' }),
  ];
  const run = reduce.requests({ truth: { cpuNs: 100, units: { short: 300, long: 600, none: 100 } }, samples });
  assert.equal(run.byLabel, { short: 20, long: 60, none: 20 });
  assert.is(run.samples, 4);
  const other = { ...run, byLabel: { short: 80, long: 120, none: 0 } };
  const both = shownOf('requests', [{ label: 'p', way: 'datadog', runs: [run, other] }]);
  assert.is(rowOf(both, 'p')[1], '30.0 %, 33.3 %'); // of all CPU, not the middle of the runs
  const shown = shownOf('requests', [{ label: 'p', way: 'datadog', runs: [run] }]);
  assert.equal(rowOf(shown, 'p'), ['p', '30.0 %, 20.0 %', '60.0 %, 60.0 %', '10.0 %, 20.0 %', '4', '10.0 [10.0 to 10.0] points']);
});

test('inlined: the share shown over the true one', () => {
  const runs = [0.9, 1, 0.95].map((ofTruth) => ({ truth: 0.4, leaf: 0.4 * ofTruth, ofTruth }));
  const shown = shownOf('inlined', [{ label: 'p', way: 'inspector', runs }]);
  assert.equal(rowOf(shown, 'p'), ['p', '40.0 %', '38.0 %', '95.0 % [90.0 % to 100.0 %]']);
  assert.equal(shown.plot.rows, [{ label: 'p', value: 95, low: 90, high: 100 }]);
});

test('a package that is missing takes no part; who has no run is not shown', () => {
  const missing = new Map([['@datadog/pprof', 'does not load']]);
  for (const of of CASES) assert.not.ok(peersOf(of, missing).some(({ way }) => way === 'datadog'));
  assert.ok(peersOf(caseOf('awaits'), missing).some(({ way }) => way === 'pyroscope'));
  const run = { truth: 0.4, leaf: 0.4, ofTruth: 1 };
  const shown = shownOf('inlined', [
    { label: 'p', way: 'strobe', runs: [run] },
    { label: 'q', way: 'datadog', runs: [] },
  ]);
  assert.equal(
    shown.rows.map(([label]) => label),
    ['p'],
  );
});

test('hostile names are text on the page and in Markdown; the page asks for nothing', () => {
  const run = { truth: 0.4, leaf: 0.4, ofTruth: Number.NaN };
  const shown = [shownOf('inlined', [{ label: HOSTILE, way: 'inspector', runs: [run] }])];
  const html = page(shown, found);
  assert.not.match(html, /<img|<script|https?:|url\(|@import|\bsrc=(?!x onerror=alert\(1\)&gt;)/);
  assert.match(html, /default-src 'none'/);
  assert.is(html.split('&lt;img src=x onerror=alert(1)&gt;').length - 1, 4); // machine, who is left out, plot, table
  const markdown = asMarkdown(shown, found);
  const row = markdown.split('\n').find((line) => line.startsWith('| \\<img'));
  assert.is(row.replaceAll('\\|', '').split('|').length - 2, shown[0].columns.length);
  assert.match(row, /\\\[a\\\]/);
  assert.match(asText(shown), /An inlined hot leaf \(3 runs of 5 s each/);
});

test('micro: medians and ranges in one unit a row', () => {
  assert.is(duration(7.456), '7.46 ns');
  assert.is(duration(25_400), '25.4 us');
  assert.is(duration(1_500, 2_000_000), '0.00150 ms');
  assert.is(duration(999.9), '1000 ns');
  assert.is(duration(Number.NaN), '-');
  assert.equal(microRows([['ring', { unit: 'a sample', values: [900, 1100, 1000] }]]), [
    ['ring', '1.00 us', '0.900 us', '1.10 us', 'a sample'],
  ]);
});

test('real runs, small: strobe keeps labels over awaits, the inspector has none, a loop times itself', async () => {
  const options = { node: process.execPath, seconds: 1 };
  const [strobe, inspector] = peersOf(caseOf('awaits'), new Map()).map((peer) => ({ ...peer, hz: 1000, nodeArgs: [] }));
  const ours = await measure(caseOf('awaits'), strobe, options);
  assert.ok(ours.units.A > 0 && ours.units.B > 0 && ours.cpuNs > 0);
  const all = ours.A.own + ours.A.other + ours.A.none;
  assert.ok(all > 0 && ours.A.own > 0.95 * all, `own ${ours.A.own}, other ${ours.A.other}, none ${ours.A.none}`);
  const theirs = await measure(caseOf('awaits'), inspector, options);
  assert.ok(theirs.A.none > 0 && theirs.A.own === 0 && theirs.A.other === 0);
});

test('a real handler costs more on a deeper stack', async () => {
  const at = async (depth) => {
    const { stdout, stderr } = await runNode([join(ROOT, 'bench', 'micro', 'handler.cjs'), String(depth)]);
    assert.is(stdout.trim().split('\n').length, 1, stderr);
    return JSON.parse(stdout);
  };
  const [shallow, deep] = [await at(1), await at(200)];
  assert.ok(shallow.signals > 50 && deep.signals > 50, `${shallow.signals}, ${deep.signals}`);
  assert.ok(deep.handlerNs > 1.5 * shallow.handlerNs, `${deep.handlerNs} over ${shallow.handlerNs}`);
});

test.run();
