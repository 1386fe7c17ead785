import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';

/** How many users the sample app has when nobody says otherwise. */
export const SAMPLE_USERS = 20_000;

/** Creates the tables of the sample app and its rows, in one transaction. */
export async function createSample(sql: Sql, users: number): Promise<void> {
  const mark = `comment on table public.users is 'Sample app, ${Math.trunc(users)} users'`;
  await createApp(sql, new URL('./sample.sql', import.meta.url), users, mark);
}

/** Creates another app from a file of SQL, which reads the setting sample.users, in one transaction. */
export async function createApp(sql: Sql, file: string | URL, users: number, last = ''): Promise<void> {
  const text = await readFile(file, 'utf8');
  await sql.begin(async (tx) => {
    await tx`select set_config('sample.users', ${String(users)}, true)`;
    await tx.unsafe(`${text}\n${last}`);
  });
}

/** How many users the sample app was created with; undefined when the database does not hold it. */
export async function sampleUsers(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ users: string | null }[]>`
    select substring(obj_description(to_regclass('public.users'), 'pg_class') from '^Sample app, (\\d+) users$') as users`;
  return row?.users ? Number(row.users) : undefined;
}
