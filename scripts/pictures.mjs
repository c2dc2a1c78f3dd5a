// The pictures of docs/: `node scripts/pictures.mjs [FOLDER]` makes a page of a made-up service (test/flamegraph-helpers.mjs: the same each time) and photographs
// each view in a headless browser; and the page of the last `npm run demo`, when there is one. Default folder: docs/pictures. Needs a Chromium (STROBE_CHROMIUM names one) and `npm run build:ts`.
//
// Contract: one line a picture; exit code 1 when there is no browser, or a page reported an error, a request or a violation of its policy.

import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, resolve } from 'node:path';
import { BROWSER, launch, middle, openPage, painted } from '../test/browser-helpers.mjs';
import { service } from '../test/flamegraph-helpers.mjs';
import { DIST, ROOT } from '../test/helpers.mjs';

const require = createRequire(import.meta.url);
const { differentialHtml, flameGraphHtml } = require(join(DIST, 'formats', 'flamegraph', 'html.js'));

const DESKTOP = { viewport: { width: 1200, height: 700 } };
const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, deviceScaleFactor: 1.5 };

const run = service();
const cpu = { name: 'cpu.pb.gz', ...run };
const plain = flameGraphHtml([cpu], { title: 'shop, 30 s under load' });
const slower = service({ seed: 8, heavier: { archivist: 0.9, planner: 0.8 } });
const difference = differentialHtml(run.profile, slower.profile, { title: 'shop: release 41 → 42', names: ['release 41', 'release 42'] });

const click = async (opened, box) => opened.page.mouse.click(...middle(box));
const hover = async (opened, name) => opened.page.mouse.move(...middle(await opened.probe('frame', name)));

/** name -> page, browser settings, fragment of the address, what is done before the picture. */
const PICTURES = {
  'flame-graph': { html: plain, act: (opened) => hover(opened, 'rankDocuments') },
  search: { html: plain, fragment: '#q=zlib', act: (opened) => hover(opened, 'gzipSync') },
  labels: { html: plain, fragment: '#g=agent&c=label:tool&s=labels' },
  zoom: {
    html: plain,
    fragment: '#s=frame',
    act: async (opened) => {
      await click(opened, await opened.probe('frame', 'rankDocuments'));
      await click(opened, await opened.probe('frame', 'cosineSimilarity'));
      await opened.page.mouse.move(600, 600);
    },
  },
  sandwich: {
    html: plain,
    act: async (opened) => {
      await click(opened, await opened.probe('frame', 'runAgent'));
      await opened.page.keyboard.press('s');
      await opened.page.mouse.move(600, 640);
    },
  },
  'heat-map': {
    html: plain,
    act: async (opened) => {
      const [from, to] = [await opened.probe('cell', 12, 7), await opened.probe('cell', 12, 17)];
      await opened.page.mouse.move(...middle(from));
      await opened.page.mouse.down();
      await opened.page.mouse.move(...middle(to), { steps: 4 });
      await opened.page.mouse.up();
      await opened.page.mouse.move(600, 640);
    },
  },
  packages: { html: plain, fragment: '#c=package&up=1', act: (opened) => opened.page.getByRole('button', { name: 'Packages' }).click() },
  dark: {
    html: plain,
    settings: { ...DESKTOP, colorScheme: 'dark' },
    fragment: '#g=thread_name',
    act: (opened) => hover(opened, 'fetchPage'),
  },
  difference: { html: difference, act: (opened) => hover(opened, 'archiveNotes') },
  'difference-colour-blind': { html: difference, settings: { ...DESKTOP, colorScheme: 'dark' }, fragment: '#pal=orange-blue&abs=1' },
  phone: {
    html: plain,
    settings: PHONE,
    act: async (opened) => {
      await opened.page.touchscreen.tap(...middle(await opened.probe('frame', 'rankDocuments')));
    },
  },
  'phone-table': { html: plain, settings: PHONE, act: (opened) => opened.page.getByRole('tab', { name: 'Table' }).tap() },
  'phone-dark': { html: plain, settings: { ...PHONE, colorScheme: 'dark' }, act: (opened) => opened.page.getByText('Options').tap() },
};

/** The README's picture: of a real run. */
const DEMO = join(ROOT, 'strobe-out', 'flamegraph.html');
if (existsSync(DEMO)) PICTURES.demo = { html: readFileSync(DEMO, 'utf8'), settings: { viewport: { width: 1200, height: 760 } } };

async function main() {
  if (!BROWSER) {
    console.error('pictures: no Chromium found; STROBE_CHROMIUM=<path> names one');
    return 1;
  }
  const folder = resolve(process.argv[2] ?? join(ROOT, 'docs', 'pictures'));
  mkdirSync(folder, { recursive: true });
  const browser = await launch();
  let problems = 0;
  try {
    for (const [name, { html, settings = DESKTOP, fragment = '', act }] of Object.entries(PICTURES)) {
      const opened = await openPage(browser, html, { ...settings, fragment });
      await act?.(opened);
      await painted(opened.page);
      const path = join(folder, `${name}.png`);
      await opened.page.screenshot({ path });
      const wrong = [...opened.errors, ...opened.violations, ...opened.requests.slice(1)];
      problems += wrong.length;
      console.log(
        `${relative(process.cwd(), path)}: ${Math.round(statSync(path).size / 1024)} KiB${wrong.map((text) => `\n  ${text}`).join('')}`,
      );
      await opened.page.context().close();
    }
  } finally {
    await browser.close();
  }
  return problems > 0 ? 1 : 0;
}

process.exitCode = await main();
