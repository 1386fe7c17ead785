/** How far a run is while batches run: drawn in place on a terminal, in a pipe a line every few seconds. */
import type { ProgressAnswer } from '../../functions/_shared/answers.ts';
import { counted } from '../command/figures.ts';
import { bar, canDraw, Frame } from '../command/frame.ts';
import { type Condition, conditionIn, conditionText } from '../command/health.ts';
import {
  laneText,
  leftParts,
  migratedText,
  outsideText,
  percentText,
  rateText,
  restText,
  stageParts,
} from '../command/progress-words.ts';
import type { Terminal } from '../command/terminal.ts';
import { type Part, wrapParts } from '../command/wrap.ts';

/** What there is to show: figures as SQL has them, at one moment, and what this command knows besides. */
export interface Position {
  progress: ProgressAnswer;
  /** Unknown when somebody else drives. */
  workers: number | undefined;
  /** How it gets on, by the last batch; else the figures tell. */
  condition?: Condition;
}

/** In a pipe or a log file nobody watches: one line so often is enough. */
const lineEveryMs = 5_000;

/** And so often while nothing happens: that may go on for hours. */
const lineWaitingEveryMs = 60_000;

/** Shows how far the run is. Nothing is shown where the log level hides it. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #frame: Frame | undefined;
  #position: Position;
  #condition: Condition;
  /** By the clock of this machine. */
  #waitingSince: number | undefined;
  #shownAt = Date.now();

  constructor(terminal: Terminal, position: Position) {
    this.#terminal = terminal;
    this.#position = position;
    this.#condition = this.#gettingOn();
    if (!canDraw(terminal)) return;
    this.#frame = new Frame(terminal);
    this.#draw();
  }

  /** How often it is worth to look again. */
  get everyMs(): number {
    return this.#frame ? 500 : lineEveryMs;
  }

  /** Whether there is anybody to look for. */
  get isShown(): boolean {
    return this.#terminal.shows('info');
  }

  update(position: Partial<Position>): void {
    this.#position = { ...this.#position, ...position };
    this.#condition = this.#gettingOn();
    this.#draw();
    const everyMs = this.#condition.kind === 'waiting' ? lineWaitingEveryMs : lineEveryMs;
    if (this.#frame || !this.isShown || Date.now() - this.#shownAt < everyMs) return;
    this.#shownAt = Date.now();
    for (const line of this.#lines(Number.POSITIVE_INFINITY)) this.#terminal.info(line);
  }

  stop(): void {
    this.#frame?.stop();
  }

  /** Notes since when it waits, as of the moment in which that was said. */
  #gettingOn(): Condition {
    const { progress, condition = conditionIn(progress) } = this.#position;
    if (condition === this.#condition) return condition;
    const { kind, waitedMs } = condition;
    const since = waitedMs === undefined ? this.#waitingSince : performance.now() - waitedMs;
    this.#waitingSince = kind === 'waiting' ? (since ?? performance.now()) : undefined;
    return condition;
  }

  #draw(): void {
    const frame = this.#frame;
    if (!frame) return;
    const { percentage } = this.#position.progress;
    const lines = this.#lines(frame.width, bar(this.#terminal, percentage ?? 0, frame.width));
    frame.draw(lines.slice(0, frame.height));
  }

  /** What must not be missed comes first, for a window that is low as well as narrow. */
  #lines(width: number, drawn?: Part): string[] {
    const { progress, workers } = this.#position;
    const { paint } = this.#terminal;
    const isWaiting = this.#condition.kind === 'waiting';
    const since = this.#waitingSince;
    const getsOn = conditionText(
      this.#condition,
      since === undefined ? undefined : performance.now() - since,
    );
    const isChecking = typeof progress.checking === 'number';
    const first = [
      percentText(progress),
      migratedText(progress, progress),
      !isWaiting && !isChecking && rateText(progress),
      !isWaiting && !isChecking && restText(progress),
      isChecking && `checking the result, ${Math.floor(progress.checking ?? 0)} %`,
      workers !== undefined && counted(workers, 'worker'),
    ].filter((text) => typeof text === 'string');
    const outside = outsideText(progress);
    const left = [
      ...leftParts(progress, progress.direction, paint.red),
      ...(outside === undefined ? [] : [{ text: outside }]),
    ];
    const lanes = drawn && laneText(progress, progress.direction, width);
    const stages = stageParts(progress, paint.red, drawn === undefined);
    const [percent = '', ...rest] = first;
    const head: Part[] = [
      drawn ? { text: `${drawn.text} ${percent}`, paint: drawn.paint } : { text: percent },
      ...rest.map((text) => ({ text })),
    ];
    return [
      // In a pipe it is one line.
      ...(drawn
        ? [...wrapParts(head, width), ...wrapParts(left, width)]
        : wrapParts([...head, ...left], width)),
      ...(getsOn ? wrapParts([{ text: getsOn, paint: paint.yellow }], width) : []),
      ...stages.flatMap((parts) => wrapParts(parts, width - 2).map((line) => `  ${line}`)),
      ...(lanes ? [lanes] : []),
    ];
  }
}
