/**
 * What the functions in schema public answer, as zod schemas.
 *
 * Only what the callers decide by is strict, and what shows whose answer it is: the plan, and the figures that it is about.
 * Everything else is passed on as it came, so that an engine that tells more than this version knows is no error.
 */
import { z } from 'zod';
import { cohort, figures } from './figures.ts';
import { cleanupAnswer, finalizeAnswer } from './finalizing.ts';
import { forecast, forecastAnswer } from './forecasting.ts';
import { health, throttle, throttleAnswer } from './health.ts';
import { noticesAnswer, notifyAnswer, settledAnswer } from './notices.ts';
import { scheduleAnswer, unscheduleAnswer } from './scheduling.ts';
import { runHistoryAnswer, validationAnswer } from './validation.ts';
import { words } from './words.ts';

/** A counter. SQL answers null for "does not apply here". */
const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);

const number = z.number().nullish();
const text = z.string().nullish();

/** Rows per relation, `public.posts` -> 96313. */
export const rowCounts = z
  .record(z.string(), z.number())
  .nullish()
  .transform((rows) => rows ?? {});

/** What went wrong, in the words that may be shown to people: code, message and hint, never row values. */
export const problem = z.looseObject({ code: text, message: text, hint: text });

/** What a check at the end of a run has found; `held`: of it, on entities that somebody has taken back alone; `keys`: up to ten. */
export const finding = z.looseObject({
  name: z.string(),
  severity: text,
  found: count,
  held: count,
  keys: z.array(z.string()).nullish(),
  partial: z.boolean().nullish(),
  error: text,
});

/** Null: the run has not been checked to its end. */
const findings = z.array(finding).nullish();

/** States of a batch call that the command acts on. */
export const batchStatus = z.enum([
  'preparing',
  'working',
  'done',
  'paused',
  'busy',
  'deferred',
  'waiting',
  'external',
  'claimed',
  'failed',
  'cancelled',
]);

/** `migrate_batch` and `rollback_batch`. */
export const batchAnswer = z.looseObject({
  status: batchStatus,
  has_more: z.boolean(),
  processed: count,
  migrated: count,
  skipped: count,
  failed: count,
  rolled_back: count,
  /** Of the whole plan so far, unlike the counters above, which are this call's. */
  failures_left: count,
  /** Of them, those that are pending and not in the table that is walked. */
  unreachable: count,
  conflicts: count,
  duration_ms: number,
  retry_after_ms: number,
  /** Of waiting: what is waited for, in words. */
  reason: text,
  /** Whether others write the plan's tables; null while that cannot be said. */
  others_write: z.boolean().nullish(),
  /** Of waiting, while pg_cron builds an index: the column that it is on. */
  index: text,
  health,
  rows: rowCounts,
  run: z.union([z.number(), z.string()]).nullish(),
  direction: z.enum(['forward', 'rollback']).nullish(),
  state: text,
  error: problem.nullish(),
  next: text,
  /** While the checks at the end of a run go on: how far they are, in percent. */
  checking: number,
  findings,
  cohort,
  /** Of a run of a cohort that is done: whether others are pending. */
  others_pending: z.boolean().nullish(),
  /** Of external: the stage that is done outside, and what to do. */
  stage: number,
  hint: text,
});

/** `claim_entities`. */
export const claimAnswer = batchAnswer.extend({
  /** Of claimed, like the rows. */
  token: text,
  entities: z.array(z.object({ key: z.string(), row: z.unknown() })).default([]),
});

/** `return_entities`; `left`: what has yet to be written of what was brought. */
export const returnAnswer = batchAnswer.extend({ left: count });

/** A range of the walk. */
const lane = z.looseObject({
  stage: number,
  pass: z.string(),
  number: z.number(),
  processed: count,
  moved: count,
  failed: count,
  batch_size: number,
  done: z.boolean(),
});

/** `get_detailed_migration_progress`. */
export const progressAnswer = z.looseObject({
  ...words,
  plan: z.string(),
  ...figures,
  run: number,
  phase: text,
  /** Why the run has failed, in words. */
  reason: text,
  lanes: z
    .array(lane)
    .nullish()
    .transform((lanes) => lanes ?? []),
  /** How often pg_cron drives it, in words. */
  scheduled: text,
  finalize: z.looseObject({ closed: z.boolean().nullish() }).nullish(),
  /** Entities a minute; null while nothing moves. */
  per_minute: number,
  eta_seconds: number,
  /** Why the counts are estimates where the plan's views cannot be read. */
  count_error: problem.nullish(),
  /** Why nothing is done at the moment, in words: nothing can be written, or the run is held. */
  waiting: text,
  health,
  throttle,
  /** While the checks at the end of a run go on: how far they are, in percent. */
  checking: number,
  started_at: text,
  updated_at: text,
  /** Of the newest run. */
  findings,
  /** Columns whose index, which rollback needs, was left to a person. */
  unindexed: z.array(z.object({ object: z.string(), statement: z.string() })).nullish(),
});

/** What Realtime sends of a run that is being worked on (imago.broadcast_figures): a part of {@link progressAnswer}. */
export const figuresMessage = z.looseObject({
  plan: z.string(),
  run: z.number(),
  direction: text,
  state: z.string(),
  per_minute: number,
  waiting: text,
  health,
  checking: number,
  lanes: z.array(lane),
});

/** `get_migration_statistics`. */
export const statisticsAnswer = z.looseObject({
  ...words,
  plan: z.string(),
  total: z.number(),
  migrated: z.number(),
  pending: z.number(),
  outside: count,
  cohort,
  percentage: number,
  total_avatars: count,
  migrated_avatars: count,
});

/** `get_migration_performance_stats`. */
export const performanceAnswer = z.looseObject({
  ...words,
  plan: z.string(),
  per_minute_now: number,
  per_minute_average: number,
  batches: count,
  batch_ms: z.record(z.string(), z.number().nullable()).nullish(),
  /** For how long calls held rows: p50, p99, max. */
  held_ms: z.record(z.string(), z.number().nullable()).nullish(),
  errors_by_sqlstate: rowCounts,
  errors_by_raiser: rowCounts,
  deferred_batches: count,
  halved_batches: count,
  timed_out_batches: count,
  /** By signal of the governor: how long it has held the runs of the plan, and what it counts as now. */
  waited_ms_by_signal: rowCounts,
  level_by_signal: rowCounts,
});

/** A table in which dead rows take room worth a word. */
export const bloated = z.looseObject({
  relation: z.string(),
  dead_rows: z.number(),
  /** Without indexes. */
  bytes: number,
  /** Of all rows. */
  dead_percent: z.number(),
  /** Since the plan was prepared, without indexes. */
  grown_bytes: number,
  /** Whether autovacuum removes them: it runs, it comes, it comes later, it is off. */
  autovacuum: z.enum(['runs', 'comes', 'later', 'off']),
  /** What removes them where autovacuum does not. */
  statement: text,
});
export type Bloated = z.infer<typeof bloated>;

/** `get_migration_report`: all figures of one moment. */
export const reportAnswer = z.looseObject({
  plan: z.string(),
  progress: progressAnswer,
  /** Null where counting does not fit a call. */
  statistics: statisticsAnswer.nullish(),
  performance: performanceAnswer,
  bloat: z.array(bloated).nullish(),
});

/** `rollback_user_migration`. `conflicts` says why a user stayed as they are. */
export const rollbackUserAnswer = z.looseObject({
  rolled_back: z.union([z.boolean(), z.number()]),
  restored: rowCounts,
  removed: rowCounts,
  returned: rowCounts,
  conflicts: z
    .array(z.looseObject({ relation: text, key: z.unknown(), reason: text }))
    .nullish()
    .transform((conflicts) => conflicts ?? []),
});

/** `pause_migration`, `resume_migration`, `cancel_migration`, `retry_failed_migrations`. */
export const transitionAnswer = z.looseObject({
  plan: z.string(),
  state: z.string(),
  direction: z.enum(['forward', 'rollback']).nullish(),
});

/** What a dry run has come to in one stage of a plan. */
export const dryRunStage = z.looseObject({
  ...words,
  stage: z.number(),
  outcome: z.enum(['complete', 'part', 'not_tried', 'nothing_pending']),
  /** Why not all of it was tried. */
  reason: z
    .enum(['time', 'waiters', 'held', 'locked', 'failures', 'error', 'earlier_stage', 'external'])
    .nullish(),
  pending: count,
  pending_is_estimate: z.boolean().nullish(),
  tried: count,
  moved: count,
  failed: count,
  /** Held by others. */
  locked: count,
  /** Failed after an earlier stage that was tried in part only, perhaps for want of what that moves. */
  unsure: count,
  per_second: number,
  seconds: number,
});

/** `prepare_migration`: one step a call. */
export const prepareAnswer = z.looseObject({
  plan: z.string(),
  status: z.string(),
  has_more: z.boolean(),
  retry_after_ms: number,
});

/** A table and the lock that is held on it, as PostgreSQL names it. */
const tableLock = z.looseObject({ object: z.string(), mode: z.string() });

/** How often a trigger of the app fires; `calls`: functions by which it calls to the outside. */
const firedTrigger = z.looseObject({
  object: z.string(),
  trigger: z.string(),
  event: z.string(),
  level: z.string(),
  fired: count,
  is_most: z.boolean().nullish(),
  /** Null where too little was tried. */
  estimate: number,
  calls: z.array(z.string()),
  /** Its function asks imago.in_batch(): it may keep quiet. */
  asks_in_batch: z.boolean().nullish(),
});

/** `dry_run_migration`, of each mode. */
export const dryRunAnswer = z.looseObject({
  ...words,
  plan: z.string(),
  mode: z.string(),
  status: z.string(),
  has_more: z.boolean().nullish(),
  processed: count,
  migrated: count,
  failed: count,
  failures: z.array(z.looseObject({})).nullish(),
  rows: rowCounts,
  side_effects: z.array(z.unknown()).nullish(),
  triggers: z.array(firedTrigger).nullish(),
  undeclared: z.array(z.unknown()).nullish(),
  wal_bytes: number,
  rows_per_second: number,
  locks_held_ms: number,
  stages: z.array(dryRunStage).nullish(),
  estimate: z
    .looseObject({
      total: count,
      is_estimate: z.boolean().nullish(),
      seconds: number,
      unknown_stages: z.array(z.number()).nullish(),
      rows: rowCounts,
    })
    .nullish(),
  forecast: forecast.nullish(),
  /** Of the mode preflight: those that the other modes may need. */
  locks: z.array(tableLock).nullish(),
  limits: z.looseObject({ sample_ms: z.number(), full_ms: z.number(), wait_ms: z.number() }).nullish(),
  findings,
  problems: z.array(z.looseObject({ severity: text, object: text, message: text, hint: text })).nullish(),
  notices: z.array(z.looseObject({ object: text, message: text })).nullish(),
  error: problem.nullish(),
});

/** `log_request`. */
export const requestAnswer = z.looseObject({ plan: z.string() });

/** `get_user_profile_gig`: source is null for a user who does not exist. */
export const profileAnswer = z.looseObject({
  userId: z.number(),
  source: z.enum(['gig', 'user']).nullable(),
  profile: z.looseObject({}).nullable(),
});

/** `get_user_gigs`: rows as the app has them. */
export const gigsAnswer = z.array(z.looseObject({ id: z.number() }));

/** `get_migration_plans`; the edge function adds the role of the caller. */
export const plansAnswer = z.looseObject({
  plans: z.array(
    z.looseObject({
      ...words,
      plan: z.string(),
      title: z.string(),
      source: z.string(),
      /** False where the app has no such table. */
      source_exists: z.boolean(),
      phase: z.string(),
      state: z.string(),
      direction: text,
      run: number,
      started_at: text,
      finished_at: text,
      failed: count,
      held: count,
      conflicts: count,
      journal_bytes: count,
    }),
  ),
  /** Runs are told by Realtime, to who may listen. */
  realtime: z.boolean().nullish(),
  role: z.enum(['viewer', 'operator', 'key']).optional(),
});

/** `get_migration_failures`: who is set aside, by reason. */
export const failuresAnswer = z.looseObject({
  ...words,
  plan: z.string(),
  groups: z.array(
    z.looseObject({
      kind: z.string(),
      direction: text,
      stage: number,
      sqlstate: text,
      constraint: text,
      relation: text,
      column: text,
      /** Of a conflict. */
      reason_kind: text,
      referenced_by: text,
      reason: text,
      raised_by: text,
      found: z.number(),
      newest_at: text,
      keys: z.array(z.string()),
    }),
  ),
});

/** The view migration_log, the newest line first. */
export const logAnswer = z.looseObject({
  plan: z.string(),
  lines: z.array(
    z.looseObject({
      created_at: z.string(),
      run: number,
      level: z.string(),
      event: z.string(),
      entity: text,
      sqlstate: text,
      detail: z.unknown(),
    }),
  ),
});

/** Every function that the command and the edge functions call, with the schema of what it answers. */
export const answers = {
  migrate_batch: batchAnswer,
  rollback_batch: batchAnswer,
  claim_entities: claimAnswer,
  return_entities: returnAnswer,
  get_detailed_migration_progress: progressAnswer,
  get_migration_statistics: statisticsAnswer,
  get_migration_performance_stats: performanceAnswer,
  get_migration_report: reportAnswer,
  get_migration_plans: plansAnswer,
  get_migration_failures: failuresAnswer,
  rollback_user_migration: rollbackUserAnswer,
  rollback_entity: rollbackUserAnswer,
  pause_migration: transitionAnswer,
  resume_migration: transitionAnswer,
  cancel_migration: transitionAnswer,
  retry_failed_migrations: transitionAnswer,
  dry_run_migration: dryRunAnswer,
  forecast_migration: forecastAnswer,
  prepare_migration: prepareAnswer,
  log_request: requestAnswer,
  validate_migration: validationAnswer,
  get_run_history: runHistoryAnswer,
  get_user_profile_gig: profileAnswer,
  get_user_gigs: gigsAnswer,
  finalize_migration: finalizeAnswer,
  cleanup_migration: cleanupAnswer,
  schedule_migration: scheduleAnswer,
  unschedule_migration: unscheduleAnswer,
  throttle_migration: throttleAnswer,
  notify_migrations: notifyAnswer,
  take_notices: noticesAnswer,
  settle_notices: settledAnswer,
} as const;

export type BatchAnswer = z.output<typeof batchAnswer>;
export type ClaimAnswer = z.output<typeof claimAnswer>;
export type ReturnAnswer = z.output<typeof returnAnswer>;
export type FiguresMessage = z.output<typeof figuresMessage>;
export type Lane = z.output<typeof lane>;
export type ProgressAnswer = z.output<typeof progressAnswer>;
export type StatisticsAnswer = z.output<typeof statisticsAnswer>;
export type PerformanceAnswer = z.output<typeof performanceAnswer>;
export type FailuresAnswer = z.output<typeof failuresAnswer>;
export type LogLine = z.output<typeof logAnswer>['lines'][number];
export type RollbackUserAnswer = z.output<typeof rollbackUserAnswer>;
export type DryRunAnswer = z.output<typeof dryRunAnswer>;
export type DryRunStage = z.output<typeof dryRunStage>;
export type FiredTrigger = z.output<typeof firedTrigger>;
export type Finding = z.output<typeof finding>;
export type Problem = z.output<typeof problem>;
