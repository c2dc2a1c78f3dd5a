// The page's entry: reads the blocks that the writer left in the document, starts the app, and says so when something is missing.

import { unpackColumns } from '../formats/flamegraph/columns';
import type { PageHead } from '../formats/flamegraph/page-data';
import { App } from './app';
import { h, replace } from './dom';
import { Model } from './model';

declare global {
  interface Window {
    /** Where things are drawn, and a promise for the first picture: for measurements and tests. */
    strobePage?: { ready: Promise<void>; probe?: App['probe'] };
  }
}

function block(id: string): string {
  const text = document.getElementById(id)?.textContent;
  if (!text) throw new Error(`the page is damaged: its part "${id}" is missing or empty`);
  return text;
}

async function loadModel(head: PageHead, profile: number): Promise<Model> {
  if (typeof DecompressionStream === 'undefined')
    throw new Error('this browser is too old: it cannot unpack gzip (Chrome 80, Firefox 113 and Safari 16.4 can)');
  const text = atob(block(`profile-${profile}`));
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const types = head.profiles[profile]?.types.length ?? 0;
  return new Model(unpackColumns(bytes, head.kind === 'diff' ? 2 * types : types));
}

const nextFrame = () => new Promise<void>((resolve) => requestAnimationFrame(() => resolve()));

async function start(): Promise<void> {
  const root = document.getElementById('app') as HTMLElement;
  try {
    const head = JSON.parse(block('head')) as PageHead;
    const app = new App(root, head, (profile) => loadModel(head, profile));
    await app.start();
    if (window.strobePage) window.strobePage.probe = app.probe;
    // The graph draws in the next frame, which is on the screen in the one after.
    await nextFrame();
    await nextFrame();
    performance.mark('strobe-first-picture');
  } catch (error) {
    replace(
      root,
      h(
        'p',
        { class: 'failed', role: 'alert' },
        `The flame graph cannot be shown: ${error instanceof Error ? error.message : String(error)}`,
      ),
    );
    throw error;
  }
}

window.strobePage = { ready: Promise.resolve() };
window.strobePage.ready = start();
