import { readFile } from 'node:fs/promises';
import type { Sql } from 'postgres';

/** How many users the sample app has when nobody says otherwise. */
export const SAMPLE_USERS = 20_000;

/** The comment by which the sample app is known again. */
const mark = (users: number) => `Sample app, ${users} users`;

/** Creates the tables of the sample app and its rows, in one transaction. */
export async function createSample(sql: Sql, users: number): Promise<void> {
  const comment = `comment on table public.users is '${mark(Math.trunc(users))}'`;
  await createApp(sql, new URL('./sample.sql', import.meta.url), users, comment);
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
  const [row] = await sql<{ comment: string | null }[]>`
    select obj_description(to_regclass('public.users'), 'pg_class') as comment`;
  const users = Number(/\d+/.exec(row?.comment ?? '')?.[0]);
  return row?.comment === mark(users) ? users : undefined;
}
