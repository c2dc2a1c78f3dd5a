// Made profiles for the flame graph page: small ones whose numbers can be added up by eye, a service as users have one (with its time line), and a large one.
// All deterministic.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { DIST } from './helpers.mjs';

const require = createRequire(import.meta.url);
const { emptyProfile } = require(join(DIST, 'pprof', 'schema.js'));

const MS = 1e6;

/** A generator of numbers from 0 to 1, the same each time (mulberry32). */
export function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A CPU profile of stacks: each { stack: 'root;caller;leaf' or frames root first, value in ms, labels }. A frame is 'name' or 'name@file:firstLine:line'.
 */
export function profileOf(
  stacks,
  {
    types = [
      ['samples', 'count'],
      ['cpu', 'nanoseconds'],
    ],
    comments = [],
    durationMs = 10_000,
  } = {},
) {
  const profile = emptyProfile();
  profile.sampleTypes = types.map(([type, unit]) => ({ type, unit }));
  profile.periodType = { ...profile.sampleTypes.at(-1) };
  profile.period = 10 * MS;
  profile.timeNanos = 1_795_384_800_000_000_000n;
  profile.durationNanos = durationMs * MS;
  profile.comments = comments;
  const functions = new Map();
  const locations = new Map();
  const location = (frame) => {
    if (locations.has(frame)) return locations.get(frame);
    const [, name, file = '', start = '0', line = start] = /^(.*?)(?:@(.*?)(?::(\d+))?(?::(\d+))?)?$/s.exec(frame);
    const key = `${name}@${file}:${start}`;
    if (!functions.has(key)) {
      functions.set(key, functions.size);
      profile.functions.push({ name, systemName: '', filename: file, startLine: Number(start), startColumn: 0 });
    }
    locations.set(frame, locations.size);
    profile.locations.push({
      mapping: -1,
      address: 0n,
      lines: [{ function: functions.get(key), line: Number(line), column: 0 }],
      isFolded: false,
    });
    return locations.get(frame);
  };
  for (const { stack, value, labels = {} } of stacks) {
    const frames = typeof stack === 'string' ? stack.split(';') : stack;
    profile.samples.push({
      locations: frames.map(location).reverse(),
      values: types.map((_, i) => (i === types.length - 1 ? value * MS : Math.max(1, Math.round(value / 10)))),
      labels: Object.entries(labels).map(([key, text]) => (typeof text === 'number' ? { key, num: text } : { key, str: text })),
    });
  }
  return profile;
}

const APP = '/srv/shop/src/';
const DEP = '/srv/shop/node_modules/';
const LOOP = ['processTicksAndRejections@node:internal/process/task_queues:72:95'];
const HANDLE = [...LOOP, `handle@${APP}server.ts:31:44`, `dispatch@${DEP}fastify/lib/route.js:210:233`];

/** Stacks of an agent service, with how often each comes and whose it is. */
const WORK = [
  [
    [...HANDLE, `runAgent@${APP}agent.ts:18:41`, `rankDocuments@${APP}rank.ts:12:30`, `cosineSimilarity@${APP}rank.ts:40:46`],
    30,
    'researcher',
    'rankDocuments',
  ],
  [
    [...HANDLE, `runAgent@${APP}agent.ts:18:41`, `rankDocuments@${APP}rank.ts:12:30`, `cosineSimilarity@${APP}rank.ts:40:47`],
    9,
    'researcher',
    'rankDocuments',
  ],
  [
    [
      ...HANDLE,
      `runAgent@${APP}agent.ts:18:44`,
      `fetchPage@${APP}fetch.ts:9:22`,
      `parse@${DEP}cheerio/lib/parse.js:14:20`,
      `Tokenizer.parse@${DEP}htmlparser2/lib/Tokenizer.js:88:121`,
    ],
    13,
    'researcher',
    'fetchPage',
  ],
  [[...HANDLE, `runAgent@${APP}agent.ts:18:44`, `fetchPage@${APP}fetch.ts:9:24`, 'JsonParse'], 5, 'researcher', 'fetchPage'],
  [
    [
      ...HANDLE,
      `runAgent@${APP}agent.ts:18:52`,
      `archiveNotes@${APP}archive.ts:5:17`,
      'gzipSync@node:zlib:736:739',
      'processChunkSync@node:zlib:393:415',
    ],
    12,
    'archivist',
    'archiveNotes',
  ],
  [
    [...HANDLE, `runAgent@${APP}agent.ts:18:52`, `archiveNotes@${APP}archive.ts:5:19`, 'pbkdf2Sync@node:internal/crypto/pbkdf2:62:74'],
    8,
    'archivist',
    'archiveNotes',
  ],
  [
    [
      ...HANDLE,
      `runAgent@${APP}agent.ts:18:47`,
      `queryRecords@${APP}query.ts:22:30`,
      `(anonymous)@${APP}query.ts:27:27`,
      'ArrayPrototypeSort',
    ],
    9,
    'analyst',
    'queryRecords',
  ],
  [
    [
      ...HANDLE,
      `runAgent@${APP}agent.ts:18:47`,
      `queryRecords@${APP}query.ts:22:33`,
      `embed@${DEP}@xenova/tokens/dist/index.js:51:60`,
      'wasm-function[42]@wasm://wasm/0a1b2c3d:1:1',
    ],
    6,
    'analyst',
    'queryRecords',
  ],
  [[...HANDLE, `runAgent@${APP}agent.ts:18:38`, `summarise@${APP}plan.ts:7:13`, 'RegExp: \\W+'], 4, 'planner', null],
  [[...HANDLE, `runAgent@${APP}agent.ts:18:41`, '(garbage collector)'], 5, 'researcher', 'rankDocuments', 'mark-sweep-compact'],
  [[...LOOP, '(garbage collector)'], 2, null, null, 'scavenge'],
  [['(program)'], 2, null, null],
  [[...LOOP, `onread@node:internal/stream_base_commons:166:190`, `log@${DEP}pino/lib/proto.js:190:214`], 3, null, null],
];

/** Profile and time line of a service; `spikeMs` is when archiveNotes takes the whole thread for 0.4 s. */
export function service({ seconds = 30, seed = 7, spikeMs = 12_300, heavier = {} } = {}) {
  const next = numbers(seed);
  const bucketMs = 20;
  const entries = [];
  const samples = new Map();
  const stacks = [];
  const total = WORK.reduce((sum, [, weight]) => sum + weight, 0);
  const take = (atMs, which, thread) => {
    const [stack, , agent, tool, gc] = WORK[which];
    const session = agent ? `s-${1 + (Math.floor(atMs / 5000) % 4)}` : null;
    const labels = {
      thread_name: thread === 0 ? 'main' : '[worker 2] ranker',
      thread_id: 4200 + thread,
      ...(gc ? { gc } : {}),
      ...(agent ? { agent, session } : {}),
      ...(tool ? { tool } : {}),
    };
    const key = `${which} ${thread} ${session}`;
    if (!samples.has(key)) {
      samples.set(key, stacks.length);
      stacks.push({ stack, value: 0, labels });
    }
    const sample = samples.get(key);
    stacks[sample].value += 10;
    entries.push({ bucket: Math.floor(atMs / bucketMs), sample, value: 10 * MS });
  };
  const spike = WORK.findIndex(([stack]) => stack.some((frame) => frame.startsWith('pbkdf2Sync')));
  for (let ms = 0; ms < seconds * 1000; ms += 10) {
    const inSpike = ms >= spikeMs && ms < spikeMs + 400;
    // Busy in waves, as requests come.
    const busy = 0.45 + 0.35 * Math.sin(ms / 1700) + (ms % 1000 < 180 ? 0.25 : 0);
    if (inSpike) take(ms, spike, 0);
    else if (next() < busy) {
      let at = next() * total;
      let which = 0;
      while (at >= WORK[which][1]) at -= WORK[which++][1];
      const name = WORK[which][2];
      take(ms, which, which < 2 && next() < 0.4 ? 1 : 0);
      if (name && next() < (heavier[name] ?? 0)) take(ms, which, 0);
    }
  }
  const profile = profileOf(stacks, {
    durationMs: seconds * 1000,
    comments: [
      'strobe: samples=2061 lost=3 truncated=0 frames=24870 unresolved_frames=0 mended=12',
      'strobe 0.1.0, Node.js v24.11.0, linux-x64, pid 4200',
      'app=shop',
      'tag env=prod',
      'strobe: handler_ns=31800000 code_event_ns=4100000 sampler_ns=90000000 collector_ns=61000000 encoder_ns=40000000 process_cpu_ns=17800000000',
    ],
  });
  entries.sort((a, b) => a.bucket - b.bucket);
  const timeline = {
    startUnixMs: 1_795_384_800_000,
    bucketMs,
    bucket: Uint32Array.from(entries, ({ bucket }) => bucket),
    sample: Uint32Array.from(entries, ({ sample }) => sample),
    value: Float64Array.from(entries, ({ value }) => value),
  };
  return { profile, timeline };
}

/** `count` distinct stacks, about 30 frames deep, of 6000 functions in 80 packages. */
export function large(count = 100_000) {
  const next = numbers(42);
  const functions = Array.from({ length: 6000 }, (_, i) => {
    const file =
      i % 3 === 0
        ? `${APP}module${i % 200}.ts`
        : i % 17 === 0
          ? 'node:internal/streams/readable'
          : `${DEP}package-${i % 80}/lib/part${i % 9}.js`;
    return `function${i}Of${['Parser', 'Router', 'Store', 'Queue'][i % 4]}@${file}:${10 + (i % 900)}`;
  });
  const stacks = [];
  const seen = new Set();
  let stack = [];
  while (stacks.length < count) {
    // Each stack shares the beginning of the one before, as the stacks of a program do.
    stack = stack.slice(0, Math.floor(Math.sqrt(next()) * stack.length));
    const depth = 15 + Math.floor(next() * 30);
    while (stack.length < depth) stack.push(`${functions[Math.floor(next() ** 2 * functions.length)]}:${10 + Math.floor(next() * 40)}`);
    const key = stack.join(';');
    if (seen.has(key)) continue;
    seen.add(key);
    stacks.push({
      stack: [...stack],
      value: Math.ceil(10 / (0.01 + next())),
      labels: { thread_name: 'main', thread_id: 1, agent: `agent-${Math.floor(next() * 12)}`, session: `s-${Math.floor(next() * 400)}` },
    });
  }
  return profileOf(stacks, { durationMs: 3_600_000 });
}
