import { afterEach, describe, expect, test } from 'vitest';
import { avatarFaults, expectAllMigrated, prepareAll } from './support/avatars.ts';
import { type Answer, call, refusal, value } from './support/call.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { checksums, migrateAll } from './support/imago.ts';
import { startWithLanes } from './support/lanes.ts';
import { pidOf, until } from './support/until.ts';

const databases: TestDatabase[] = [];

/** The sample app, prepared, with short waits for locks. */
async function database(users: number): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users });
  databases.push(db);
  await prepareAll(db.sql);
  await db.sql`update imago.setting set value = '40' where name = 'lock_timeout_ms'`;
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Keys of users by their place in key order. */
async function usersAt(db: TestDatabase, ...places: number[]): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`select id from public.users order by id`;
  return places.map((place) => rows[place]?.id ?? '');
}

const unmoved = async (db: TestDatabase) =>
  (await db.sql`select id from public.users where active_avatar_id is null order by id`).map((row) => row.id);
const failures = async (db: TestDatabase) =>
  await db.sql`select entity, kind, sqlstate from imago.failure order by entity`;
const sum = (answers: Answer[], field: string) =>
  answers.reduce((total, answer) => total + Number(answer[field]), 0);
const quoted = (ids: string[]) => ids.map((id) => `'${id}'`).join(', ');

/** A trigger on a table of the app, for each row, whose body may use `new`. */
async function trigger(db: TestDatabase, table: string, event: string, body: string): Promise<void> {
  await db.sql.unsafe(`
    create function public.app_trigger() returns trigger language plpgsql as $$ begin ${body} return new; end $$;
    create trigger app_trigger before ${event} on public.${table} for each row execute function public.app_trigger();`);
}

const mend = (db: TestDatabase) => db.sql`drop function public.app_trigger() cascade`;

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
          create function public.app_trigger() returns trigger language plpgsql as $$ begin
            if new.owner_user_id in (${quoted(bad)}) then raise integrity_constraint_violation; end if; return null; end $$;
          create constraint trigger late after insert on public.avatars deferrable initially deferred
            for each row execute function public.app_trigger();`),
      mend,
    ],
    [
      'refused by a trigger that raises',
      'P0001',
      (db, bad) =>
        trigger(db, 'avatars', 'insert', `if new.owner_user_id in (${quoted(bad)}) then raise 'no'; end if;`),
      mend,
    ],
    [
      'refused by an assertion, which others does not catch',
      'P0004',
      (db, bad) => trigger(db, 'users', 'update', `assert new.id not in (${quoted(bad)});`),
      mend,
    ],
    [
      'one post of whom is refused',
      'P0001',
      (db, bad) =>
        trigger(
          db,
          'posts',
          'update',
          `if new.id in (select distinct on (user_id) id from public.posts where user_id in (${quoted(bad)}) order by user_id, id)
           then raise 'no'; end if;`,
        ),
      mend,
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

  test.each(poisons)(
    '%s is set aside alone with %s, and picked up by a retry once mended',
    async (_, sqlstate, poison, cure, noted) => {
      const db = await database(200);
      const authors = await db.sql<
        { id: string }[]
      >`select distinct user_id as id from public.posts order by 1`;
      // First, two in a row, one in the middle and the last.
      const bad = [0, 1, 60, authors.length - 1].map((place) => authors[place]?.id ?? '');
      await poison(db, bad);

      const answers = await migrateAll(db.sql);
      expect(answers.at(-1)).toMatchObject({
        status: 'done',
        has_more: false,
        state: 'failed',
        failures_left: 4,
      });
      expect([sum(answers, 'migrated'), sum(answers, 'failed'), sum(answers, 'processed')]).toEqual([
        196, 4, 200,
      ]);
      expect(await failures(db)).toEqual(bad.map((entity) => ({ entity, kind: 'failed', sqlstate })));
      if (noted)
        expect(await db.sql`select constraint_name, table_name from imago.failure limit 1`).toEqual([noted]);
      expect(await unmoved(db)).toEqual(bad);
      // Nothing of them was kept, nothing of the others is missing.
      expect(
        await value(db.sql, `select count(*) from public.avatars where owner_user_id in (${quoted(bad)})`),
      ).toBe('0');
      expect(
        await value(
          db.sql,
          `select count(*) from public.posts where (avatar_id is null) <> (user_id in (${quoted(bad)}))`,
        ),
      ).toBe('0');
      expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
        failed_users: 4,
        pending_users: 4,
        migration_completion_percentage: 98,
      });
      expect(await call(db.sql, 'get_migration_performance_stats')).toMatchObject({
        errors_by_sqlstate: { [sqlstate]: 4 },
      });
      const logged =
        await db.sql`select entity, sqlstate from public.migration_log where level = 'error' and entity is not null order by entity`;
      expect(logged).toEqual(bad.map((entity) => ({ entity, sqlstate })));

      // Without a cure a retry fails alike; and calls without a retry leave them alone.
      expect(sum(await migrateAll(db.sql), 'failed')).toBe(0);
      expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject({ retried: 4, state: 'running' });
      expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ state: 'failed', failures_left: 4 });

      await cure(db);
      expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject({ retried: 4, state: 'running' });
      const retried = await migrateAll(db.sql);
      expect(retried.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
      expect(sum(retried, 'migrated')).toBe(4);
      expect(await failures(db)).toEqual([]);
      await expectAllMigrated(db.sql);
    },
  );

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

  test('lets go while the blocked user is looked for: the late pass has him', async () => {
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
    ['serialization failures', '40001', 2],
    ['deadlocks', '40P01', 2],
    ['more of them than deferrals', '40P01', 5],
    ['a long series of them', '40001', 14],
  ])('%s are nobody’s fault: retried, nobody lost', async (_, errcode, times) => {
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

describe('a statement timeout', () => {
  const hasty = (db: TestDatabase, ms: number) => db.connect({ connection: { statement_timeout: ms } });
  const timeouts = async (db: TestDatabase) =>
    Number(await value(db.sql, `select count(*) from public.migration_log where event = 'timeout'`));

  test('shrinks the batch, and what fits goes on', async () => {
    const db = await database(200);
    const slow = await db.sql<{ id: string }[]>`select id from public.users order by id offset 50 limit 18`;
    await trigger(
      db,
      'users',
      'update',
      `if new.id in (${quoted(slow.map((row) => row.id))}) then perform pg_sleep(0.1); end if;`,
    );
    const answers = await migrateAll(hasty(db, 1000), { batch_size: 100 });
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(answers, 'migrated')).toBe(200);
    expect(await timeouts(db)).toBeGreaterThan(0);
    const sizes = await db.sql<{ size: number }[]>`select size from imago.batch where moved > 0 order by id`;
    expect(Math.min(...sizes.map((row) => row.size))).toBeLessThan(26);
    await expectAllMigrated(db.sql);
  });

  test('reached by several users together makes none of them too large', async () => {
    const db = await database(7);
    await trigger(db, 'users', 'update', 'perform pg_sleep(0.6);');
    const answers = await migrateAll(hasty(db, 1500));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await value(db.sql, `select count(*) from public.migration_log where event = 'too_large'`)).toBe(
      '0',
    );
    await expectAllMigrated(db.sql);
  });

  test('while the batch’s boundary is looked for shrinks it too, and the end is proved all the same', async () => {
    const db = await database(260);
    await db.sql.unsafe(`
      create function public.slowly() returns boolean language plpgsql volatile cost 1 as $$
        begin perform pg_sleep(0.005); return true; end $$;`);
    const [view] = await db.sql<
      { text: string }[]
    >`select pg_get_viewdef('avatars.pending'::regclass) as text`;
    await db.sql.unsafe(
      `create or replace view avatars.pending as select entity from (${view?.text.replace(';', '')}) p where public.slowly()`,
    );
    const answers = await migrateAll(hasty(db, 1000));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded', failures_left: 0 });
    expect(sum(answers, 'migrated')).toBe(260);
    const late = await db.sql`select batch_size from imago.lane where pass = 'late'`;
    expect(late[0]?.batch_size).toBeLessThan(500);
    await db.sql.unsafe(`create or replace view avatars.pending as ${view?.text}`);
    await expectAllMigrated(db.sql);
  });

  test('in a window keeps what was moved and leads on', async () => {
    const db = await database(60);
    await trigger(db, 'users', 'update', 'perform pg_sleep(0.05);');
    const client = hasty(db, 1000);
    const answers: Answer[] = [];
    do {
      answers.push(
        await call(client, 'migrate_users_batch', {
          batch_size: 60,
          batch_offset: answers.at(-1)?.next_offset ?? 0,
        }),
      );
      expect(answers.length).toBeLessThan(30);
    } while (answers.at(-1)?.has_more);
    expect(answers.length).toBeGreaterThan(2);
    expect(sum(answers, 'migrated')).toBe(60);
    expect(await failures(db)).toEqual([]);
    await expectAllMigrated(db.sql);
  });

  test('too short for one user alone sets him aside as too large; a retry with more time moves him', async () => {
    const db = await database(40);
    const large = await usersAt(db, 10, 39);
    await trigger(
      db,
      'users',
      'update',
      `if new.id in (${quoted(large)}) then perform pg_sleep(1.2); end if;`,
    );
    const answers = await migrateAll(hasty(db, 1000));
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'failed', failures_left: 2 });
    expect(await failures(db)).toEqual(
      large.map((entity) => ({ entity, kind: 'too_large', sqlstate: '57014' })),
    );
    expect(await unmoved(db)).toEqual(large);
    expect(await value(db.sql, 'select distinct reason from imago.failure')).toBe(
      'its rows do not fit one call',
    );

    await call(db.sql, 'retry_failed_migrations');
    const retried = await migrateAll(hasty(db, 30_000));
    expect(retried.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(sum(retried, 'migrated')).toBe(2);
    await expectAllMigrated(db.sql);
  });

  test('a person’s cancel is no timeout: it is raised, and loses nothing', async () => {
    const db = await database(60);
    await trigger(db, 'users', 'update', 'perform pg_sleep(0.05);');
    const worker = hasty(db, 60_000);
    const pid = await pidOf(worker);
    // What the first sub-batch of the call did is lost with the call, and found pending by the next one.
    const cancelled = refusal(call(worker, 'migrate_batch', { max_ms: 60_000, batch_size: 20 }));
    await until('the worker is in its second sub-batch', async () => {
      const [row] =
        await db.sql`select clock_timestamp() - query_start > interval '1.5 s' as late from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`;
      return row?.late === true;
    });
    await db.sql`select pg_cancel_backend(${pid})`;
    const error = await cancelled;
    expect([error.code, error.message]).toEqual(['57014', 'canceling statement due to user request']);
    expect((await unmoved(db)).length).toBe(60);
    expect(await failures(db)).toEqual([]);
    await mend(db);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
  });
});

describe('the error budget', () => {
  /** Every third user is refused. */
  async function poison(db: TestDatabase): Promise<void> {
    await db.sql`
      create table public.refused as
      select id from (select id, row_number() over (order by id) as n from public.users) u where n % 3 = 0`;
    await trigger(
      db,
      'avatars',
      'insert',
      `if exists (select from public.refused r where r.id = new.owner_user_id) then raise 'no'; end if;`,
    );
  }
  const last = async (db: TestDatabase, args: Record<string, unknown>) => {
    const answers: Answer[] = [];
    do {
      answers.push(await call(db.sql, 'migrate_batch', args));
    } while (answers.at(-1)?.has_more && answers.at(-1)?.status !== 'failed');
    return answers.at(-1) as Answer;
  };

  test.each([
    ['5', '6 of 5'],
    ['0', '1 of 0'],
    ['2%', '7 of 6'],
    [null, '101 of 100'],
  ])('max_failures %s: past it the run stops as failed', async (max_failures, reason) => {
    const db = await database(306);
    await poison(db);
    const answer = await last(db, { max_failures });
    expect(answer).toMatchObject({
      status: 'failed',
      state: 'failed',
      error: { code: 'IM020', message: `the run stopped: ${reason} allowed failures` },
      next: null,
    });
    expect((await failures(db)).length).toBe(Number(reason.split(' ')[0]));
    // It stays so until somebody decides; what was moved stays moved.
    const before = await checksums(db.sql, { users: [], posts: [] });
    expect(await call(db.sql, 'migrate_batch', { max_failures })).toMatchObject({
      status: 'failed',
      error: { code: 'IM020' },
    });
    expect(await checksums(db.sql, { users: [], posts: [] })).toEqual(before);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'failed',
      reason: `${reason} allowed failures`,
    });

    await mend(db);
    expect(await call(db.sql, 'retry_failed_migrations')).toMatchObject({ state: 'running' });
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
  });

  test('stops all callers, although somebody works on the run all the time', async () => {
    const db = await database(400);
    await poison(db);
    await startWithLanes(db.sql, 8, '5');
    const answers = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const caller = db.connect();
        for (;;) {
          const answer = await call(caller, 'migrate_batch', { max_ms: 100, batch_size: 10 });
          if (!answer.has_more || answer.status === 'failed') return answer;
        }
      }),
    );
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 'failed', error: { code: 'IM020' } });
    expect(await value(db.sql, 'select state from imago.run')).toBe('failed');
    // Each caller may have found some more before it heard of it, and no more than that.
    expect((await failures(db)).length).toBeLessThan(60);
  });

  test('as many as allowed do not stop it', async () => {
    const db = await database(30);
    await poison(db);
    expect(await last(db, { max_failures: '10' })).toMatchObject({
      status: 'done',
      state: 'failed',
      failures_left: 10,
      error: null,
    });
  });

  test('with on_failure rollback the run takes itself back, in batches, and says so', async () => {
    const db = await freshDatabase({ app: 'sample', users: 300 });
    databases.push(db);
    const original = await checksums(db.sql);
    await prepareAll(db.sql);
    await trigger(
      db,
      'avatars',
      'insert',
      `if new.owner_user_id in (select id from public.users order by id offset 200) then raise 'no'; end if;`,
    );
    const args = { max_failures: '3', on_failure: 'rollback', batch_size: 50 };
    const stopped = await last(db, args);
    expect(stopped).toMatchObject({
      status: 'failed',
      direction: 'forward',
      next: 'rollback',
      error: { code: 'IM020' },
    });
    expect(
      Number(await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null')),
    ).toBe(200);

    const back: Answer[] = [];
    do {
      back.push(await call(db.sql, 'migrate_batch', { ...args, max_ms: 1 }));
    } while (back.at(-1)?.has_more && back.at(-1)?.status !== 'failed');
    expect(back.length).toBeGreaterThan(1);
    expect(back.at(-1)).toMatchObject({
      status: 'failed',
      direction: 'rollback',
      state: 'succeeded',
      error: { code: 'IM020' },
    });
    expect(sum(back, 'rolled_back')).toBe(200);
    expect(await checksums(db.sql)).toEqual(original);
    expect(await db.sql`select direction, state, error_code, caused_by from imago.run order by id`).toEqual([
      { direction: 'forward', state: 'failed', error_code: 'IM020', caused_by: null },
      { direction: 'rollback', state: 'succeeded', error_code: null, caused_by: '1' },
    ]);
  });
});

describe('a schema that changes under the run', () => {
  test.each([
    [
      'a column that apply writes goes',
      'alter table public.avatars rename column niche to gone',
      'alter table public.avatars rename column gone to niche',
      '42703',
    ],
    [
      'a column that pending reads goes',
      'alter view avatars.pending rename to gone',
      'alter view avatars.gone rename to pending',
      '42P01',
    ],
    [
      'the right to write goes',
      'alter table public.posts owner to supabase_admin; revoke all on public.posts from authenticated, service_role',
      'alter table public.posts owner to postgres; grant all on public.posts to authenticated, service_role',
      '42501',
    ],
  ])(
    '%s: the run stops as failed, nobody is set aside, and a retry goes on',
    async (_, harm, cure, sqlstate) => {
      const db = await database(120);
      const admin = db.connect({ role: 'supabase_admin' });
      await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 30 });
      await admin.unsafe(harm);
      const answers = await migrateAll(db.sql, { batch_size: 30 });
      expect(answers.at(-1)).toMatchObject({
        status: 'failed',
        state: 'failed',
        error: { code: 'IM021', message: `the run stopped with SQLSTATE ${sqlstate}` },
      });
      expect(await failures(db)).toEqual([]);
      expect((await unmoved(db)).length).toBe(90);
      await admin.unsafe(cure);
      await call(db.sql, 'retry_failed_migrations');
      expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
      await expectAllMigrated(db.sql);
    },
  );

  test('also in the late pass and at the end', async () => {
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

describe('without a journal', () => {
  test('forward is the same, nothing is journaled, and rollback is refused clearly', async () => {
    const db = await database(60);
    const answers: Answer[] = [];
    do answers.push(await call(db.sql, 'migrate_batch', { backup: false }));
    while (answers.at(-1)?.has_more);
    expect(answers.at(-1)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
    for (const {
      relname,
    } of await db.sql`select relname from pg_class where relnamespace = 'imago_undo'::regnamespace and relkind = 'r'`) {
      expect([relname, await value(db.sql, `select count(*) from imago_undo.${relname}`)]).toEqual([
        relname,
        '0',
      ]);
    }
    const moved = await checksums(db.sql, { users: [], posts: [], follows: [], avatars: [] });
    const error = await refusal(call(db.sql, 'rollback_batch'));
    expect([error.code, error.message]).toEqual([
      'IM009',
      'plan avatars cannot be rolled back: run 1 moved entities without a journal',
    ]);
    expect(await checksums(db.sql, { users: [], posts: [], follows: [], avatars: [] })).toEqual(moved);
    expect(await avatarFaults(db.sql)).toMatchObject({ users_without_active_avatar: 0 });
  });
});
