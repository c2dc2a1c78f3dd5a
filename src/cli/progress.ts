// A status line at the bottom of the terminal while a program runs above it. The terminal's scroll region is shortened by one line, so that the
// program's output scrolls above the status and never mixes with it. Without a terminal on stderr it prints nothing.

const SAVE = '\x1b7';
const RESTORE = '\x1b8';

export class StatusLine {
  #timer: NodeJS.Timeout | undefined;
  #rows = 0;

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly text: () => string,
  ) {}

  start(): void {
    const rows = this.stream.rows;
    if (!this.stream.isTTY || process.env.TERM === 'dumb' || !rows || rows < 4) return;
    this.#reserve(rows);
    this.#draw();
    this.#timer = setInterval(() => {
      if (this.stream.rows !== this.#rows) this.#reserve(this.stream.rows);
      this.#draw();
    }, 1000);
  }

  stop(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.stream.write(`${SAVE}\x1b[1;${this.#rows}r\x1b[${this.#rows};1H\x1b[2K${RESTORE}`);
  }

  #reserve(rows: number): void {
    this.#rows = rows;
    // One line up first: the cursor may stand on the last line, which becomes the status.
    this.stream.write(`\n${SAVE}\x1b[1;${rows - 1}r${RESTORE}\x1b[1A`);
  }

  #draw(): void {
    const columns = this.stream.columns ?? 80;
    this.stream.write(`${SAVE}\x1b[${this.#rows};1H\x1b[2K\x1b[2m${this.text().slice(0, columns - 1)}\x1b[0m${RESTORE}`);
  }
}
