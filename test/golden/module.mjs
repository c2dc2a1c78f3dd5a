// The part of the golden frames that is an ES module: a hot loop, and one in WebAssembly.
let sink = 0;
export function spin(n) {
  for (let i = 0; i < n; i++) sink = (sink * 31 + i) | 0;
  return sink;
}

// (func $hot (param $n i32) (result i32) (local $s i32)
//   (loop $again
//     local.get $s  i32.const 31  i32.mul  local.get $n  i32.add  local.set $s
//     local.get $n  i32.const 1  i32.sub  local.tee $n  br_if $again)
//   local.get $s)
// (func $outer (export "outer") (param $n i32) (result i32)  local.get $n  call $hot)
// with a name section: module "golden", functions "hot" and "outer".
const text = (string) => [string.length, ...Buffer.from(string)];
const section = (id, bytes) => [id, bytes.length, ...bytes];
const body = (bytes) => [bytes.length, ...bytes];
const HOT = [
  [0x01, 0x01, 0x7f, 0x03, 0x40],
  [0x20, 0x01, 0x41, 0x1f, 0x6c, 0x20, 0x00, 0x6a, 0x21, 0x01],
  [0x20, 0x00, 0x41, 0x01, 0x6b, 0x22, 0x00, 0x0d, 0x00, 0x0b],
  [0x20, 0x01, 0x0b],
].flat();
const OUTER = [0x00, 0x20, 0x00, 0x10, 0x00, 0x0b];
const NAMES = [...section(0, text('golden')), ...section(1, [2, 0, ...text('hot'), 1, ...text('outer')])];
const BYTES = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  section(1, [1, 0x60, 1, 0x7f, 1, 0x7f]),
  section(3, [2, 0, 0]),
  section(7, [1, ...text('outer'), 0, 1]),
  section(10, [2, ...body(HOT), ...body(OUTER)]),
  section(0, [...text('name'), ...NAMES]),
].flat();
const { exports: wasm } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(BYTES)));

export const wasmCase = () => wasm.outer(10_000);
