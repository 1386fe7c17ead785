/** Nobody writes another's avatar into a row of theirs, and what the server of an app wrote is found and does not hold. */
import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { asRole } from '../support/as-role.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { finalize } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { found, validated } from '../support/validation.ts';

const databases: TestDatabase[] = [];

async function sample(): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users: 20 });
  databases.push(db);
  return db;
}

const user = (n: number) => `md5('user ${n}')::uuid`;
const avatar = (n: number) => `(select active_avatar_id from public.users where id = ${user(n)})`;

async function userId(sql: Sql, n: number): Promise<string> {
  return await value<string>(sql, `select ${user(n)}`);
}

describe('an avatar of another user', () => {
  let db: TestDatabase;
  let sql: Sql;
  beforeAll(async () => {
    db = await freshDatabase({ app: 'sample', users: 20 });
    sql = db.sql;
    // Two posts of user 1, and one app table where everybody may write.
    await sql.unsafe(`
      insert into public.posts (id, user_id, body) values (md5('mine')::uuid, ${user(1)}, 'mine');
      insert into public.follows (follower_id, followed_id) values (${user(1)}, ${user(4)}) on conflict do nothing`);
    await migrateAll(sql);
  });
  afterAll(() => db.drop());

  const refused: [what: string, statement: string][] = [
    ['their active one', `update public.users set active_avatar_id = ${avatar(2)} where id = ${user(1)}`],
    ['that of their post', `update public.posts set avatar_id = ${avatar(2)} where id = md5('mine')::uuid`],
    [
      'that of a new post',
      `insert into public.posts (user_id, body, avatar_id) values (${user(1)}, 'new', ${avatar(2)})`,
    ],
    ['that of a follow', `update public.follows set avatar_id = ${avatar(2)} where follower_id = ${user(1)}`],
    [
      'that of a new follow',
      `insert into public.follows (follower_id, followed_id, avatar_id) values (${user(1)}, ${user(5)}, ${avatar(2)})`,
    ],
    [
      'that of a post, on conflict',
      `insert into public.posts (id, user_id, body) values (md5('mine')::uuid, ${user(1)}, 'x')
       on conflict (id) do update set avatar_id = ${avatar(2)}`,
    ],
  ];
  test.each(refused)('does not become %s', async (_, statement) => {
    const error = await refusal(
      asRole(sql, 'authenticated', await userId(sql, 1), (tx) => tx.unsafe(statement)),
    );
    expect(error).toMatchObject({
      code: '42501',
      message: expect.stringMatching(/must be an avatar of its/),
    });
    // Without row level security of the app's own, too.
    const open = await sql
      .begin(async (tx) => {
        await tx`alter table public.posts disable row level security`;
        await tx.unsafe(`set local role authenticated`);
        await tx.unsafe(statement);
      })
      .then(
        () => null,
        (raised) => raised.code,
      );
    if (statement.includes('public.posts')) expect(open).toBe('42501');
  });

  test('is all that is refused: their own avatar, none, and pointers left alone go through', async () => {
    const id = await userId(sql, 1);
    const own = await value<string>(
      sql,
      `insert into public.avatars (owner_user_id, name) values (${user(1)}, 'second') returning id`,
    );
    await asRole(sql, 'authenticated', id, async (tx) => {
      await tx.unsafe(`update public.posts set avatar_id = '${own}' where id = md5('mine')::uuid`);
      await tx.unsafe(`update public.users set active_avatar_id = '${own}' where id = ${user(1)}`);
      await tx.unsafe(
        `insert into public.posts (user_id, body, avatar_id) values (${user(1)}, 'two', '${own}'), (${user(1)}, 'none', null)`,
      );
      await tx.unsafe(
        `insert into public.follows (follower_id, followed_id, avatar_id) values (${user(1)}, ${user(9)}, ${avatar(9)}) on conflict do nothing`,
      );
      await tx.unsafe(`update public.posts set avatar_id = null, body = 'x' where id = md5('mine')::uuid`);
    });
    await sql.unsafe(
      `update public.users set active_avatar_id = (select id from public.avatars where owner_user_id = ${user(1)} and metadata is not null) where id = ${user(1)}`,
    );
    await sql`delete from public.avatars where id = ${own}`;
    await migrateAll(sql);
  });

  test('may be shared by the server of the app; such a post can be edited by its author, and validate names it', async () => {
    await asRole(sql, 'service_role', null, (tx) =>
      tx.unsafe(`update public.posts set avatar_id = ${avatar(2)} where id = md5('mine')::uuid`),
    );
    await asRole(sql, 'authenticated', await userId(sql, 1), (tx) =>
      tx.unsafe(
        `update public.posts set body = 'edited', avatar_id = avatar_id where id = md5('mine')::uuid`,
      ),
    );
    expect(found(await validated(sql))).toEqual({ posts_with_wrong_avatar: 1, counts: 1 });
    // It is what the guard is for: user 2 alone cannot go back while it is there.
    expect(await call(sql, 'rollback_user_migration', { user_id: await userId(sql, 2) })).toMatchObject({
      rolled_back: false,
    });
    while ((await call(sql, 'validate_migration', { fix_issues: true })).has_more);
    await call(sql, 'retry_failed_migrations').catch(() => null);
    expect(await call(sql, 'rollback_user_migration', { user_id: await userId(sql, 2) })).toMatchObject({
      rolled_back: true,
    });
    expect(found(await validated(sql))).not.toHaveProperty('posts_with_wrong_avatar');
  });
});

describe('the guard of the avatar columns', () => {
  afterEach(async () => {
    await Promise.all(databases.splice(0).map((db) => db.drop()));
  });
  const guards = (sql: Sql) =>
    value<string[]>(
      sql,
      `select coalesce(array_agg(tgrelid::regclass || ' ' || tgname order by 1, tgname), '{}') from (
      select tgrelid, tgname from pg_trigger where tgname like 'expect_own_avatar%' order by 1) t`,
    );

  test('lets a post change hands as before, with the avatar of its new author', async () => {
    const { sql } = await sample();
    await sql`create policy editors on public.posts for update to authenticated using (true) with check (true)`;
    await sql.unsafe(
      `insert into public.posts (id, user_id, body) values (md5('mine')::uuid, ${user(1)}, 'mine')`,
    );
    await migrateAll(sql);
    await asRole(sql, 'authenticated', await userId(sql, 1), (tx) =>
      tx.unsafe(`update public.posts set user_id = ${user(2)} where id = md5('mine')::uuid`),
    );
    await expectAllMigrated(sql);
    expect(
      await value(sql, `select avatar_id = ${avatar(2)} from public.posts where id = md5('mine')::uuid`),
    ).toBe(true);
  });

  test('stays with the columns: after finalize and after Imago is removed, and goes with them after a rollback', async () => {
    const { sql } = await sample();
    await prepareAll(sql);
    const six = await guards(sql);
    expect(six).toHaveLength(6);
    await migrateAll(sql);
    await rollbackAll(sql);
    while ((await call(sql, 'cleanup_migration', { older_than: '0' })).has_more);
    expect(await guards(sql)).toEqual([]);
    expect(await value(sql, `select to_regprocedure('public.expect_own_avatar()')`)).toBeNull();
    expect(
      await value(
        sql,
        `select count(*)::int from pg_attribute where attrelid = 'public.posts'::regclass and attname = 'avatar_id'`,
      ),
    ).toBe(0);

    await migrateAll(sql);
    await finalize(sql, 'avatars');
    await sql.begin(async (tx) => {
      const { readFile } = await import('node:fs/promises');
      await tx.unsafe(await readFile(new URL('../../sql/uninstall.sql', import.meta.url), 'utf8'));
    });
    expect(await guards(sql)).toEqual(six);
    const statement = `update public.users set active_avatar_id = ${avatar(2)} where id = ${user(1)}`;
    expect(
      await refusal(asRole(sql, 'authenticated', await userId(sql, 1), (tx) => tx.unsafe(statement))),
    ).toMatchObject({ code: '42501' });
    expect(
      await refusal(
        sql.begin(async (tx) => {
          await tx`set local role anon`;
          await tx`select public.expect_own_avatar()`;
        }),
      ),
    ).toMatchObject({ code: '42501' });
  });

  test('stays with a column that holds values when the rest is cleaned up', async () => {
    const { sql } = await sample();
    await migrateAll(sql);
    await rollbackAll(sql);
    await sql.unsafe(`
      insert into public.avatars (id, owner_user_id, name) values ('${'a'.repeat(8)}-0000-0000-0000-000000000000', ${user(1)}, 'kept');
      update public.posts set avatar_id = '${'a'.repeat(8)}-0000-0000-0000-000000000000' where id in (select id from public.posts where user_id = ${user(1)} limit 1);
      insert into public.posts (user_id, body, avatar_id) values (${user(1)}, 'kept', '${'a'.repeat(8)}-0000-0000-0000-000000000000')`);
    while ((await call(sql, 'cleanup_migration', { older_than: '0' })).has_more);
    expect(await guards(sql)).toEqual(['posts expect_own_avatar_insert', 'posts expect_own_avatar_update']);
  });

  test('leaves columns of the app alone; preflight names a function of the app that has its name', async () => {
    const { sql } = await sample();
    await sql.unsafe(
      `alter table public.posts add avatar_id uuid; create function public.expect_own_avatar() returns integer language sql as 'select 1'`,
    );
    const { problems } = await call(sql, 'dry_run_migration', { mode: 'preflight' });
    expect(problems).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        kind: 'taken_name',
        object: 'function public.expect_own_avatar()',
      }),
    );
    await sql`drop function public.expect_own_avatar()`;
    await prepareAll(sql);
    expect((await guards(sql)).filter((name) => name.startsWith('posts'))).toEqual([]);
  });

  test('is known by its note and its triggers, and not by what its comment says', async () => {
    const { sql } = await sample();
    const taken = async () => {
      const { problems } = await call(sql, 'dry_run_migration', { mode: 'preflight' });
      return problems.filter((problem: { kind: string }) => problem.kind === 'taken_name').length;
    };
    await sql.unsafe(`
      create function public.expect_own_avatar() returns trigger language plpgsql as 'begin return null; end';
      comment on function public.expect_own_avatar() is 'Made by Imago, or so they say.'`);
    expect(await taken()).toBe(1);
    await sql`drop function public.expect_own_avatar()`;
    await prepareAll(sql);
    await sql`comment on function public.expect_own_avatar() is 'Whose avatar it is.'`;
    expect(await taken()).toBe(0);
    // As after uninstalling, which leaves it to the app with its triggers.
    await sql`delete from imago.added where type = 'function'`;
    expect(await taken()).toBe(0);
  });

  test('is no trigger of the app: validate does not name it, and undeclared columns are not journaled for it', async () => {
    const { sql } = await sample();
    await sql`drop trigger set_updated_at on public.posts`;
    await prepareAll(sql);
    expect(await value(sql, `select imago.has_app_trigger('public.posts'::regclass)`)).toBe(false);
    await validated(sql);
    const { checks } = await call(sql, 'validate_migration', { detailed: true });
    const named = checks.filter((check: { name: string }) => check.name === 'app_triggers');
    expect(JSON.stringify(named)).not.toContain('expect_own_avatar');
  });
});
