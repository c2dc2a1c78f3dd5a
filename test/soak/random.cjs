// Random numbers that a seed repeats. Each antagonist has a stream of its own (`stream(seed, name)`), so what one does never changes what another chooses;
// how they interleave in time is the machine's choice.

function hash(text) {
  let h = 0x811c9dc5;
  for (const character of String(text)) h = Math.imul(h ^ character.codePointAt(0), 0x01000193);
  return h >>> 0;
}

/** { next(): 0 to 1, int(low, high): both included, among(list), gap(mean): exponential, at most four means } */
function stream(seed, name) {
  let state = (hash(name) ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    among: (list) => list[Math.floor(next() * list.length)],
    gap: (mean) => Math.min(4 * mean, -Math.log(1 - next()) * mean),
  };
}

module.exports = { stream };
