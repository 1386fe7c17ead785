/** Drives batches: one loop per worker, each with one call at a time, until there is nothing left. */

import type { BatchAnswer, Problem } from '../../functions/_shared/answers.ts';
import { backoffMs, isTransient, pause } from '../command/retry.ts';

/** What the calls of one invocation did, summed up. */
export interface Tally {
  batches: number;
  processed: number;
  migrated: number;
  skipped: number;
  failed: number;
  rolledBack: number;
  /** Of the whole plan, by the latest answer. */
  conflicts: number;
  /** Answers that said busy, deferred or waiting. */
  waits: number;
  rows: Record<string, number>;
}

export type Verdict =
  | { outcome: 'done' }
  | { outcome: 'paused' }
  /** Somebody gave the run up, or it was taken over by a run in the other direction. */
  | { outcome: 'cancelled' }
  | { outcome: 'interrupted' }
  /** The next stage is done outside, and nobody here can. */
  | { outcome: 'external'; stage: number }
  /** Somebody holds what the batches need, for longer than is worth waiting. */
  | { outcome: 'stalled' }
  /** SQL stopped the run; with `thenRollback` it has turned into a rollback that wants to be driven. */
  | { outcome: 'stopped'; problem: Problem; thenRollback: boolean }
  | { outcome: 'error'; error: unknown };

export type Driven = Verdict & { tally: Tally };

export interface Drive {
  direction: 'forward' | 'rollback';
  /** One batch, of the run that an earlier answer named: a call that comes too late then opens no other one. Undefined when interrupted. */
  batch: (signal: AbortSignal, run: number | undefined) => Promise<BatchAnswer | undefined>;
  workers: number;
  /** When it comes the running batches end and no new one begins. */
  signal: AbortSignal;
  onAnswer: (answer: BatchAnswer, tally: Tally) => void;
  /** How long nobody may get on before the command gives up. */
  patienceMs?: number;
}

/** Rows that somebody else holds are usually free within seconds; who holds them for minutes has forgotten them. */
const patienceMs = 5 * 60_000;

export function newTally(): Tally {
  return {
    batches: 0,
    processed: 0,
    migrated: 0,
    skipped: 0,
    failed: 0,
    rolledBack: 0,
    conflicts: 0,
    waits: 0,
    rows: {},
  };
}

/** Runs the workers until SQL says that all is done, or something ends it earlier. Never throws for a failed call. */
export async function drive(options: Drive): Promise<Driven> {
  const tally = newTally();
  const ended = new AbortController();
  const stop = AbortSignal.any([options.signal, ended.signal]);
  let verdict: Verdict | undefined;
  let run: number | undefined;
  let movedAt = performance.now();

  const settle = (reached: Verdict): void => {
    // The first one is the cause, what the others hear afterwards are its consequences.
    verdict ??= reached;
    ended.abort();
  };

  // The first call may create the run and prepare the plan, one step a call: the others would only stand in line.
  const prepared = Promise.withResolvers<void>();
  stop.addEventListener('abort', () => prepared.resolve(), { once: true });

  const work = async (isFirst: boolean): Promise<void> => {
    if (!isFirst) await prepared.promise;
    let waited = 0;
    while (!stop.aborted) {
      let answer: BatchAnswer | undefined;
      try {
        answer = await options.batch(stop, run);
      } catch (error) {
        // Interrupted while waiting for a second try: nothing is wrong with the run.
        if (!(stop.aborted && isTransient(error))) settle({ outcome: 'error', error });
        return;
      }
      if (!answer) return;
      run ??= answer.run == null ? undefined : Number(answer.run);
      add(tally, answer);
      options.onAnswer(answer, tally);
      if (answer.status !== 'preparing') prepared.resolve();

      const reached = conclusion(answer, options.direction);
      if (reached) return settle(reached);
      if (answer.status === 'waiting') {
        // Nobody is in the way: it goes on by itself, however long that takes.
        movedAt = performance.now();
        tally.waits += 1;
        await pause(waitMs(answer, 1), stop);
        continue;
      }
      if (answer.status !== 'busy' && answer.status !== 'deferred') {
        movedAt = performance.now();
        waited = 0;
        // A run that is slowed works for its share of the time; the rest is slept here, where it locks nothing.
        if (answer.status === 'working' && answer.retry_after_ms) await pause(answer.retry_after_ms, stop);
        continue;
      }
      if (performance.now() - movedAt > (options.patienceMs ?? patienceMs))
        return settle({ outcome: 'stalled' });
      waited += 1;
      tally.waits += 1;
      await pause(waitMs(answer, waited), stop);
    }
  };

  await Promise.all(Array.from({ length: options.workers }, (_, index) => work(index === 0)));
  return { ...(verdict ?? { outcome: 'interrupted' }), tally };
}

function conclusion(answer: BatchAnswer, direction: Drive['direction']): Verdict | undefined {
  // Without a run the answer tells of the last one only: the one that is wanted is being opened by somebody else.
  if (direction === 'forward' && answer.direction === 'rollback' && answer.run != null) {
    // The error budget was used up, by a batch of another worker or of another command.
    const problem = answer.error ?? {
      code: 'IM020',
      message: 'the run used up its error budget',
      hint: undefined,
    };
    return { outcome: 'stopped', problem, thenRollback: answer.status !== 'failed' };
  }
  switch (answer.status) {
    case 'done':
      return { outcome: 'done' };
    case 'paused':
      return { outcome: 'paused' };
    case 'cancelled':
      return { outcome: 'cancelled' };
    case 'external':
      return { outcome: 'external', stage: answer.stage ?? 1 };
    case 'failed':
      return {
        outcome: 'stopped',
        problem: answer.error ?? { code: undefined, message: undefined, hint: undefined },
        thenRollback: answer.next === 'rollback',
      };
    case 'working':
      return answer.has_more ? undefined : { outcome: 'done' };
    default:
      return undefined;
  }
}

/** As long as SQL asks for, a little longer at random so that the workers do not come back all at once. */
function waitMs(answer: BatchAnswer, waited: number): number {
  const asked = answer.retry_after_ms ?? 0;
  return asked > 0 ? asked * (1 + Math.random() / 4) : backoffMs(waited);
}

function add(tally: Tally, answer: BatchAnswer): void {
  // Steps that prepare and calls that wait are no batches. An edge function calls many in one request, and says how many.
  if (answer.processed > 0) tally.batches += Number(answer.calls ?? 1);
  tally.processed += answer.processed;
  tally.migrated += answer.migrated;
  tally.skipped += answer.skipped;
  tally.failed += answer.failed;
  tally.rolledBack += answer.rolled_back;
  tally.conflicts = answer.conflicts;
  for (const [relation, rows] of Object.entries(answer.rows)) {
    tally.rows[relation] = (tally.rows[relation] ?? 0) + rows;
  }
}
