// Sections and labels that end in ways that skip `finally`: Workers terminated inside them, vm's timeout; then work whose CPU must be charged as ever.
// STROBE_INDEX: the package; argv: rounds, a file for the profile, a file for what happened (JSON).

const { writeFileSync } = require('node:fs');
const timers = require('node:timers/promises');
const vm = require('node:vm');
const { isMainThread, parentPort } = require('node:worker_threads');
const { startProfiler, withLabels, currentLabels, attribution, processStats } = require(process.env.STROBE_INDEX);

const ownCpuNs = () => processStats().threads.find(({ tid }) => tid === process.pid).cpuNs;

function spin(units) {
  let x = 1;
  for (let i = 0; i < units * 20_000; i++) x = (x * 48271) % 2147483647;
  return x;
}

if (!isMainThread) {
  withLabels({ agent: 'terminated' }, () => {
    parentPort.postMessage('up');
    for (;;) withLabels({ inner: 'yes' }, () => spin(3), { exact: true });
  });
} else {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

function timesOut() {
  const inner = () => {
    for (;;) spin(1);
  };
  const section = () => withLabels({ agent: 'timed out' }, () => withLabels({ inner: 'yes' }, inner, { exact: true }), { exact: true });
  try {
    vm.runInNewContext('section()', { section }, { timeout: 10 });
  } catch {
    return true;
  }
  return false;
}

async function main() {
  const { Worker } = require('node:worker_threads');
  const [rounds, profileFile, saidFile] = process.argv.slice(2);
  const profiler = startProfiler({ frequencyHz: 1000 });
  const before = ownCpuNs();
  for (let round = 0; round < Number(rounds); round++) {
    const worker = withLabels({ maker: 'main' }, () => new Worker(__filename));
    await new Promise((up) => worker.once('message', up));
    await timers.setTimeout(round % 20);
    await worker.terminate();
    // In a callback of its own: what V8 ends without `finally` leaves an AsyncLocalStorage entered, too, to the callback's end.
    await new Promise((done, failed) => setImmediate(() => (timesOut() ? done() : failed(new Error('vm has no timeout')))));
    await timers.setImmediate();
  }
  // Another tick: nothing of the above is current here.
  const left = await new Promise((later) => setTimeout(() => later(currentLabels()), 50));
  const end = Date.now() + 1500;
  await new Promise((done) =>
    setTimeout(async () => {
      await withLabels({ agent: 'after' }, async () => {
        while (Date.now() < end) {
          spin(20);
          await timers.setImmediate();
        }
      });
      done();
    }, 0),
  );
  spin(200);
  const cpuNs = ownCpuNs() - before;
  await timers.setTimeout(400);
  const own = (rows) =>
    rows.flatMap(({ value, threads }) => threads.filter(({ tid }) => tid === process.pid).map((thread) => ({ value, ...thread })));
  const { rows } = attribution({ by: 'agent' });
  const makers = attribution({ by: 'maker' }).rows;
  const { labels } = profiler.stats();
  writeFileSync(profileFile, await profiler.snapshot());
  await profiler.stop();
  writeFileSync(saidFile, JSON.stringify({ own: own(rows), rows, makers, cpuNs, left, labels }));
}
