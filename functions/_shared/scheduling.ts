/** What `schedule_migration` and `unschedule_migration` answer. */
import { z } from 'zod';
import { cohort } from './figures.ts';

export const scheduleAnswer = z.looseObject({
  plan: z.string(),
  /** The interval, as people read it. */
  scheduled: z.string(),
  /** Its name in pg_cron. */
  job: z.string(),
  finalize: z.boolean(),
  direction: z.string().nullish(),
  state: z.string().nullish(),
  cohort,
});

/** `unscheduled` is false where there was no job. */
export const unscheduleAnswer = z.looseObject({ plan: z.string(), unscheduled: z.boolean() });

export type ScheduleAnswer = z.output<typeof scheduleAnswer>;
