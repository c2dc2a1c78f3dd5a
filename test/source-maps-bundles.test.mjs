// Real bundles: a small TypeScript program, bundled and minified by esbuild in several ways. V8 itself says where the bundle's functions start and what it
// calls them (--log-code, the text that the engine's code events have); every one of them must come out with its original name, file and line. Places inside
// functions are those of numbers that the minifier leaves in the text.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DIST, folder, runNode } from './helpers.mjs';
import { framesOf, rowsOf, sliceOf } from './map-helpers.mjs';

const require = createRequire(import.meta.url);
const { SliceMapper } = require(join(DIST, 'pprof', 'source-maps', 'mapper.js'));

const UTIL = `export interface Item { value: number }

export function sumItems(items: Item[]): number {
  let total = 1000001;
  for (const item of items) total += item.value;
  return total;
}

export const doubleItems = (items: Item[]) => items.map((entry) => ({ value: entry.value * 1000002 }));
export const asyncArrow = async (x: number) => { await null; return x + 1000003; };
export const oneParam = (p: number) => { console.log(p); return p * 1000004; };

export class Counter {
  #hidden = 1;
  count = 5;
  static made = 0;
  constructor(private start: number) {
    Counter.made++;
    this.count = start + 1000005;
  }
  get current() { return this.count + 1000006; }
  increase(by: number) { this.count += by + this.#secret(); return this; }
  #secret() { return this.#hidden + 1000007; }
  static create(n: number) { return new Counter(n); }
}
export class Stack {
  items: number[] = [];
  push(n: number) { this.items.push(n); return this; }
  constructor(first: number) { if (first > 1000008) this.push(first); }
}
export function* generate(n: number) { for (let i = 0; i < n; i++) yield i + 1000009; }
`;
const MAIN = `import { asyncArrow, Counter, doubleItems, generate, oneParam, Stack, sumItems } from './lib/util';

function outerFunction(count: number) {
  function nestedFunction(depth: number): number {
    return depth <= 0 ? count + 1000010 : nestedFunction(depth - 1) + 1;
  }
  const localArrow = (depth: number) => nestedFunction(depth) * 1000011;
  return [1, 2, 3].map(function namedCallback(v) { return localArrow(v); }).concat([1].map((w) => w + count));
}

const legacy: any = function (this: any) { this.kept = 1000012; };
legacy.prototype.run = function () { return this.kept; };

async function mainProgram() {
  console.log(sumItems(doubleItems([{ value: 1 }, { value: 2 }])), outerFunction(3));
  console.log(Counter.create(3).increase(2).current, new Counter(process.argv.length).current, new Stack(1e9).items);
  console.log([...generate(3)], await asyncArrow(1), oneParam(2), oneParam(3), new legacy().run());
}
void mainProgram();
void mainProgram();
`;

/** Line of the first occurrence. */
const lineOf = (source, text) => source.slice(0, source.indexOf(text)).split('\n').length;

async function bundle(options) {
  const dir = folder();
  writeFileSync(join(dir, 'main.ts'), MAIN);
  mkdirSync(join(dir, 'lib'));
  writeFileSync(join(dir, 'lib', 'util.ts'), UTIL);
  const outfile = join(dir, 'dist', options.format === 'esm' ? 'out.mjs' : 'out.cjs');
  await build({
    entryPoints: [join(dir, 'main.ts')],
    bundle: true,
    platform: 'node',
    sourcemap: true,
    outfile,
    logLevel: 'error',
    ...options,
  });
  return { dir, outfile, text: readFileSync(outfile, 'utf8') };
}

/** The functions of a program as V8 announces them. */
async function functionsOf(path) {
  const log = join(folder(), 'v8.log');
  const end = await runNode(['--log-code', '--no-logfile-per-isolate', `--logfile=${log}`, path]);
  assert.is(end.code, 0, end.stderr);
  const functions = new Map();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    // code-creation,JS,10,77000,0x1234,150,name /path/out.cjs:1:23,0x5678,~
    const place = line.indexOf(path);
    if (!line.startsWith('code-creation,') || place < 0) continue;
    const [, at, column] = /^:(\d+):(\d+)/.exec(line.slice(place + path.length)) ?? [];
    if (at === undefined) continue;
    const name =
      line
        .slice(line.lastIndexOf(',', place) + 1, place)
        .replace(/file:\/\/$/, '')
        .trim() || '(anonymous)';
    functions.set(`${at}:${column}`, { name, start: [Number(at), Number(column)] });
  }
  return [...functions.values()];
}

/** Maps every function of the bundle, with frames at the given places of the first; as 'name file:line:column', the file relative to the program's folder. */
async function mapBundle({ dir, outfile }, frames = [], kind = { kind: 1, url: outfile.replace(/.*\//, '').concat('.map') }) {
  const functions = await functionsOf(outfile);
  const slice = sliceOf(functions.map((func, index) => ({ ...func, file: outfile, ...kind, frames: index === 0 ? frames : [[0, 0]] })));
  const mapper = new SliceMapper();
  const mapped = mapper.apply(slice).slice;
  assert.is(mapper.counts.loaded, 1, mapper.firstFailure);
  const short = (texts) => texts.map((text) => text.replaceAll(`${dir}/`, ''));
  return { rows: short(rowsOf(mapped)), frames: short(framesOf(mapped)), minified: functions.map(({ name }) => name) };
}

const EXPECTED = [
  ['sumItems', 'lib/util.ts', 'function sumItems'],
  ['doubleItems', 'lib/util.ts', 'const doubleItems'],
  ['asyncArrow', 'lib/util.ts', 'const asyncArrow'],
  ['oneParam', 'lib/util.ts', 'const oneParam'],
  ['Counter', 'lib/util.ts', 'constructor(private'],
  ['get current', 'lib/util.ts', 'get current'],
  ['increase', 'lib/util.ts', 'increase(by'],
  ['#secret', 'lib/util.ts', '  #secret()'],
  ['create', 'lib/util.ts', 'static create'],
  ['Stack', 'lib/util.ts', 'constructor(first'],
  ['push', 'lib/util.ts', 'push(n'],
  ['generate', 'lib/util.ts', 'function* generate'],
  ['outerFunction', 'main.ts', 'function outerFunction'],
  ['nestedFunction', 'main.ts', 'function nestedFunction'],
  ['localArrow', 'main.ts', 'const localArrow'],
  ['legacy', 'main.ts', 'const legacy'],
  ['legacy.run', 'main.ts', 'legacy.prototype.run'],
  ['mainProgram', 'main.ts', 'async function mainProgram'],
];

// What esbuild itself calls a class that names itself, unless the map says better.
const OWN_NAME = { _Counter: 'Counter', secret_fn: '#secret' };

for (const [what, options, leftOut = []] of [
  ['minified', { minify: true }],
  ['minified, ES module, with an inline map', { minify: true, format: 'esm', sourcemap: 'inline' }],
  ['minified for an older target', { minify: true, target: 'es2020' }],
  ['minified, with letters that are not ASCII', { minify: true, charset: 'utf8', banner: { js: '/* 😀 ü */' } }],
  // `a=n(x=>x,"oneParam")`: V8 has no name for it.
  ['minified, names kept', { minify: true, keepNames: true }, ['doubleItems', 'asyncArrow', 'oneParam', 'localArrow', 'legacy']],
  ['as it is', { minify: false }],
]) {
  test(`a bundle, ${what}: names, files, lines`, async () => {
    const made = await bundle(options);
    const { rows, minified } = await mapBundle(made, [], options.sourcemap === 'inline' ? { kind: 2 } : undefined);
    const found = rows.map((row) => {
      const [, name, file, line] = /^(.*) (\S+):(\d+):\d+$/.exec(row);
      return { name: OWN_NAME[name] ?? name, own: name, file, line: Number(line) };
    });
    for (const [name, file, text] of EXPECTED) {
      if (leftOut.includes(name)) continue;
      const line = lineOf(file === 'main.ts' ? MAIN : UTIL, text);
      assert.ok(
        found.some((func) => func.name === name && func.file === file && func.line === line),
        `${name} ${file}:${line} is not in\n${rows.join('\n')}\nof ${minified.join(' ')}`,
      );
    }
    // No name is another function's: what is not V8's stands on the line that it is given for, or is the class of a constructor there.
    for (const [index, { name, own, file, line }] of found.entries()) {
      if (own === minified[index] || !file.endsWith('.ts')) continue;
      const source = (file === 'main.ts' ? MAIN : UTIL).split('\n')[line - 1];
      const word = name.replace(/^get |^.*\./, '');
      assert.ok(source.includes(word) || source.includes('constructor'), `${minified[index]} became ${rows[index]}`);
    }
  });
}

test('places inside a minified bundle lead to their lines', async () => {
  const made = await bundle({ minify: true });
  // esbuild writes 1000001 as it is; a number that it folds away is not looked for.
  const markers = Array.from({ length: 12 }, (_, n) => String(1000001 + n)).filter((marker) => made.text.includes(marker));
  assert.ok(markers.length >= 11, markers.join());
  const lines = made.text.split('\n');
  const places = markers.map((marker) => {
    const line = lines.findIndex((text) => text.includes(marker));
    return [line + 1, lines[line].indexOf(marker) + 1];
  });
  const { frames } = await mapBundle(made, places);
  for (const [index, marker] of markers.entries()) {
    const [file, source] = UTIL.includes(marker) ? ['lib/util.ts', UTIL] : ['main.ts', MAIN];
    assert.match(frames[index], new RegExp(` ${file}:${lineOf(source, marker)}:\\d+$`), marker);
  }
});

test.run();
