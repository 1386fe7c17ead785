/** What inspect_installation answers, as a zod schema. */
import { z } from 'zod';

const openTo = z.array(z.string());

const object = z.looseObject({
  name: z.string(),
  state: z.enum(['sound', 'missing', 'disabled', 'orphaned']),
});

export const installationAnswer = z.looseObject({
  version: z.number(),
  server_version: z.string(),
  plans: z.array(z.string()),
  schemas: z.array(z.looseObject({ name: z.string(), owner: z.string(), open_to: openTo })),
  functions: z.array(
    z.looseObject({
      name: z.string(),
      arguments: z.string(),
      body: z.string(),
      comment: z.string().nullable(),
      definer: z.boolean(),
      path_is_set: z.boolean(),
      owner: z.string(),
      open_to: openTo,
      for_service_role: z.boolean(),
    }),
  ),
  relations: z.array(
    z.looseObject({
      name: z.string(),
      comment: z.string().nullable(),
      open_to: openTo,
      for_service_role: z.boolean(),
    }),
  ),
  triggers: z.array(object.extend({ relation: z.string(), plan: z.string().nullable() })),
  undo: z.array(
    object.extend({
      kind: z.enum(['table', 'function']),
      plan: z.string().nullable(),
      bytes: z.number().nullable(),
    }),
  ),
  /** An engine without a governor has none. */
  governor: z
    .looseObject({
      /** The role that it reads signals as. */
      reader: z.string(),
      reads_all: z.boolean(),
      is_supabase: z.boolean(),
      max_connections: z.number(),
      wal_mb_per_s: z.number().nullable(),
    })
    .nullish(),
  /** An engine that sends no messages has none. */
  notices: z
    .looseObject({
      ways: z.array(z.string()),
      missing: z.array(z.object({ way: z.string(), lacks: z.string() })),
      given_up: z.number(),
    })
    .nullish(),
  cron: z.looseObject({ available: z.boolean(), problem: z.string().nullable(), jobs: z.array(object) }),
});

export type Installation = z.output<typeof installationAnswer>;
