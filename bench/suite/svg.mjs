// Small plots as inline SVG: intervals on a common scale, one row a variant. No script, no request, colours from the page's CSS.
//
// Contract: intervalPlot() takes rows { label, low, median, high, points, kind } and gives an <svg> string; every text from outside is escaped. Values are
// drawn as they are: what lies outside the axis is cut at its end and marked with an arrow there.

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
export const escapeText = (text) => String(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);

const WIDTH = 680;
const LABEL = 250;
const ROW = 24;
const TOP = 8;
const AXIS = 34;
const RIGHT = 16;
const TICKS = 9;

/** A step of 1, 2 or 5 times a power of ten that gives at most TICKS ticks. */
function stepOf(range) {
  const raw = range / TICKS;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10);
}

function axisOf(rows, { from, to }) {
  const ends = rows.flatMap(({ low, high }) => [low, high]).filter(Number.isFinite);
  const least = Math.min(from, ...ends);
  const most = Math.max(to, ...ends);
  // One wild interval must not press all the others together.
  const span = to - from;
  const low = Math.max(least, from - span);
  const high = Math.min(most, to + 3 * span);
  const margin = (high - low) * 0.04;
  return { low: low - margin, high: high + margin };
}

/** `limits` are vertical lines: { value, label }; `show` makes a tick readable; `from` and `to` are always on the axis. */
export function intervalPlot(rows, { limits = [], show, from, to, title }) {
  const axis = axisOf(rows, { from, to });
  const scale = (value) => LABEL + ((value - axis.low) / (axis.high - axis.low)) * (WIDTH - LABEL - RIGHT);
  const inside = (value) => Math.min(Math.max(value, axis.low), axis.high);
  const x = (value) => scale(inside(value)).toFixed(1);
  const height = TOP + rows.length * ROW + AXIS;
  const bottom = TOP + rows.length * ROW;
  const step = stepOf(axis.high - axis.low);
  const ticks = [];
  for (let at = Math.ceil(axis.low / step); at * step <= axis.high; at++) ticks.push(at * step);
  const parts = ticks.map(
    (tick) =>
      `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="${TOP}" y2="${bottom}"/>` +
      `<text class="tick" x="${x(tick)}" y="${bottom + 14}" text-anchor="middle">${escapeText(show(tick))}</text>`,
  );
  for (const { value, label } of limits) {
    if (value < axis.low || value > axis.high) continue;
    parts.push(
      `<line class="limit" x1="${x(value)}" x2="${x(value)}" y1="${TOP}" y2="${bottom}"/>` +
        `<text class="limit" x="${x(value)}" y="${bottom + 29}" text-anchor="middle">${escapeText(label)}</text>`,
    );
  }
  for (const [at, { label, low, median, high, points = [], kind }] of rows.entries()) {
    const y = TOP + at * ROW + ROW / 2;
    parts.push(`<text class="name" x="${LABEL - 10}" y="${y + 4}" text-anchor="end">${escapeText(label)}</text>`);
    if (!Number.isFinite(median)) continue;
    parts.push(...points.map((point) => `<circle class="point ${kind}" cx="${x(point)}" cy="${y}" r="2.5"/>`));
    parts.push(
      `<line class="range ${kind}" x1="${x(low)}" x2="${x(high)}" y1="${y}" y2="${y}"/>`,
      `<circle class="middle ${kind}" cx="${x(median)}" cy="${y}" r="4.5"/>`,
    );
    if (high > axis.high) parts.push(`<text class="tick" x="${WIDTH - 2}" y="${y + 4}" text-anchor="end">›</text>`);
  }
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}">${parts.join('')}</svg>`;
}
