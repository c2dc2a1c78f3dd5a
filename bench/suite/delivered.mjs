// What a profiler delivered, counted the same way for all: from the files that it left, whatever wrote them.
//
// Contract: delivered(folder) reads every pprof (*.pb.gz) and .cpuprofile in it and returns { samples, cpuNs, bytes, files }: samples of the program that have a
// stack (not idle, not lost), the CPU time that these stand for (undefined where the profile has none), bytes and number of files. A wall profile of
// ours beside the CPU profile is counted in bytes only.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
/** No work of the program: idling, and what the profiler itself says it could not see. */
const NO_WORK = new Set(['(idle)', '(lost)', 'Non JS threads activity']);

function fromPprof(bytes, name) {
  const { decode } = require('../../dist/pprof/decode.js');
  const profile = decode(bytes, name);
  const types = profile.sampleTypes.map(({ type }) => type);
  const cpuAt = types.indexOf('cpu');
  if (cpuAt < 0) return { samples: 0, cpuNs: 0 };
  const leaf = ({ locations }) => profile.functions[profile.locations[locations[0]]?.lines[0]?.function]?.name;
  const working = profile.samples.filter((sample) => !NO_WORK.has(leaf(sample)));
  const sum = (at) => working.reduce((total, { values }) => total + Number(values[at]), 0);
  return { samples: sum(0), cpuNs: sum(cpuAt) };
}

function fromCpuProfile(text) {
  const { nodes } = JSON.parse(text);
  const working = nodes.filter(({ callFrame }) => !NO_WORK.has(callFrame.functionName));
  return { samples: working.reduce((total, { hitCount = 0 }) => total + hitCount, 0), cpuNs: undefined };
}

export function delivered(folder) {
  const total = { samples: 0, cpuNs: 0, bytes: 0, files: 0 };
  for (const name of readdirSync(folder)) {
    const pprof = name.endsWith('.pb.gz');
    if (!pprof && !name.endsWith('.cpuprofile')) continue;
    const bytes = readFileSync(join(folder, name));
    const { samples, cpuNs } = pprof ? fromPprof(bytes, name) : fromCpuProfile(bytes.toString());
    total.samples += samples;
    total.cpuNs = cpuNs === undefined ? undefined : total.cpuNs + cpuNs;
    total.bytes += bytes.length;
    total.files++;
  }
  return total;
}
