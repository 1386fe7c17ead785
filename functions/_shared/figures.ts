/** How far a plan is: the figures that SQL computes in one place (imago.figures), and that every path tells as they are. */
import { z } from 'zod';
import { words } from './words.ts';

/** Which entities runs forward of a plan take; null: all. */
export const cohort = z
  .looseObject({ percent: z.number(), keys: z.number(), names: z.array(z.string()) })
  .nullish();

/** A counter. SQL answers null for "does not apply here". */
const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);

const number = z.number().nullish();
const text = z.string().nullish();

const counts = {
  total: z.number(),
  migrated: z.number(),
  pending: z.number(),
  failed: count,
  /** Of them, those that are pending and not in the table that is walked. */
  unreachable: count,
  held: count,
  conflicts: count,
  /** What batches would still move: what is set aside or held is pending, too, as far as its rows go. */
  remaining: z.number(),
  /** Pending besides: those that runs do not take yet. All other counts are of those that they take. */
  outside: count,
  percentage: number,
  total_is_estimate: z.boolean().nullish(),
};

export const figures = {
  state: z.string(),
  direction: text,
  cohort,
  ...counts,
  stages: z
    .array(z.looseObject({ ...words, stage: z.number(), ...counts }))
    .nullish()
    .transform((stages) => stages ?? []),
};

const countsObject = z.object(counts);
const figuresObject = z.object(figures);

export type Counts = z.output<typeof countsObject>;
export type Cohort = z.output<typeof cohort>;
export type Figures = z.output<typeof figuresObject>;
