// Time and chance, as delivery sees them: a test gives a clock that runs faster.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  setTimeout(work: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** 0 to 1. */
  random(): number;
}

export const REAL_CLOCK: Clock = {
  now: Date.now,
  setTimeout: (work, ms) => setTimeout(work, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  random: Math.random,
};
