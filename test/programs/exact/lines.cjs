// Functions of several loops whose lines are known and whose time the program itself measures, between the loops.
//   node lines.cjs loops|columns SECONDS
// Says { loops: { name: { lines, took } } } for `loops`: each loop's header, body and closing line, and the milliseconds it took;
// { columns: { name: { line, column, took } } } for `columns`: where V8 itself says that the call stands (an Error's stack).

const { readFileSync, writeFileSync } = require('node:fs');

const loops = {};
/** The lines of a loop, header and closing line too, stand between the comments `loop NAME` and `end NAME`. */
const own = readFileSync(__filename, 'utf8').split('\n');
let inside;
own.forEach((line, at) => {
  const [, edge, name] = line.match(/^ *\/\/ (loop|end) (\w+)$/) ?? [];
  if (edge === 'loop') {
    inside = { lines: [], took: 0 };
    loops[name] = inside;
  } else if (edge === 'end') inside = undefined;
  else inside?.lines.push(at + 1);
});

let from = 0;
const now = () => performance.now();
/** The time since the last mark was this loop's. */
function mark(name) {
  const to = now();
  if (name !== '') loops[name].took += to - from;
  from = now();
}

function integers(n) {
  let a = 1;
  let b = 2;
  mark('');
  // loop intOne
  for (let i = 0; i < n; i++) {
    a = (a * 31 + i) | 0;
    if (a > 1000) {
      b ^= a;
    } else {
      b += i;
    }
  }
  // end intOne
  mark('intOne');
  let i = 0;
  // loop intTwo
  while (i < 3 * n) {
    b = (b * 17) ^ i;
    b |= 0;
    i++;
  }
  // end intTwo
  mark('intTwo');
  return a + b;
}

const table = Float64Array.from({ length: 1024 }, (_, i) => i / 7);
const names = Array.from({ length: 64 }, (_, i) => ({ id: i, next: (i * 7) % 64, weight: i / 3 }));

function floats(n) {
  let x = 0.5;
  mark('');
  // loop floatOne
  for (let i = 0; i < 2 * n; i++) {
    x = x * 0.999 + table[i & 1023];
  }
  // end floatOne
  mark('floatOne');
  // loop floatTwo
  for (let i = 0; i < n / 64; i++) {
    for (let j = 0; j < 64; j++) {
      table[j] = table[j + 64] * 0.5 + Math.sqrt(x + j);
    }
  }
  // end floatTwo
  mark('floatTwo');
  let j = 0;
  // loop floatThree
  do {
    x += Math.floor(x / (j + 1)) / 3;
    j += 1;
  } while (j < n / 2);
  // end floatThree
  mark('floatThree');
  return x;
}

function objects(n) {
  let at = names[1];
  let sum = 0;
  mark('');
  // loop objectOne
  for (let i = 0; i < n; i++) {
    at = names[at.next];
    sum += at.weight;
    at.id = (at.id + 1) & 63;
  }
  // end objectOne
  mark('objectOne');
  // loop objectTwo
  for (let i = 0; i < n / 64; i++) {
    for (const name of names) {
      if (name.id === 7) {
        sum -= name.weight;
      }
    }
  }
  // end objectTwo
  mark('objectTwo');
  // loop objectThree
  for (let i = 0; i < n; i++) {
    switch (i & 3) {
      case 0:
        sum += 1;
        break;
      case 1:
        sum -= 2;
        break;
      default:
        sum += names[i & 63].id;
    }
  }
  // end objectThree
  mark('objectThree');
  return sum;
}

const columns = {
  a: { took: 0 },
  b: { took: 0 },
};
let asked = '';
let fromCall = 0;
function a(n) {
  let x = 1;
  if (asked === 'a') ask();
  fromCall = now();
  for (let i = 0; i < n; i++) x = (x * 31 + i) | 0;
  columns.a.took += now() - fromCall;
  return x;
}
function b(n) {
  let x = 2;
  if (asked === 'b') ask();
  fromCall = now();
  for (let i = 0; i < 2 * n; i++) x = (x * 33 + i) ^ 7;
  columns.b.took += now() - fromCall;
  return x;
}
function both(n) {
  return a(n) + b(n);
}
/** Where `both` stands now, as V8 says. */
function ask() {
  const [, line, column] = new Error().stack
    .split('\n')
    .find((text) => /\bboth\b/.test(text))
    .match(/:(\d+):(\d+)\)?$/);
  columns[asked].line = Number(line);
  columns[asked].column = Number(column);
  asked = '';
}

const [kind, seconds] = process.argv.slice(2);
if (kind === 'columns') {
  for (const name of ['a', 'b']) {
    asked = name;
    both(1);
  }
}

// Each loop takes some milliseconds in any tier: the turns are long enough for marks to cost nothing, and many enough to tier up by calls.
function turn(n) {
  if (kind === 'columns') return both(2 * n);
  return integers(n) + floats(n) + objects(n);
}
let n = 1000;
for (const start = now(); now() - start < 300; ) turn(n);
const before = now();
turn(n);
n = Math.max(1000, Math.round((n * 10) / (now() - before)));

const end = Date.now() + Number(seconds) * 1000;
function again() {
  for (let i = 0; i < 5; i++) turn(n);
  if (Date.now() < end) setImmediate(again);
  else writeFileSync(process.env.EXACT_RESULT, JSON.stringify({ loops, columns, n }));
}
again();
