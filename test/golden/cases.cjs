// The cases of the golden frames: each runs one construct of the language with a hot loop at its end. What counts is where things stand: a line that moves
// changes the golden files. Every loop stands on one line, so that the leaf has one.
'use strict';

let sink = 0;
// prettier-ignore
function spin(n) { for (let i = 0; i < n; i++) sink = (sink * 31 + i) | 0; return sink; }

// Small enough to be inlined, three deep.
function three(n) {
  let s = 0;
  for (let i = 0; i < n; i++) s = (s * 31 + i) | 0;
  return s;
}
function two(n) {
  return three(n) + 1;
}
function one(n) {
  return two(n) + 1;
}

// One call that never returns to its caller while it is hot: optimised by on-stack replacement.
function longLoop(milliseconds) {
  const end = Date.now() + milliseconds;
  let s = 0;
  while (Date.now() < end) for (let i = 0; i < 100_000; i++) s = (s * 31 + i) | 0;
  return s;
}

function makeClosure(step) {
  return function closure(n) {
    for (let i = 0; i < n; i += step) sink = (sink * 31 + i) | 0;
    return sink;
  };
}

function* generator(n) {
  for (let i = 0; i < 4; i++) {
    yield spin(n);
  }
}

async function awaited(n) {
  await null;
  return spin(n);
}

class Shape {
  #size = 1;
  field = spin(1000);
  static made = 0;
  static {
    Shape.made = spin(10);
  }
  get area() {
    return spin(10_000) + this.#size;
  }
  set area(n) {
    this.#size = spin(n);
  }
  method(n) {
    return spin(n);
  }
  static create(n) {
    return spin(n);
  }
}

class Derived extends Shape {
  method(n) {
    return super.method(n) + 1;
  }
}

const shape = new Derived();
const proxied = new Proxy(
  { target: spin },
  {
    get(target, key) {
      return spin(10_000) && target[key];
    },
  },
);
const bound = spin.bind(null, 10_000);
const made = new Function('spin', 'n', 'const doubled = n * 2;\nreturn spin(doubled);\n//# sourceURL=golden-made.js');
// biome-ignore lint/security/noGlobalEval: eval is one of the cases
const evaluated = (0, eval)('(function inEval(spin, n) {\n  return spin(n);\n})\n//# sourceURL=golden-eval.js');
const long = { [`f${'o'.repeat(300)}`]: (n) => spin(n) };

function größeΩ名前(n) {
  return spin(n);
}

function columns(n) {
  return spin(10) + spin(n);
}

function thrower(n) {
  try {
    throw new Error('expected');
  } catch {
    return spin(n);
  } finally {
    sink++;
  }
}

function tagged(strings, n) {
  return spin(n) + strings.length;
}

const N = 10_000;
module.exports = {
  spin,
  cases: {
    plain: () => spin(N),
    inlined: () => one(N),
    osr: () => longLoop(100),
    closure: makeClosure(1),
    generator: () => [...generator(N)].length,
    async: () => awaited(N),
    getter: () => shape.area,
    setter: () => {
      shape.area = N;
    },
    classField: () => new Shape().field,
    staticBlock: () =>
      class {
        static {
          spin(N);
        }
      },
    method: () => Shape.create(N),
    superCall: () => shape.method(N),
    proxy: () => proxied.target,
    bound: () => bound(),
    newFunction: () => made(spin, N / 2),
    eval: () => evaluated(spin, N),
    longName: () => long[`f${'o'.repeat(300)}`](N),
    nonLatin: () => größeΩ名前(N),
    columns: () => columns(N),
    tryCatch: () => thrower(N),
    tagged: () => tagged`a${N}b`,
    arrayCallback: () => [N, N, N].map((n) => spin(n)),
    sortCallback: () => [3, 1, 2].sort((a, b) => (spin(N), a - b)),
    reflect: () => Reflect.apply(spin, null, [N]),
    jsonToJson: () => JSON.stringify({ toJSON: () => spin(N) }),
    regexp: () => /^(?:a|aa)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaab'),
    symbolName: () => ({ [Symbol.iterator]: () => ({ next: () => ({ done: spin(N) !== 1.5 }) }) })[Symbol.iterator]().next(),
    defaultParameter: () => ((m = spin(N)) => m)(),
  },
};
