import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';

/** What every call of the engine answers; tests look at more fields than the loop needs. */
export interface BatchResult {
  status: 'preparing' | 'working' | 'done' | 'paused' | 'busy' | 'deferred' | 'failed' | 'cancelled';
  has_more: boolean;
  processed: number;
  migrated: number;
  skipped: number;
  failed: number;
  duration_ms: number;
  retry_after_ms: number | null;
  rows: Record<string, number>;
  run: number | string | null;
  error: { code: string; message: string; hint: string | null } | null;
  [field: string]: unknown;
}

/** What rollback_batch answers. */
export interface RollbackResult extends BatchResult {
  rolled_back: number;
  conflicts: number;
}

const ROUNDS = 10_000;

/** Calls migrate_batch until nothing is left, the run stops or is paused; returns every answer. */
export async function migrateAll(
  sql: Sql,
  {
    plan = 'avatars',
    batch_size = null,
    max_ms = 2000,
  }: { plan?: string; batch_size?: number | null; max_ms?: number } = {},
): Promise<BatchResult[]> {
  return await untilDone('migrate_batch', async () => {
    const [row] = await sql<{ result: BatchResult }[]>`
      select public.migrate_batch(plan => ${plan}, batch_size => ${batch_size}, max_ms => ${max_ms}) as result`;
    return row?.result;
  });
}

/** Calls rollback_batch until nothing is left, the run stops or is paused; returns every answer. */
export async function rollbackAll(
  sql: Sql,
  { plan = 'avatars', force = false }: { plan?: string; force?: boolean } = {},
): Promise<RollbackResult[]> {
  return await untilDone('rollback_batch', async () => {
    const [row] = await sql<{ result: RollbackResult }[]>`
      select public.rollback_batch(plan => ${plan}, force => ${force}) as result`;
    return row?.result;
  });
}

async function untilDone<T extends BatchResult>(
  name: string,
  call: () => Promise<T | undefined>,
): Promise<T[]> {
  const results: T[] = [];
  while (results.length < ROUNDS) {
    const result = await call();
    if (!result) throw new Error(`${name} returned no row`);
    results.push(result);
    if (!result.has_more || result.status === 'failed' || result.status === 'paused') return results;
    if (result.status === 'busy' || result.status === 'deferred') await delay(result.retry_after_ms ?? 10);
  }
  throw new Error(`${name} is not done after ${ROUNDS} calls: ${JSON.stringify(results.at(-1))}`);
}

/** The app's tables, and the columns of them that the avatars plan adds. */
const APP_TABLES: Record<string, string[]> = {
  users: ['active_avatar_id'],
  posts: ['avatar_id'],
  follows: ['avatar_id'],
  comments: [],
  likes: [],
};

/**
 * One md5 for each of the app's tables that exists, over all rows and the columns that the app itself has, whatever
 * the order of rows on disk. `tables` adds or replaces tables, each with the columns to leave out.
 */
export async function checksums(
  sql: Sql,
  tables: Record<string, string[]> = APP_TABLES,
): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const [table, added] of Object.entries(tables)) {
    const columns = await sql<{ name: string }[]>`
      select attname as name
      from pg_attribute
      where attrelid = to_regclass(${`public.${table}`})
        and attnum > 0
        and not attisdropped
        and attname <> all (${added})
      order by attnum`;
    if (columns.length === 0) continue;
    const [row] = await sql<{ sum: string }[]>`
      select md5(coalesce(string_agg(row_sum, '' order by row_sum), '')) as sum
      from (
        select md5(row(${sql(columns.map((column) => column.name))})::text) as row_sum
        from public.${sql(table)}
      ) as hashed`;
    sums[table] = row?.sum ?? '';
  }
  return sums;
}
