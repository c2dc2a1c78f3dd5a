// The flame graph page in a headless browser: what a reader does, and what the page must never do (a request, a violation of its policy). Where no Chromium is
// found every test is skipped by name; STROBE_CHROMIUM names one. No times are asserted: bench/flamegraph.mjs measures them.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BROWSER, launch, middle, openPage, painted } from './browser-helpers.mjs';
import { profileOf, service } from './flamegraph-helpers.mjs';
import { DIST } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { differentialHtml, flameGraphHtml } = require(join(DIST, 'formats', 'flamegraph', 'html.js'));

const MS = 1e6;
const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

const run = service();
const html = flameGraphHtml([{ name: 'cpu.pb.gz', ...run }], { title: 'shop' });
const totalOf = (keep) => run.profile.samples.filter(keep).reduce((sum, { values }) => sum + values[1], 0);
const label = (sample, key) => sample.labels.find((one) => one.key === key)?.str;
const stackHas = (sample, name) =>
  sample.locations.some((at) => run.profile.functions[run.profile.locations[at].lines[0].function].name === name);

const test = suite(BROWSER ? 'flame graph page' : 'flame graph page (skipped: no Chromium found)');
let browser;
test.before(async () => {
  if (BROWSER) browser = await launch();
});
test.after(async () => {
  await browser?.close();
});

/** A test with an open page, at whose end the page must have asked for nothing and reported nothing. */
function inPage(name, options, body) {
  if (!BROWSER) {
    test.skip(name, () => undefined);
    return;
  }
  test(name, async () => {
    const { content = html, ...settings } = options;
    const opened = await openPage(browser, content, settings);
    await body(opened);
    await painted(opened.page);
    assert.equal(opened.errors, []);
    assert.equal(opened.violations, []);
    assert.equal(await opened.page.evaluate(() => globalThis.policyViolations), []);
    assert.equal(opened.requests.length, 1, `requests: ${opened.requests.slice(1).join(', ')}`);
    await opened.page.context().close();
  });
}

const click = async ({ page, probe }, name) => page.mouse.click(...middle(await probe('frame', name)));
const fragment = ({ page }) => page.evaluate(() => location.hash);
const text = ({ page }, selector) => page.locator(selector).first().innerText();

inPage('header, graph, table and legend show the profile', {}, async (opened) => {
  const { page, probe } = opened;
  assert.is(await page.title(), 'shop');
  assert.match(await text(opened, '.facts'), /duration\s+30 s.*rate\s+100 Hz.*lost\s+3/s);
  assert.is(
    await probe('total'),
    totalOf(() => true),
  );
  const graph = await page.locator('.graph').first().boundingBox();
  const root = await probe('frame', 'all');
  assert.ok(Math.abs(root.width - graph.width) < 20);
  assert.match(await text(opened, '.table-row'), /cosineSimilarity\s+rank\.ts:40/);
  assert.match(await text(opened, '.legend'), /application.*dependency.*Node internal.*builtin.*WebAssembly.*garbage collection/s);
  await page.getByText('details').click();
  const facts = await text(opened, '.facts-all dl');
  const wanted = [/recorded by\s+strobe 0\.1\.0, Node\.js v24\.11\.0/, /app\s+shop/, /env\s+prod/, /cost of profiling\s+1\.3%/];
  for (const fact of wanted) assert.match(facts, fact);
});

inPage('click zooms, the address follows, 0 and the back button go back', {}, async (opened) => {
  const { page, probe } = opened;
  const narrow = await probe('frame', 'fetchPage');
  await click(opened, 'fetchPage');
  const wide = await probe('frame', 'fetchPage');
  const all = await probe('frame', 'all');
  assert.ok(wide.width > 3 * narrow.width && Math.abs(wide.width - all.width) < 1);
  assert.match(await fragment(opened), /z=[\d.]+/);
  await page.keyboard.press('0');
  assert.equal(await probe('part'), [0, 1]);
  await page.goBack();
  await page.waitForFunction(() => globalThis.strobePage.probe.part()[1] < 0.999);
  assert.ok(Math.abs((await probe('frame', 'fetchPage')).width - wide.width) < 1);
});

inPage('tool tip: place, kind, values, labels', {}, async (opened) => {
  await opened.page.mouse.move(...middle(await opened.probe('frame', 'rankDocuments')));
  const tip = await text(opened, '.tip');
  assert.match(tip, /rankDocuments\s+rank\.ts:12\s+application\s+total.*5\.\d+ s.*%.*self/s);
  assert.match(tip, /agent\s+researcher/);
  await opened.page.mouse.move(...middle(await opened.probe('frame', '(garbage collector)')));
  assert.match(await text(opened, '.tip'), /gc\s+mark-sweep-compact/);
});

inPage('search: matched share, table, next match, regular expression, mistakes', {}, async (opened) => {
  const { page, probe } = opened;
  await page.keyboard.press('/');
  await page.keyboard.type('zlib');
  await page.waitForFunction(() => document.querySelector('.matched').textContent !== '');
  const share = (100 * totalOf((sample) => stackHas(sample, 'gzipSync'))) / totalOf(() => true);
  assert.is(await text(opened, '.matched'), `${share.toFixed(1)} % matched`);
  assert.is(await page.locator('.table-row').count(), 2);
  assert.match(await fragment(opened), /q=zlib/);
  await page.keyboard.press('Enter');
  assert.is(await probe('selected'), 'gzipSync');
  await page.locator('#search').fill('/^parse$|^fetchPage$/');
  await page.waitForFunction(() => document.querySelectorAll('.table-row').length === 2);
  await page.locator('#search').fill('/(/');
  await page.waitForFunction(() => document.querySelector('.matched').classList.contains('problem'));
  await page.keyboard.press('Escape');
  assert.is(await page.locator('#search').inputValue(), '');
});

inPage('label picker filters and regroups without a reload', {}, async (opened) => {
  const { page, probe } = opened;
  await page.getByRole('tab', { name: 'Labels' }).click();
  await page.getByRole('checkbox', { name: 'archivist' }).click();
  assert.is(
    await probe('total'),
    totalOf((sample) => label(sample, 'agent') === 'archivist'),
  );
  await page.getByRole('checkbox', { name: 'analyst' }).click();
  assert.is(
    await probe('total'),
    totalOf((sample) => ['archivist', 'analyst'].includes(label(sample, 'agent'))),
  );
  assert.match(await text(opened, '.chip'), /agent: archivist or analyst/);
  await page.locator('#group').selectOption('session');
  assert.ok(await probe('frame', 'session: s-1'));
  await page.locator('#group2').selectOption('agent');
  assert.ok(await probe('frame', 'agent: analyst'));
  await page.locator('#colour').selectOption('label:agent');
  assert.match(await text(opened, '.legend'), /archivist.*analyst/s);
  await page.locator('.chip').click();
  assert.is(
    await probe('total'),
    totalOf(() => true),
  );
});

inPage('a spike of the heat map is picked by dragging, and its stacks are shown', {}, async (opened) => {
  const { page, probe } = opened;
  const [from, to] = [await probe('cell', 12, 8), await probe('cell', 12, 16)];
  await page.mouse.move(...middle(from));
  await page.mouse.down();
  await page.mouse.move(...middle(to), { steps: 5 });
  await page.mouse.up();
  const range = /r=(\d+)-(\d+)/.exec(await fragment(opened));
  assert.equal([Number(range[1]), Number(range[2])], [616, 634]);
  let wanted = 0;
  run.timeline.bucket.forEach((bucket, i) => {
    if (bucket >= 616 && bucket < 634) wanted += run.timeline.value[i];
  });
  assert.is(await probe('total'), wanted);
  assert.match(await text(opened, '.table-row'), /pbkdf2Sync/);
  assert.match(await text(opened, '.chip'), /12\.32 s to 12\.68 s/);
  await page.keyboard.press('Escape');
  await page
    .locator('.chip')
    .click({ timeout: 1000 })
    .catch(() => undefined);
  assert.is(
    await probe('total'),
    totalOf(() => true),
  );
});

inPage('the heat map by keyboard, and by two clicks', {}, async (opened) => {
  const { page, probe } = opened;
  await page.locator('.heat canvas').focus();
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'Shift+ArrowDown', 'Shift+ArrowDown', 'Enter'])
    await page.keyboard.press(key);
  // Cells of 40 ms, two buckets; a column a second: from (1, 1) to (1, 3).
  assert.match(await fragment(opened), /r=52-58/);
  await page.keyboard.press('Escape');
  assert.is(await fragment(opened), '');
  await page.mouse.click(...middle(await probe('cell', 3, 2)));
  await page.mouse.click(...middle(await probe('cell', 4, 0)));
  assert.match(await fragment(opened), /r=154-202/);
});

inPage(
  'keyboard: walk, zoom, sandwich, icicle and flame, lines, theme, copy, help',
  { permissions: ['clipboard-read', 'clipboard-write'] },
  async (opened) => {
    const { page, probe } = opened;
    await page.locator('.graph').first().focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
    assert.is(await probe('selected'), 'rankDocuments');
    await page.keyboard.press('ArrowLeft');
    assert.is(await probe('selected'), 'queryRecords');
    await page.keyboard.press('ArrowUp');
    assert.is(await probe('selected'), 'runAgent');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.ok(Math.abs((await probe('frame', 'rankDocuments')).width - (await probe('frame', 'all')).width) < 1);
    await page.keyboard.press('c');
    await page.waitForFunction(() => !document.querySelector('.toast').hidden);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(
      copied,
      /^rankDocuments, rank\.ts:12, .*\n {4}at rankDocuments \(\/srv\/shop\/src\/rank\.ts:12\)\n {4}at runAgent .*\n[\s\S]*processTicksAndRejections/,
    );
    await page.keyboard.press('s');
    assert.match(await fragment(opened), /v=sandwich/);
    await painted(page);
    assert.ok(await probe('caller', 'runAgent'));
    assert.ok(await probe('callee', 'cosineSimilarity'));
    await page.keyboard.press('g');
    await page.keyboard.press('i');
    await painted(page);
    assert.ok((await probe('frame', 'all')).y > (await probe('frame', 'rankDocuments')).y, 'callers below');
    await page.keyboard.press('l');
    assert.match(await fragment(opened), /l=1/);
    await page.keyboard.press('t');
    assert.is(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.keyboard.press('?');
    assert.ok(await page.locator('dialog').isVisible());
    await page.keyboard.press('Escape');
    assert.not.ok(await page.locator('dialog').isVisible());
  },
);

inPage('table: functions, packages, files; a row opens the sandwich', {}, async (opened) => {
  const { page } = opened;
  await page.getByRole('button', { name: 'Packages' }).click();
  assert.match(await text(opened, '.table-rows'), /\(application\).*htmlparser2/s);
  await page.getByRole('button', { name: 'Files' }).click();
  assert.match(await text(opened, '.table-rows'), /rank\.ts/);
  await page.getByRole('button', { name: 'Functions' }).click();
  await page.getByRole('columnheader', { name: 'Total' }).click();
  assert.match(await text(opened, '.table-row'), /processTicksAndRejections/);
  await page.locator('.table-row').nth(3).dblclick();
  assert.match(await text(opened, '.crumbs'), /Callers and callees of/);
});

inPage('frame panel: hottest lines', { fragment: '#s=frame' }, async (opened) => {
  await click(opened, 'cosineSimilarity');
  const lines = await opened.page.locator('.lines tbody tr').allInnerTexts();
  assert.equal(
    lines.map((line) => line.split('\t')[0]),
    ['46', '47'],
  );
});

inPage(
  'a deep link opens what it shows; noise in it is left out',
  { fragment: '#f=agent=researcher&g=tool&q=parse&up=1&th=dark&s=labels&r=x&z=999999&f=agent=nobody&g=none' },
  async (opened) => {
    const { page, probe } = opened;
    assert.is(
      await probe('total'),
      totalOf((sample) => label(sample, 'agent') === 'researcher'),
    );
    assert.ok(await probe('frame', 'tool: fetchPage'));
    assert.is(await page.locator('#search').inputValue(), 'parse');
    assert.is(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    assert.is(await page.getByRole('tab', { name: 'Labels' }).getAttribute('aria-selected'), 'true');
  },
);

inPage('a narrow screen: nothing sticks out, tap shows, second tap zooms, the sheet opens', PHONE, async (opened) => {
  const { page, probe } = opened;
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  const at = middle(await probe('frame', 'rankDocuments'));
  await page.touchscreen.tap(...at);
  assert.match(await text(opened, '.tip'), /rankDocuments.*Tap again to zoom/s);
  assert.equal(await probe('part'), [0, 1]);
  await page.touchscreen.tap(...at);
  assert.ok((await probe('part'))[1] - (await probe('part'))[0] < 0.5);
  assert.not.ok(await page.locator('.panel-functions').isVisible());
  await page.getByRole('tab', { name: 'Table' }).tap();
  assert.ok(await page.locator('.panel-functions').isVisible());
  const sheet = await page.locator('.side').boundingBox();
  assert.ok(sheet.width === 390 && sheet.y + sheet.height <= 781);
  await page.getByText('Options').tap();
  assert.ok(await page.locator('#group').isVisible());
});

const slower = service({ seed: 8, heavier: { archivist: 0.9 } });
inPage(
  'difference: both values, normalised or absolute, palettes',
  { content: differentialHtml(run.profile, slower.profile) },
  async (opened) => {
    const { page, probe } = opened;
    await page.mouse.move(...middle(await probe('frame', 'archiveNotes')));
    assert.match(await text(opened, '.tip'), /before.*%.*after.*%.*change\s+\+\d+\.\d pp/s);
    await page.getByRole('button', { name: 'Absolute' }).click();
    await page.mouse.move(5, 5);
    await page.mouse.move(...middle(await probe('frame', 'archiveNotes')));
    assert.match(await text(opened, '.tip'), /change\s+\+\d+(?:\.\d+)? (?:s|ms)/);
    await page.locator('#palette').selectOption('orange-blue');
    await page.locator('#width').selectOption('after');
    assert.match(await fragment(opened), /pal=orange-blue&w=after&abs=1/);
    assert.is(
      await probe('total'),
      slower.profile.samples.reduce((sum, { values }) => sum + values[1], 0),
    );
  },
);

const wall = profileOf([{ stack: 'idle;wait', value: 900 }], {
  types: [
    ['samples', 'count'],
    ['wall', 'nanoseconds'],
  ],
});
inPage(
  'several profiles in one page',
  {
    content: flameGraphHtml([
      { name: 'cpu.pb.gz', ...run },
      { name: 'wall.pb.gz', profile: wall },
    ]),
  },
  async (opened) => {
    const { page, probe } = opened;
    await page.locator('#type').selectOption({ label: 'wall (nanoseconds)' });
    await page.waitForFunction((total) => globalThis.strobePage.probe.total() === total, 900 * MS);
    assert.ok(await probe('frame', 'wait'));
    assert.ok(await page.locator('.heat').isHidden());
    await page.locator('#type').selectOption({ label: 'cpu (nanoseconds)' });
    assert.is(
      await probe('total'),
      totalOf(() => true),
    );
  },
);

const HOSTILE = [
  '<script>alert(1)</script>',
  '"\'><img src=x onerror=alert(1)>',
  'a\u202egnol\u200f',
  `long${'x'.repeat(10_240)}`,
  '</script>',
  '<!--',
  '\ud800lone',
  'line\u2028sep',
  '__proto__',
  'constructor',
  '%s$[x]{{y}}',
  '',
];
const hostile = profileOf(
  HOSTILE.map((name) => ({ stack: [name, `${name}@`], value: 10, labels: { [name || 'empty']: name, agent: name } })),
  { comments: HOSTILE },
);
inPage(
  'hostile names are text',
  { content: flameGraphHtml([{ name: HOSTILE.join(' '), profile: hostile }], { title: HOSTILE.join(' ') }) },
  async (opened) => {
    const { page, probe } = opened;
    page.on('dialog', () => assert.unreachable('a dialog opened'));
    for (const name of HOSTILE) {
      const box = await probe('frame', name || '(anonymous)');
      assert.ok(box, `frame ${JSON.stringify(name.slice(0, 40))}`);
      await page.mouse.move(...middle(box));
    }
    await page.getByRole('tab', { name: 'Labels' }).click();
    for (const key of ['agent', '__proto__', '<script>alert(1)</script>']) await page.locator('#group').selectOption(key);
    await page.getByRole('checkbox', { name: '<script>' }).first().click();
    assert.match(await fragment(opened), /f=/);
    const elements = await page.evaluate(() => [document.querySelectorAll('script').length, document.querySelectorAll('img').length]);
    assert.equal(elements, [3, 0]);
    assert.ok(!(await page.locator('body').innerText()).includes('\u202e'));
  },
);

inPage('no samples', { content: flameGraphHtml([{ name: 'empty', profile: profileOf([]) }]) }, async (opened) => {
  assert.match(await text(opened, '.empty-graph'), /no samples/);
});

test.run();
