// Where control sockets are: <pid>.sock in a directory that only its user can enter, `$XDG_RUNTIME_DIR/strobe` or `<tmpdir>/strobe-<uid>`.
//
// Node has no way to ask who is at the other end of a socket, so the file system answers: the directory is the user's own and closed to others (0700), the
// socket too (0600), and neither is a symbolic link. Both sides check that before a byte is sent. Root may control anybody's process; what it talks to must
// still belong to the process's user.

import { existsSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { StrobeError } from '../errors';
import { ioError } from '../export/io-error';

/** sockaddr_un.sun_path is 108 bytes with its end (unix(7)); a longer one is cut silently by some libc. */
const MAX_SOCKET_PATH = 107;
const SOCKET = /^([1-9]\d{0,9})\.sock$/;
const OTHERS = 0o077;

export function ownUid(): number {
  return process.getuid?.() ?? userInfo().uid;
}

/** Where sockets of `uid`'s processes may be, the first choice first. The last two: the process may have been started in another environment than ours. */
export function directoriesOf(uid: number): string[] {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const own = uid === ownUid() && runtime?.startsWith('/') ? [join(runtime, 'strobe')] : [];
  return [...new Set([...own, join(tmpdir(), `strobe-${uid}`), `/run/user/${uid}/strobe`, `/tmp/strobe-${uid}`])];
}

function lstatOr(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    // ENOENT, ENOTDIR: it is not there. EACCES: behind a directory that we may not enter, so not for us.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw ioError('look at', path, error);
  }
}

function kindOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return 'a symbolic link';
  if (stat.isFile()) return 'a file';
  return stat.isDirectory() ? 'a directory' : stat.isSocket() ? 'a socket' : 'something else';
}

/** Why it can't be trusted; undefined: it can. */
function directoryFault(stat: Stats, uid: number): string | undefined {
  if (!stat.isDirectory()) return `it is ${kindOf(stat)}, not a directory`;
  if (stat.uid !== uid) return `it belongs to uid ${stat.uid}, not to uid ${uid}`;
  return (stat.mode & OTHERS) === 0 ? undefined : `others may enter it (mode ${(stat.mode & 0o777).toString(8)}); it must be 700`;
}

function socketFault(stat: Stats, uid: number): string | undefined {
  if (!stat.isSocket()) return `it is ${kindOf(stat)}, not a socket`;
  if (stat.uid !== uid) return `it belongs to uid ${stat.uid}, not to uid ${uid}`;
  return (stat.mode & OTHERS) === 0 ? undefined : `others may use it (mode ${(stat.mode & 0o777).toString(8)}); it must be 600`;
}

function untrusted(path: string, fault: string): StrobeError {
  return new StrobeError('ERR_IO', `${path} is not trusted: ${fault}. Remove it, then start the program again with STROBE_CONTROL=1`);
}

/**
 * For the server: the socket's path in a directory that is made when it is missing.
 * @throws StrobeError ERR_IO: none of the directories can be made and trusted, or the path is too long; says so of each
 */
export function ownSocketPath(pid: number): string {
  const uid = ownUid();
  const faults: string[] = [];
  const [first, second] = directoriesOf(uid);
  for (const directory of [first, second]) {
    if (directory === undefined) continue;
    const path = join(directory, `${pid}.sock`);
    const length = Buffer.byteLength(path);
    if (length > MAX_SOCKET_PATH) {
      faults.push(
        `${path}: ${length} bytes, a socket's path has at most ${MAX_SOCKET_PATH}; set XDG_RUNTIME_DIR or TMPDIR to a shorter one`,
      );
      continue;
    }
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        faults.push(ioError('make', directory, error).message);
        continue;
      }
    }
    const stat = lstatOr(directory);
    const fault = stat === undefined ? 'it is gone' : directoryFault(stat, uid);
    if (fault === undefined) return path;
    faults.push(`${directory} is not trusted: ${fault}`);
  }
  throw new StrobeError('ERR_IO', faults.join('; '));
}

/** Does anybody listen? 'unknown': the answer was neither yes nor no. */
export function probe(path: string): Promise<'alive' | 'dead' | 'unknown'> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? 'dead' : 'unknown'),
    );
  });
}

/** EPERM: it is there, and another user's. */
export function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Removes a socket that nobody listens at: its process was killed. Not merely because there is no such process: a directory may be shared by containers
 * whose process ids mean nothing to each other.
 * @returns true when the path is free now
 */
export async function removeStale(path: string): Promise<boolean> {
  const stat = lstatOr(path);
  if (stat === undefined) return true;
  if (!stat.isSocket() || (await probe(path)) !== 'dead') return false;
  try {
    unlinkSync(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  return true;
}

/** Sockets in a trusted directory, by process id. */
function socketsIn(directory: string, uid: number): { pid: number; path: string }[] {
  const stat = lstatOr(directory);
  if (stat === undefined || directoryFault(stat, uid) !== undefined) return [];
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    // Removed meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw ioError('read', directory, error);
  }
  return names.flatMap((name) => {
    const pid = SOCKET.exec(name)?.[1];
    return pid === undefined ? [] : [{ pid: Number(pid), path: join(directory, name) }];
  });
}

/** Removes what killed processes of this user left in the directory of `path`. */
export async function sweep(path: string): Promise<void> {
  const uid = ownUid();
  for (const { pid, path: other } of socketsIn(join(path, '..'), uid)) {
    if (other !== path && !processLives(pid)) await removeStale(other);
  }
}

/** Processes of this user that can be controlled, by id. */
export async function listControlled(): Promise<number[]> {
  const uid = ownUid();
  const pids = new Set<number>();
  for (const directory of directoriesOf(uid)) {
    for (const { pid, path } of socketsIn(directory, uid)) {
      if (socketFault(lstatSync(path), uid) === undefined && (await probe(path)) === 'alive') pids.add(pid);
    }
  }
  return [...pids].sort((a, b) => a - b);
}

/**
 * For the client: the trusted socket of a process.
 * @throws StrobeError ERR_NOT_RUNNING (no such process, no socket), ERR_IO (another user's, not trusted); each with the way out
 */
export async function findSocket(pid: number): Promise<string> {
  const lives = processLives(pid);
  const uid = lives ? uidOf(pid) : ownUid();
  if (uid !== ownUid() && ownUid() !== 0) {
    throw new StrobeError('ERR_IO', `process ${pid} belongs to another user (uid ${uid}): run this as that user, or as root`);
  }
  for (const directory of directoriesOf(uid)) {
    const path = join(directory, `${pid}.sock`);
    const inside = lstatOr(directory);
    if (inside === undefined) continue;
    const fault = directoryFault(inside, uid);
    if (fault !== undefined) {
      if (inside.isSymbolicLink() || lstatOr(path) !== undefined) throw untrusted(directory, fault);
      continue;
    }
    const stat = lstatOr(path);
    if (stat === undefined) continue;
    const wrong = socketFault(stat, uid);
    if (wrong !== undefined) throw untrusted(path, wrong);
    if (lives || (await probe(path)) === 'alive') return path;
    await removeStale(path);
  }
  throw new StrobeError('ERR_NOT_RUNNING', lives ? await noSocket(pid) : `there is no process ${pid}; ${await others()}`);
}

async function noSocket(pid: number): Promise<string> {
  return (
    `process ${pid} can not be controlled: it has no control socket. Start it with STROBE_CONTROL=1 (node --import strobe/register app.js, strobe run app.js) ` +
    `or startProfiler({ control: true }); ${await others()}`
  );
}

async function others(): Promise<string> {
  const pids = await listControlled();
  return pids.length === 0 ? 'no process of yours has one now' : `processes of yours that have one: ${pids.join(', ')}`;
}

function uidOf(pid: number): number {
  // Where there is no /proc, processes are our own or can't be talked to.
  if (!existsSync('/proc/self')) return ownUid();
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ownUid();
    throw ioError('look at', `/proc/${pid}`, error);
  }
}
