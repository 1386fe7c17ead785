/** What a rollback costs in an app that is large. */
import { afterEach, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { APPS, busyUsers, rollbackUser } from '../support/rollback.ts';
import { UNTOUCHED, userStates } from '../support/state.ts';

const databases: TestDatabase[] = [];

async function database(users: number): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

test('rolling one user back alone costs the same among 100,000 others: no table is read as a whole', async () => {
  const { sql, connect } = await database(40);
  // An index that is younger than a transaction of another test is not used before that has ended.
  await prepareAll(sql);
  await sql.unsafe(`
    create index on public.users (active_avatar_id);
    create index on public.posts (avatar_id);
    create index on public.follows (avatar_id)`);
  await migrateAll(sql);
  const [user = '', other = ''] = await busyUsers(sql, APPS[0]);
  // Rows and journal as batches would have left them; written without looking at foreign keys, which takes longest.
  const admin = connect({ role: 'supabase_admin' });
  await admin.unsafe(`
    begin;
    set local session_replication_role = replica;
    create temp table big on commit drop as
      select md5('big ' || i)::uuid as owner, md5('big avatar ' || i)::uuid as avatar, md5('big post ' || i)::uuid as post
      from generate_series(1, 100000) i;
    insert into public.users (id, username, active_avatar_id) select owner, 'big', avatar from big;
    insert into public.avatars (id, owner_user_id, name, metadata) select avatar, owner, 'big', '{"migrated": true}' from big;
    insert into public.posts (id, user_id, body, avatar_id) select post, owner, '', avatar from big;
    insert into imago_undo.avatars_public_avatars (batch, entity, op, key_1, print) select 1, owner, 'i', avatar, array[0] from big;
    insert into imago_undo.avatars_public_users (batch, entity, op, key_1, after_1) select 1, owner, 'u', owner, avatar from big;
    insert into imago_undo.avatars_public_posts (batch, entity, op, key_1, after_1) select 1, owner, 'u', post, avatar from big;
    commit;`);

  const one = connect();
  const read = async () =>
    new Map(
      (
        await one<{ name: string; read: number }[]>`
          select relid::regclass::text as name, seq_tup_read::int as read from pg_stat_xact_user_tables`
      ).map((row) => [row.name, row.read]),
    );
  await one`begin`;
  const before = await read();
  expect(await rollbackUser(one, user)).toMatchObject({ rolled_back: true });
  const after = await read();
  await one`commit`;
  expect([...after.keys()]).toContain('imago_undo.avatars_public_posts');
  for (const [name, rows] of after) {
    expect({ name, few: rows - (before.get(name) ?? 0) < 1000 }).toEqual({ name, few: true });
  }

  const [plan] = await one.unsafe(
    `explain (analyze, buffers, format json) select public.rollback_user_migration('${other}')`,
  );
  const { 'Shared Hit Blocks': hit, 'Shared Read Blocks': missed } = plan?.['QUERY PLAN'][0].Plan ?? {};
  // A table of 100,000 rows has 1,500 pages and more.
  expect(hit + missed).toBeLessThan(4000);
  expect((await userStates(sql)).get(other)?.written).toEqual(UNTOUCHED);
});

test('rolling everybody back right after a migration costs what it costs later: with old statistics, too, references are looked up once', async () => {
  const { sql, connect } = await database(6000);
  await prepareAll(sql);
  // What the planner knows is from the beginning of the migration: nearly all posts and follows have no avatar.
  for (const table of ['users', 'posts', 'follows']) {
    await sql.unsafe(`alter table public.${table} set (autovacuum_enabled = false)`);
  }
  await call(sql, 'migrate_users_batch', { batch_size: 300 });
  await sql`analyze`;
  await migrateAll(sql);
  const one = connect();
  await one`set random_page_cost = 1.1`;
  const lookups = async () =>
    (
      await one<{ scans: number }[]>`
        select sum(idx_scan)::int as scans from pg_stat_user_indexes where indexrelname like '%\_avatar\_id\_idx'`
    )[0]?.scans ?? 0;
  await one`select pg_stat_force_next_flush()`;
  const before = await lookups();
  await rollbackAll(one);
  await one`select pg_stat_force_next_flush()`;
  // One look at each of three tables for each avatar, and hardly any more: planned badly, it was one a row of a join.
  expect((await lookups()) - before).toBeLessThan(6000 * 3.5);
  expect(await value<number>(sql, 'select count(*)::int from public.avatars')).toBe(0);
});
