// Slots for the CPU counters of living spans, in the engine's memory: read and written here without a call into it, which would cost a small request more than
// the counters are worth (docs/spans.md).
//
// Contract: a slot is open from openSlot() to closeSlot(); its generation is odd meanwhile and never used again, so whoever still has (slot, generation) of an
// ended span, a label or a section, finds nothing and counts nothing. Who writes: the generation and the first zeros this file; afterwards the counters are
// the handler's (between any two instructions of ours) and the engine's at the exit of a section. What a handler adds between the reading of a counter and
// the end of its slot is lost: a sample's CPU of a span that ends in that moment.
// One list of free slots a copy of this package, for chunks that are this copy's alone.

import { labelEngine } from './engine';

/** capture::SpanUse: a generation, 32 unused bits, two doubles. */
const BYTES = 24;
const WORDS = BYTES / Int32Array.BYTES_PER_ELEMENT;
const DOUBLES = BYTES / Float64Array.BYTES_PER_ELEMENT;
const EXACT = 1;
const REST = 2;
/** capture::SpanSlots: slots of a chunk, all slots of a thread. */
const CHUNK_BITS = 10;
const CHUNK = 1 << CHUNK_BITS;
const SLOTS = 128 * CHUNK;
/** All slots of the thread are taken, by this copy of the package or others. */
export const NO_ROOM = -1;

interface Chunk {
  generations: Int32Array;
  counters: Float64Array;
}
const chunks: (Chunk | undefined)[] = new Array(SLOTS / CHUNK).fill(undefined);
/** Free slots; the last one was used last, and is in the caches. */
const free: number[] = [];

/** 1 when there are free slots now; otherwise what openSlot() answers. */
function takeChunk(): number {
  const given = labelEngine()?.spanChunk();
  if (given === undefined) return 0;
  if (given === null) return NO_ROOM;
  chunks[given.first / CHUNK] = { generations: new Int32Array(given.memory), counters: new Float64Array(given.memory) };
  // 0 stands for no slot.
  for (let slot = given.first + CHUNK - 1; slot >= Math.max(given.first, 1); slot--) free.push(slot);
  return 1;
}

/** A slot with counters of 0; 0 where nothing was ever sampled on this thread; NO_ROOM. */
export function openSlot(): number {
  if (free.length === 0) {
    const taken = takeChunk();
    if (taken <= 0) return taken;
  }
  const slot = free.pop() as number;
  const { generations, counters } = chunks[slot >> CHUNK_BITS] as Chunk;
  const at = slot & (CHUNK - 1);
  counters[at * DOUBLES + EXACT] = 0;
  counters[at * DOUBLES + REST] = 0;
  const word = at * WORDS;
  generations[word] = (generations[word] as number) + 1;
  return slot;
}

/** Of an open slot, as 32 bits with a sign. */
export function generationOf(slot: number): number {
  return (chunks[slot >> CHUNK_BITS] as Chunk).generations[(slot & (CHUNK - 1)) * WORDS] as number;
}

/** Nanoseconds so far, without sections that are open; -1 when the slot is another's by now. */
export function readSlot(slot: number, generation: number): number {
  const chunk = chunks[slot >> CHUNK_BITS];
  const at = slot & (CHUNK - 1);
  if (chunk === undefined || chunk.generations[at * WORDS] !== generation) return -1;
  return (chunk.counters[at * DOUBLES + EXACT] as number) + (chunk.counters[at * DOUBLES + REST] as number);
}

export function closeSlot(slot: number, generation: number): void {
  const chunk = chunks[slot >> CHUNK_BITS];
  const word = (slot & (CHUNK - 1)) * WORDS;
  if (chunk === undefined || chunk.generations[word] !== generation) return;
  const next = (generation + 1) | 0;
  chunk.generations[word] = next;
  // A slot whose generations are used up is not given out again.
  if (next !== 0) free.push(slot);
}
