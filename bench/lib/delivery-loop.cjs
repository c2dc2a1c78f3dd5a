// A service with a loop that should never stop, for `node bench/delivery.mjs --loop`: argument 1 is how it delivers (none, or an endpoint). Prints the
// longest and the 99.9th percentile delay of its event loop, milliseconds, as JSON.

const { monitorEventLoopDelay } = require('node:perf_hooks');
const { join } = require('node:path');
const { startProfiler, pyroscopeExporter } = require(join(process.env.STROBE_DIST_DIR, 'index.js'));

const [endpoint, dir] = process.argv.slice(2);
const exporters = endpoint === 'none' ? [] : [pyroscopeExporter({ endpoint, timeoutSeconds: 1, spool: { dir } })];
const profiler = startProfiler({ windowSeconds: 1, exporters });

function serve() {
  let sum = 0;
  for (let i = 0; i < 2e5; i++) sum += Math.sqrt(i);
  return sum;
}

const work = setInterval(serve, 5);
setTimeout(() => {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  setTimeout(async () => {
    clearInterval(work);
    const result = { longestMs: delay.max / 1e6, p999Ms: delay.percentile(99.9) / 1e6, ...profiler.stats().delivery.exporters[0] };
    await profiler.stop();
    console.log(JSON.stringify(result));
  }, 10_000);
}, 1000);
