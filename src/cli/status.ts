// strobe status: what the profiler of a running process does. Without a process: which ones can be asked.

import { ControlClient } from '../control/client';
import { listControlled } from '../control/place';
import type { Status } from '../control/protocol';
import { grouped, humanise, printable } from '../formats/units';
import { processId } from './process-id';
import { parse, runCommand, writeOut } from './usage';

const HELP = `Usage: strobe status [<pid>] [--json]

Shows what the profiler of a running process does: modes, rate, samples and losses, threads, its own cost, delivery, and the features that are
not on. Without a process id: the processes of this user that can be asked. The process must have been started with STROBE_CONTROL=1
(node --import strobe/register, strobe run) or startProfiler({ control: true }). Its event loop takes no part in the answer.

Options:
  --json   the status as JSON: { pid, appName, node, version, uptimeSeconds, profiledSeconds, modes, borrowedModes, recordings, stats }
  --help   this text

Examples:
  strobe status
  strobe status 4711
  strobe status 4711 --json | jq .stats.overhead.cpuShare
`;

/** Threads beyond these are counted. */
const MOST_THREADS = 20;

/** @returns the exit code: 0, 1 when the process can't be asked, 2 for a wrong command line */
export function statusCommand(argv: string[]): Promise<number> {
  return runCommand('status', async () => {
    const { values, positionals } = parse({
      args: argv,
      allowPositionals: true,
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) {
      await writeOut([HELP]);
      return 0;
    }
    if (positionals.length === 0) {
      const pids = await listControlled();
      if (values.json) await writeOut([`${JSON.stringify({ pids })}\n`]);
      else if (pids.length > 0) await writeOut([`${pids.join('\n')}\n`]);
      else process.stderr.write('strobe status: no process of this user can be controlled; start one with STROBE_CONTROL=1\n');
      return 0;
    }
    const client = await ControlClient.connect(processId(positionals, 'status'));
    try {
      const status = await client.status();
      await writeOut([values.json ? `${JSON.stringify(status, null, 2)}\n` : statusText(status)]);
    } finally {
      client.close();
    }
    return 0;
  });
}

function time(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** For people. Every text in it is another process's. */
export function statusText({
  pid,
  appName,
  node,
  version,
  uptimeSeconds,
  profiledSeconds,
  modes,
  borrowedModes,
  recordings,
  stats,
}: Status): string {
  const { overhead, delivery } = stats;
  const row = (name: string, text: string) => printable(`${name.padEnd(10)} ${text}`);
  const held = stats.frequencyHz < stats.askedHz * 0.99 ? ` (asked for ${stats.askedHz} Hz; the overhead budget holds it down)` : '';
  const wall = stats.wallSamples > 0 ? `; wall: ${grouped(stats.wallSamples)}, ${grouped(stats.wallLost)} lost` : '';
  const onThreads = overhead.handlerNs + overhead.signalNs + overhead.gcNs + overhead.codeEventNs;
  const besides = overhead.samplerNs + overhead.collectorNs + overhead.encoderNs;
  const lines = [
    row('process', `${pid}${appName && ` (${appName})`}, Node.js ${node}, up for ${time(uptimeSeconds)}`),
    row('profiler', `strobe ${version}, for ${time(profiledSeconds)}`),
    row('modes', modes.join(', ') + (borrowedModes.length > 0 ? `; on for recordings only: ${borrowedModes.join(', ')}` : '')),
    row('rate', `${Number(stats.frequencyHz.toFixed(1))} Hz${held}`),
    row('samples', `${grouped(stats.samples)}, ${grouped(stats.lost)} lost, ${grouped(stats.truncated)} truncated${wall}`),
    row(
      'cost',
      `${(100 * overhead.cpuShare).toFixed(2)} % of the process's CPU: ${humanise(onThreads, 'nanoseconds')} on its threads, ${humanise(besides, 'nanoseconds')} beside them`,
    ),
    row(
      'memory',
      `${humanise(
        Object.values(stats.memory).reduce((sum, bytes) => sum + bytes, 0),
        'bytes',
      )} in the engine: ${
        Object.entries(stats.memory)
          .filter(([, bytes]) => bytes >= 2 ** 20)
          .map(([part, bytes]) => `${part} ${humanise(bytes, 'bytes')}`)
          .join(', ') || 'nothing of a megabyte'
      }`,
    ),
    row('delivery', `${delivery.delivered} delivered, ${delivery.failed} failed, ${delivery.windows} windows`),
    row('recordings', String(recordings)),
  ];
  for (const { kind, target, delivered, failed, queued, spooled, lastError } of delivery.exporters) {
    lines.push(
      row(
        '',
        `${kind} ${target}: ${delivered} delivered, ${failed} failed, ${queued + spooled} waiting${lastError && `; last error: ${lastError}`}`,
      ),
    );
  }
  lines.push('', `${'thread'.padStart(8)} ${'samples'.padStart(10)} ${'cpu'.padStart(9)}  name`);
  for (const { tid, name, samples, cpuNs } of stats.threads.slice(0, MOST_THREADS)) {
    lines.push(
      printable(`${String(tid).padStart(8)} ${grouped(samples).padStart(10)} ${humanise(cpuNs, 'nanoseconds').padStart(9)}  ${name}`),
    );
  }
  if (stats.threads.length > MOST_THREADS) lines.push(`${stats.threads.length - MOST_THREADS} more threads: --json has all`);
  const notOn = Object.entries(stats.features).filter(([, state]) => !state.startsWith('on'));
  lines.push(
    '',
    notOn.length === 0 ? 'all features are on' : 'features that are not on',
    ...notOn.map(([name, state]) => printable(`  ${name}: ${state}`)),
  );
  return `${lines.join('\n')}\n`;
}
