/** Calls `validate_migration` until everything is checked. */
import type { ValidationAnswer } from '../../functions/_shared/validation.ts';
import type { Caller } from '../command/caller.ts';
import { pause } from '../command/retry.ts';
import type { Terminal } from '../command/terminal.ts';
import { reasonOf, waitingNotes } from '../command/waiting.ts';
import type { Options } from './options.ts';
import { Progress } from './progress.ts';

/** Another validation of the plan is rarely at work for longer; who waits longer had better know. */
const patienceMs = 5 * 60_000;
const firstBusyWaitMs = 250;
const longestBusyWaitMs = 5_000;

/** What every part of the command works with. */
export interface Context {
  options: Options;
  terminal: Terminal;
  caller: Caller;
  /** The first Ctrl-C. */
  signal: AbortSignal;
  /** How the command is typed. */
  program: string;
}

export type Purpose = 'check' | 'preview' | 'fix';

/** The last answer, and whether it is of everything. */
export interface Checked {
  purpose: Purpose;
  outcome:
    | 'complete'
    | 'interrupted'
    /** Somebody was asked whether to fix, and said no. */
    | 'declined'
    /** Another validation is in the way. */
    | 'stalled';
  answer: ValidationAnswer;
  startedAt: Date;
  durationMs: number;
}

/** Checks, says what fixes would do, or fixes. An interrupt lets the running call end. */
export async function runChecks(context: Context, purpose: Purpose): Promise<Checked> {
  const { caller, options, signal, terminal } = context;
  const args = {
    plan: options.plan,
    detailed: options.detailed,
    fix_issues: purpose !== 'check',
    dry_run: purpose === 'preview',
    max_ms: options.maxMs,
  };
  const startedAt = new Date();
  const ended = (outcome: Checked['outcome'], answer: ValidationAnswer): Checked => {
    return { purpose, outcome, answer, startedAt, durationMs: Date.now() - startedAt.getTime() };
  };
  const progress = new Progress(terminal);
  let busySince: number | undefined;
  let waitMs = firstBusyWaitMs;
  const noteWaiting = waitingNotes(terminal);
  try {
    for (;;) {
      const answer = await caller.call('validate_migration', args, signal);
      progress.update(answer);
      noteWaiting(reasonOf(answer));
      if (!answer.has_more) return ended('complete', answer);
      if (signal.aborted) return ended('interrupted', answer);
      const retryAfterMs = answer.retry_after_ms ?? 0;
      if (answer.status === 'waiting') {
        await pause(retryAfterMs, signal);
      } else if (answer.status === 'busy') {
        busySince ??= performance.now();
        if (performance.now() - busySince > patienceMs) return ended('stalled', answer);
        await pause(Math.max(retryAfterMs, waitMs), signal);
        waitMs = Math.min(longestBusyWaitMs, waitMs * 2);
      } else {
        busySince = undefined;
        waitMs = firstBusyWaitMs;
        // A fix that met a locked row asks for a moment.
        await pause(retryAfterMs, signal);
      }
      if (signal.aborted) return ended('interrupted', answer);
    }
  } finally {
    progress.stop();
  }
}
