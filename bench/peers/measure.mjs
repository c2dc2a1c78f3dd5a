// One run of a case's program under one profiler, and what of it counts.
//
// Contract: measure(case, peer, { node, seconds }) starts a fresh process and resolves to the case's measurement, small and plain (it goes into the JSON file as
// it is); cases.mjs makes rows of it. reduce.* are pure: what a profile says, from the samples in the common form (adapters.cjs) and the program's truth.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment, launch, scratch } from '../lib/child.mjs';
import { runInlined } from '../lib/exact-inlined.mjs';
import { median, quantile } from '../lib/stats.mjs';

const require = createRequire(import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));
const WINDOW_MS = 1000;

const total = (samples, name = 'value') => samples.reduce((sum, sample) => sum + sample[name], 0);
const has = (name) => (sample) => sample.names.includes(name);

/** Value by key, only what was made after the warm-up. */
function split(samples, keys, keyOf) {
  const sums = Object.fromEntries(keys.map((key) => [key, 0]));
  for (const sample of samples) {
    const key = keyOf(sample);
    if (key in sums) sums[key] += sample.value;
  }
  return sums;
}

const afterWarmUp = (samples) => samples.filter((sample) => !sample.names.includes('warmUp'));

export const reduce = {
  threads({ truth, samples }) {
    const measured = samples.filter(has('measured'));
    const parts = ['partSixty', 'partThirty', 'partTen'].map((name) => total(measured.filter(has(name))));
    const all = parts.reduce((sum, part) => sum + part, 0);
    return {
      cpuNs: truth.cpuNs,
      wallNs: truth.wallNs,
      samples: total(measured, 'count'),
      valueNs: total(measured),
      shares: parts.map((part) => part / all),
    };
  },
  /** The lower quartile, over the seconds, of each second's longest gap: each second holds one rotation, so a pause lifts them all. */
  rotation({ truth, rotations }) {
    const gaps = truth.perSecond.map(({ gapMs }) => gapMs);
    const held = truth.perSecond.map(({ heldMs }) => heldMs);
    return { gapMs: quantile(gaps, 0.25), heldMs: quantile(held, 0.25), medianHeldMs: median(held), rotations };
  },
  awaits({ truth, samples }) {
    const counted = afterWarmUp(samples);
    const of = (name, other) => {
      const keyOf = ({ labels }) => ({ [name]: 'own', [other]: 'other' })[labels.task] ?? 'none';
      return split(counted.filter(has(`workOf${name}`)), ['own', 'other', 'none'], keyOf);
    };
    return { cpuNs: truth.cpuNs, units: truth.units, A: of('A', 'B'), B: of('B', 'A') };
  },
  requests({ truth, samples }) {
    const work = ['workOfShort', 'workOfLong', 'housekeeping'];
    const counted = afterWarmUp(samples).filter((sample) => work.some((name) => has(name)(sample)));
    const byLabel = split(counted, ['short', 'long', 'none'], ({ labels }) => labels.route ?? 'none');
    return { cpuNs: truth.cpuNs, units: truth.units, byLabel, samples: total(counted, 'count') };
  },
};

/** A server that keeps the profiles that are posted to it: all that @pyroscope/nodejs gives away. */
async function openSink() {
  const bodies = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      response.end();
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return { bodies, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** It writes a function's name as file:name:line. */
const plainNames = (sample) => ({ ...sample, names: sample.names.map((text) => text.split(':').at(-2) ?? text) });

async function runHosted({ id, windows }, peer, { node, seconds }) {
  const folder = scratch();
  const result = join(folder, 'result.json');
  const sink = peer.way === 'pyroscope' ? await openSink() : undefined;
  const asked = {
    program: join(here, 'programs', `${id}.cjs`),
    way: peer.way,
    hz: peer.hz,
    seconds,
    windowMs: windows ? WINDOW_MS : 0,
    folder,
    result,
    sink: sink?.url,
  };
  try {
    // What is inlined is another case's matter: here each function keeps its frame.
    const args = ['--no-turbo-inlining', ...peer.nodeArgs, join(here, 'host.cjs')];
    await launch(node, args, { env: environment({ PEERS_RUN: JSON.stringify(asked) }) }).ended;
    const said = JSON.parse(readFileSync(result, 'utf8'));
    if (!sink) return said;
    const { decode } = require('./adapters.cjs');
    return { ...said, rotations: sink.bodies.length, samples: windows ? [] : sink.bodies.flatMap(decode).map(plainNames) };
  } finally {
    sink?.close();
  }
}

export async function measure(of, peer, options) {
  if (of.id !== 'inlined') return reduce[of.id](await runHosted(of, peer, options));
  const { truth, leaf, ofTruth, samples, inlined } = await runInlined(options.node, peer, options.seconds);
  return { truth, leaf, ofTruth, samples, inlined };
}
