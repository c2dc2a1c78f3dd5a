// Work that nothing can remove, for the program and its Workers.

function sum(n) {
  let x = 0;
  for (let i = 0; i < n; i++) x += Math.sqrt(i + x);
  return x;
}

/** Computes for so many milliseconds. */
function workIn(ms) {
  const end = performance.now() + ms;
  let x = 0;
  do x += sum(2000);
  while (performance.now() < end);
  return x;
}

/** A WebAssembly module whose one function `f(n)` adds numbers in a loop; `constant` (0 to 63) makes each one another module. */
function wasmBytes(constant) {
  // biome-ignore format: one section a line
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f,                                     // type: (i32) -> i32
    3, 2, 1, 0,                                                          // function 0 has type 0
    7, 5, 1, 1, 0x66, 0, 0,                                              // export "f"
    10, 30, 1, 28, 1, 1, 0x7f,                                           // code: one local i32
    0x03, 0x40,                                                          // loop
    0x20, 1, 0x20, 0, 0x6a, 0x41, constant & 63, 0x73, 0x21, 1,          //   x = (x + n) ^ constant
    0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0,                            //   if (--n) again
    0x0b, 0x20, 1, 0x0b,                                                 // end; x
  ]);
}

module.exports = { sum, workIn, wasmBytes };
