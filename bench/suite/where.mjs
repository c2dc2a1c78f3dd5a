// Where a variant's CPU over off goes: by thread, and how much of it the profiler counts itself. Pure: rounds in, shares out.
//
// Contract: whereOf(rounds) gives { variant: { main, counted, own, others } }: medians over the rounds of what differs from the round's offs, as shares of their CPU.
// `main`: the program's main thread; `counted`: what strobe says of its code on the program's threads (handler, signal, callbacks; NaN for who says nothing); `own`: the
// profiler's threads; `others`: V8's threads, the thread pool, Workers of the program. Undefined when the rounds don't have it (whole processes, servers that idle).

import { median } from '../lib/stats.mjs';
import { OFF } from './variants.mjs';

const READ = {
  main: ({ threads }) => threads.main,
  own: ({ threads }) => threads.own,
  others: ({ cpuMs, threads }) => cpuMs - threads.main - threads.own,
};

const countedMs = ({ ownInside: own }) =>
  own?.handlerNs === undefined ? Number.NaN : (own.handlerNs + own.signalNs + own.gcNs + own.codeEventNs) / 1e6;

function meanOfOffs(round, read) {
  const offs = OFF.filter((name) => round[name]);
  return offs.reduce((sum, name) => sum + read(round[name]), 0) / offs.length;
}

export function whereOf(rounds) {
  const having = rounds.filter((round) => OFF.some((name) => round[name]));
  if (!having.some((round) => Object.values(round).some(({ threads }) => threads))) return undefined;
  const names = [...new Set(having.flatMap((round) => Object.keys(round)))];
  const of = (name) => {
    const rows = having.filter((round) => round[name]);
    // Where time is fixed and not the work, for as much work.
    const per = ({ said }) => said?.work ?? 1;
    const share = (round, read) => {
      const off = meanOfOffs(round, (run) => run.cpuMs / per(run));
      return (read(round[name]) / per(round[name]) - meanOfOffs(round, (run) => read(run) / per(run))) / off;
    };
    const shares = Object.fromEntries(Object.entries(READ).map(([key, read]) => [key, median(rows.map((round) => share(round, read)))]));
    const counted = rows.map((round) => countedMs(round[name]) / per(round[name]) / meanOfOffs(round, (run) => run.cpuMs / per(run)));
    return { ...shares, counted: counted.every(Number.isFinite) ? median(counted) : Number.NaN };
  };
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}
