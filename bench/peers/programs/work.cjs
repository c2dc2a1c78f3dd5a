// Work by the unit, and this thread's own CPU clock: what the programs here measure the profilers with.
//
// All work is one function, burn: arithmetic on registers, no memory, no garbage. Each part of a program calls it from a function of its own name, by which a
// profile tells the parts apart. So a unit costs the same in each part (loops of their own would not: V8 may leave one of them in a slower tier), a part's CPU is its
// share of the units, and the clock says what all of them took.
// The warm-up comes after the profiler's start, as in a service (V8 tells a profiler that comes later nothing of code that runs already), and stands
// under `warmUp`, by which its samples are left out.

const { readFileSync } = require('node:fs');

const UNIT_US = 25;
const cell = new Int32Array(new SharedArrayBuffer(4));
let turns = 1000;

/** CPU of this thread, ns. The kernel brings the figure up to date when the thread sleeps: so it does, for a moment. */
function cpuNs() {
  Atomics.wait(cell, 0, 0, 0.05);
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]);
}

function burn(units) {
  let x = 1;
  for (let i = units * turns; i > 0; i--) x = (Math.imul(x, 48271) + i) | 0;
  return x;
}

/** Short calls: V8 compiles the whole function, not a loop of it. Then a unit's length is set, about. */
function warmUp(parts) {
  for (let i = 0; i < 4000; i++) for (const part of parts) part(1);
  let fastest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    burn(10);
    fastest = Math.min(fastest, performance.now() - start);
  }
  return Math.max(100, Math.round((turns * 10 * UNIT_US) / 1000 / fastest));
}

/** Functions of these names that do the units they are told to; ready. `given` is another thread's turns a unit. */
function workers(names, given) {
  const made = names.map((name) => new Function('burn', `return function ${name}(units) { return burn(units); }`)(burn));
  const found = warmUp(made);
  turns = given ?? found;
  return made;
}

module.exports = { UNIT_US, cpuNs, turns: () => turns, workers };
