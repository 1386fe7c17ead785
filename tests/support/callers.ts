import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { call } from './call.ts';
import type { TestDatabase } from './database.ts';
import type { BatchResult } from './imago.ts';

/** A caller that does not end is one that waits for something that never comes. */
const ROUNDS = 5_000;

/** Calls migrate_batch or rollback_batch until nothing is left, as any caller does; returns every answer. */
export async function callUntilDone(
  sql: Sql,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown> = {},
): Promise<BatchResult[]> {
  const answers: BatchResult[] = [];
  while (answers.length < ROUNDS) {
    const answer = (await call(sql, name, args)) as BatchResult;
    answers.push(answer);
    if (!answer.has_more) return answers;
    if (answer.status === 'failed' || answer.status === 'paused') {
      throw new Error(`${name} stopped: ${JSON.stringify(answer)}`);
    }
    await delay(answer.retry_after_ms ?? 0);
  }
  throw new Error(`${name} is not done after ${ROUNDS} calls: ${JSON.stringify(answers.at(-1))}`);
}

/** So many callers at once, each with a connection of its own that stands before the first of them calls. */
export async function callAtOnce(
  db: TestDatabase,
  callers: number,
  name: 'migrate_batch' | 'rollback_batch',
  args: Record<string, unknown> = {},
): Promise<BatchResult[][]> {
  const clients = Array.from({ length: callers }, () => db.connect());
  await Promise.all(clients.map((client) => client`select`));
  return await Promise.all(clients.map((client) => callUntilDone(client, name, args)));
}

/** The sum of a number over all answers of all callers. */
export function total(answers: BatchResult[][], field: string): number {
  return answers.flat().reduce((sum, answer) => sum + Number(answer[field] ?? 0), 0);
}

/**
 * Has the users of the sample app pass for forty thousand when a run is cut into lanes, so that a small app gets as many
 * as a large one. By a trigger, for building an index puts the number right again, and as a superuser, for it is the
 * catalogue's.
 */
export async function passForLarge(superuser: Sql): Promise<void> {
  await superuser.unsafe(`
    alter table public.users set (autovacuum_enabled = false);
    create function public.pass_for_large() returns trigger language plpgsql security definer as $$
    begin
      update pg_class set reltuples = 40000 where oid = 'public.users'::regclass;
      return null;
    end
    $$;
    create trigger pass_for_large after update of prepared_at on imago.plan
      for each row execute function public.pass_for_large()`);
}
