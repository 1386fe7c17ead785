/** What `finalize_migration` and `cleanup_migration` answer. */
import { z } from 'zod';

const warnings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);

const shared = {
  plan: z.string(),
  state: z.string(),
  step: z.string().nullish(),
  has_more: z.boolean(),
  retry_after_ms: z.number(),
  /** Of the state waiting: what is waited for, in words. */
  reason: z.string().nullish(),
  warnings,
  dry_run: z.boolean().optional(),
};

/** A step of finalize, as a dry run lists it. */
export const finalizeStep = z.looseObject({
  number: z.number(),
  name: z.string(),
  direct: z.boolean(),
  statement: z.string().nullish(),
  /** From this step on nothing can be rolled back. */
  closes: z.boolean(),
  done: z.boolean(),
});

/** `finalize_migration`; with dry_run it has the steps and what stands in the way. */
export const finalizeAnswer = z.looseObject({
  ...shared,
  step_number: z.number().nullish(),
  steps: z.number(),
  closed: z.boolean(),
  percentage: z.number().nullish(),
  list: z.array(finalizeStep).optional(),
  obstacles: z.array(z.looseObject({ kind: z.string(), reason: z.string(), remedy: z.string() })).optional(),
});

/** `cleanup_migration`; with dry_run the numbers are of what would go, and the list names the plan's own steps. */
export const cleanupAnswer = z.looseObject({
  ...shared,
  undo_tables: z.number(),
  log_rows: z.number(),
  batch_rows: z.number(),
  bytes_freed: z.number(),
  list: z.array(z.string()).optional(),
});

export type FinalizeStep = z.output<typeof finalizeStep>;
export type FinalizeAnswer = z.output<typeof finalizeAnswer>;
export type CleanupAnswer = z.output<typeof cleanupAnswer>;
