/** What the page asks of the fleet, and what it is answered: the same for both ends. */
import { z } from 'zod';
import { fleetProgress } from '../fleet/progress.ts';

export const fleetAnswer = z.object({
  /** Of the fleet, whether they are in a rollout or not. */
  members: z.number(),
  /** The newest first. */
  rollouts: z.array(
    z.object({
      rollout: z.number(),
      kind: fleetProgress.shape.kind,
      plan: fleetProgress.shape.plan,
      state: fleetProgress.shape.state,
      begun_at: z.string(),
    }),
  ),
  /** Of the one that was asked for, else the open one, else the newest; null: there is none yet. */
  progress: fleetProgress.nullable(),
});

const rollout = z.int().positive();

export const fleetQuery = z.strictObject({ rollout: z.coerce.number().pipe(rollout).optional() });

export const fleetWish = z.discriminatedUnion('action', [
  z.strictObject({ action: z.enum(['pause', 'cancel']), rollout }),
  z.strictObject({
    action: z.literal('resume'),
    rollout,
    /** Past a gate, without those that failed. */
    despite_failures: z.boolean().optional(),
    /** A larger budget. */
    stop_percent: z.number().min(0).max(100).optional(),
  }),
  /** Without a member: all that failed or were left alone. */
  z.strictObject({ action: z.literal('retry'), rollout, member: z.string().max(100).optional() }),
  /** `confirm` is the name of the plan. */
  z.strictObject({
    action: z.literal('rollback'),
    rollout,
    confirm: z.string(),
    force: z.boolean().optional(),
  }),
]);

export type FleetWish = z.output<typeof fleetWish>;

/** The rollout, which is another one after a rollback was begun, and how many members are tried again. */
export const fleetChanged = z.object({ rollout: z.number(), members: z.number() });

export type FleetChanged = z.output<typeof fleetChanged>;
