// A hot loop three functions deep that V8 inlines into one, beside work of a known share.
//   node inlined.cjs plain|method|closure|callback SECONDS
// `drive` calls outer, outer calls mid, mid calls leaf, and leaf loops. `beside` is the other part of each cycle. Says what each took
// (milliseconds of wall, which others' processes stretch alike) and the lines that matter.

const [shape, secondsText] = process.argv.slice(2);
const TIMES = 60;
// So that the leaf has about half of the time in each shape: the callback loops three times as often.
const TIMES_BESIDE = shape === 'callback' ? 60 : 15;

// Each shape: the lines that a stack must name stand alone on theirs and are found by their marks.
const SHAPES = {
  plain: `
    function leaf(n, x) {
      for (let i = 0; i < n; i++) { // loop
        x = (x * 31 + (i ^ x)) | 0; // loop
      } // loop
      return x;
    }
    function mid(n, x) {
      const y = x + 1;
      return leaf(n, y); // in mid
    }
    function outer(n, x) {
      const y = x ^ 5;
      return mid(n, y) + 1; // in outer
    }
    return function drive(times, n) {
      let x = 1;
      for (let t = 0; t < times; t++) {
        x = (x + outer(n, x)) | 0; // in drive
      }
      return x;
    };`,
  method: `
    class Mixer {
      constructor(seed) {
        this.seed = seed;
      }
      leaf(n, x) {
        let y = x + this.seed;
        for (let i = 0; i < n; i++) { // loop
          y = (y * 33 + (i ^ y)) | 0; // loop
        } // loop
        return y;
      }
      mid(n, x) {
        return this.leaf(n, x + 1); // in mid
      }
      outer(n, x) {
        const y = x ^ this.seed;
        return this.mid(n, y); // in outer
      }
    }
    const mixer = new Mixer(7);
    return function drive(times, n) {
      let x = 1;
      for (let t = 0; t < times; t++) {
        x = (x + mixer.outer(n, x)) | 0; // in drive
      }
      return x;
    };`,
  closure: `
    function make(seed) {
      let calls = 0;
      const leaf = (n, x) => {
        calls++;
        for (let i = 0; i < n; i++) { // loop
          x = (x * 35 + (i ^ seed)) | 0; // loop
        } // loop
        return x;
      };
      const mid = (n, x) => {
        return leaf(n, x + calls); // in mid
      };
      const outer = (n, x) => {
        return mid(n, x ^ 3) | 0; // in outer
      };
      return outer;
    }
    const outer = make(11);
    return function drive(times, n) {
      let x = 1;
      for (let t = 0; t < times; t++) {
        x = (x + outer(n, x)) | 0; // in drive
      }
      return x;
    };`,
  callback: `
    const items = [1, 2, 3];
    function mid(n, x) {
      let y = x;
      items.forEach(function leaf(item) { // in mid
        for (let i = 0; i < n; i++) { // loop
          y = (y * 37 + (i ^ item)) | 0; // loop
        } // loop
      });
      return y;
    }
    function outer(n, x) {
      const y = x ^ 9;
      return mid(n, y) + 1; // in outer
    }
    return function drive(times, n) {
      let x = 1;
      for (let t = 0; t < times; t++) {
        x = (x + outer(n, x)) | 0; // in drive
      }
      return x;
    };`,
};

const text = `(function shape() {${SHAPES[shape]}\n})`;
const lines = {};
text.split('\n').forEach((line, at) => {
  const mark = line.match(/\/\/ (loop|in \w+)$/)?.[1];
  if (mark) {
    lines[mark] ??= [];
    lines[mark].push(at + 1);
  }
});
const drive = new (require('node:vm').Script)(text, { filename: `/inlined-${shape}.js` }).runInThisContext()();

function beside(times, n) {
  let x = 1;
  for (let t = 0; t < times; t++) for (let i = 0; i < n; i++) x += Math.sqrt(i + x);
  return x;
}

const took = { drive: 0, beside: 0 };
const now = () => performance.now();
function cycle(n) {
  const start = now();
  drive(TIMES, n);
  const middle = now();
  beside(TIMES_BESIDE, n);
  const end = now();
  took.drive += middle - start;
  took.beside += end - middle;
}

const end = Date.now() + Number(secondsText) * 1000;
function turn() {
  for (let i = 0; i < 20; i++) cycle(2000);
  if (Date.now() < end) setImmediate(turn);
  else require('node:fs').writeFileSync(process.env.EXACT_RESULT, JSON.stringify({ took, lines }));
}
turn();
