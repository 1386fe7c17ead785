/** Drives a plan with external stages from an edge function of the project, within what one request may take. */
import type { SupabaseContext } from '@supabase/server';
import { call } from './database.ts';
import { drive, type Totals } from './driving.ts';
import { type ExternalStage, workClaim } from './external.ts';
import { lastOf } from './streaming.ts';

export interface ExternalDriving {
  plan: string;
  /** By their numbers: what `external.ts` and `external_2.ts` export. */
  // biome-ignore lint/suspicious/noExplicitAny: each has rows and results of its own
  stages: Record<number, ExternalStage<any, any>>;
  /** How long the request may take. */
  maxSeconds?: number;
  /** After so many rows it ends: a request has 2 s of processor time, which nobody can ask for, and a row takes some of it. */
  maxRows?: number;
  signal: AbortSignal;
}

/** Moves what one request has room for; call it again while `has_more`. */
export async function driveExternal(
  database: SupabaseContext['supabaseAdmin'],
  { plan, stages, maxSeconds = 20, maxRows = 1_000, signal }: ExternalDriving,
): Promise<Totals> {
  const enough = new AbortController();
  const stop = AbortSignal.any([signal, enough.signal]);
  let rows = 0;
  const batches = drive({
    plan,
    direction: 'forward',
    maxSeconds,
    batch: async (direction, max_ms, run) => {
      if (direction === 'rollback') return await call(database, 'rollback_batch', { plan, max_ms, run });
      const answer = await call(database, 'migrate_batch', { plan, max_ms, run });
      const stage = answer.status === 'external' ? stages[answer.stage ?? 1] : undefined;
      if (!stage) return answer;
      return await workClaim({
        stage,
        signal,
        pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        claim: async (batch_size, lease_ms) => {
          const claimed = await call(database, 'claim_entities', { plan, run, batch_size, lease_ms });
          rows += claimed.entities.length;
          if (rows >= maxRows) enough.abort();
          return claimed;
        },
        bringBack: (token, results, failures) =>
          call(database, 'return_entities', { plan, run, token, results, failures }),
      });
    },
    signal: stop,
  });
  // There is one batch at least.
  return (await lastOf(batches)) as Totals;
}
