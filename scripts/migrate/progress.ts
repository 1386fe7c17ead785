/** The bar while batches run; in a pipe a line every few seconds instead. */
import type { Bar } from 'cli-progress';
import type { Words } from '../../functions/_shared/words.ts';
import { newBar } from '../command/bar.ts';
import { counted, countedEntities, duration, percent, whole } from '../command/figures.ts';
import type { Terminal } from '../command/terminal.ts';

/** In a pipe or a log file nobody watches: one line so often is enough. */
const lineEveryMs = 5_000;

/** The rate is that of the last few seconds, so that it follows what happens and still does not flicker. */
const rateWindowMs = 10_000;

/** What there is to show. */
export interface Position {
  words: Words;
  done: number;
  total: number;
  failed: number;
  /** Unknown when somebody else drives. */
  workers: number | undefined;
  isEstimate?: boolean;
  /** How far the checks at the end are, in percent. */
  checking?: number | undefined;
  /** What is waited for, in words. */
  waiting?: string | undefined;
}

/** Shows how far the run is. Nothing is shown where the log level hides it. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #samples: { at: number; done: number }[] = [];
  #bar: Bar | undefined;
  #position: Position;
  #shownAt = Date.now();

  constructor(terminal: Terminal, position: Position) {
    this.#terminal = terminal;
    this.#position = position;
    this.#sample();
    if (terminal.stream.isTTY && terminal.shows('info')) {
      this.#bar = newBar(terminal);
      terminal.lastLine = { hide: () => this.#bar?.stop(), show: () => this.#start() };
      this.#start();
    }
  }

  /** Entities a second, lately. */
  get rate(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.at === first.at) return 0;
    return Math.max(0, (last.done - first.done) / ((last.at - first.at) / 1000));
  }

  update(position: Position): void {
    this.#position = position;
    this.#sample();
    this.#bar?.setTotal(Math.max(1, position.total));
    this.#bar?.update(Math.min(position.done, Math.max(1, position.total)), this.#payload());
    if (this.#bar || !this.#terminal.shows('info') || Date.now() - this.#shownAt < lineEveryMs) return;
    this.#shownAt = Date.now();
    this.#terminal.info(this.#payload().figures);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#terminal.lastLine = undefined;
  }

  #start(): void {
    const total = Math.max(1, this.#position.total);
    this.#bar?.start(total, Math.min(this.#position.done, total), this.#payload());
  }

  #sample(): void {
    const now = Date.now();
    this.#samples.push({ at: now, done: this.#position.done });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > rateWindowMs)
      this.#samples.shift();
  }

  #payload(): { figures: string } {
    const { words, done, total, failed, workers, isEstimate, checking, waiting } = this.#position;
    const rate = this.rate;
    const failures = `${whole(failed)} failed`;
    const figures = [
      percent(done, total),
      `${whole(done)} of ${isEstimate ? 'about ' : ''}${countedEntities(total, words)}`,
      waiting
        ? `waiting: ${waiting}`
        : checking === undefined
          ? `${whole(rate)}/s`
          : `checking the result, ${Math.floor(checking)} %`,
      !waiting &&
        checking === undefined &&
        rate > 0 &&
        total > done &&
        `${duration(((total - done) / rate) * 1000)} left`,
      failed > 0 ? this.#terminal.paint.red(failures) : failures,
      workers !== undefined && counted(workers, 'worker'),
    ];
    return { figures: figures.filter(Boolean).join(' · ') };
  }
}
