// Text for a terminal's cells: what a stranger's name may not do there, and how wide it is.
//
// Not only control characters are replaced: marks that turn the direction of writing, and what has no width, would show a row as another than it is.

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const HOSTILE = /[\u0000-\u001f\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}|\p{Co}|\p{Cn}/gu;
const NO_WIDTH = /^\p{M}$/u;
/** Two cells: Unicode's wide and full-width blocks, and pictures. Narrower terminals leave a gap, no more: a row ends by the cursor's column, not by its length. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})$/u;

export function safe(text: string): string {
  return text.replace(HOSTILE, '?');
}

function widthOf(character: string): number {
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Safe, and exactly `width` cells: cut with … at its end (or its beginning), or filled with spaces. */
export function cells(text: string, width: number, cut: 'end' | 'start' = 'end'): string {
  if (width <= 0) return '';
  // A name of a megabyte is not gone through: no character has fewer than zero cells, but marks pile up on one.
  const near = cut === 'end' ? text.slice(0, width * 4) : text.slice(-width * 4);
  const characters = [...safe(near)];
  const total = characters.reduce((sum, character) => sum + widthOf(character), 0);
  if (total <= width && near.length === text.length) return characters.join('') + ' '.repeat(width - total);
  const kept: string[] = [];
  let room = width - 1;
  for (const character of cut === 'end' ? characters : characters.reverse()) {
    const taken = widthOf(character);
    if (taken > room) break;
    room -= taken;
    kept.push(character);
  }
  return cut === 'end' ? `${kept.join('')}…${' '.repeat(room)}` : `${' '.repeat(room)}…${kept.reverse().join('')}`;
}
