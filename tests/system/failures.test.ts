import { describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { database, failures, mend, quoted, sum, trigger, unmoved, usersAt } from '../support/failures.ts';
import { migrateAll } from '../support/imago.ts';
import { createTally, itemsLeft } from '../support/tally.ts';
import { until } from '../support/until.ts';

describe('a poisoned user', () => {
  const poisons: [
    name: string,
    sqlstate: string,
    poison: (db: TestDatabase, bad: string[]) => Promise<unknown>,
    cure: (db: TestDatabase) => Promise<unknown>,
    noted?: Record<string, string>,
  ][] = [
    [
      'refused by a check constraint',
      '23514',
      (db, bad) =>
        db.sql.unsafe(
          `alter table public.avatars add constraint nobody check (owner_user_id not in (${quoted(bad)}))`,
        ),
      (db) => db.sql`alter table public.avatars drop constraint nobody`,
      { constraint_name: 'nobody', table_name: 'avatars' },
    ],
    [
      'refused by a deferred constraint trigger, at commit as it were',
      '23000',
      (db, bad) =>
        db.sql.unsafe(`
          create function public.late() returns trigger language plpgsql as $$ begin
            if new.owner_user_id in (${quoted(bad)}) then raise integrity_constraint_violation; end if; return null; end $$;
          create constraint trigger late after insert on public.avatars deferrable initially deferred
            for each row execute function public.late();`),
      (db) => mend(db, 'late'),
    ],
    [
      'refused by a trigger that raises',
      'P0001',
      (db, bad) =>
        trigger(
          db,
          'avatars',
          'insert',
          `if new.owner_user_id in (${quoted(bad)}) then raise 'no'; end if;`,
          'raises',
        ),
      (db) => mend(db, 'raises'),
    ],
    [
      'refused by an assertion, which others does not catch',
      'P0004',
      (db, bad) => trigger(db, 'users', 'update', `assert new.id not in (${quoted(bad)});`, 'asserts'),
      (db) => mend(db, 'asserts'),
    ],
    [
      'with one post that is refused',
      'P0001',
      (db, bad) =>
        trigger(
          db,
          'posts',
          'update',
          `if new.id in (select distinct on (user_id) id from public.posts where user_id in (${quoted(bad)}) order by user_id, id)
           then raise 'no'; end if;`,
          'of_posts',
        ),
      (db) => mend(db, 'of_posts'),
    ],
    [
      'with an over-long name',
      '22001',
      async (db, bad) => {
        await db.sql`update public.users set display_name = 'X' where length(display_name) > 100`;
        await db.sql`update public.users set display_name = repeat('x', 150) where id in ${db.sql(bad)}`;
        await db.sql`alter table public.avatars alter column name type varchar(100)`;
      },
      (db) => db.sql`alter table public.avatars alter column name type varchar(200)`,
    ],
  ];

  test('is set aside alone, whatever refuses it, and picked up by a retry once fixed', async () => {
    const db = await database(200);
    const authors = await db.sql<
      { id: string }[]
    >`select distinct user_id as id from public.posts order by 1`;
    // Of each kind two next to each other, one in the middle and one near the end: the first and the last are among them.
    const last = authors.length - 1;
    const middle = Math.floor(last / 2);
    const kinds = poisons.map(([name, sqlstate, , , noted], i) => ({
      name,
      sqlstate,
      noted,
      bad: [2 * i, 2 * i + 1, middle + 2 * i, last - 2 * i].map((place) => authors[place]?.id ?? ''),
    }));
    for (const [i, [, , poison]] of poisons.entries()) await poison(db, kinds[i]?.bad ?? []);
    const expected = kinds
      .flatMap(({ bad, sqlstate }) => bad.map((entity) => ({ entity, sqlstate })))
      .sort((one, other) => (one.entity < other.entity ? -1 : 1));
    const all = expected.map(({ entity }) => entity);
    const count = expected.length;
    expect(new Set(all).size).toBe(4 * poisons.length);

    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({
      status: 'done',
      has_more: false,
      state: 'failed',
      failures_left: count,
    });
    expect([sum(answers, 'migrated'), sum(answers, 'failed'), sum(answers, 'processed')]).toEqual([
      200 - count,
      count,
      200,
    ]);
    expect(await failures(db)).toEqual(
      expected.map(({ entity, sqlstate }) => ({ entity, kind: 'failed', sqlstate })),
    );
    for (const { bad, noted, name } of kinds) {
      if (!noted) continue;
      const told =
        await db.sql`select constraint_name, table_name from imago.failure where entity in ${db.sql(bad)}`;
      expect([...told], name).toEqual(bad.map(() => noted));
    }
    expect(await unmoved(db)).toEqual(all);
    // Nothing of them was kept, nothing of the others is missing.
    expect(
      await value(db.sql, `select count(*) from public.avatars where owner_user_id in (${quoted(all)})`),
    ).toBe('0');
    expect(
      await value(
        db.sql,
        `select count(*) from public.posts where (avatar_id is null) <> (user_id in (${quoted(all)}))`,
      ),
    ).toBe('0');
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      failed_users: count,
      pending_users: count,
      migration_completion_percentage: 100 - count / 2,
    });
    expect(await call(db.sql, 'get_migration_performance_stats')).toMatchObject({
      errors_by_sqlstate: { 23514: 4, 23000: 4, P0001: 8, P0004: 4, 22001: 4 },
    });
    const logged =
      await db.sql`select entity, sqlstate from public.migration_log where level = 'error' and entity is not null order by entity`;
    expect(logged).toEqual(expected);

    // Without a cure a retry fails alike; and calls without a retry leave them alone.
    expect(sum(await migrateAll(db.sql), 'failed')).toBe(0);
    const again = { retried: count, state: 'running' };
    expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject(again);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ state: 'failed', failures_left: count });

    for (const [, , , cure] of poisons) await cure(db);
    expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject(again);
    const retried = await migrateAll(db.sql);
    expect(retried.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(retried, 'migrated')).toBe(count);
    expect(await failures(db)).toEqual([]);
    await expectAllMigrated(db.sql);
  });

  test('in a window is set aside alone as well', async () => {
    const db = await database(120);
    const bad = await usersAt(db, 0, 33, 34, 119);
    await trigger(
      db,
      'avatars',
      'insert',
      `if new.owner_user_id in (${quoted(bad)}) then raise 'no'; end if;`,
    );
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset: 0 })).toMatchObject({
      processed: 100,
      migrated: 97,
      skipped: 0,
      failed: 3,
      next_offset: 100,
    });
    // What is set aside is counted apart: it is no work that is left.
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset: 100 })).toMatchObject({
      migrated: 19,
      failed: 1,
      has_more: false,
      next_offset: null,
    });
    expect(await unmoved(db)).toEqual(bad);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'failed',
      failed_users: 4,
    });
    await mend(db);
    await call(db.sql, 'retry_failed_migrations');
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset: 0 })).toMatchObject({
      migrated: 3,
      has_more: true,
      next_offset: 119,
    });
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 100, batch_offset: 100 })).toMatchObject({
      migrated: 1,
      has_more: false,
    });
    await expectAllMigrated(db.sql);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'succeeded',
      failed_users: 0,
    });
  });
});

describe('somebody else', () => {
  test('holds a user row: deferred, nobody is set aside, and everybody is moved when the lock ends', async () => {
    const db = await database(150);
    const [locked] = await usersAt(db, 70);
    const other = db.connect();
    await other`begin`;
    await other`update public.users set bio = bio where id = ${locked ?? ''}`;
    const first = await call(db.sql, 'migrate_batch', { batch_size: 50 });
    expect(first).toMatchObject({ status: 'deferred', has_more: true, retry_after_ms: 200, failed: 0 });
    expect(await failures(db)).toEqual([]);
    await other`commit`;
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(sum([first, ...answers], 'migrated')).toBe(150);
    await expectAllMigrated(db.sql);
    expect(await call(db.sql, 'get_migration_performance_stats')).toMatchObject({
      deferred_batches: 1,
      lock_timeouts_55P03: 1,
      errors_by_sqlstate: {},
    });
  });

  test('lets go of a user row while the blocked user is looked for: the late pass moves that user', async () => {
    const db = await database(150);
    const [locked] = await usersAt(db, 70);
    const other = db.connect();
    await other`begin`;
    await other`update public.users set bio = bio where id = ${locked ?? ''}`;
    const answers: Answer[] = [];
    await until('the user is set aside', async () => {
      answers.push(await call(db.sql, 'migrate_batch', { max_ms: 1 }));
      return (await failures(db)).length > 0;
    });
    expect(await failures(db)).toEqual([{ entity: locked, kind: 'deferred', sqlstate: '55P03' }]);
    await other`commit`;
    answers.push(...(await migrateAll(db.sql)));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(answers, 'migrated')).toBe(150);
    expect(await failures(db)).toEqual([]);
    await expectAllMigrated(db.sql);
  });

  test.each([
    ['a user row', (ids: string) => `update public.users set bio = bio where id in (${ids})`],
    [
      'a post',
      (ids: string) =>
        `update public.posts set body = body where id = (select min(id::text)::uuid from public.posts where user_id in (${ids}))`,
    ],
    ['a follow', (ids: string) => `delete from public.follows where followed_id in (${ids})`],
  ])(
    'holds %s for the whole run: that user is set aside as deferred, everybody else is moved',
    async (_, lock) => {
      const db = await database(150);
      const [locked] = (
        await db.sql<{ id: string }[]>`
      select u.id from public.users u
      where exists (select from public.posts where user_id = u.id) and exists (select from public.follows where followed_id = u.id)
      order by md5(u.id::text) limit 1`
      ).map((row) => row.id);
      const other = db.connect();
      await other`begin`;
      await other.unsafe(lock(`'${locked}'`));
      await db.sql`update imago.setting set value = '100' where name = 'writer_wait_ms'`;
      const answers = await migrateAll(db.sql);
      expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 1 });
      expect(sum(answers, 'migrated')).toBe(149);
      expect(await failures(db)).toEqual([{ entity: locked, kind: 'deferred', sqlstate: '55P03' }]);
      expect(await unmoved(db)).toEqual([locked]);
      expect(await call(db.sql, 'get_migration_performance_stats')).toMatchObject({ error_rate: 0 });
      await other`rollback`;
      expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject({ retried: 1 });
      expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
      await expectAllMigrated(db.sql);
    },
  );

  test('holds one throughout a second walk whose calls are shorter than its wait: everybody else is moved', async () => {
    const db = await freshDatabase({ app: 'none' });
    onTestFinished(() => db.drop());
    await createTally(
      db.sql,
      'integer',
      Array.from({ length: 20 }, (_, i) => i),
    );
    await migrateAll(db.sql, { plan: 'tally' });
    await db.sql`update public.items set done = false`;
    await db.sql`update imago.setting set value = '100' where name in ('lock_timeout_ms', 'writer_wait_ms')`;
    const other = db.connect();
    await other`begin`;
    await other`update public.items set label = label where id = 7`;
    const answers = await migrateAll(db.sql, { plan: 'tally', max_ms: 1 });
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 1 });
    expect(await itemsLeft(db.sql)).toBe(1);
    await other`rollback`;
  });

  test('holds users in a window: they are set aside at once, the others are moved, the next visit has them', async () => {
    const db = await database(60);
    const locked = await usersAt(db, 5, 6, 40);
    const other = db.connect();
    await other`begin`;
    await other.unsafe(`select from public.users where id in (${quoted(locked)}) for update`);
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 0 })).toMatchObject({
      migrated: 47,
      failed: 3,
    });
    expect(await failures(db)).toEqual(
      locked.map((entity) => ({ entity, kind: 'deferred', sqlstate: '55P03' })),
    );
    await other`commit`;
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 0 })).toMatchObject({
      migrated: 3,
      skipped: 47,
    });
    expect(await call(db.sql, 'migrate_users_batch', { batch_size: 50, batch_offset: 50 })).toMatchObject({
      migrated: 10,
      has_more: false,
    });
    await expectAllMigrated(db.sql);
    expect(await failures(db)).toEqual([]);
  });

  test.each([
    ['deadlocks', '40P01', 2],
    ['a long series of serialization failures', '40001', 14],
  ])('causes %s: the batch is retried, nobody is set aside or lost', async (_, errcode, times) => {
    const db = await database(150);
    // A sequence counts on although the batch is taken back.
    await db.sql`create sequence public.attempts`;
    await trigger(
      db,
      'users',
      'update',
      `if nextval('public.attempts') <= ${times} then raise exception using errcode = '${errcode}', message = 'try again'; end if;`,
    );
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(answers, 'migrated')).toBe(150);
    expect(answers.filter((answer) => answer.status === 'deferred').length).toBeGreaterThanOrEqual(
      Math.min(times, 3),
    );
    expect(await failures(db)).toEqual([]);
    await expectAllMigrated(db.sql);
    const stats = await call(db.sql, 'get_migration_performance_stats');
    expect(stats).toMatchObject({ errors_by_sqlstate: {}, error_rate: 0 });
    expect(stats.deadlocks_40P01 > 0).toBe(errcode === '40P01');
  });
});

describe('a schema that changes under the run', () => {
  test.each([
    [
      'a column that apply writes goes',
      'alter table public.avatars rename column niche to gone',
      'alter table public.avatars rename column gone to niche',
      'IM070',
    ],
    [
      'a column that pending reads goes',
      'alter view avatars.pending rename to gone',
      'alter view avatars.gone rename to pending',
      'IM021',
    ],
    [
      'the right to write goes',
      'alter table public.posts owner to supabase_admin; revoke all on public.posts from authenticated, service_role',
      'alter table public.posts owner to postgres; grant all on public.posts to authenticated, service_role',
      'IM021',
    ],
  ])('%s: the run stops as failed, nobody is set aside, and a retry goes on', async (_, harm, cure, code) => {
    const db = await database(120);
    const admin = db.connect({ role: 'supabase_admin' });
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 30 });
    await admin.unsafe(harm);
    const answers = await migrateAll(db.sql, { batch_size: 30 });
    expect(answers.at(-1)).toMatchObject({
      status: 'failed',
      state: 'failed',
      error: { code },
    });
    expect(await failures(db)).toEqual([]);
    expect((await unmoved(db)).length).toBe(90);
    await admin.unsafe(cure);
    await call(db.sql, 'retry_failed_migrations');
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
  });

  test('the view pending goes in the late pass or at the end: the run stops as failed, and a retry goes on', async () => {
    const db = await database(40);
    await db.sql`insert into imago.run (plan, direction, late_only) values ('avatars', 'forward', true)`;
    await db.sql`alter view avatars.pending rename to gone`;
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'failed', error: { code: 'IM021' } });
    await db.sql`alter view avatars.gone rename to pending`;
    await call(db.sql, 'retry_failed_migrations');
    await db.sql`update imago.lane set done = true`;
    await db.sql`alter view avatars.pending rename to gone`;
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'failed', error: { code: 'IM021' } });
    await db.sql`alter view avatars.gone rename to pending`;
    await call(db.sql, 'retry_failed_migrations');
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
  });
});

describe('the sub-batches of a call', () => {
  test('are two or more: then one bad user is found, however few they are', async () => {
    const db = await database(60);
    const set = (value: string) =>
      db.sql`update imago.setting set value = ${value} where name = 'max_sub_batches'`;
    const error = await refusal(set('1'));
    expect([error.code, error.constraint_name]).toEqual(['23514', 'max_sub_batches_is_2_or_more']);
    expect((await refusal(set('few'))).code).toBe('22P02');
    await set('2');
    const [user = ''] = await usersAt(db, 30);
    await db.sql.unsafe(
      `alter table public.avatars add constraint nobody check (owner_user_id <> '${user}')`,
    );
    await migrateAll(db.sql, { batch_size: 60 });
    expect((await failures(db)).map(({ entity }) => entity)).toEqual([user]);
    expect((await unmoved(db)).length).toBe(1);
  });
});
