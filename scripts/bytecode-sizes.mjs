// `node scripts/bytecode-sizes.mjs [--skeleton] [node …]`: is native/v8/bytecode_sizes.cc true of these Node binaries?
//
// Contract: for each binary (default: every supported major that scripts/nodes.mjs has fetched, else the running one)
//   - it runs a program with --print-bytecode (the TypeScript compiler and a varied one from here) and compares the opcode, the name and the
//     length of every instruction in the dump with the table, and each instruction's place with the end of the one before;
//   - where the binary keeps its symbols (the official ones do) it compares every opcode at every scale with V8's own table of sizes.
//   One line a binary: what was seen, or the mismatches. Exit code 1 on a mismatch, an unknown V8 or a dump that cannot be read.
//   `--skeleton` prints the rows of the table as that binary has them instead, for a new V8; rows marked `?` need a look at V8's sources.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { cleanEnv, isMain, root, run } from './build-native.mjs';
import { MAJORS, nodeBinary } from './nodes.mjs';

const PREFIX_SCALES = new Map([
  ['Wide', 2],
  ['ExtraWide', 4],
  ['DebugBreakWide', 2],
  ['DebugBreakExtraWide', 4],
]);
const SCALES = [1, 2, 4];
const MOST_SHOWN = 20;

/** The rows of bytecode_sizes.cc by V8 version: Map('14.6' -> [{ name, fixed, scaling }], in the order of the opcodes). */
function readTables() {
  const source = readFileSync(join(root, 'native', 'v8', 'bytecode_sizes.cc'), 'utf8');
  const masks = new Map();
  for (const declaration of source.matchAll(/^constexpr uint8_t ([^;]+);/gm)) {
    for (const [, name, value] of declaration[1].matchAll(/(\w+) = ([^,]+)/g)) {
      const terms = value.split('|').map((term) => (/^\s*\d+\s*$/.test(term) ? Number(term) : masks.get(term.trim())));
      masks.set(
        name,
        terms.reduce((mask, term) => mask | term, 0),
      );
    }
  }
  const rows = [...source.matchAll(/^\s*\{"(\w+)", (\d+), (\d+), (\w+)\},?$/gm)].map(([, name, fixed, scaling, versions]) => {
    if (!masks.has(versions)) throw new Error(`bytecode_sizes.cc: row ${name} names unknown versions ${versions}`);
    return { name, fixed: Number(fixed), scaling: Number(scaling), mask: masks.get(versions) };
  });
  const tables = new Map();
  for (const [, major, minor, table] of source.matchAll(/case (\d+)'(\d+):\s+return &kSizes(\d+);/g)) {
    const mask = masks.get(`k${table}`);
    tables.set(
      `${major}.${Number(minor)}`,
      rows.filter((row) => (row.mask & mask) !== 0),
    );
  }
  if (rows.length === 0 || tables.size === 0) throw new Error('bytecode_sizes.cc: no rows or no versions found; its form has changed');
  return tables;
}

const sizeOf = (row, scale) => row.fixed + scale * row.scaling;

/** V8's own sizes from the symbol table: [{ fixed, scaling }] by opcode, or null when the binary has no such symbol. */
function readElfSizes(binary) {
  const file = openSync(realpathSync(binary), 'r');
  try {
    const read = (offset, length) => {
      const bytes = Buffer.alloc(length);
      readSync(file, bytes, 0, length, offset);
      return bytes;
    };
    const header = read(0, 64);
    if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return null; // not a little-endian ELF64
    const count = header.readUInt16LE(60);
    const table = read(Number(header.readBigUInt64LE(40)), count * 64);
    const sections = Array.from({ length: count }, (_, i) => ({
      type: table.readUInt32LE(i * 64 + 4),
      address: Number(table.readBigUInt64LE(i * 64 + 16)),
      offset: Number(table.readBigUInt64LE(i * 64 + 24)),
      size: Number(table.readBigUInt64LE(i * 64 + 32)),
      link: table.readUInt32LE(i * 64 + 40),
    }));
    const symbols = sections.find((section) => section.type === 2);
    if (symbols === undefined) return null;
    const strings = sections[symbols.link];
    const names = read(strings.offset, strings.size);
    const nameAt = names.indexOf('\0_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE\0') + 1;
    if (nameAt === 0) return null;
    const entries = read(symbols.offset, symbols.size);
    for (let at = 0; at < entries.length; at += 24) {
      if (entries.readUInt32LE(at) !== nameAt) continue;
      const address = Number(entries.readBigUInt64LE(at + 8));
      const size = Number(entries.readBigUInt64LE(at + 16));
      const home = sections.find((s) => s.type === 1 && address >= s.address && address < s.address + s.size);
      return layouts(read(home.offset + address - home.address, size));
    }
    return null;
  } finally {
    closeSync(file);
  }
}

/** From V8's three rows of sizes (scales 1, 2, 4) to the form of the table. */
function layouts(bytes) {
  const count = bytes.length / SCALES.length;
  return Array.from({ length: count }, (_, opcode) => {
    const sizes = SCALES.map((_, i) => bytes[i * count + opcode]);
    const row = { scaling: sizes[1] - sizes[0], fixed: 2 * sizes[0] - sizes[1] };
    if (sizes[2] !== sizeOf(row, 4)) throw new Error(`opcode ${opcode}: sizes ${sizes} are not fixed bytes plus scaling operands`);
    return row;
  });
}

/** Runs the binary over the programs and calls `seen` for each instruction of the dump: (bytes, name, scale), or for a broken line. */
async function dump(binary, seen) {
  const folder = mkdtempSync(join(tmpdir(), 'bytecode-sizes-'));
  try {
    const file = join(folder, 'program.js');
    writeFileSync(file, program());
    const child = spawn(binary, ['--print-bytecode', '--no-flush-bytecode', file], {
      cwd: root,
      env: cleanEnv(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((done, failed) => child.on('error', failed).on('close', (code, signal) => done(code ?? signal)));
    let end = 0;
    let instructions = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /0x[0-9a-f]+ @ +(\d+) : ((?:[0-9a-f]{2} )+) *(\w+)(?:\.(\w+))?/.exec(line);
      if (found === null) {
        if (line.startsWith('[generated bytecode')) end = 0;
        continue;
      }
      const at = Number(found[1]);
      const bytes = Uint8Array.from(found[2].trim().split(' '), (digits) => Number.parseInt(digits, 16));
      seen({ bytes, name: found[3], scale: PREFIX_SCALES.get(found[4]) ?? 1, gap: at !== end && at !== 0, line: line.trim() });
      end = at + bytes.length;
      instructions++;
    }
    const code = await ended;
    if (code !== 0) throw new Error(`the program ended with ${code}`);
    return instructions;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compares one binary with the table; returns the mismatches and a summary. */
async function check(binary, version, table) {
  const wrong = [];
  const opcodes = new Set();
  const forms = new Set();
  const instructions = await dump(binary, ({ bytes, name, scale, gap, line }) => {
    const prefix = scale === 1 ? 0 : 1;
    const row = table[bytes[prefix]];
    opcodes.add(bytes[0]).add(bytes[prefix]);
    forms.add(bytes[prefix] * 8 + scale);
    if (prefix === 1 && PREFIX_SCALES.get(table[bytes[0]]?.name) !== scale) wrong.push(`no such prefix: ${line}`);
    else if (row === undefined) wrong.push(`no such opcode: ${line}`);
    else if (row.name !== name) wrong.push(`named ${row.name}: ${line}`);
    else if (prefix + sizeOf(row, scale) !== bytes.length) wrong.push(`${prefix + sizeOf(row, scale)} bytes expected: ${line}`);
    else if (gap) wrong.push(`does not follow the instruction before: ${line}`);
  });
  if (instructions === 0) wrong.push('the dump holds no instruction: has --print-bytecode changed?');
  const own = readElfSizes(binary);
  if (own !== null && own.length !== table.length) wrong.push(`V8 has ${own.length} opcodes, the table ${table.length}`);
  for (const [opcode, row] of own?.entries() ?? []) {
    const ours = table[opcode];
    if (ours !== undefined && (ours.fixed !== row.fixed || ours.scaling !== row.scaling)) {
      wrong.push(`opcode ${opcode} ${ours.name}: V8 says ${row.fixed} bytes and ${row.scaling} scaling operands`);
    }
  }
  const scaled = [...forms].filter((form) => form % 8 !== 1).length;
  const symbols = own === null ? "V8's own table: no symbols" : `V8's own table: ${own.length} opcodes compared`;
  const note = `V8 ${version}: ${instructions} instructions, ${opcodes.size} of ${table.length} opcodes seen, ${scaled} wide forms; ${symbols}`;
  return { wrong, note };
}

/** Prints rows for a V8 that has none yet, from its own sizes, the names in the dump, and the newest known table. */
async function skeleton(binary, version, known) {
  const names = new Map();
  const lengths = new Map();
  await dump(binary, ({ bytes, name, scale }) => {
    const opcode = bytes[scale === 1 ? 0 : 1];
    names.set(opcode, name);
    if (scale !== 1) names.set(bytes[0], scale === 2 ? 'Wide' : 'ExtraWide');
    lengths.set(opcode, { ...lengths.get(opcode), [scale]: bytes.length - (scale === 1 ? 0 : 1) });
  });
  const own = readElfSizes(binary);
  const count = own?.length ?? Math.max(...names.keys()) + 1;
  console.log(`// V8 ${version}, ${count} opcodes${own === null ? ', sizes from the dump only' : ''}`);
  let place = 0; // in the known table: the row expected next
  for (let opcode = 0; opcode < count; opcode++) {
    const name = names.get(opcode);
    const found = name === undefined ? place : known.findIndex((row) => row.name === name);
    const old = known[found];
    const row = own?.[opcode] ?? fromLengths(lengths.get(opcode)) ?? old ?? { fixed: 0, scaling: 0 };
    const notes = [];
    if (name === undefined) notes.push('? name guessed: not in the dump');
    if (own === null && fromLengths(lengths.get(opcode)) === null) notes.push('? sizes guessed: seen at fewer than two scales');
    if (old === undefined) notes.push('new');
    else if (old.fixed !== row.fixed || old.scaling !== row.scaling) notes.push(`was ${old.fixed}, ${old.scaling}`);
    console.log(
      `    {"${name ?? old?.name ?? '?'}", ${row.fixed}, ${row.scaling}, kNew},${notes.length > 0 ? `  // ${notes.join('; ')}` : ''}`,
    );
    if (found >= 0) place = found + 1;
  }
}

/** The layout when an opcode was seen at two scales or more, else null. */
function fromLengths(lengths) {
  const scales = Object.keys(lengths ?? {}).map(Number);
  if (scales.length < 2) return null;
  const [a, b] = scales;
  const scaling = (lengths[b] - lengths[a]) / (b - a);
  return { scaling, fixed: lengths[a] - a * scaling };
}

/** A program with as many kinds of instruction as is easy, wide operands of both sizes among them; it also runs the TypeScript compiler. */
function program() {
  const numbered = (count, make) => Array.from({ length: count }, (_, i) => make(i)).join('');
  const manyNames = (count) =>
    `(function () { const o = {}; return function () { ${numbered(count, (i) => `o.p${i} = o.q${i}; f(o, "s${i}");`)} }; })()`;
  const manyRegisters = `(function (x) { ${numbered(300, (i) => `let v${i} = x[${i}]; `)}
    for (const e of x) { v299 = v298 + e; v297 = v296 * e - v295; v294 = -v293; v292++; v291 = [v290, ...x]; v289 = new f(v288, v287); }
    for (const k in v286) { v285 = v284[k]; v284[k] = v283; delete v282[k]; if (v281 in v280 || v279 instanceof f) v278 = typeof v277; }
    try { v276(v275, v274, v273); v272.m(v271); v270\`a\${v269}\`; } catch (e) { v268 = e; } finally { v267 = v266 === v265; }
    switch (v264 | 0) { ${numbered(20, (i) => `case ${i}: v${i} = ${i * 70000}; break; `)} }
    return () => [${numbered(300, (i) => `v${i}, `)}]; })`;
  const varied = `
    var { a = 1, ...rest } = { a: 2, b: 3n, [f]: /x/g, get g() { return super.g; }, async *h() {}, __proto__: null };
    var [c, , d = c, ...e] = [1, 2, 3]; a ??= b?.c?.[d]?.(e); a ||= ~a >>> 2 << 1 >> 1 ^ 3 & 4 | a % 5 / 6; a &&= !void a; x = y; x++; --x;
    a = a ** b; a = a ** 2; a = a ^ b; a = a >> b; a = a >>> b; a = a << b; a = a & b; a = a | b; a = a - b; a = a / b; a = a % b; u = 'key' + a; o['key' + a];
    function* gen(p = () => arguments, ...q) { const r = yield* gen(); try { yield r; } finally { return new.target; } }
    async function as() { for await (const v of gen()) await v; await import('x'); }
    async function* ag() { yield await 1; }
    class A extends f { #p = 1; static #s = 2; static { this.t = 3; } get #g() { return this.#p; } set #g(v) { this.#p = v; } #m() { return #p in this; }
      constructor(...args) { super(...args); super.m(1); super.n = 2; this.#g = this.#m(); this.#g += A.#s; delete this.x; }
      static async m() { return () => super.m; } [Symbol.iterator]() {} }
    class B extends A {} class C { constructor() { return new B(...[1]); } }
    class D extends A { constructor() { const late = () => super(1); late(); } }
    (function () { with (a) { b = c; typeof d; e(f); delete g; } });
    (function (held) { var zz = eval('var zz = 1; zz'); typeof b; typeof held; held = zz; return () => { eval(''); typeof held; held(c); return typeof nothing; }; });
    (function () { 'use strict'; let later = 1; sloppy = 2; return () => { later++; return () => eval('later'); }; });
    label: for (let i = 0; i < 3; i++) { const n = () => i; if (i == 1) continue label; while (i < 2) { if (i > 1 && i >= 1 && i <= 1) break label; do { debugger; } while (null); } }
    f(...[1, 2], 3); new f(...[1], 2); a = \`\${a}b\${1}\`; throwing = () => { throw undefined; }; var u = {}; u[a] = b; u.c += 1; u['d']--; u = [1.5, , 'x'];
    const k = 1; { k2 = () => k; let l; l2 = () => l; } if (a == null || a === undefined) void 0; a = a !== void 0 ? true : false; JSON?.x; Symbol();
    if (a === null) b(); if (a !== null) c(); while (a !== undefined) { a = b; } for (const w of u) { l3 = () => w; } for (let [w] of u) {}
    ((x, { y }) => y)(1, {}); const copy = { ...u, z: 1 }; try { nope; } catch { } `;
  const conditions = ['=== null', '!== null', '=== undefined', '!== undefined', '== null', '!= null', '&& a.b', '|| a.b', '?? a.b']
    .map((test) => `if (a ${test}) { ${numbered(40, (i) => `a.m${i}(a, a.k${i});`)} } a = a ${test};`)
    .join(' ');
  const sources = [
    `function f() {} ${varied}`,
    `function f() {} with ({}) { ${varied} }`,
    `async function all() { ${varied} }`,
    `(function (a) { ${numbered(300, (i) => `a.n${i} = ${i}.5;`)} ${conditions} })`,
    `function f() {} (${manyRegisters})`,
    `function f() {} ${manyNames(150)}`,
    `function f() {} ${manyNames(17000)}`,
    `(function (a) { ${numbered(3000, (i) => `if (a === ${i}) { a += ${i * 40000}; for (;;) { if (a) break; a--; } }`)} while (a) { ${numbered(9000, () => 'a = a + a;')} } })`,
  ];
  return `// Each source is compiled in full; what happens when it runs does not matter.
    const vm = require('node:vm');
    const v8 = require('node:v8');
    v8.setFlagsFromString('--no-lazy');
    for (const source of ${JSON.stringify(sources)}) {
      try { new vm.Script('(function () { ' + source + ' })').runInThisContext()(); } catch (error) { if (error instanceof SyntaxError) throw error; }
    }
    v8.setFlagsFromString('--lazy');
    import('data:text/javascript,export let m = 1; export function n() { m = m + 1; return m; }').then((made) => made.n());
    const typescript = require(${JSON.stringify(join(root, 'node_modules', 'typescript'))});
    const text = 'class A<T> { constructor(private x: T) {} async m() { for await (const y of this.x as any) yield(y); } }';
    typescript.transpileModule(text, { compilerOptions: { module: 1, target: 1 } });`;
}

const askVersion = (binary) => {
  const asked = run(binary, ['-p', 'process.versions.v8'], { env: cleanEnv() });
  const found = /^(\d+)\.(\d+)\./.exec(asked.log);
  if (!asked.ok || found === null) throw new Error(`${binary} does not start: ${asked.log.trim()}`);
  return `${found[1]}.${found[2]}`;
};

async function main(args) {
  const wantsSkeleton = args.includes('--skeleton');
  const given = args.filter((arg) => arg !== '--skeleton').map((path) => resolve(path));
  const fetched = MAJORS.map(nodeBinary).filter(existsSync);
  const tables = readTables();
  let failed = false;
  for (const binary of given.length > 0 ? given : fetched.length > 0 ? fetched : [process.execPath]) {
    const version = askVersion(binary);
    const table = tables.get(version);
    if (wantsSkeleton) {
      await skeleton(binary, version, table ?? [...tables.values()].at(-1));
    } else if (table === undefined) {
      console.log(`FAIL ${basename(binary)}: V8 ${version} has no table; --skeleton prints one`);
      failed = true;
    } else {
      const { wrong, note } = await check(binary, version, table);
      console.log(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} ${note}`);
      for (const line of wrong.slice(0, MOST_SHOWN)) console.log(`     ${line}`);
      if (wrong.length > MOST_SHOWN) console.log(`     … and ${wrong.length - MOST_SHOWN} more`);
      failed ||= wrong.length > 0;
    }
  }
  if (failed) process.exitCode = 1;
}

if (isMain(import.meta.url)) await main(process.argv.slice(2));
