import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';

/** How many users the sample app has when nobody says otherwise. */
export const SAMPLE_USERS = 20_000;

/** Creates the tables of the sample app and its rows, in one transaction. */
export async function createSample(sql: Sql, users: number): Promise<void> {
  const text = await readFile(new URL('./sample.sql', import.meta.url), 'utf8');
  await sql.begin(async (tx) => {
    await tx`select set_config('sample.users', ${String(users)}, true)`;
    await tx.unsafe(text);
    await tx.unsafe(`comment on table public.users is 'Sample app, ${Math.trunc(users)} users'`);
  });
}

/** How many users the sample app was created with; undefined when the database does not hold it. */
export async function sampleUsers(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ users: string | null }[]>`
    select substring(obj_description(to_regclass('public.users'), 'pg_class') from '^Sample app, (\\d+) users$') as users`;
  return row?.users ? Number(row.users) : undefined;
}
