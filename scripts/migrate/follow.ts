/** Shows how far a run is while this command drives it: always by what SQL says, never by sums of its own. */
import type { BatchAnswer, ProgressAnswer } from '../../functions/_shared/answers.ts';
import { type Condition, type ConditionNotes, conditionNotes, conditionOf } from '../command/health.ts';
import { problemOf } from '../command/problem.ts';
import { pause } from '../command/retry.ts';
import type { Context } from './context.ts';
import { Progress } from './progress.ts';

/**
 * How long nobody looks again after a look that took so long. Counting a big table takes a moment, from the batches,
 * too: a twenty-fifth of the time is for that.
 */
const restAfter = (lookMs: number, everyMs: number): number =>
  Math.min(60_000, Math.max(everyMs, 25 * lookMs));

/** So often in a row must a batch have found its rows locked before that is worth a word. */
const lockedOften = 5;

const locked: Condition = {
  kind: 'waiting',
  reason: 'another transaction holds rows or tables that are needed',
  about: 'locked',
  share: 0,
};

export class Follower {
  readonly #context: Context;
  readonly #progress: Progress;
  readonly #note: ConditionNotes;
  readonly #ended = new AbortController();
  readonly #following: Promise<void>;
  #isPrepared = false;
  #isBesideApp = false;
  #locked = 0;

  constructor(context: Context, first: ProgressAnswer, workers: number) {
    this.#context = context;
    this.#note = conditionNotes(context.terminal);
    this.#progress = new Progress(context.terminal, { progress: first, workers });
    this.#following = this.#progress.isShown ? this.#follow() : Promise.resolve();
  }

  /** What a batch has answered: what it waits for. */
  answered(answer: BatchAnswer): void {
    const { terminal } = this.#context;
    if (answer.status === 'preparing') {
      if (!this.#isPrepared)
        terminal.info('Preparing the plan: only additions, each in a short transaction.');
      this.#isPrepared = true;
    }
    if (answer.others_write && !this.#isBesideApp) {
      this.#isBesideApp = true;
      terminal.info(
        'Others write these tables, and go first: calls are short, one at a time, with a rest after each.',
      );
    }
    this.#locked = answer.status === 'deferred' ? this.#locked + 1 : 0;
    const condition = conditionOf(answer);
    this.#note(condition);
    const shown = this.#locked >= lockedOften ? locked : condition;
    // The figures may be of a moment before.
    if (shown) this.#progress.update({ condition: shown });
  }

  /** Nobody goes on looking afterwards. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#following;
    this.#progress.stop();
  }

  async #follow(): Promise<void> {
    const { caller, options, signal, terminal } = this.#context;
    const stop = AbortSignal.any([signal, this.#ended.signal]);
    let lookMs = 0;
    for (;;) {
      await pause(restAfter(lookMs, this.#progress.everyMs), stop);
      if (stop.aborted) return;
      const beganAt = performance.now();
      try {
        const progress = await caller.call('get_detailed_migration_progress', { plan: options.plan }, stop);
        this.#progress.update({ progress });
      } catch (error) {
        // The batches themselves decide on the run; a look that fails costs only old figures.
        terminal.debug(`Progress could not be read (${problemOf(error).code}).`);
      }
      lookMs = performance.now() - beganAt;
    }
  }
}
