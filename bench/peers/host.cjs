// One program under one profiler: node host.cjs. PEERS_RUN is JSON: { program, way, hz, windowMs, seconds, folder, sink, result }.
//
// A program exports prepare() (its warm-up, under the profiler) and run({ peer, seconds, way, hz }) -> its truth. The host writes { truth, rotations, samples }
// to `result`, samples as bench/peers/adapters.cjs gives them, those of a program's own Workers included.

const { writeFileSync } = require('node:fs');
const { start } = require('./adapters.cjs');

async function main() {
  const { program, way, result, ...options } = JSON.parse(process.env.PEERS_RUN);
  const peer = start(way, options);
  const { prepare, run } = require(program);
  await prepare();
  const { samples: ofWorkers = [], ...truth } = await run({ peer, way, ...options });
  const rotations = peer.rotations();
  const samples = (await peer.end()) ?? [];
  writeFileSync(result, JSON.stringify({ truth, rotations, samples: [...samples, ...ofWorkers] }));
  process.exit(0);
}

main();
