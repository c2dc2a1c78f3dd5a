// Why a script's positions stay as they are. Thrown inside this folder only; the cache turns it into an outcome and counts it.

/**
 * failed: the map is there and can't be used, or must not be (broken, too large, no regular file, at http:).
 * missing: the script names a map that is not there, as most packages in node_modules do.
 * stale: the file was written after the script was seen running: it may describe other code.
 * skipped: no time was left.
 */
export type ProblemKind = 'failed' | 'missing' | 'stale' | 'skipped';

export class MapProblem extends Error {
  constructor(
    readonly kind: ProblemKind,
    message: string,
  ) {
    super(message);
  }
}

export function broken(what: string): MapProblem {
  return new MapProblem('failed', `is no source map: ${what}`);
}
