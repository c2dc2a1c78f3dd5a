// Names of a stranger's profile as text that can be looked at: what would be invisible or turn the direction of its neighbours shows as its code point, and
// what is too long is cut in the middle. The data keeps the name as it is; copying copies that.

/** Controls, line and paragraph separators, direction marks, zero-width characters, lone surrogates. */
const UNSHOWABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

export const MOST_SHOWN = 400;

export function shown(text: string, most = MOST_SHOWN): string {
  const short = text.length > 4 * most ? clip(text, 2 * most) : text;
  return clip(
    short.replace(UNSHOWABLE, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`),
    most,
  );
}

/** At most `most` UTF-16 units, the middle left out. No surrogate pair is torn. */
export function clip(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) * 0.6);
  const tail = most - 1 - head;
  return `${text.slice(0, head).replace(/[\ud800-\udbff]$/, '')}…${text.slice(text.length - tail).replace(/^[\udc00-\udfff]/, '')}`;
}

/** `part` of `whole` as people read it: 12.3 %, <0.1 %. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '0 %';
  const value = (100 * part) / whole;
  if (value !== 0 && Math.abs(value) < 0.05) return value > 0 ? '<0.1 %' : '>-0.1 %';
  return `${value.toFixed(Math.abs(value) >= 99.95 ? 0 : 1)} %`;
}

/** With its sign, for a difference of shares: `+1.2 pp`. */
export function points(value: number): string {
  const text = Math.abs(100 * value).toFixed(1);
  return `${text === '0.0' ? '±' : value > 0 ? '+' : '−'}${text} pp`;
}
