/** The words for what a plan moves, and the names that the guide has for figures. */
import { z } from 'zod';

/** What the plan calls one of the entities that it moves, and several: user and users, booking and bookings. */
export const words = {
  entity_singular: z
    .string()
    .nullish()
    .transform((word) => word ?? 'entity'),
  entity_plural: z
    .string()
    .nullish()
    .transform((word) => word ?? 'entities'),
};

export type Words = { [Name in keyof typeof words]: string };

/**
 * Names of the guide for figures, which speak of users whatever the plan moves. SQL answers with them beside the neutral
 * ones (imago.guide_names); nothing here reads them.
 */
export const guideNames: ReadonlySet<string> = new Set([
  'total_users',
  'migrated_users',
  'pending_users',
  'users_needing_migration',
  'failed_users',
  'held_users',
  'migration_completion_percentage',
  'users_per_minute',
  'users_per_minute_now',
  'users_per_minute_average',
  'average_ms_per_user',
  'wal_bytes_per_user',
]);
