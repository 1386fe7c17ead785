/** How far the checks are, drawn in place; nothing in a pipe, where only the result matters. */
import type { ValidationAnswer } from '../../functions/_shared/validation.ts';
import { counted, duration, whole } from '../command/figures.ts';
import { bar, canDraw, Frame } from '../command/frame.ts';
import type { Terminal } from '../command/terminal.ts';
import { type Part, wrapParts } from '../command/wrap.ts';

/** Before so much is done, a remaining time would be a guess. */
const guessableFrom = 5;

export class Progress {
  readonly #terminal: Terminal;
  readonly #frame: Frame | undefined;
  readonly #startedAt = performance.now();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    if (!canDraw(terminal)) return;
    this.#frame = new Frame(terminal);
    this.#draw(0, [{ text: 'checking' }], undefined);
  }

  update(answer: ValidationAnswer): void {
    const percentage = Math.max(0, Math.min(100, answer.percentage ?? 0));
    const left = ((performance.now() - this.#startedAt) / percentage) * (100 - percentage);
    const isMoving = answer.status === 'checking' || answer.status === 'fixing';
    const figures = [
      `${Math.floor(percentage)} %`,
      answer.status === 'fixing'
        ? `${whole(answer.fixed)} fixed`
        : `${whole(answer.checked)} of ${counted(answer.total, 'row')} read`,
      isMoving && percentage >= guessableFrom && percentage < 100 && `${duration(left)} left`,
    ].filter((text) => typeof text === 'string');
    const reasons: Partial<Record<ValidationAnswer['status'], string>> = {
      busy: 'waiting for another validation',
      waiting: `waiting: ${answer.reason}`,
    };
    this.#draw(
      percentage,
      figures.map((text) => ({ text })),
      reasons[answer.status],
    );
  }

  stop(): void {
    this.#frame?.stop();
  }

  #draw(percentage: number, [first, ...rest]: Part[], reason: string | undefined): void {
    const frame = this.#frame;
    if (!frame || !first) return;
    const { text, paint } = bar(this.#terminal, percentage, frame.width);
    frame.draw([
      ...wrapParts([{ text: `${text} ${first.text}`, paint }, ...rest], frame.width),
      ...(reason ? wrapParts([{ text: reason, paint: this.#terminal.paint.yellow }], frame.width) : []),
    ]);
  }
}
