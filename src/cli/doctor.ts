// strobe doctor: does strobe work here, and what is to be done where it does not.

import { checkEndpoints, type Endpoint, endpointsFrom } from '../doctor/endpoints';
import { checkEngine } from '../doctor/engine';
import { type Finding, guarded, worst } from '../doctor/finding';
import { checkLimits, checkPlatform } from '../doctor/host';
import { checkConflicts, checkDirectory } from '../doctor/surroundings';
import { printable } from '../formats/units';
import { packageVersion } from '../native';
import { parse, runCommand, wholeNumber, writeOut } from './usage';

const HELP = `Usage: strobe doctor [options]

Looks at everything that profiling needs, by trying it: platform, Node, the binary, a real start of the engine in a
process of its own, its clock, container limits, other profilers, source maps, the directory of the profiles, and
whether the exporters' addresses answer. Each line is ok, degraded (works, with less) or broken, with the way out.

Exit code: 0 when nothing is broken, else 1.

Options:
  --json          as JSON (schema strobe-doctor/1)
  --endpoint URL  an address to try, besides those in STROBE_* variables; repeatable
  --timeout S     seconds for an answer from an address, 1 to 60 (default 3)
  --help          this text

Examples:
  strobe doctor
  strobe doctor --endpoint http://pyroscope:4040
  strobe doctor --json | jq '.findings[] | select(.verdict != "ok")'
`;

const DEFAULT_TIMEOUT_S = 3;

/** @returns the exit code: 0 nothing is broken, 1 something is, 2 a wrong command line */
export function doctorCommand(argv: string[]): Promise<number> {
  return runCommand('doctor', () => doctor(argv));
}

async function doctor(argv: string[]): Promise<number> {
  const { values } = parse({
    args: argv,
    options: {
      json: { type: 'boolean' },
      endpoint: { type: 'string', multiple: true },
      timeout: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    await writeOut([HELP]);
    return 0;
  }
  const timeoutMs = 1000 * (values.timeout === undefined ? DEFAULT_TIMEOUT_S : wholeNumber('--timeout', values.timeout, 1, 60));
  const asked: Endpoint[] = (values.endpoint ?? []).map((url) => ({ from: '--endpoint', url }));
  const endpoints = [...asked, ...endpointsFrom(process.env)];

  const groups = await Promise.all([
    guarded('platform', checkPlatform),
    guarded('engine', checkEngine),
    guarded('limits', () => checkLimits()),
    guarded('conflicts', () => checkConflicts()),
    guarded('directory', () => checkDirectory()),
    guarded('endpoints', () => checkEndpoints(endpoints, timeoutMs)),
  ]);
  const findings = groups.flat();
  const verdict = worst(findings);
  await writeOut([values.json ? `${JSON.stringify({ ...facts(), verdict, findings }, null, 2)}\n` : `${text(findings)}`]);
  return verdict === 'broken' ? 1 : 0;
}

/**
 * { schema: 'strobe-doctor/1', strobe, node, platform, arch,
 *   verdict,                                       the worst of the findings
 *   findings: [{ check, verdict, summary, advice }] }      advice: '' when nothing is to be done
 */
function facts() {
  return { schema: 'strobe-doctor/1', strobe: packageVersion, node: process.version, platform: process.platform, arch: process.arch };
}

function text(findings: Finding[]): string {
  const width = findings.reduce((most, { check }) => Math.max(most, check.length), 0);
  const indent = ' '.repeat(10 + width + 2);
  const lines = findings.map(({ check, verdict, summary, advice }) => {
    const line = `${verdict.padEnd(10)}${check.padEnd(width)}  ${printable(summary)}`;
    return advice === '' ? line : `${line}\n${indent}→ ${printable(advice)}`;
  });
  const count = (wanted: string) => findings.filter(({ verdict }) => verdict === wanted).length;
  return `${lines.join('\n')}\n${count('ok')} ok, ${count('degraded')} degraded, ${count('broken')} broken\n`;
}
