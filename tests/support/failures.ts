import { onTestFinished } from 'vitest';
import type { Answer } from './call.ts';
import { freshDatabase, type TestDatabase } from './database.ts';

/** The sample app, prepared, with short waits for locks. */
export async function database(users: number): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users, avatars: 'prepared' });
  onTestFinished(db.drop);
  await db.sql`update imago.setting set value = '40' where name = 'lock_timeout_ms'`;
  return db;
}

/** Keys of users by their place in key order. */
export async function usersAt(db: TestDatabase, ...places: number[]): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`select id from public.users order by id`;
  return places.map((place) => rows[place]?.id ?? '');
}

/** Users who have no avatar yet. */
export const unmoved = async (db: TestDatabase) =>
  (await db.sql`select id from public.users where active_avatar_id is null order by id`).map((row) => row.id);

/** Who is set aside. */
export const failures = async (db: TestDatabase) =>
  await db.sql`select entity, kind, sqlstate from imago.failure order by entity`;

export const sum = (answers: Answer[], field: string) =>
  answers.reduce((total, answer) => total + Number(answer[field]), 0);

export const quoted = (ids: string[]) => ids.map((id) => `'${id}'`).join(', ');

/** A trigger on a table of the app, for each row, whose body may use `new`. */
export async function trigger(
  db: TestDatabase,
  table: string,
  event: string,
  body: string,
  name = 'app_trigger',
): Promise<void> {
  await db.sql.unsafe(`
    create function public.${name}() returns trigger language plpgsql as $$ begin ${body} return new; end $$;
    create trigger ${name} before ${event} on public.${table} for each row execute function public.${name}();`);
}

/** Takes that trigger away. */
export const mend = (db: TestDatabase, name = 'app_trigger') =>
  db.sql`drop function public.${db.sql(name)}() cascade`;
