// Two long asynchronous jobs and a dispatcher that answers many short requests, each in labels of its own: who used the CPU? It counts its work by itself.
//
// Then exact sections of 3 ms of the thread's own clock. STROBE_INDEX: the package; argv: seconds of work, `exact` or `sampled` (the short requests), a file for the
// profile, a file for what was done (JSON).

const { writeFileSync } = require('node:fs');
const timers = require('node:timers/promises');
const { startProfiler, withLabels, attribution, processStats } = require(process.env.STROBE_INDEX);

const [seconds, how, profileFile, saidFile] = process.argv.slice(2);
const STEPS_A_UNIT = 20_000;
const TRUE = { long: 65, tool: 33, short: 2 };
const REQUESTS_A_TURN = 4;

function burn(units) {
  let x = 1;
  for (let i = 0; i < units * STEPS_A_UNIT; i++) x = (x * 48271) % 2147483647;
  return x;
}

const ownCpuNs = () => processStats().threads.find(({ tid }) => tid === process.pid).cpuNs;

async function main() {
  burn(2000);
  const profiler = startProfiler({ frequencyHz: 1000 });
  const cpuBefore = ownCpuNs();
  const done = { long: 0, tool: 0, short: 0 };
  const work = (agent, units) => {
    burn(units);
    done[agent] += units;
  };
  const end = Date.now() + Number(seconds) * 1000;
  const turns = { count: 0 };
  const long = async (agent) => {
    while (Date.now() < end) {
      // In steps, with an await between: nothing tells anybody that the label changes there.
      for (let i = 0; i < 4; i++) {
        work(agent, TRUE[agent] / 4);
        await null;
      }
      await timers.setImmediate();
    }
  };
  const dispatch = async () => {
    while (Date.now() < end) {
      const turn = turns.count++;
      for (let i = 0; i < REQUESTS_A_TURN; i++) {
        withLabels({ agent: 'short', request: turn * REQUESTS_A_TURN + i }, () => work('short', TRUE.short / REQUESTS_A_TURN), {
          exact: how === 'exact',
        });
      }
      await timers.setImmediate();
    }
  };
  await Promise.all([withLabels({ agent: 'long' }, () => long('long')), withLabels({ agent: 'tool' }, () => long('tool')), dispatch()]);
  // One last sample outside, so that what is pending is charged; then the collector's turn.
  burn(100);
  const cpuNs = ownCpuNs() - cpuBefore;
  await timers.setTimeout(400);
  const { rows, total } = attribution({ by: 'agent' });

  const sections = [];
  for (let i = 0; i < 200; i++) {
    const before = exactMicros();
    const used = withLabels({ agent: 'section' }, spend3ms, { exact: true });
    sections.push((exactMicros() - before) / (used / 1000));
    if (i % 10 === 0) await timers.setImmediate();
  }
  const { labels } = profiler.stats();
  writeFileSync(profileFile, await profiler.snapshot());
  await profiler.stop();
  writeFileSync(saidFile, JSON.stringify({ done, rows, total, cpuNs, sections, labels }));
}

function exactMicros() {
  return attribution({ by: 'agent' }).rows.find(({ value }) => value === 'section')?.exactMicros ?? 0;
}

/** Nanoseconds of the thread's clock between its first and its last reading. */
function spend3ms() {
  const start = ownCpuNs();
  let now = start;
  while (now - start < 3e6) {
    burn(1);
    now = ownCpuNs();
  }
  return now - start;
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
