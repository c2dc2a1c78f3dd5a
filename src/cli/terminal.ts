// The terminal of a full-screen command: the alternate screen, keys, its size, and its restoration however the command ends. Only SIGKILL leaves it as it
// was: `reset` helps then.
//
// A frame is written in one piece over the last one, inside a synchronised update (terminals that don't know it ignore it): nothing is cleared first, so
// nothing flickers.

import { writeSync } from 'node:fs';
import type { ReadStream } from 'node:tty';

// Alternate screen, no cursor, no wrapping at the right edge: a row that is wider than was thought does not move the ones below.
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const BEGIN_UPDATE = '\x1b[?2026h\x1b[H';
const END_UPDATE = '\x1b[?2026l';
const CLEAR_LINE_END = '\x1b[K';
const ENDING: NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'];

export type Key =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'page-up'
  | 'page-down'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'interrupt'
  | 'suspend'
  | { text: string };

const SEQUENCES: Record<string, Key> = {
  '\x1b[A': 'up',
  '\x1b[B': 'down',
  '\x1b[C': 'right',
  '\x1b[D': 'left',
  '\x1bOA': 'up',
  '\x1bOB': 'down',
  '\x1bOC': 'right',
  '\x1bOD': 'left',
  '\x1b[5~': 'page-up',
  '\x1b[6~': 'page-down',
  '\x1b[H': 'home',
  '\x1b[F': 'end',
  '\x1b[1~': 'home',
  '\x1b[4~': 'end',
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'interrupt',
  '\x1a': 'suspend',
  '\x1c': 'interrupt',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals send
const PIECES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[A-Za-z]|\x1b|[^\x1b]/gu;

/** What was typed; keys that mean nothing here (function keys, a mouse) are left out. */
export function keysOf(input: string): Key[] {
  const keys: Key[] = [];
  for (const [piece] of input.matchAll(PIECES)) {
    const key = SEQUENCES[piece];
    if (key) keys.push(key);
    else if (piece === '\x1b') keys.push('escape');
    else if (piece >= ' ') keys.push({ text: piece });
  }
  return keys;
}

export class Terminal {
  readonly #draw: () => string[];
  readonly #onKey: (key: Key) => void;
  readonly #input: ReadStream | undefined;
  #entered = false;

  /** `draw` gives the lines of the screen, from its first on, each as wide as the screen or ''. */
  constructor(draw: () => string[], onKey: (key: Key) => void) {
    this.#draw = draw;
    this.#onKey = onKey;
    this.#input = process.stdin.isTTY ? process.stdin : undefined;
  }

  get columns(): number {
    return process.stdout.columns || 80;
  }

  get rows(): number {
    return process.stdout.rows || 24;
  }

  open(): void {
    process.on('exit', this.#leave).on('uncaughtExceptionMonitor', this.#leave);
    for (const signal of ENDING) process.on(signal, this.#die);
    process.on('SIGTSTP', this.#suspend).on('SIGCONT', this.#resume);
    process.stdout.on('resize', this.draw);
    this.#input?.setEncoding('utf8').on('data', this.#read);
    this.#enter();
  }

  close(): void {
    this.#leave();
    process.off('exit', this.#leave).off('uncaughtExceptionMonitor', this.#leave);
    for (const signal of ENDING) process.off(signal, this.#die);
    process.off('SIGTSTP', this.#suspend).off('SIGCONT', this.#resume);
    process.stdout.off('resize', this.draw);
    this.#input?.off('data', this.#read).pause();
  }

  draw = (): void => {
    if (!this.#entered) return;
    const lines = this.#draw().slice(0, this.rows);
    while (lines.length < this.rows) lines.push('');
    // Behind a full line the cursor still stands on its last cell, which would be cleared.
    process.stdout.write(`${BEGIN_UPDATE}${lines.map((line) => (line === '' ? CLEAR_LINE_END : line)).join('\r\n')}${END_UPDATE}`);
  };

  #enter(): void {
    this.#entered = true;
    this.#input?.setRawMode(true).resume();
    process.stdout.write(ENTER);
    this.draw();
  }

  // Synchronous: it is the last thing that some ends let us do.
  #leave = (): void => {
    if (!this.#entered) return;
    this.#entered = false;
    try {
      this.#input?.setRawMode(false);
      writeSync(process.stdout.fd, LEAVE);
    } catch {
      // The terminal is gone: there is nothing to restore.
    }
  };

  #die = (signal: NodeJS.Signals): void => {
    this.close();
    // With the default action back, as if nobody had caught it.
    process.kill(process.pid, signal);
  };

  #suspend = (): void => {
    this.#leave();
    process.off('SIGTSTP', this.#suspend);
    // The group, as the terminal's own Ctrl-Z does.
    process.kill(0, 'SIGTSTP');
    // Fires when it goes on; at once where nobody could make it go on again, and the kernel ignores the signal.
    setTimeout(this.#resume, 50);
  };

  #resume = (): void => {
    if (!process.listeners('SIGTSTP').includes(this.#suspend)) process.on('SIGTSTP', this.#suspend);
    // A shell that came in between left the terminal in its own state, also when the stop was a SIGSTOP.
    this.#enter();
  };

  #read = (input: string): void => {
    for (const key of keysOf(input)) {
      if (key === 'suspend') this.#suspend();
      else this.#onKey(key);
    }
  };
}
