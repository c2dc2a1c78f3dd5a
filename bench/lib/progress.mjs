// One status line on a terminal's stderr while runs go on; nothing where stderr is no terminal.
//
// Contract: step() before each run, clear() before anything else is printed.

export class Progress {
  #start = Date.now();
  #part = '';
  #total = 0;
  #done = 0;

  part(name, steps) {
    this.#part = name;
    this.#total = steps;
    this.#done = 0;
    this.#draw('');
  }

  step(what) {
    this.#draw(what);
    this.#done++;
  }

  #draw(what) {
    if (!process.stderr.isTTY) return;
    const seconds = Math.round((Date.now() - this.#start) / 1000);
    const line = `bench: ${this.#part} ${Math.min(this.#done + 1, this.#total)}/${this.#total} ${what}, ${seconds} s`;
    process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  clear() {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

/** Of what runs beside something that is shown. */
export const SILENT = { part() {}, step() {}, clear() {} };
