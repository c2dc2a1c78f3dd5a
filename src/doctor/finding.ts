// What a check of `strobe doctor` finds, and the rule that a check that fails says so instead of ending the rest.

export const VERDICTS = ['ok', 'degraded', 'broken'] as const;
/** degraded: strobe works, with less; broken: it does not work until somebody does what `advice` says. */
export type Verdict = (typeof VERDICTS)[number];

export interface Finding {
  /** What was looked at: `engine`, `clock`, `limit:pids` … Stable, for programs. */
  check: string;
  verdict: Verdict;
  /** One sentence. */
  summary: string;
  /** The way out; '' when nothing is to be done. */
  advice: string;
}

export function ok(check: string, summary: string): Finding {
  return { check, verdict: 'ok', summary, advice: '' };
}

export function degraded(check: string, summary: string, advice: string): Finding {
  return { check, verdict: 'degraded', summary, advice };
}

export function broken(check: string, summary: string, advice: string): Finding {
  return { check, verdict: 'broken', summary, advice };
}

/** The worst one. */
export function worst(findings: Finding[]): Verdict {
  return findings.reduce<Verdict>((most, { verdict }) => (VERDICTS.indexOf(verdict) > VERDICTS.indexOf(most) ? verdict : most), 'ok');
}

/** Findings of a check; an exception of it is a finding, too: what could not be looked at is not known to be well. */
export async function guarded(check: string, look: () => Finding[] | Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const denied = code === 'ERR_ACCESS_DENIED';
    return [
      degraded(
        check,
        `could not be checked: ${denied ? `this Node's permission model refuses it (${message})` : message || String(error)}`,
        denied ? 'run strobe doctor without --permission, or allow what it names' : '',
      ),
    ];
  }
}
