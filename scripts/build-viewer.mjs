// The code and the style of the flame graph page (src/viewer) -> dist/viewer/bundle.js, which exports them as the strings `script` and `style`.
// Part of `npm run build:ts`, after the types were checked (tsc -p src/viewer/tsconfig.json). Needs no network.
//
// Contract: prints one line; exit code 1 when esbuild finds an error, or when the text could end the element that holds it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { isMain, root } from './build-native.mjs';

/** What the page may ask of a browser: DecompressionStream and 100dvh came last. */
const TARGET = ['chrome111', 'firefox113', 'safari16.4'];

async function bundle(entry, loader) {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src', 'viewer', entry)],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: TARGET,
    // Non-ASCII characters as escapes: the text is the same whatever the file is taken for, and so is its hash.
    charset: 'ascii',
    legalComments: 'none',
    loader,
    logLevel: 'error',
  });
  return outputFiles[0].text.trim();
}

export async function buildViewer() {
  const script = await bundle('main.ts');
  const style = await bundle('style.css');
  for (const [name, text] of Object.entries({ script, style })) {
    if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`src/viewer: the ${name} holds text that would end its element`);
  }
  const folder = join(root, 'dist', 'viewer');
  mkdirSync(folder, { recursive: true });
  const text = [
    '// Made by scripts/build-viewer.mjs of src/viewer.',
    "'use strict';",
    `exports.script = ${JSON.stringify(script)};`,
    `exports.style = ${JSON.stringify(style)};`,
    '',
  ].join('\n');
  writeFileSync(join(folder, 'bundle.js'), text);
  return { script: script.length, style: style.length };
}

if (isMain(import.meta.url)) {
  try {
    const { script, style } = await buildViewer();
    console.log(`flame graph page: ${(script / 1024).toFixed(1)} KiB of code, ${(style / 1024).toFixed(1)} KiB of style`);
  } catch (error) {
    console.error(`build-viewer: ${error.message}`);
    process.exitCode = 1;
  }
}
