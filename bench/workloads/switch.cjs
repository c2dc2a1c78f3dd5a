// For bench/switch.mjs: a workload of the suite in one process in which a profiler is switched on and off, again and again.
//
// Contract: BENCH_SWITCH is the order, JSON: { workload, variant, warmUnits, phaseMs, pairs, folder, sink }. A phase is the same amount of work, some `phaseMs` of CPU; a pair
// is one phase with the profiler and its labels and one without, in random order. Between the start and the phase the process comes to rest and does a quarter of
// the work: a start's cost is not in it, nor is a delivery's, which comes with the stop. Prints JSON: { units, pairs: [{ on: { cpuMs, wallMs }, off: … }, …] }.

const { writeSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { atRest, cpuMs } = require('../suite/at-rest.cjs');
const { startProfiler } = require('../suite/profilers.cjs');
const { programOf } = require('../suite/program.cjs');

const order = JSON.parse(process.env.BENCH_SWITCH);
const { workload, variant, phaseMs } = order;
/** The encoder's thread has started and tested itself by then. */
const SETTLE_MS = 300;
const NONE = { kind: 'off' };
const run = { ...order, windowSeconds: 60 };

async function measured(work, units) {
  await atRest();
  const [cpu, wall] = [cpuMs(), performance.now()];
  const said = await work.run(units);
  const wallMs = performance.now() - wall;
  await atRest();
  if (said?.failed) throw new Error(`${said.failed} requests failed`);
  return { cpuMs: cpuMs() - cpu, wallMs };
}

/** How much work a phase is. */
async function sized(work) {
  let units = 1;
  for (let took = await measured(work, units); took.cpuMs < phaseMs / 2; took = await measured(work, units)) {
    units = Math.ceil((units * phaseMs) / Math.max(took.cpuMs, 1));
  }
  return units;
}

async function main() {
  // Both are there from the start: what V8 makes of the code is then the same in all phases.
  const programs = { off: programOf({ variant: NONE, workload }), on: programOf({ variant, workload }) };
  let now = programs.off;
  const use = (which) => {
    now = programs[which];
    now.use();
  };
  const program = { label: (...args) => now.label(...args), span: (...args) => now.span(...args) };
  const { prepare } = require(join(__dirname, 'suite', `${workload}.cjs`));
  const work = await prepare({ program, variant: NONE, run });
  const phase = async (which, units) => {
    use(which);
    const profiler = startProfiler({ ...run, variant: which === 'on' ? variant : NONE });
    await sleep(SETTLE_MS);
    await work.run(Math.ceil(units / 4));
    const result = await measured(work, units);
    await profiler.end();
    return result;
  };
  for (const which of ['off', 'on']) await phase(which, order.warmUnits);
  use('off');
  const units = await sized(work);
  const pairs = [];
  while (pairs.length < order.pairs) {
    const pair = {};
    for (const which of Math.random() < 0.5 ? ['on', 'off'] : ['off', 'on']) pair[which] = await phase(which, units);
    pairs.push(pair);
  }
  await work.end?.();
  writeSync(1, `${JSON.stringify({ units, pairs })}\n`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
