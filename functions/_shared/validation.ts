/**
 * What `validate_migration` and `get_run_history` answer, as zod schemas.
 *
 * Only what the callers decide by is strict. Everything else is passed on as it came, so that an engine that tells
 * more than this version knows is no error.
 */
import { z } from 'zod';
import { figures } from './figures.ts';
import { words } from './words.ts';

/** A counter. SQL answers null for "does not apply here". */
const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);

/** Null where SQL does not know yet. */
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

const number = z.number().nullish();
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

/** How bad a finding is: an error and a warning can be fixed, manual asks a person to look. */
export const severity = z.enum(['error', 'warning', 'manual']);

/** One check with what it found. A check that found nothing is there, too. */
export const checkResult = z.looseObject({
  name: z.string(),
  severity,
  phase: text,
  /** False where this app lacks the columns that the check is about. */
  applicable: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  /** One sentence on what a finding means. */
  meaning: text,
  /** One sentence on what to do. */
  remedy: text,
  found: count,
  /** What is still wrong once fixes were made; all that was found where none were. */
  left: count,
  /** Counted to where the time ended, not to the end. */
  partial: flag,
  fixable: flag,
  fixed: count,
  fixes_failed: count,
  /** In a dry run: findings that the fix would remove. */
  would_fix: count,
  /** Rows that the fix wrote, or would write, by relation. */
  written: z
    .record(z.string(), z.number())
    .nullish()
    .transform((rows) => rows ?? {}),
  /** Why it could not be done: code, message and hint, never row values. */
  error: z
    .looseObject({ code: z.string().nullish(), message: z.string().nullish(), hint: z.string().nullish() })
    .nullish(),
  /** Of a check that looks at objects, not at rows: each with its name, what is wrong with it, and what to do. */
  findings: z
    .array(z.looseObject({ object: text, message: text, hint: text }))
    .nullish()
    .transform((findings) => findings ?? []),
  /** Up to ten keys, or names of objects; only where they were asked for. */
  keys: z
    .array(z.union([z.string(), z.number()]).transform(String))
    .nullish()
    .transform((keys) => keys ?? []),
  /** Numbers and names that say more. */
  facts: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((facts) => facts ?? {}),
});

/** `validate_migration`. */
export const validationAnswer = z.looseObject({
  plan: z.string(),
  /** Of the plan: nothing moved yet, being moved, or moved. */
  phase: z.enum(['before', 'during', 'after']),
  validation: z.union([z.number(), z.string()]).nullish(),
  has_more: z.boolean(),
  partial: flag,
  status: z.enum(['checking', 'fixing', 'done', 'busy', 'waiting']),
  /** Of waiting: what is waited for, in words. */
  reason: text,
  percentage: number,
  /** Rows read so far, and all that there are to be read. */
  checked: count,
  total: count,
  /** Findings by severity, of what is still wrong. */
  errors: count,
  warnings: count,
  manual: count,
  fixed: count,
  fixes_failed: count,
  healthy: flag,
  retry_after_ms: number,
  /** How far the plan is, once everything is checked; null where that cannot be counted. */
  progress: z.looseObject({ ...words, ...figures }).nullish(),
  checks: z
    .array(checkResult)
    .nullish()
    .transform((checks) => checks ?? []),
});

/** A moment of a run. */
export const runPoint = z.looseObject({
  at: z.string(),
  per_minute: number,
  batch_size: number,
  /** So far. */
  failures: number,
});

/** `get_run_history`: the runs of a plan over time. */
export const runHistoryAnswer = z.looseObject({
  ...words,
  plan: z.string(),
  runs: z
    .array(
      z.looseObject({
        run: z.union([z.number(), z.string()]),
        direction: text,
        state: text,
        started_at: z.string().nullish(),
        finished_at: z.string().nullish(),
        moved: count,
        failed: count,
        points: z
          .array(runPoint)
          .nullish()
          .transform((points) => points ?? []),
      }),
    )
    .nullish()
    .transform((runs) => runs ?? []),
});

export type Severity = z.output<typeof severity>;
export type CheckResult = z.output<typeof checkResult>;
export type ValidationAnswer = z.output<typeof validationAnswer>;
export type RunHistory = z.output<typeof runHistoryAnswer>;
export type HistoryRun = RunHistory['runs'][number];
