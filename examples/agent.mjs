// A small AI-agent service, simulated: no network, no model, the same data on every run. `npm run demo` profiles it.
//
// Several sessions run at once. Each asks its question, plans a step, calls a tool, and goes on until it can answer: fetchPage (parse HTML with
// regular expressions), queryRecords (crunch JSON), archiveNotes (zlib, crypto) and rankDocuments (embeddings, in a Worker thread).
// Between the steps it waits, as for a model. Labels say whose CPU it is. AGENT_SECONDS sets the time (default 10), AGENT_SESSIONS the sessions at once (default 6).

import { createHash, pbkdf2Sync } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { gunzipSync, gzipSync } from 'node:zlib';

const WORDS =
  'agent plan tool span trace session latency memory profile sample stack frame queue worker token prompt search page index cache'.split(
    ' ',
  );
const DIMENSIONS = 96;

/** A repeatable stream of numbers in [0, 1): the service's only source of chance. */
function randomFrom(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
}

const pick = (random, list) => list[Math.floor(random() * list.length)];
const sentence = (random, length) => Array.from({ length }, () => pick(random, WORDS)).join(' ');

// --- the Worker's tool: which documents are nearest to the question -------------------------------------------------------------------------

function embedText(text) {
  const vector = new Float64Array(DIMENSIONS);
  for (let i = 0; i + 2 < text.length; i++) {
    const trigram = (text.charCodeAt(i) * 31 + text.charCodeAt(i + 1)) * 31 + text.charCodeAt(i + 2);
    vector[trigram % DIMENSIONS] += 1;
  }
  return vector;
}

function cosineSimilarity(a, b) {
  let dot = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let i = 0; i < DIMENSIONS; i++) {
    dot += a[i] * b[i];
    lengthA += a[i] * a[i];
    lengthB += b[i] * b[i];
  }
  return dot / Math.sqrt(lengthA * lengthB || 1);
}

function centrality(vector, vectors) {
  let sum = 0;
  for (const other of vectors) sum += cosineSimilarity(vector, other);
  return sum / vectors.length;
}

/** Near to the question and typical of the whole set: the second half compares every document with every other. */
function rankDocuments({ question, documents }) {
  const wanted = embedText(question);
  const vectors = documents.map(embedText);
  const ranking = vectors.map((vector, index) => ({ index, score: cosineSimilarity(wanted, vector) + centrality(vector, vectors) / 2 }));
  return ranking.sort((a, b) => b.score - a.score);
}

/** Starts the ranking Worker; returns a function that asks it, and one that ends it. */
export function startRanker(options = {}) {
  const worker = new Worker(new URL(import.meta.url), { name: 'ranker', ...options });
  const waiting = new Map();
  let last = 0;
  worker.on('message', ({ id, ranking }) => {
    waiting.get(id)(ranking);
    waiting.delete(id);
  });
  const ask = (question, documents) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      worker.postMessage({ id: last, labels: currentLabels(), question, documents });
    });
  return { ask, end: () => worker.terminate() };
}

// --- the tools of the main thread -----------------------------------------------------------------------------------------------------------

function renderPage(random) {
  const menu = Array.from({ length: 900 }, (_, i) => `<td class="menu" data-key="${i}" id="cell-${i}">${WORDS[i % WORDS.length]}</td>`);
  const result = (_, i) =>
    `<li class="row"><a href="/doc/${i}?ref=${i % 7}">${sentence(random, 3)}</a><p>${sentence(random, 24)}.</p></li>`;
  return `<html><title>${sentence(random, 4)}</title>${menu.join('')}<ul>${Array.from({ length: 120 }, result).join('')}</ul></html>`;
}

function parseHtml(html) {
  const nodes = [];
  for (const match of html.matchAll(/<(\w+)((?:\s+[\w-]+="[^"]*")*)\s*>([^<]*)/g)) {
    const attributes = Object.fromEntries([...match[2].matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    nodes.push({ tag: match[1], attributes, text: match[3].trim() });
  }
  return nodes;
}

function extractLinks(nodes) {
  const links = nodes.filter((node) => node.tag === 'a').map((node) => new URL(node.attributes.href, 'https://agent.test').pathname);
  return [...new Set(links)];
}

function scoreDocument(text, question) {
  const wanted = new Set(question.split(' '));
  return text.split(/\W+/).reduce((score, word, i) => score + (wanted.has(word) ? 1 / Math.sqrt(i + 1) : 0), 0);
}

async function fetchPage(session) {
  const html = renderPage(session.random);
  await sleep(5 + session.random() * 10); // the network
  const nodes = parseHtml(html);
  session.notes.push(...nodes.filter((node) => node.tag === 'p').map((node) => node.text));
  // Scores anew at every comparison: a mistake to find in the flame graph.
  session.notes.sort((a, b) => scoreDocument(b, session.question) - scoreDocument(a, session.question));
  return extractLinks(nodes).length;
}

async function queryRecords(session) {
  const records = Array.from({ length: 4000 }, (_, id) => ({
    id,
    topic: pick(session.random, WORDS),
    cost: session.random(),
    tags: [id % 5, id % 3],
  }));
  await sleep(3); // the database
  const rows = JSON.parse(JSON.stringify(records));
  const costs = {};
  for (const { topic, cost } of rows) costs[topic] = (costs[topic] ?? 0) + cost;
  return Object.entries(costs).sort((a, b) => b[1] - a[1])[0][0];
}

async function archiveNotes(session) {
  const packed = gzipSync(JSON.stringify(session.notes), { level: 9 });
  await sleep(2); // the object store
  const digest = createHash('sha256').update(gunzipSync(packed)).digest();
  return pbkdf2Sync(digest, 'agent', 12_000, 16, 'sha256').toString('hex');
}

// --- the agents: who works, for which session, with which tool is set as labels, and stays so through every await ---------------------------

const plain = { withLabels: (_labels, fn) => fn(), currentLabels: () => ({}) };

/** Without strobe beside it, or with AGENT_LABELS=0, the service is the same, and has no labels. */
function withoutStrobe(error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  return plain;
}

const { withLabels, currentLabels } = process.env.AGENT_LABELS === '0' ? plain : await import('strobe').catch(withoutStrobe);

const AGENT_OF = { fetchPage: 'researcher', rankDocuments: 'researcher', queryRecords: 'analyst', archiveNotes: 'archivist' };

function planNextStep(session) {
  const plan = ['fetchPage', 'queryRecords', 'fetchPage', 'rankDocuments', 'archiveNotes'];
  return plan[session.steps++];
}

function summarise(notes, ranking) {
  const counts = new Map();
  for (const { index } of ranking) for (const word of notes[index].split(/\W+/)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).slice(0, 3);
}

async function runSession(id, tools, label) {
  const random = randomFrom(id);
  const session = { id, random, question: sentence(random, 6), notes: [], steps: 0 };
  let answer = [];
  for (let step = planNextStep(session); step; step = planNextStep(session)) {
    await sleep(10 + random() * 20); // the model thinks
    const result = await label({ agent: AGENT_OF[step], tool: step }, () => tools[step](session));
    if (step === 'rankDocuments') answer = summarise(session.notes, result);
  }
  return answer;
}

/** Serves `atOnce` sessions at a time, for `seconds` or until `sessions` are served; returns the answers. */
export async function serve({
  ranker,
  atOnce,
  seconds = Number.POSITIVE_INFINITY,
  sessions = Number.POSITIVE_INFINITY,
  label = withLabels,
}) {
  const tools = { fetchPage, queryRecords, archiveNotes, rankDocuments: (session) => ranker.ask(session.question, session.notes) };
  const started = performance.now();
  const answers = [];
  const serveLane = async (lane) => {
    for (let id = lane; id <= sessions && performance.now() - started < seconds * 1000; id += atOnce) {
      answers.push(await label({ agent: 'planner', session: id }, () => runSession(id, tools, label)));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, lane) => serveLane(lane + 1)));
  return answers;
}

async function main() {
  const seconds = Number(process.env.AGENT_SECONDS ?? 10);
  const atOnce = Number(process.env.AGENT_SESSIONS ?? 6);
  const ranker = startRanker();
  const started = performance.now();
  const answers = await serve({ ranker, atOnce, seconds });
  await ranker.end();
  const topics = answers.slice(0, 3).map((answer) => answer.map(([word]) => word).join(', '));
  console.log(`agent: ${answers.length} sessions in ${((performance.now() - started) / 1000).toFixed(1)} s, ${atOnce} at once`);
  console.log(`agent: first answers: ${topics.join(' | ')}`);
}

/** Loaded by another program (the bench), it serves when it is asked. */
const started = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (!isMainThread) {
  // A message carries no labels by itself: the question brings them.
  parentPort.on('message', ({ id, labels, ...task }) =>
    withLabels(labels, () => parentPort.postMessage({ id, ranking: rankDocuments(task) })),
  );
} else if (started) await main();
