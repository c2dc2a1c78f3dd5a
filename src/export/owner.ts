// Who claimed a spooled entry, and whether that process still lives.
//
// An owner's name is `<place>-<pid>-<start>-<nonce>`: the place is the kernel boot and the process-id namespace (a pid means nothing outside it: every container
// has a process 1), the start is the process's start time (pids are used again), the nonce tells two queues of one process apart.

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

const OWNER = /^([0-9a-f]{8})-(\d+)-(\d+)-([0-9a-f]{8})$/;

export interface Owner {
  name: string;
  nonce: string;
}

/** 'dead': it will never finish what it claimed. 'elsewhere': not to be known from here, only the claim's age tells. */
export type Liveness = 'alive' | 'dead' | 'elsewhere';

function readOr(read: () => string, otherwise: string): string {
  try {
    return read();
  } catch {
    // Not Linux, or /proc is closed to us: the other facts have to do.
    return otherwise;
  }
}

let knownPlace: string | undefined;
function place(): string {
  if (knownPlace === undefined) {
    const boot = readOr(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'), hostname());
    const namespace = readOr(() => readlinkSync('/proc/self/ns/pid'), process.platform);
    knownPlace = createHash('sha256').update(`${boot}\n${namespace}`).digest('hex').slice(0, 8);
  }
  return knownPlace;
}

/** Field 22 of /proc/<pid>/stat, clock ticks between the boot and the process's start; '0' where it can't be read, 'ended' for a zombie. */
function startOf(pid: number): string {
  return readOr(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command in field 2 may hold anything, also `)`: fields are counted from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : (fields[19] ?? '0');
  }, '0');
}

export function newOwner(): Owner {
  const nonce = randomBytes(4).toString('hex');
  return { name: `${place()}-${process.pid}-${startOf(process.pid)}-${nonce}`, nonce };
}

export function isOwnerName(name: string): boolean {
  return OWNER.test(name);
}

export function livenessOf(name: string): Liveness {
  const [, where, pid, start] = OWNER.exec(name) ?? [];
  if (where !== place()) return 'elsewhere';
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    // EPERM: it is there, and another user's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'dead';
  }
  const now = startOf(Number(pid));
  return now !== '0' && now !== start ? 'dead' : 'alive';
}
