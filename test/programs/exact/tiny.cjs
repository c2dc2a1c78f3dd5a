// Callers and tiny functions: caller7 alone calls tiny7_0 … tiny7_5, and only `drive` calls the callers, so that a stack can be told right from wrong.
//   node --allow-natives-syntax tiny.cjs SECONDS [low-callers]
// With low-callers V8 never optimises the callers, whatever it does with the tiny functions.
// Says in which tier the functions are at the end: { caller: {tier: count}, tiny: {tier: count} }.

const { runInThisContext } = require('node:vm');

const CALLERS = 20;
// [parameters, arguments]: equal, too few and too many (the frame is made and taken down in other ways then).
const SHAPES = [
  ['', ''],
  ['a', 's'],
  ['a, b', 's, i'],
  ['a, b, c', 's, i, n'],
  ['a, b, c', 's'],
  ['a', 's, i, n, s'],
];

function source(caller) {
  const tinies = SHAPES.map(([parameters], at) => {
    // Bodies differ, so that no two share code; as short as they can be and still return something of the arguments.
    const sum =
      parameters === ''
        ? 'calls'
        : parameters
            .split(', ')
            .map((name) => `(${name} | 0)`)
            .join(' ^ ');
    return `function tiny${caller}_${at}(${parameters}) { return (${sum} ^ ${caller * 16 + at}) | 0; }`;
  });
  const calls = SHAPES.map(([, given], at) => `    s = (s + tiny${caller}_${at}(${given})) | 0;`);
  return `${tinies.join('\n')}
  function caller${caller}(n) {
  let s = n;
  for (let i = 0; i < n; i++) {
    calls = i;
${calls.join('\n')}
  }
  return s;
}`;
}

const sources = Array.from({ length: CALLERS }, (_, caller) => source(caller));
const names = sources.flatMap((text) => [...text.matchAll(/function (\w+)/g)].map(([, name]) => name));
const made = runInThisContext(`(function () { let calls = 0;\n${sources.join('\n')}\nreturn { ${names.join(', ')} }; })`, {
  filename: '/tiny-generated.js',
})();
const callers = Object.entries(made)
  .filter(([name]) => name.startsWith('caller'))
  .map(([, caller]) => caller);

if (process.argv[3] === 'low-callers') {
  const never = new Function('f', '%NeverOptimizeFunction(f)');
  for (const caller of callers) {
    caller(1);
    never(caller);
  }
}

function drive() {
  let s = 0;
  for (let c = 0; c < callers.length; c++) s ^= callers[c](2000);
  return s;
}

const TIERS = ['Ignition', 'Sparkplug', 'Maglev', 'Turbofan'];
const isIn = TIERS.map((tier) => new Function('f', `return %ActiveTierIs${tier}(f)`));

function tiersOf(kind) {
  const count = {};
  for (const [name, made_] of Object.entries(made)) {
    if (!name.startsWith(kind)) continue;
    const tier = TIERS.find((_, at) => isIn[at](made_)) ?? 'other';
    count[tier] = (count[tier] ?? 0) + 1;
  }
  return count;
}

const end = Date.now() + Number(process.argv[2]) * 1000;
function turn() {
  for (let i = 0; i < 20; i++) drive();
  if (Date.now() < end) setImmediate(turn);
  else require('node:fs').writeFileSync(process.env.EXACT_RESULT, JSON.stringify({ caller: tiersOf('caller'), tiny: tiersOf('tiny') }));
}
turn();
