// A tree of boxes as one static SVG: readable in a README, on paper, in an <img> (where no script runs) and in a browser, where an inline script adds a search.
// Names are a stranger's: they are text, cut to length, without what XML forbids and without marks that turn the direction of writing.
//
// Boxes narrower than `minPixels` are one box with their siblings; what is still narrower is left out. So the size of the file is bounded by the picture's.

export interface Box {
  /** Shown in the box. */
  name: string;
  /** Shown by the pointer: lines of text. */
  title: string;
  /** Of the style sheet; letters and digits. */
  style: string;
}

/** Where boxes come from: nodes are numbers, 0 is the root. */
export interface BoxSource {
  children(node: number): readonly number[];
  /** Share of the whole picture's width, 0 to 1; children together at most as wide as their parent. */
  width(node: number): number;
  box(node: number): Box;
  /** The box that stands for several narrow ones. */
  merged(nodes: number[], width: number): Box;
}

export interface Picture {
  title: string;
  subtitle: string;
  /** Swatches below the picture. */
  legend: { style: string; text: string }[];
  /** Fill colours by style: in light, in dark. `strong`: the text is bold, for what must be found without colour. */
  styles: Record<string, { light: string; dark: string; strong?: boolean }>;
}

export interface SvgOptions {
  /** Pixels; default 1200. */
  width?: number;
  /** 'icicle': the root on top (default); 'flame': at the bottom. */
  layout?: 'icicle' | 'flame';
  /** Narrower boxes are merged. Default 1. */
  minPixels?: number;
}

const ROW = 18;
const FONT = 11;
// A monospaced font's characters are 0.6 of its size wide; a little more is safe.
const CHARACTER = FONT * 0.61;
const PADDING = 4;
const MARGIN = 10;
const HEADER = 52;
const LEGEND = 34;
/** Deeper stacks end in a box that says so: a recursion of thousands would be a picture of a mile. */
const MOST_ROWS = 250;
const MOST_TITLE = 400;

interface Placed {
  x: number;
  width: number;
  row: number;
  box: Box;
}

export function renderSvg(source: BoxSource, picture: Picture, options: SvgOptions = {}): string {
  const width = Math.max(200, options.width ?? 1200);
  const inner = width - 2 * MARGIN;
  const placed = place(source, inner, options.minPixels ?? 1);
  const rows = placed.reduce((most, { row }) => Math.max(most, row + 1), 1);
  const height = HEADER + rows * ROW + LEGEND;
  const top = (row: number) => HEADER + (options.layout === 'flame' ? rows - 1 - row : row) * ROW;
  const used = new Set([...placed.map(({ box }) => box.style), ...picture.legend.map(({ style }) => style)]);
  const boxes = placed.map(({ x, width, row, box }) => {
    const text = fit(box.name, width - 2 * PADDING);
    const [left, y] = [MARGIN + x, top(row)];
    const label = text === '' ? '' : `<text x="${pixels(left + PADDING)}" y="${y + 13}">${xml(text)}</text>`;
    return `<g class="${box.style}"><title>${xml(cut(box.title))}</title><rect x="${pixels(left)}" y="${y}" width="${pixels(width)}" height="${ROW - 1}"/>${label}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:100%;height:auto" role="img" aria-label="${xml(cut(picture.title))}">`,
    `<style>${styleSheet(picture, used)}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="${MARGIN}" y="22">${xml(fit(picture.title, inner * 0.7))}</text>`,
    `<text class="note" x="${MARGIN}" y="40">${xml(fit(picture.subtitle, inner))}</text>`,
    `<g id="boxes">`,
    ...boxes,
    '</g>',
    legend(picture, width, height - LEGEND + 12),
    `<script>${SEARCH}</script>`,
    '</svg>\n',
  ].join('\n');
}

/** Breadth first: a stack as deep as the file must not be a recursion. */
function place(source: BoxSource, inner: number, minPixels: number): Placed[] {
  const placed: Placed[] = [{ x: 0, width: inner, row: 0, box: source.box(0) }];
  const open = [{ node: 0, x: 0, row: 0 }];
  for (let at = 0; at < open.length; at++) {
    const { node, x, row } = open[at] as (typeof open)[number];
    const children = source.children(node);
    if (children.length === 0) continue;
    if (row + 2 >= MOST_ROWS) {
      const share = children.reduce((sum, child) => sum + source.width(child), 0);
      placed.push({ x, width: share * inner, row: row + 1, box: source.merged([...children], share) });
      continue;
    }
    let left = x;
    const narrow: number[] = [];
    for (const child of children) {
      const width = source.width(child) * inner;
      if (width < minPixels) {
        narrow.push(child);
        continue;
      }
      placed.push({ x: left, width, row: row + 1, box: source.box(child) });
      open.push({ node: child, x: left, row: row + 1 });
      left += width;
    }
    const share = narrow.reduce((sum, child) => sum + source.width(child), 0);
    if (share * inner >= minPixels) placed.push({ x: left, width: share * inner, row: row + 1, box: source.merged(narrow, share) });
  }
  return placed;
}

function pixels(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function styleSheet({ styles }: Picture, used: Set<string>): string {
  const fills = (theme: 'light' | 'dark') =>
    [...used].map((style) => `.${style} rect,rect.${style}{fill:${styles[style]?.[theme] ?? '#999'}}`).join('');
  const strong = [...used].filter((style) => styles[style]?.strong).map((style) => `.${style} text`);
  return [
    'svg{color-scheme:light dark;--ink:#16181d;--soft:#555b66;--paper:#fff}',
    `text{font:${FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink);white-space:pre}`,
    '.title{font:600 16px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}',
    '.note,.legend text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--soft)}',
    '.paper{fill:var(--paper)}',
    '#boxes rect{stroke:var(--paper);stroke-width:.7}#boxes text{pointer-events:none}#boxes g:hover rect{stroke:var(--ink);stroke-width:1.2}',
    '#boxes.searched g:not(.hit){opacity:.28}#boxes g.hit rect{stroke:var(--ink);stroke-width:1}',
    fills('light'),
    strong.length > 0 ? `${strong.join(',')}{font-weight:700}` : '',
    `@media(prefers-color-scheme:dark){svg{--ink:#f2f4f8;--soft:#a9b0bc;--paper:#15171c}${fills('dark')}}`,
    // Paper is white whatever the screen was, and a printer may have no colours: boxes get an edge.
    `@media print{svg{--ink:#000;--soft:#333;--paper:#fff}${fills('light')}#boxes rect{stroke:#333;stroke-width:.4}foreignObject{display:none}}`,
  ].join('');
}

function legend({ legend }: Picture, width: number, y: number): string {
  let x = MARGIN;
  const items: string[] = [];
  for (const { style, text } of legend) {
    const room = columns(text) * 6.6 + 34;
    if (x + room > width) break;
    items.push(
      `<rect class="${style}" x="${pixels(x)}" y="${y}" width="12" height="12" rx="2"/><text x="${pixels(x + 17)}" y="${y + 10}">${xml(text)}</text>`,
    );
    x += room;
  }
  return `<g class="legend">${items.join('')}</g>`;
}

/** Text that fits so many pixels, cut with an ellipsis; '' when not even three characters do. */
function fit(text: string, room: number): string {
  const most = Math.floor(room / CHARACTER);
  if (most < 3) return '';
  const clean = safe(text);
  if (columns(clean) <= most) return clean;
  let used = 0;
  let result = '';
  for (const character of clean) {
    used += columns(character);
    if (used > most - 1) break;
    result += character;
  }
  return `${result}…`;
}

/** Columns of a monospaced font: East Asian characters and pictures have two. */
function columns(text: string): number {
  let count = 0;
  for (const character of text) count += (character.codePointAt(0) as number) >= 0x1100 ? 2 : 1;
  return count;
}

function cut(text: string): string {
  return text.length <= MOST_TITLE ? text : `${text.slice(0, MOST_TITLE)}…`;
}

/** Without what XML forbids (controls, half surrogates) and without marks that turn the writing. Line ends become spaces, but in titles. */
function safe(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g, '\ufffd')
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
  );
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function xml(text: string): string {
  return safe(text).replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

// The search: a field, and the share of the picture's width that the matches cover (nested ones once). It holds no `<` and no `&`, so that it is XML as it stands.
const SEARCH = `
(function () {
  var boxes = document.getElementById('boxes'), svg = boxes.ownerSVGElement, w = svg.viewBox.baseVal.width;
  var holder = document.createElementNS('http://www.w3.org/2000/svg', 'foreignObject');
  holder.setAttribute('x', w - 330); holder.setAttribute('y', 6); holder.setAttribute('width', 320); holder.setAttribute('height', 26);
  var field = document.createElementNS('http://www.w3.org/1999/xhtml', 'input');
  field.type = 'search'; field.placeholder = 'search';
  field.setAttribute('aria-label', 'search functions and files');
  field.style.cssText = 'font:12px system-ui,sans-serif;width:190px;box-sizing:border-box;padding:3px 6px';
  var said = document.createElementNS('http://www.w3.org/1999/xhtml', 'output');
  said.style.cssText = 'font:12px system-ui,sans-serif;margin-left:8px;color:var(--soft)';
  holder.appendChild(field); holder.appendChild(said); svg.appendChild(holder);
  var all = Array.prototype.map.call(boxes.children, function (g) {
    var r = g.querySelector('rect');
    return { g: g, text: g.querySelector('title').textContent.split('\\n')[0].toLowerCase(), x: +r.getAttribute('x'), w: +r.getAttribute('width') };
  });
  var whole = all[0].w;
  field.addEventListener('input', function () {
    var wanted = field.value.trim().toLowerCase(), hits = [];
    all.forEach(function (b) {
      var hit = wanted !== '' ? b.text.indexOf(wanted) !== -1 : false;
      b.g.classList.toggle('hit', hit);
      if (hit) hits.push(b);
    });
    boxes.classList.toggle('searched', wanted !== '');
    hits.sort(function (a, b) { return a.x - b.x; });
    var end = -1, sum = 0;
    hits.forEach(function (b) { var from = Math.max(b.x, end), to = b.x + b.w; if (to > from) { sum += to - from; end = to; } });
    said.textContent = wanted === '' ? '' : (100 * sum / whole).toFixed(1) + ' % matched';
  });
})();
`;
