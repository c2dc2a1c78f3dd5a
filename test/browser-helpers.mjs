// A headless browser for the tests of the flame graph page, the pictures and the bench: found on the machine, never downloaded. Where there is none, tests
// skip by name. What a page asks of the network and what its policy refuses is collected, so that a test can say that both are nothing.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { folder } from './helpers.mjs';

const PLACES = [
  process.env.STROBE_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Path of a browser; undefined for none. STROBE_CHROMIUM names another, an empty one none. */
export const BROWSER = process.env.STROBE_CHROMIUM === '' ? undefined : PLACES.find((path) => path && existsSync(path));

/** A machine with two cores and others' work on it. */
const LIMIT_MS = 30_000;

export function launch() {
  return chromium.launch({
    executablePath: BROWSER,
    headless: true,
    timeout: LIMIT_MS,
    args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
  });
}

/**
 * Opens a page from disk and waits for its first picture.
 * @returns {Promise<{page: import('playwright-core').Page, requests: string[], violations: string[], errors: string[], probe: (what: string, ...args: unknown[]) => Promise<any>}>}
 */
export async function openPage(browser, html, { fragment = '', wait = true, path = join(folder(), 'page.html'), ...options } = {}) {
  if (html !== undefined) writeFileSync(path, html);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  const requests = [];
  const violations = [];
  const errors = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text());
    else if (message.type() === 'error') errors.push(message.text());
  });
  await page.addInitScript(() => {
    globalThis.policyViolations = [];
    addEventListener('securitypolicyviolation', (event) =>
      globalThis.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(pathToFileURL(path).href + fragment);
  if (wait) await page.waitForFunction(() => performance.getEntriesByName('strobe-first-picture').length > 0);
  const probe = (what, ...args) => page.evaluate(([name, values]) => globalThis.strobePage.probe[name](...values), [what, args]);
  return { page, requests, violations, errors, probe };
}

/** The next picture is on the screen. */
export function painted(page) {
  return page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(undefined)))));
}

export const middle = ({ x, y, width, height }) => [x + Math.min(width / 2, 60), y + height / 2];
