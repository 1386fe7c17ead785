/** What answers say of the governor: how much a run may do at the moment, why it is not all, and what limits it. */
import { z } from 'zod';

/** A signal that slows or holds a run, or is only told (level 0). */
const reason = z.looseObject({
  signal: z.string(),
  /** Of what: a slot, a replica, a table, a process. */
  name: z.string().nullish(),
  level: z.number(),
  value: z.number().nullish(),
  limit: z.number().nullish(),
  since: z.string().nullish(),
  /** In words. */
  reason: z.string(),
  /** It cannot be read. */
  sqlstate: z.string().nullish(),
});

/** Null before the first look. */
export const health = z
  .looseObject({
    /** Of the time that each caller works; 0: held. */
    share: z.number(),
    held_since: z.string().nullish(),
    /** The same by the clock of the server, which need not be that of who reads it. */
    waited_ms: z.number().nullish(),
    reasons: z.array(reason),
  })
  .nullish();

/** The limits that an operator has set for the runs of a plan; null where there are none. */
export const throttle = z
  .looseObject({
    hours: z.string().nullish(),
    max_per_second: z.number().nullish(),
    /** Whether there is one. */
    throttle_query: z.boolean(),
    ignore: z.array(z.string()),
    set_by: z.string(),
    set_at: z.string(),
  })
  .nullish();

/** `throttle_migration`: what holds now, without any limit as well. */
export const throttleAnswer = z.looseObject({
  plan: z.string(),
  hours: z.string().nullish(),
  max_per_second: z.number().nullish(),
  throttle_query: z.boolean(),
  ignore: z.array(z.string()),
});

export type Health = z.output<typeof health>;
export type Throttle = z.output<typeof throttle>;
export type ThrottleAnswer = z.output<typeof throttleAnswer>;
