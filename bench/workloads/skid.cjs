// For bench/skid.mjs: rounds of `compute` (some 60 us of JavaScript) and `quick` (one short system call), as fast as they come for BENCH_SECONDS, under strobe at 1 kHz. With
// BENCH_REST = 1 the thread sleeps a fifth of the time, so that it does not clock itself and the sampler's signals come from another core.
//
// Contract: prints JSON: { calls, truthUs: what a call of `quick` takes, timed in a loop, selfUs: what the profile says a call takes, selfClocked: threads that
// clocked themselves at the end }.

const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist');
const SECONDS = Number(process.env.BENCH_SECONDS);
const REST = process.env.BENCH_REST === '1';
const ROUNDS_A_TURN = 100;
const TIMED = 20_000;

let x = 1;
function compute() {
  for (let i = 0; i < 40_000; i++) x = (Math.imul(x, 48271) + i) | 0;
}

function quick() {
  x ^= process.ppid;
}

function timedUs() {
  const best = [];
  for (let i = 0; i < 9; i++) {
    const begin = performance.now();
    for (let at = 0; at < TIMED; at++) quick();
    best.push(((performance.now() - begin) * 1000) / TIMED);
  }
  return best.sort((a, b) => a - b)[best.length >> 1];
}

const sleepMs = (ms) => new Promise((done) => setTimeout(done, ms));

async function main() {
  for (let i = 0; i < 2000; i++) {
    compute();
    quick();
  }
  const truthUs = timedUs();
  const profiler = require(join(dist, 'index.js')).startProfiler({ frequencyHz: 1000 });
  // The encoder's start, and the threads that come to be clocked.
  await sleepMs(1500);
  const { decode } = require(join(dist, 'pprof', 'decode.js'));
  const selfNs = (bytes) => {
    const { functions, locations, samples } = decode(bytes, 'the profile');
    const leaf = ({ locations: [first] }) => functions[locations[first].lines[0].function].name;
    return samples.filter((sample) => leaf(sample) === 'quick').reduce((sum, { values }) => sum + values[1], 0);
  };
  // The next one has what comes after this one.
  await profiler.snapshot('cpu');
  let calls = 0;
  for (const until = performance.now() + SECONDS * 1000; performance.now() < until; ) {
    const begin = performance.now();
    for (let i = 0; i < ROUNDS_A_TURN; i++) {
      compute();
      quick();
    }
    calls += ROUNDS_A_TURN;
    await (REST ? sleepMs((performance.now() - begin) / 4) : new Promise(setImmediate));
  }
  const { selfClocked } = require(join(dist, 'native.js')).loadNative().stats();
  const selfUs = selfNs(await profiler.snapshot('cpu')) / 1000 / calls;
  console.log(JSON.stringify({ calls, truthUs, selfUs, selfClocked }));
  process.exit(0);
}

main();
