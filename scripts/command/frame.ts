/** What stands on the last lines of a terminal while a command works, drawn again in place. */
import stringWidth from 'string-width';
import { shown } from './printable.ts';
import type { Terminal } from './terminal.ts';
import type { Part } from './wrap.ts';

/** Columns of a terminal that does not say how many it has. */
const usualColumns = 80;

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

/** Whether there is a terminal that can draw in place, and somebody who wants to see it. */
export function canDraw(terminal: Terminal): boolean {
  return terminal.stream.isTTY && process.env.TERM !== 'dumb' && terminal.shows('info');
}

/** A few lines at the end of the terminal; lines that are written meanwhile go above them. */
export class Frame {
  readonly #terminal: Terminal;
  #lines: readonly string[] = [];
  /** The lines that are to be seen now. */
  #shown: readonly string[] = [];
  readonly #leave = () => this.#terminal.stream.write(showCursor);

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.lastLine = { hide: () => this.#erase(), show: () => this.#write() };
    terminal.stream.write(hideCursor);
    process.once('exit', this.#leave);
  }

  /** How wide a line may be: a full one would have some terminals begin another. */
  get width(): number {
    return Math.max(10, (this.#terminal.stream.columns || usualColumns) - 1);
  }

  /** How many lines there is room for. */
  get height(): number {
    return Math.max(1, (this.#terminal.stream.rows || 24) - 1);
  }

  draw(lines: readonly string[]): void {
    this.#lines = lines;
    this.#erase();
    this.#write();
  }

  /** Takes it off the terminal. */
  stop(): void {
    this.#erase();
    this.#lines = [];
    this.#terminal.lastLine = undefined;
    process.off('exit', this.#leave);
    this.#leave();
  }

  #write(): void {
    this.#shown = this.#lines;
    if (this.#shown.length > 0) this.#terminal.stream.write(`${this.#shown.map(shown).join('\n')}\n`);
  }

  #erase(): void {
    // A window that was made narrower shows a line as several.
    const columns = this.#terminal.stream.columns || usualColumns;
    const rows = this.#shown.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(stringWidth(line) / columns)),
      0,
    );
    if (rows > 0) this.#terminal.stream.write(`\u001b[${rows}A\r\u001b[0J`);
    this.#shown = [];
  }
}

/** `██████░░░░░░`, and how it is painted. */
export function bar(terminal: Terminal, percentage: number, width: number): Part {
  const size = width < 60 ? 10 : 24;
  const full = Math.round((Math.max(0, Math.min(100, percentage)) / 100) * size);
  return {
    text: '█'.repeat(full) + '░'.repeat(size - full),
    paint: (text) => text.replace(/█+/, terminal.paint.green),
  };
}
