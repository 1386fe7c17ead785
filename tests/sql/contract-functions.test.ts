import { afterAll, beforeAll, expect, test } from 'vitest';
import { value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { stopSync } from '../support/sync.ts';

/** What the contract tells plans about the journal, on the plan avatars. */

let db: TestDatabase;
let user: string;
beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 20 });
  user = await value(db.sql, 'select id::text from public.users order by id limit 1');
});
afterAll(() => db.drop());

function told(name: string, ...args: (string | number)[]): Promise<unknown> {
  return value(db.sql, `select imago.${name}(${['avatars', ...args].map((arg) => `'${arg}'`).join(', ')})`);
}

test('is_journaled and is_as_written answer no before the plan is prepared', async () => {
  expect(await told('is_journaled', 'public.users', user)).toBe(false);
  expect(await told('is_as_written', 'public.users', user, user)).toBe(false);
});

test('is_as_written tells rows as Imago left them from rows that were changed since', async () => {
  await migrateAll(db.sql);
  await stopSync(db.sql);
  const avatar: string = await value(
    db.sql,
    `select id::text from public.avatars where owner_user_id = '${user}'`,
  );
  expect(await told('is_journaled', 'public.users', user)).toBe(true);
  expect(await told('is_as_written', 'public.users', user, user)).toBe(true);
  expect(await told('is_as_written', 'public.avatars', user, avatar)).toBe(true);
  await db.sql`update public.avatars set name = 'mine' where id = ${avatar}`;
  await db.sql`
    with another as (insert into public.avatars (owner_user_id, name) values (${user}, 'another') returning id)
    update public.users set active_avatar_id = (select id from another) where id = ${user}`;
  expect(await told('is_as_written', 'public.users', user, user)).toBe(false);
  expect(await told('is_as_written', 'public.avatars', user, avatar)).toBe(false);
});

test('last_failed_sync names the relation of the newest failure, and nothing for who has none; has_failed_syncs whether there is any', async () => {
  expect(await told('has_failed_syncs')).toBe(false);
  await db.sql`
    insert into imago.sync_failure (plan, stage, entity, relation)
    select 'avatars', 1, ${user}, r
    from unnest(array['public.users', 'public.posts']) with ordinality u(r, n) order by n`;
  expect(await told('last_failed_sync', user)).toBe('public.posts');
  expect(await told('last_failed_sync', 'nobody')).toBeNull();
  expect([await told('has_failed_syncs'), await told('has_failed_syncs', 2)]).toEqual([true, false]);
});
