import { afterEach, describe, expect, test } from 'vitest';
import { avatarFaults, expectAllMigrated } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { type App, freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { stopSync } from '../support/sync.ts';
import { createTally, itemsLeft, type KeyType } from '../support/tally.ts';
import { until } from '../support/until.ts';

const databases: TestDatabase[] = [];

async function database(app: App, users = 0, avatars?: 'prepared' | 'migrated'): Promise<TestDatabase> {
  const db = await freshDatabase({ app, users, ...(avatars && { avatars }) });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const anyUser = (db: TestDatabase, offset = 0) =>
  value<string>(db.sql, `select id from public.users order by id offset ${offset} limit 1`);
const pendingUsers = async (db: TestDatabase) =>
  Number(await value(db.sql, 'select count(*) from avatars.pending'));

describe('windows of migrate_users_batch', () => {
  test('(100, 0), (100, 100), … over all users moves everybody, and has_more is the truth each time', async () => {
    const db = await database('sample', 350, 'prepared');
    for (let offset = 0; offset < 350; offset += 100) {
      const answer = await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset: offset });
      expect(answer).toMatchObject({
        processed: Math.min(100, 350 - offset),
        migrated: Math.min(100, 350 - offset),
      });
      const left = await pendingUsers(db);
      expect(answer.has_more).toBe(left > 0);
      expect(answer.next_offset).toBe(left > 0 ? offset + 100 : null);
    }
    await expectAllMigrated(db.sql);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ state: 'succeeded' });
  });

  test('a repeated window skips users that it moved before', async () => {
    const db = await database('sample', 120, 'prepared');
    await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 0 });
    const again = await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 0 });
    expect(again).toMatchObject({
      processed: 50,
      migrated: 0,
      skipped: 50,
      failed: 0,
      has_more: true,
      next_offset: 50,
    });
  });

  test('while has_more, next_offset leads to work that is left, also behind the window', async () => {
    const db = await database('sample', 200, 'prepared');
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 150 })).toMatchObject({
      migrated: 50,
      has_more: true,
      next_offset: 0,
    });
    // Beyond the last user there is nobody, and still work behind.
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 5000 })).toMatchObject({
      processed: 0,
      has_more: true,
      next_offset: 0,
    });
    let answer = await call(db.sql, 'migrate_users_batch', { batch_size: 70, batch_offset: 40 });
    expect(answer).toMatchObject({ migrated: 70, next_offset: 110 });
    let calls = 0;
    while (answer.has_more) {
      expect(++calls).toBeLessThan(10);
      const before = await pendingUsers(db);
      answer = await call(db.sql, 'migrate_users_batch', {
        batch_size: 70,
        batch_offset: answer.next_offset,
      });
      expect(answer.migrated).toBeGreaterThan(0);
      expect(await pendingUsers(db)).toBe(before - answer.migrated);
    }
    await expectAllMigrated(db.sql);
  });

  test('after batches, canaries and sign-ups in front of them tell the truth, and leave nobody', async () => {
    const db = await database('sample', 100, 'prepared');
    await call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db, 60) });
    await call(db.sql, 'migrate_users_batch', { batch_size: 40, batch_offset: 0 });
    await stopSync(db.sql);
    await db.sql`insert into public.users (id, display_name) values ('00000000-0000-0000-0000-000000000001', 'First')`;
    const answer = await call(db.sql, 'migrate_users_batch', { batch_size: 61, batch_offset: 40 });
    expect(answer).toMatchObject({ processed: 61, migrated: 59, skipped: 2, has_more: true, next_offset: 0 });
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 1, batch_offset: 0 })).toMatchObject({
      migrated: 1,
      has_more: false,
    });
    await expectAllMigrated(db.sql);
  });

  test('an unprepared plan is refused with the call that prepares it', async () => {
    const db = await database('sample', 10);
    const error = await refusal(call(db.sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 }));
    expect(error.code).toBe('IM005');
    expect(error.hint).toContain("prepare_migration('avatars')");
    expect(await value(db.sql, 'select count(*) from imago.run')).toBe('0');
  });
});

describe('users who sign up during the run', () => {
  test('before and behind the cursor, between batches, are all moved', async () => {
    const db = await database('sample', 200, 'prepared');
    let answer = await call(db.sql, 'migrate_batch', { batch_size: 30, max_ms: 1 });
    for (let i = 0; answer.has_more; i++) {
      // Keys at the very start (behind the cursor), in the middle and at the end.
      if (i < 5) {
        await db.sql`
          insert into public.users (id, display_name)
          select (lpad(to_hex(k * 16 * 1048576::bigint + ${i}), 8, '0') || '-0000-4000-8000-000000000000')::uuid, 'New'
          from generate_series(0, 15) k`;
        await db.sql`insert into public.posts (user_id, body) select id, 'new' from public.users order by md5(id::text || ${i}::text) limit 20`;
      }
      answer = await call(db.sql, 'migrate_batch', { batch_size: 30, max_ms: 1 });
      expect(i).toBeLessThan(200);
    }
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(Number(await value(db.sql, 'select count(*) from public.users'))).toBe(280);
    await expectAllMigrated(db.sql);
  });

  test('in a transaction that is in flight when the walk ends are waited for and moved', async () => {
    const db = await database('sample', 60, 'prepared');
    const other = db.connect();
    await other`begin`;
    await other`insert into public.users (id, display_name) values ('00000000-0000-0000-0000-00000000000a', 'Late')`;
    await until(
      'the run waits for the writer',
      async () => (await call(db.sql, 'migrate_batch')).status === 'deferred',
    );
    expect(await pendingUsers(db)).toBe(0);
    await other`commit`;
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(answers.reduce((sum, answer) => sum + answer.migrated, 0)).toBe(1);
    await expectAllMigrated(db.sql);
  });

  test('after the end are moved by the next call', async () => {
    const db = await database('sample', 40, 'migrated');
    await stopSync(db.sql);
    await db.sql`insert into public.users (display_name) select 'After ' || i from generate_series(1, 7) i`;
    const answers = await migrateAll(db.sql);
    expect(answers.reduce((sum, answer) => sum + answer.migrated, 0)).toBe(7);
    await expectAllMigrated(db.sql);
  });
});

describe('a migration to the end moves everybody once, with', () => {
  test('zero users', async () => {
    const db = await database('sample', 0);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', migrated: 0, has_more: false });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      total_users: 0,
      migration_completion_percentage: 100,
      state: 'succeeded',
    });
    expect(await call(db.sql, 'migrate_users_batch')).toMatchObject({
      processed: 0,
      has_more: false,
      next_offset: null,
    });
    expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ status: 'done', rolled_back: 0 });
  });

  test('one user', async () => {
    const db = await database('none');
    await db.sql.unsafe(`
      create table public.users (id uuid primary key, username text);
      create table public.posts (id uuid primary key, user_id uuid);
      create table public.follows (id uuid primary key, followed_id uuid);
      insert into public.users values (gen_random_uuid(), 'only');`);
    expect((await migrateAll(db.sql)).reduce((sum, answer) => sum + answer.migrated, 0)).toBe(1);
    await expectAllMigrated(db.sql);
  });

  const series = (count: number, key: (i: number) => string | number) =>
    Array.from({ length: count }, (_, i) => key(i));
  const hex = (i: number) => (i * 2654435761).toString(16).padStart(12, '0').slice(-12);
  const cases: [string, KeyType, (string | number)[]][] = [
    ['random uuids', 'uuid', series(300, (i) => `${hex(i).slice(-8)}-0000-4000-8000-${hex(i)}`)],
    [
      'clustered uuids',
      'uuid',
      series(300, (i) => `018f0000-0000-7000-8000-${i.toString(16).padStart(12, '0')}`),
    ],
    [
      'sparse bigints',
      'bigint',
      ['-9223372036854775808', '9223372036854775807', ...series(100, (i) => (i - 50) * 1e13 + i)],
    ],
    [
      'clustered integers',
      'integer',
      [...series(200, (i) => i), ...series(200, (i) => 2e9 + i), -2147483648, 2147483647],
    ],
    ['enough bigints for several lanes', 'bigint', series(9000, (i) => i * i)],
    [
      'text with quotes and Unicode',
      'text',
      ['', "o'brien", '"', 'Ä', '王', 'a,b', '{x}', '%', ' ', ...series(200, (i) => `k ${hex(i)}`)],
    ],
  ];
  test.each(cases)('%s', async (_, type, keys) => {
    const db = await database('none');
    await createTally(db.sql, type, keys, { table: 'Odd Items', key: 'Key of it' });
    const answers = await migrateAll(db.sql, { plan: 'tally', batch_size: Math.ceil(keys.length / 9) });
    expect(answers.reduce((sum, answer) => sum + answer.migrated, 0)).toBe(keys.length);
    expect(await itemsLeft(db.sql, 'Odd Items')).toBe(0);
    expect(
      (await rollbackAll(db.sql, { plan: 'tally' })).reduce((sum, answer) => sum + answer.rolled_back, 0),
    ).toBe(keys.length);
    expect(await itemsLeft(db.sql, 'Odd Items')).toBe(keys.length);
  });
});

describe('a migration of an app as it is', () => {
  test('of a user who owns avatars, the oldest becomes active, and no other is made', async () => {
    const db = await database('guide', 90);
    const owned = await db.sql`
      select distinct on (owner_user_id) owner_user_id, id from public.avatars order by owner_user_id, created_at`;
    expect(owned.length).toBe(9);
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql, { author: 'author_id', followed: 'following_id' });
    for (const { owner_user_id, id } of owned) {
      expect(
        await value(db.sql, 'select active_avatar_id from public.users where id = $1', [owner_user_id]),
      ).toBe(id);
    }
    expect(
      await db.sql`select from public.avatars where metadata @> '{"migrated": true}' and owner_user_id in (select owner_user_id from public.avatars where metadata is null)`,
    ).toHaveLength(0);
    const [made] = await db.sql`
      select a.* from public.avatars a join public.users u on u.id = a.owner_user_id where u.username = 'user_7'`;
    expect(made).toMatchObject({
      name: 'Person 7',
      bio: 'About 7',
      niche: 'other',
      personality_traits: ['friendly', 'creative'],
      avatar_image_url: 'https://images.example.com/7.png',
      metadata: { migrated: true },
    });
    expect(made?.personality_prompt).toBeTruthy();
  });

  test('an avatar that is active already stays the active one', async () => {
    const db = await database('guide', 60);
    await db.sql`alter table public.users add column active_avatar_id uuid references public.avatars (id) on delete set null`;
    await db.sql`
      update public.users u set active_avatar_id = a.id
      from (select distinct on (owner_user_id) owner_user_id, id from public.avatars order by owner_user_id, created_at desc) a
      where a.owner_user_id = u.id`;
    const active =
      await db.sql`select id, active_avatar_id from public.users where active_avatar_id is not null order by id`;
    await migrateAll(db.sql);
    expect(
      await db.sql`select id, active_avatar_id from public.users where id = any (${active.map((row) => row.id)}) order by id`,
    ).toEqual(active);
    await expectAllMigrated(db.sql, { author: 'author_id', followed: 'following_id' });
  });

  test('posts without an author column stay as they are', async () => {
    const db = await database('guide', 40);
    await db.sql`alter table public.posts drop column author_id`;
    const posts = await checksums(db.sql, { posts: ['avatar_id'] });
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await checksums(db.sql, { posts: ['avatar_id'] })).toEqual(posts);
    expect(await value(db.sql, 'select count(*) from public.posts where avatar_id is not null')).toBe('0');
    const warnings =
      await db.sql`select detail from public.migration_log where event = 'preflight' and detail ->> 'object' = 'public.posts'`;
    expect(warnings[0]?.detail.hint).toContain('manual review');
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is null')).toBe('0');
  });

  test('follows that are avatar-based already stay as they are', async () => {
    const db = await database('guide', 60);
    await db.sql`alter table public.follows add column avatar_id uuid references public.avatars (id)`;
    // Each tenth user has an avatar of their own; some follow it although their oldest is another.
    await db.sql`
      update public.follows f set avatar_id = a.id
      from (select distinct on (owner_user_id) owner_user_id, id from public.avatars order by owner_user_id, created_at desc) a
      where a.owner_user_id = f.following_id`;
    const kept =
      await db.sql`select id, avatar_id from public.follows where avatar_id is not null order by id`;
    expect(kept.length).toBeGreaterThan(2);
    await migrateAll(db.sql);
    expect(
      await db.sql`select id, avatar_id from public.follows where id = any (${kept.map((row) => row.id)}) order by id`,
    ).toEqual(kept);
    await expectAllMigrated(db.sql, { author: 'author_id', followed: 'following_id' });
  });

  test('follows without a followed user are avatar-based altogether', async () => {
    const db = await database('guide', 40);
    await db.sql`alter table public.follows drop column following_id`;
    await db.sql`alter table public.follows add column avatar_id uuid references public.avatars (id)`;
    const follows = await checksums(db.sql, { follows: [] });
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await checksums(db.sql, { follows: [] })).toEqual(follows);
  });

  test('a replaced default_avatar view is what the batch inserts', async () => {
    const db = await database('sample', 50, 'prepared');
    await db.sql.unsafe(`
      drop view avatars.default_avatar;
      create view avatars.default_avatar as
      select u.id as owner_user_id, 'Mr ' || coalesce(u.username, 'X') as name, 'travel'::text as niche,
        jsonb_build_object('migrated', true, 'by', 'us') as metadata
      from public.users u`);
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
    expect(
      await value(
        db.sql,
        `select count(*) from public.avatars where name like 'Mr %' and niche = 'travel' and bio is null and metadata ->> 'by' = 'us'`,
      ),
    ).toBe('50');
  });

  test('a user without a row in the view is set aside with IM010, everybody else is moved', async () => {
    const db = await database('sample', 150, 'prepared');
    const missing = await db.sql`select id from public.users order by md5(id::text) limit 3`;
    const ids = missing.map((row) => row.id as string).sort();
    await db.sql.unsafe(
      `create or replace view avatars.default_avatar as
       select gen_random_uuid() as id, u.id as owner_user_id, 'A'::text as name, ''::text as bio, null::text as avatar_image_url,
         'other'::text as niche, array['x'] as personality_traits, jsonb_build_object('migrated', true) as metadata
       from public.users u where u.id not in (${ids.map((id) => `'${id}'`).join(', ')})`,
    );
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({
      status: 'done',
      has_more: false,
      state: 'failed',
      failures_left: 3,
    });
    expect(await db.sql`select entity, kind, sqlstate from imago.failure order by entity`).toEqual(
      ids.map((entity) => ({ entity, kind: 'failed', sqlstate: 'IM010' })),
    );
    expect(await avatarFaults(db.sql)).toMatchObject({
      users_without_active_avatar: 3,
      users_with_two_default_avatars: 0,
    });
    const error = await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: ids[0] }));
    expect(error.code).toBe('IM010');
  });

  test.each([
    ['with the mark: the unique index refuses', `jsonb_build_object('migrated', true)`, '23505'],
    ['without the mark: Imago refuses', `jsonb_build_object('migrated', false)`, 'IM011'],
  ])('a user with two rows in the view is set aside, %s', async (_, metadata, sqlstate) => {
    const db = await database('sample', 120, 'prepared');
    const twice = await anyUser(db, 41);
    await db.sql.unsafe(
      `create or replace view avatars.default_avatar as
       select gen_random_uuid() as id, u.id as owner_user_id, 'A'::text as name, ''::text as bio, null::text as avatar_image_url,
         'other'::text as niche, array['x'] as personality_traits, ${metadata} as metadata
       from public.users u cross join lateral generate_series(1, case when u.id = '${twice}' then 2 else 1 end)`,
    );
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 1 });
    expect(await db.sql`select entity, kind, sqlstate from imago.failure`).toEqual([
      { entity: twice, kind: 'failed', sqlstate },
    ]);
    expect(await value(db.sql, 'select count(*) from public.users where active_avatar_id is null')).toBe('1');
    expect(await value(db.sql, 'select count(*) from public.avatars where owner_user_id = $1', [twice])).toBe(
      '0',
    );
    expect(await value(db.sql, 'select count(*) from public.avatars')).toBe('119');
  });
});
