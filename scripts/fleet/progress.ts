/** What `imago_fleet.progress` answers: how far a rollout is, for everybody who shows it. */
import { z } from 'zod';

const text = z.string().nullish();
const number = z.number().nullish();

const rolloutState = z.enum(['running', 'paused', 'stopped', 'succeeded', 'failed', 'cancelled']);
const memberState = z.enum(['pending', 'working', 'waiting', 'succeeded', 'failed', 'skipped']);

export const fleetProgress = z.looseObject({
  rollout: z.number(),
  kind: z.enum(['migrate', 'rollback', 'push']),
  /** Null: of push. */
  plan: text,
  state: rolloutState,
  /** Why it was stopped or has failed: gate, budget, members; and in words. */
  code: text,
  reason: text,
  /** As it was asked for. */
  options: z.looseObject({}),
  /** Of all members so many percent may fail. */
  stop_percent: number,
  begun_at: z.string(),
  ended_at: text,
  /** The moment of these figures, by the clock of the control database. */
  at: z.string(),
  seconds: z.number(),
  members: z.object({
    all: z.number(),
    pending: z.number(),
    working: z.number(),
    waiting: z.number(),
    succeeded: z.number(),
    failed: z.number(),
    skipped: z.number(),
    per_minute: z.number(),
  }),
  entities: z.object({
    moved: z.number(),
    /** Null: nobody has counted any yet. */
    remaining: number,
    is_estimate: z.boolean(),
    per_minute: z.number(),
    eta_seconds: number,
  }),
  /** The number of the wave that is being worked. */
  wave: z.number(),
  waves: z.array(
    z.looseObject({
      number: z.number(),
      name: z.string(),
      state: z.enum(['waiting', 'running', 'soaking', 'checking', 'passed', 'stopped']),
      members: z.number(),
      succeeded: z.number(),
      failed: z.number(),
      skipped: z.number(),
      begun_at: text,
      passed_at: text,
      soak_left_seconds: number,
    }),
  ),
  /** Failed and skipped members by code, the most frequent first. */
  failures: z.array(z.looseObject({ code: text, state: memberState, found: z.number(), reason: text })),
  /** Up to twenty that failed, were left alone or wait. */
  troubled: z.array(
    z.looseObject({
      member: z.string(),
      wave: z.number(),
      state: memberState,
      code: text,
      reason: text,
      hint: text,
      tries: z.number(),
      engine: number,
    }),
  ),
  /** Up to five that have been at work the longest. */
  slowest: z.array(
    z.looseObject({
      member: z.string(),
      state: memberState,
      moved: z.number(),
      remaining: number,
      per_minute: number,
      seconds: z.number(),
    }),
  ),
  /** Those that are alive. */
  workers: z.array(z.looseObject({ name: z.string(), slots: z.number(), working: z.number() })),
});

export type FleetProgress = z.output<typeof fleetProgress>;
