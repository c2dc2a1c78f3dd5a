// Numbers for people: a value of a pprof unit with three significant digits and the unit that suits its size, and text cut to a width.

interface Scale {
  /** What one of the profile's unit is in the smallest step. */
  factor: number;
  steps: [atLeast: number, symbol: string][];
}

const TIME: Scale['steps'] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [0, 'ns'],
];
const MEMORY: Scale['steps'] = [
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [0, 'B'],
];

const SCALES: Record<string, Scale> = {
  nanoseconds: { factor: 1, steps: TIME },
  microseconds: { factor: 1e3, steps: TIME },
  milliseconds: { factor: 1e6, steps: TIME },
  seconds: { factor: 1e9, steps: TIME },
  bytes: { factor: 1, steps: MEMORY },
  kilobytes: { factor: 2 ** 10, steps: MEMORY },
  megabytes: { factor: 2 ** 20, steps: MEMORY },
};

/** `1234567, 'nanoseconds'` -> `1.23 ms`; a count stays a count: `1 234 567`; an unknown unit stays behind the number. */
export function humanise(value: number, unit: string): string {
  const scale = SCALES[unit];
  if (!scale) return unit === 'count' || unit === '' ? grouped(value) : `${grouped(value)} ${unit}`;
  const size = Math.abs(value * scale.factor);
  for (const [atLeast, symbol] of scale.steps) {
    if (size < atLeast) continue;
    return `${digits((value * scale.factor) / (atLeast || 1))} ${symbol}`;
  }
  return String(value);
}

/** `part` of `whole` as `12.3%`; nothing of nothing is 0. */
export function percent(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(1)}%`;
}

/** Digits in groups of three, a space between them; rounded to a whole number. */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** Cut at the end. */
export function fitStart(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Cut at the beginning: the end of a path says more. */
export function fitEnd(text: string, width: number): string {
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}

/** Control characters of a stranger's file must not reach the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 99.95) return grouped(value);
  return value.toFixed(size >= 9.995 ? 1 : 2);
}
