/** What people read while the command works: lines on stderr, above the progress bar where there is one. */
import { lineBreak, newPaint, type Paint, shown } from './printable.ts';

export const levels = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof levels)[number];

/** Whether to colour what goes to this stream. */
export function colours(stream: NodeJS.WriteStream): Paint {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  return newPaint(!NO_COLOR && (Boolean(FORCE_COLOR) || (stream.isTTY && TERM !== 'dumb')));
}

/** Something that occupies the last line, like a progress bar, and makes room for a line above it. */
export interface LastLine {
  hide(): void;
  show(): void;
}

/** Lines on stderr with a level. */
export class Terminal {
  readonly stream = process.stderr;
  readonly paint = colours(this.stream);
  lastLine: LastLine | undefined;
  readonly #threshold: number;

  constructor(level: Level) {
    this.#threshold = levels.indexOf(level);
  }

  shows(level: Level): boolean {
    return levels.indexOf(level) >= this.#threshold;
  }

  debug(line: string): void {
    this.#write('debug', this.paint.dim(line));
  }

  info(line: string): void {
    this.#write('info', line);
  }

  warn(line: string): void {
    this.#write('warn', this.paint.yellow(line));
  }

  error(line: string, hint?: string): void {
    this.#write('error', this.paint.red(line) + (hint ? lineBreak + hint : ''));
  }

  /** What is to be decided on, whatever the level. */
  show(...lines: readonly string[]): void {
    this.#print(lines.join(lineBreak));
  }

  #write(level: Level, text: string): void {
    if (this.shows(level)) this.#print(text);
  }

  #print(text: string): void {
    this.lastLine?.hide();
    this.stream.write(`${shown(text)}\n`);
    this.lastLine?.show();
  }
}
