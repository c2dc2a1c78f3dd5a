// What the flame graph page costs at 100,000 distinct stacks: `node bench/flamegraph.mjs [--stacks N] [--runs N]` (needs a Chromium; STROBE_CHROMIUM names one).
// Prints the file's size, the writer's time, and in a headless browser: navigation to first picture, zoom in and out, search, regrouping, a label filter.
// Times of the page are from the input event to the frame after it was drawn; median and worst of the runs.

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BROWSER, launch, openPage, painted } from '../test/browser-helpers.mjs';
import { large } from '../test/flamegraph-helpers.mjs';
import { DIST } from '../test/helpers.mjs';

const { values } = parseArgs({ options: { stacks: { type: 'string', default: '100000' }, runs: { type: 'string', default: '5' } } });
const require = createRequire(import.meta.url);
const { flameGraphHtml } = require(join(DIST, 'formats', 'flamegraph', 'html.js'));

function figure(name, times, unit = 'ms') {
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  console.log(
    `${name.padEnd(34)} ${median.toFixed(0).padStart(6)} ${unit}   worst of ${times.length}: ${sorted.at(-1).toFixed(0)} ${unit}`,
  );
}

/** From before `act` to the frame after the one that drew what it did. */
async function timed(page, act) {
  await page.evaluate(() => {
    globalThis.benchStart = undefined;
    for (const type of ['pointerup', 'change', 'keydown', 'click'])
      addEventListener(
        type,
        () => {
          globalThis.benchStart ??= performance.now();
        },
        { capture: true, once: true },
      );
  });
  await act();
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - globalThis.benchStart)));
      }),
  );
}

if (!BROWSER) {
  console.error('bench/flamegraph: no Chromium found; STROBE_CHROMIUM=<path> names one');
  process.exit(1);
}
const dir = mkdtempSync(join(tmpdir(), 'strobe-bench-'));
const path = join(dir, 'page.html');
const browser = await launch();
try {
  const profile = large(Number(values.stacks));
  const start = performance.now();
  writeFileSync(path, flameGraphHtml([{ name: 'cpu.pb.gz', profile }]));
  console.log(`${'distinct stacks'.padEnd(34)} ${profile.samples.length}`);
  console.log(`${'file'.padEnd(34)} ${(statSync(path).size / 1e6).toFixed(2)} MB`);
  figure('writer', [performance.now() - start]);
  const runs = Number(values.runs);
  const times = { picture: [], in: [], out: [], search: [], group: [], theme: [] };
  for (let i = 0; i < runs; i++) {
    const opened = await openPage(browser, undefined, { path });
    const { page, probe } = opened;
    if (i === 0) console.log(`${'nodes of the tree'.padEnd(34)} ${await probe('nodes')}`);
    times.picture.push(await page.evaluate(() => performance.getEntriesByName('strobe-first-picture')[0].startTime));
    const canvas = await page.locator('.graph').first().boundingBox();
    await page.mouse.move(canvas.x + canvas.width / 3, canvas.y + 50);
    for (const y of [50, 90, 130]) times.in.push(await timed(page, () => page.mouse.click(canvas.x + canvas.width / 3, canvas.y + y)));
    times.out.push(await timed(page, () => page.keyboard.press('0')));
    await painted(page);
    await page.locator('#search').fill('Parser');
    times.search.push(await timed(page, () => page.keyboard.press('Enter')));
    await page.keyboard.press('Escape');
    await painted(page);
    times.group.push(await timed(page, () => page.locator('#group').selectOption('agent')));
    await painted(page);
    times.theme.push(await timed(page, () => page.getByRole('button', { name: 'Dark' }).click()));
    await page.context().close();
  }
  figure('navigation to first picture', times.picture);
  figure('zoom in', times.in);
  figure('zoom out', times.out);
  figure('search, next match', times.search);
  figure('group by a label of 12 values', times.group);
  figure('light to dark', times.theme);
} finally {
  await browser.close();
  rmSync(dir, { recursive: true, force: true });
}
