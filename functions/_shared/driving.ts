/** Calls batches, one after the other, until all is done or the time is used. */
import type { BatchAnswer } from './answers.ts';
import { Budget, pause } from './budget.ts';

export type Direction = 'forward' | 'rollback';

/** What the calls of one request did, summed up; the rest is what the last of them said. */
export interface Totals {
  plan: string;
  run: BatchAnswer['run'];
  direction: BatchAnswer['direction'];
  status: BatchAnswer['status'];
  state: BatchAnswer['state'];
  has_more: boolean;
  processed: number;
  migrated: number;
  rolled_back: number;
  skipped: number;
  failed: number;
  failures_left: number;
  unreachable: number;
  conflicts: number;
  calls: number;
  duration_ms: number;
  rows: Record<string, number>;
  error?: BatchAnswer['error'];
  /** Of the checks at the end of the run, once it has ended. */
  findings?: BatchAnswer['findings'];
  /** Which entities the run takes, where that is not all; once it is done, whether others are pending. */
  cohort?: BatchAnswer['cohort'];
  others_pending?: BatchAnswer['others_pending'];
  /** Of waiting: what is waited for, in words. */
  reason?: string;
  /** Of external: the stage that is done outside, and what to do. */
  stage?: number;
  hint?: string;
  /** What to wait before the next request. */
  retry_after_ms?: number;
  health?: BatchAnswer['health'];
}

export interface Driving {
  plan: string;
  direction: Direction;
  maxSeconds: number;
  /** The run to begin with, if it is to be this one. */
  run?: number | undefined;
  /** One batch: of the named run, so that a call that comes too late opens no other one, or of whichever there is. */
  batch: (direction: Direction, maxMs: number, run: number | undefined) => Promise<BatchAnswer>;
  /** The caller has gone: the running batch is the last. */
  signal: AbortSignal;
}

/** What SQL takes by itself, well below the Data API's timeout; also how often a stream has news. */
const longestBatchMs = 2_000;

/** Gives the totals after each batch; the last ones are the result. */
export async function* drive(driving: Driving): AsyncGenerator<Totals, void, void> {
  const budget = new Budget(driving.maxSeconds);
  let direction = driving.direction;
  let run = driving.run;
  let totals: Totals | undefined;
  do {
    const answer = await driving.batch(direction, budget.share(longestBatchMs), run);
    totals = add(totals, answer, driving.plan, budget.elapsedMs);
    if (direction === 'forward' && hasTurned(answer)) direction = 'rollback';
    else if (isOver(answer)) return yield direction === driving.direction ? totals : takenBack(totals);
    yield totals;
    // A busy answer may name none: the run that is wanted is not there yet.
    run = answer.direction === direction && answer.run != null ? Number(answer.run) : undefined;
    // The rest of a longer wait is the caller's: nothing would come of this request.
    if (!budget.holds(answer.retry_after_ms ?? 0)) return;
    await pause(answer.retry_after_ms ?? 0, budget, driving.signal);
  } while (budget.isLeft && !driving.signal.aborted);
}

/** Whether a run forward has used up its error budget and wants to be taken back, in batches like any other. */
function hasTurned({ direction, run, next }: BatchAnswer): boolean {
  return next === 'rollback' || (direction === 'rollback' && run != null);
}

/** Whether this request can do no more: all is done, the next stage is done outside, somebody has to decide, nothing can be written, the run is held, or pg_cron builds an index. */
function isOver({ status, has_more, health, index }: BatchAnswer): boolean {
  // A rate that is used up is there again in a moment.
  if (status === 'waiting') return !!index || !health?.share;
  return !has_more || ['failed', 'paused', 'cancelled', 'external'].includes(status);
}

/** A run that ends with everything taken back has failed, though the way back is done. */
function takenBack(totals: Totals): Totals {
  const error = totals.error ?? {
    code: 'IM020',
    message: 'the run used up its error budget and has been taken back',
    hint: "Look at select * from migration_log where level = 'error', fix the cause, then start again.",
  };
  return totals.status === 'done' ? { ...totals, status: 'failed', error } : totals;
}

function add(before: Totals | undefined, answer: BatchAnswer, plan: string, durationMs: number): Totals {
  const error = answer.error ?? before?.error;
  const rows = { ...before?.rows };
  for (const [relation, count] of Object.entries(answer.rows)) rows[relation] = (rows[relation] ?? 0) + count;
  return {
    plan,
    run: answer.run,
    direction: answer.direction,
    status: answer.status,
    state: answer.state,
    has_more: answer.has_more,
    processed: (before?.processed ?? 0) + answer.processed,
    migrated: (before?.migrated ?? 0) + answer.migrated,
    rolled_back: (before?.rolled_back ?? 0) + answer.rolled_back,
    skipped: (before?.skipped ?? 0) + answer.skipped,
    failed: (before?.failed ?? 0) + answer.failed,
    failures_left: answer.failures_left,
    unreachable: answer.unreachable,
    conflicts: answer.conflicts,
    calls: (before?.calls ?? 0) + 1,
    duration_ms: durationMs,
    rows,
    ...(error && { error }),
    ...(answer.findings && { findings: answer.findings }),
    ...(answer.cohort && { cohort: answer.cohort, others_pending: answer.others_pending }),
    ...(answer.reason && { reason: answer.reason }),
    ...(answer.status === 'external' && { stage: answer.stage ?? 1, hint: answer.hint ?? '' }),
    ...(answer.retry_after_ms && { retry_after_ms: answer.retry_after_ms }),
    ...(answer.health && { health: answer.health }),
  };
}
