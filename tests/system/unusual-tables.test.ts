import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { everything } from '../support/everything.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function database(): Promise<TestDatabase> {
  const db = await freshDatabase({});
  databases.push(db);
  return db;
}

const COLUMNS = {
  users: 'id uuid not null default gen_random_uuid(), username text',
  posts:
    'id uuid not null default gen_random_uuid(), user_id uuid, body text, at date not null default current_date',
  follows: 'id uuid not null default gen_random_uuid(), follower_id uuid, followed_id uuid',
};

/** Two halves of the uuids, by each way to partition. */
const PARTITIONS: Record<string, (table: string) => string> = {
  hash: (table) => `
    create table public.${table} (${COLUMNS[table as keyof typeof COLUMNS]}, primary key (id)) partition by hash (id);
    create table public.${table}_0 partition of public.${table} for values with (modulus 2, remainder 0);
    create table public.${table}_1 partition of public.${table} for values with (modulus 2, remainder 1);`,
  range: (table) => `
    create table public.${table} (${COLUMNS[table as keyof typeof COLUMNS]}, primary key (id)) partition by range (id);
    create table public.${table}_0 partition of public.${table} for values from (minvalue) to ('80000000-0000-0000-0000-000000000000');
    create table public.${table}_1 partition of public.${table} for values from ('80000000-0000-0000-0000-000000000000') to (maxvalue);`,
  list: (table) => `
    create table public.${table} (${COLUMNS[table as keyof typeof COLUMNS]}, kind text not null default 'a', primary key (id, kind)) partition by list (kind);
    create table public.${table}_a partition of public.${table} for values in ('a');
    create table public.${table}_rest partition of public.${table} default;`,
};
const plain = (table: string) =>
  `create table public.${table} (${COLUMNS[table as keyof typeof COLUMNS]}, primary key (id));`;

async function app(sql: Sql, ways: Partial<Record<keyof typeof COLUMNS, string>>): Promise<void> {
  for (const table of ['users', 'posts', 'follows'] as const) {
    await sql.unsafe(PARTITIONS[ways[table] ?? '']?.(table) ?? plain(table));
  }
  await sql.unsafe(`
    insert into public.users (username) select 'user ' || i from generate_series(1, 20) i;
    insert into public.posts (user_id, body) select id, 'post' from public.users, generate_series(1, 3);
    insert into public.follows (follower_id, followed_id) select a.id, b.id from public.users a, public.users b where a.username = 'user 1';
    create index on public.posts (user_id); create index on public.follows (followed_id);`);
}

const problemsOf = async (sql: Sql, plan = 'avatars'): Promise<string[]> =>
  (await call(sql, 'dry_run_migration', { plan, mode: 'preflight' })).problems
    .filter(({ severity }: Answer) => severity === 'error')
    .map(({ object, message }: Answer) => `${object} ${message}`);

/** The plan refuses, with these words, before its first step: nothing in the database is other than it was. */
async function expectRefused(sql: Sql, words: string, plan = 'avatars', reader = sql): Promise<void> {
  expect((await problemsOf(sql, plan)).join('; ')).toContain(words);
  const before = await everything(reader);
  const error = await refusal(call(sql, 'migrate_batch', { plan }));
  expect(error.code).toBe('IM006');
  expect(error.message).toContain(words);
  expect(await everything(reader)).toEqual(before);
}

describe('the plan avatars on unusual tables', () => {
  test.each([
    ['users by hash, posts by range', { users: 'hash', posts: 'range' }],
    ['users by range, posts by list', { users: 'range', posts: 'list' }],
    ['follows by hash, posts by hash', { follows: 'hash', posts: 'hash' }],
  ])('works on partitioned tables, and goes back: %s', async (_, ways) => {
    const { sql } = await database();
    await app(sql, ways);
    const tables = ['public.users', 'public.posts', 'public.follows'];
    expect(await problemsOf(sql)).toEqual([]);
    const before = (await contents(sql, tables))['public.posts'];
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(
      (await value(sql, 'select count(*)::int from public.posts where avatar_id is null')) +
        '' +
        (await value(sql, 'select count(*)::int from public.users where active_avatar_id is null')),
    ).toBe('00');
    // The foreign keys are there, and hold in a partition that comes later, too.
    expect(
      await value(
        sql,
        `select count(*)::int from pg_constraint where contype = 'f' and conparentid = 0 and confrelid = 'public.avatars'::regclass`,
      ),
    ).toBe(3);
    expect(await refusal(sql`update public.posts set avatar_id = gen_random_uuid()`)).toMatchObject({
      code: '23503',
    });
    expect((await call(sql, 'validate_migration')).healthy).toBe(true);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await value(sql, 'select count(avatar_id)::int from public.posts')).toBe(0);
    expect((before ?? []).length).toBe(60);
  });

  test('works where users have no partition yet, and fills the avatar of new posts once they have', async () => {
    const { sql } = await database();
    await app(sql, { users: 'hash' });
    await sql`create table public.kept as table public.users`;
    await sql`truncate public.users, public.posts, public.follows`;
    await sql`drop table public.users_0, public.users_1`;
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await sql`create table public.users_all partition of public.users for values with (modulus 1, remainder 0)`;
    await sql`insert into public.users (id, username) select id, username from public.kept`;
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await sql`insert into public.posts (user_id, body) select id, 'new' from public.users`;
    expect(await value(sql, 'select count(avatar_id)::int from public.posts')).toBe(20);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
  });

  test('works where a partition is attached in the middle, whose rows come along and go back', async () => {
    const { sql } = await database();
    await app(sql, {});
    await sql.unsafe(`
      drop table public.posts;
      create table public.posts (${COLUMNS.posts}, primary key (id, at)) partition by range (at);
      create table public.posts_2025 partition of public.posts for values from ('2025-01-01') to ('2026-01-01');
      create index on public.posts (user_id);
      insert into public.posts (user_id, body, at) select id, 'old', '2025-06-01' from public.users;`);
    for (let i = 0; i < 40; i++) {
      await call(sql, 'migrate_batch', { max_ms: 1, batch_size: 4 });
      if ((await value<number>(sql, `select count(*)::int from imago.batch`)) > 1) break;
    }
    await sql.unsafe(`
      create table public.posts_2026 (like public.posts including all);
      insert into public.posts_2026 (user_id, body, at) select id, 'new', '2026-06-01' from public.users;
      alter table public.posts attach partition public.posts_2026 for values from ('2026-01-01') to ('2027-01-01');`);
    expect((await migrateAll(sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await value(sql, 'select count(avatar_id)::int from public.posts')).toBe(40);
    // Straight to the new partition, as some apps write.
    await sql`insert into public.posts_2026 (user_id, body, at) select id, 'newer', '2026-07-01' from public.users`;
    await migrateAll(sql);
    expect(await value(sql, 'select count(avatar_id)::int from public.posts')).toBe(60);
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await value(sql, 'select count(avatar_id)::int from public.posts')).toBe(0);
  });

  test.each([
    [
      'a partitioned table of avatars',
      `create table public.avatars (id uuid primary key, owner_user_id uuid, name text) partition by hash (id)`,
      'public.avatars is partitioned',
    ],
    [
      'avatars whose id is not unique alone',
      'create table public.avatars (id uuid, owner_user_id uuid, name text, primary key (id, owner_user_id))',
      'public.avatars.id is not unique',
    ],
    [
      'posts that others inherit from',
      'create table public.old_posts () inherits (public.posts)',
      'public.posts is inherited by',
    ],
    [
      'users that inherit',
      'create table public.people (username text); alter table public.users inherit public.people',
      'public.users inherits from public.people',
    ],
    [
      'no right to refer to users',
      'revoke references on public.users from postgres',
      'public.users postgres has no right to references',
    ],
    [
      'no right to write posts',
      'revoke update, insert on public.posts from postgres',
      'public.posts postgres has no right to insert, update',
    ],
    [
      'posts that are a view',
      'alter table public.posts rename to p; create view public.posts as select * from public.p',
      'public.posts is not a table',
    ],
  ])('refuses whole, before its first step: %s', async (_, setUp, words) => {
    const { sql } = await database();
    await app(sql, {});
    await sql.unsafe(setUp);
    await expectRefused(sql, words);
  });

  test('refuses tables of others, and a schema in which nothing may be made or used', async () => {
    const db = await database();
    await app(db.sql, { posts: 'hash' });
    const admin = db.connect({ role: 'supabase_admin' });
    await admin`alter table public.posts_0 owner to supabase_admin`;
    await expectRefused(
      db.sql,
      'public.posts has the partition public.posts_0, which is owned by supabase_admin',
      'avatars',
      admin,
    );
    await admin`alter table public.posts_0 owner to postgres`;
    await admin.unsafe(
      `create schema walled authorization supabase_admin; grant all on schema walled to postgres;`,
    );
    await db.sql.unsafe('create table walled.things (id int primary key, x int)');
    await createPlan(db.sql, {
      schema: 'walled',
      table: 'things',
      key: 'id',
      keyType: 'integer',
      pending: 's.x is null',
      apply: 'update walled.things set x = 1 where id = any (keys);',
      writes: [{ relation: 'walled.things', entity: 'id', columns: ['x'] }],
    });
    await admin`revoke create on schema walled from postgres`;
    await expectRefused(db.sql, 'schema walled postgres may not create there', PLAN, admin);
    await admin`revoke usage on schema walled from postgres`;
    await expectRefused(db.sql, 'schema walled postgres may not use it', PLAN, admin);
  });

  test('refuses a partition that is a foreign table', async () => {
    const db = await database();
    await app(db.sql, { posts: 'list' });
    const admin = db.connect({ role: 'supabase_admin' });
    await admin.unsafe(`
      create foreign data wrapper elsewhere; create server far foreign data wrapper elsewhere; grant usage on foreign server far to postgres;`);
    await db.sql.unsafe(`
      alter table public.posts drop constraint posts_pkey;
      drop index public.posts_user_id_idx;
      create foreign table public.posts_far partition of public.posts for values in ('far') server far;`);
    expect((await problemsOf(db.sql)).join('; ')).toContain(
      'has the partition public.posts_far, a foreign table',
    );
  });
});

describe('plans on unusual tables', () => {
  test('are refused on a partitioned table whose steps could not be done', async () => {
    const { sql } = await database();
    await sql.unsafe(`
      create table public."Gigs" (id int primary key) partition by hash (id);
      create table public."Booking" (id text primary key) partition by hash (id);`);
    expect(await problemsOf(sql, 'profile_gigs')).toContain('public."Gigs" is partitioned');
    expect(await problemsOf(sql, 'staging_to_production')).toContain('public."Booking" is partitioned');
  });

  test('without steps are refused where what they declare is missing', async () => {
    const { sql } = await database();
    await sql.unsafe('create table public.things (id int primary key, x int)');
    const parts = {
      table: 'things',
      key: 'id',
      keyType: 'integer' as const,
      pending: 's.x is null',
      apply: '',
      writes: [
        { relation: 'public.things', entity: 'id', columns: ['y'] },
        { relation: 'public.nothing', entity: 'id', columns: ['y'] },
      ],
    };
    await createPlan(sql, parts);
    expect(await problemsOf(sql, PLAN)).toEqual([
      'public.nothing table is missing',
      'public.things.y column is missing',
    ]);
  });
});

describe('a step of prepare that fails all the same', () => {
  /** avatars, whose fourth step runs into an error that no preflight can know. */
  async function broken(): Promise<Sql> {
    const { sql } = await database();
    await app(sql, {});
    await sql.unsafe(`
      create or replace function avatars.prepare_posts() returns void language plpgsql as $$
      begin
        alter table public.posts add column half_done int;
        raise exception using errcode = 'P0007', message = 'a value of a row', table = 'posts';
      end $$`);
    return sql;
  }

  test('is answered: the run has failed, with step, SQLSTATE and remedy, and nothing is half done', async () => {
    const sql = await broken();
    let answer: Answer = {};
    for (let i = 0; i < 8 && answer.status !== 'failed'; i++) answer = await call(sql, 'migrate_batch');
    expect(answer).toMatchObject({ status: 'failed', state: 'failed', error: { code: 'IM073' } });
    expect(answer.error.message).toMatch(
      /^step posts\.avatar_id of preparing plan avatars failed: SQLSTATE P0007\b.*, posts$/,
    );
    expect(answer.error.hint).toContain("retry_failed_migrations('avatars')");
    expect(
      await value(
        sql,
        `select count(*)::int from pg_attribute where attname = 'half_done' and not attisdropped`,
      ),
    ).toBe(0);
    // The remedy, typed as it is: the same run goes on from that step.
    await sql.unsafe(`
      create or replace function avatars.prepare_posts() returns void language plpgsql as $$
      begin perform avatars.add_reference('public.posts', 'avatar_id', 'posts_avatar_id_fkey'); end $$`);
    await sql`select retry_failed_migrations('avatars')`;
    expect((await migrateAll(sql)).at(-1)).toMatchObject({
      status: 'done',
      state: 'succeeded',
      run: answer.run,
    });
  });

  test('raises its error where no run is concerned', async () => {
    const sql = await broken();
    let error: { code?: string } = {};
    for (let i = 0; i < 8 && !error.code; i++) {
      await call(sql, 'prepare_migration').catch((e: { code: string }) => {
        error = e;
      });
    }
    expect(error).toMatchObject({ code: 'IM073', message: expect.stringContaining('posts.avatar_id') });
  });
});
