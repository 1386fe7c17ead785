/** The bar while checks run; nothing in a pipe, where only the result matters. */
import type { Bar } from 'cli-progress';
import type { ValidationAnswer } from '../../functions/_shared/validation.ts';
import { newBar } from '../command/bar.ts';
import { counted, duration, whole } from '../command/figures.ts';
import type { Terminal } from '../command/terminal.ts';

/** Before so much is done, a remaining time would be a guess. */
const guessableFrom = 5;

export class Progress {
  readonly #terminal: Terminal;
  readonly #startedAt = performance.now();
  #bar: Bar | undefined;
  #percentage = 0;
  #figures = 'checking';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    if (!terminal.stream.isTTY || !terminal.shows('info')) return;
    this.#bar = newBar(terminal);
    terminal.lastLine = { hide: () => this.#bar?.stop(), show: () => this.#start() };
    this.#start();
  }

  update(answer: ValidationAnswer): void {
    this.#percentage = Math.max(0, Math.min(100, answer.percentage ?? 0));
    const elapsed = performance.now() - this.#startedAt;
    const left = (elapsed / this.#percentage) * (100 - this.#percentage);
    this.#figures = [
      `${Math.floor(this.#percentage)} %`,
      answer.status === 'fixing'
        ? `${whole(answer.fixed)} mended`
        : `${whole(answer.checked)} of ${counted(answer.total, 'row')} read`,
      this.#percentage >= guessableFrom && this.#percentage < 100 && `${duration(left)} left`,
      answer.status === 'busy' && 'waiting for another validation',
      answer.status === 'waiting' && `waiting: ${answer.reason}`,
    ]
      .filter(Boolean)
      .join(' · ');
    this.#bar?.update(this.#percentage, { figures: this.#figures });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#terminal.lastLine = undefined;
  }

  #start(): void {
    this.#bar?.start(100, this.#percentage, { figures: this.#figures });
  }
}
