// A bit of everything that V8 compiles in its own way, over and over.
//   node varied.cjs SECONDS

const { writeFileSync } = require('node:fs');

const made = [];
function closures(n) {
  const adders = Array.from({ length: 16 }, (_, i) => (x) => x + i);
  let x = 0;
  for (let i = 0; i < n; i++) x = adders[i & 15](x) & 0xffff;
  return x;
}

class Shape {
  #side;
  constructor(side) {
    this.#side = side;
  }
  get area() {
    return this.#side ** 2;
  }
  scaled(by) {
    return new this.constructor(this.#side * by);
  }
}
class Cube extends Shape {
  get area() {
    return super.area * 6;
  }
}
function classes(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += ((i & 1) === 0 ? new Cube(i) : new Shape(i)).scaled(0.5).area;
  return sum;
}

function* numbers(n) {
  for (let i = 0; i < n; i++) yield i;
}
function generators(n) {
  let sum = 0;
  for (const number of numbers(n)) sum += number;
  const [first, ...rest] = [...numbers(20)];
  return sum + first + rest.length;
}

const pause = () => new Promise((resolve) => setImmediate(resolve));
async function step(i) {
  await null;
  return i;
}
async function asynchronous(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += await step(i);
  await pause();
  return sum;
}

const TEXT = 'The 3 quick brown foxes jump over 12 lazy dogs; order no. 4711 was sent to jane.doe@example.org. '.repeat(20);
function regexps(n) {
  let found = 0;
  for (let i = 0; i < n; i++) {
    found += TEXT.match(/\b\d+\b/g).length;
    found += TEXT.replace(/([a-z]+)\.([a-z]+)@/g, (_, a, b) => `${b}.${a}@`).length;
    found += new RegExp(`${i % 7}\\s+(\\w+)`).test(TEXT) ? 1 : 0;
  }
  return found;
}

const DATA = { list: Array.from({ length: 100 }, (_, id) => ({ id, name: `name ${id}`, tags: ['a', 'b'], nested: { at: id / 3 } })) };
function json(n) {
  let length = 0;
  for (let i = 0; i < n; i++) length += JSON.stringify(JSON.parse(JSON.stringify(DATA))).length;
  return length;
}

function collections(n) {
  const map = new Map();
  const set = new Set();
  for (let i = 0; i < n; i++) {
    map.set(`key ${i % 500}`, (map.get(`key ${i % 500}`) ?? 0) + 1);
    set.add(i % 1000);
  }
  return [...map.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).length + set.size;
}

function thrower(i) {
  if (i % 10 === 0) throw new RangeError(`at ${i}`);
  return i;
}
function tries(n) {
  let caught = 0;
  for (let i = 0; i < n; i++) {
    try {
      caught += thrower(i) & 1;
    } catch (error) {
      caught += error.message.length;
    } finally {
      caught += 1;
    }
  }
  return caught;
}

// (func $fib (param i32) (result i32)): recursive Fibonacci numbers.
function wasmBytes() {
  const body = [
    0x20, 0, 0x41, 2, 0x48, 0x04, 0x7f, 0x20, 0, 0x05, 0x20, 0, 0x41, 1, 0x6b, 0x10, 0, 0x20, 0, 0x41, 2, 0x6b, 0x10, 0, 0x6a, 0x0b, 0x0b,
  ];
  const code = [1, body.length + 1, 0, ...body];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f],
    ...[3, 2, 1, 0],
    ...[7, 7, 1, 3, 0x66, 0x69, 0x62, 0, 0],
    ...[10, code.length, ...code],
  ]);
}
// --jitless has no WebAssembly.
const fib = typeof WebAssembly === 'undefined' ? undefined : new WebAssembly.Instance(new WebAssembly.Module(wasmBytes())).exports.fib;
function wasm(n) {
  return fib === undefined ? 0 : fib(n);
}

function compiled(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const made_ = new Function('x', `let y = x; for (let i = 0; i < 50; i++) y += i * ${i % 13}; return y;`);
    sum += made_(i);
    made[i % 50] = made_;
  }
  return sum;
}

function proxies(n) {
  const target = new Proxy(
    { count: 0 },
    { get: (object, key) => Reflect.get(object, key) ?? 0, set: (object, key, value) => Reflect.set(object, key, value) },
  );
  for (let i = 0; i < n; i++) target.count += 1;
  return target.count;
}

async function all() {
  let sum = closures(20_000) + classes(3000) + generators(3000) + regexps(10) + json(5) + collections(3000) + tries(300);
  sum += wasm(18) + compiled(10) + proxies(1000) + (await asynchronous(500));
  return sum;
}

const end = Date.now() + Number(process.argv[2]) * 1000;
(async () => {
  let rounds = 0;
  while (Date.now() < end) {
    await all();
    rounds++;
  }
  writeFileSync(process.env.EXACT_RESULT, JSON.stringify({ rounds }));
})();
