import { afterEach, describe, expect, test } from 'vitest';
import { avatarFaults, expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { type App, freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { stopSync } from '../support/sync.ts';
import { createTally, itemsLeft, type KeyType } from '../support/tally.ts';
import { until } from '../support/until.ts';

/** The functions that people call. */
const API = [
  'migrate_users_batch(integer,integer)',
  'migrate_batch(text,integer,integer,boolean,boolean,text,text,bigint)',
  'migrate_user_to_avatar_centric(uuid)',
  'dry_run_migration(text,text,integer,integer)',
  'get_migration_report(text)',
  'get_migration_statistics(text)',
  'rollback_user_migration(uuid,boolean)',
  'migrate_entity(text,text,integer)',
  'rollback_entity(text,text,boolean,integer)',
  'expect_done(text,boolean)',
  'forget_entity(text,text,integer,boolean)',
  'give_up_column(text,text,text)',
  'rollback_batch(text,integer,boolean,bigint)',
  'rollback_all_migrations(text,boolean)',
  'get_detailed_migration_progress(text)',
  'get_migration_performance_stats(text)',
  'prepare_migration(text)',
  'pause_migration(text)',
  'resume_migration(text)',
  'cancel_migration(text)',
  'retry_failed_migrations(text)',
  'schedule_migration(text,interval,boolean)',
  'unschedule_migration(text)',
  'finalize_migration(text,boolean,boolean)',
  'cleanup_migration(text,interval,boolean)',
  'validate_migration(text,boolean,boolean,integer,boolean)',
  'get_run_history(text,integer)',
  'log_request(text,text,text)',
  'get_engine_version()',
  'inspect_installation()',
];

const databases: TestDatabase[] = [];

async function database(app: App, users = 0, avatars?: 'prepared'): Promise<TestDatabase> {
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

describe('what each call returns', () => {
  test('prepare_migration: the step of the call, until has_more is false', async () => {
    const db = await database('sample', 20);
    const first = await call(db.sql, 'prepare_migration', { plan: 'avatars' });
    expect(first).toMatchObject({
      plan: 'avatars',
      step: 'table avatars',
      status: 'preparing',
      has_more: true,
    });
    const steps =
      await db.sql`select name from imago.plan_step where plan = 'avatars' and phase = 'prepare' order by position offset 1`;
    expect(await prepareAll(db.sql)).toEqual([
      ...steps.map((step) => step.name),
      'journal public.avatars',
      'journal public.users',
      'journal public.posts',
      'journal public.follows',
      'sync new users',
      'sync new posts',
      'sync new follows',
      'statistics',
    ]);
    expect(await call(db.sql, 'prepare_migration')).toMatchObject({
      status: 'prepared',
      has_more: false,
      step: null,
    });
    expect(await value(db.sql, 'select count(*) from public.avatars')).toBe('0');
  });

  test('migrate_users_batch: processed, migrated, skipped, failed, and where to go on', async () => {
    const db = await database('sample', 30, 'prepared');
    const answer = await call(db.sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    expect(answer).toMatchObject({
      processed: 10,
      migrated: 10,
      skipped: 0,
      failed: 0,
      has_more: true,
      next_offset: 10,
      duration_ms: expect.any(Number),
    });
    expect(await call(db.sql, 'migrate_users_batch')).toMatchObject({
      processed: 30,
      migrated: 20,
      skipped: 10,
    });
  });

  test('migrate_batch: the same fields, a status and the rows written per relation', async () => {
    const db = await database('sample', 120);
    const before = await call(db.sql, 'migrate_batch', { plan: 'avatars' });
    expect(before).toMatchObject({
      status: 'preparing',
      has_more: true,
      processed: 0,
      rows: {},
      error: null,
    });
    const answers = await migrateAll(db.sql);
    expect(answers.at(-1)).toMatchObject({ status: 'done', has_more: false, state: 'succeeded' });
    for (const answer of answers) {
      expect(answer).toMatchObject({
        run: expect.any(Number),
        processed: expect.any(Number),
        migrated: expect.any(Number),
        skipped: expect.any(Number),
        failed: expect.any(Number),
        duration_ms: expect.any(Number),
        retry_after_ms: expect.any(Number),
        rows: expect.any(Object),
        error: null,
      });
    }
    const total = (field: string) => answers.reduce((sum, answer) => sum + Number(answer[field]), 0);
    expect([total('processed'), total('migrated'), total('skipped'), total('failed')]).toEqual([
      120, 120, 0, 0,
    ]);
    const rows = answers.reduce<Record<string, number>>((sum, answer) => {
      for (const [relation, count] of Object.entries(answer.rows))
        sum[relation] = (sum[relation] ?? 0) + count;
      return sum;
    }, {});
    expect(rows).toEqual({
      'public.avatars': 120,
      'public.users': 120,
      'public.posts': Number(await value(db.sql, 'select count(*) from public.posts')),
      'public.follows': Number(await value(db.sql, 'select count(*) from public.follows')),
    });
    await expectAllMigrated(db.sql);
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({
      status: 'done',
      has_more: false,
      migrated: 0,
    });
  });

  test('migrate_user_to_avatar_centric, rollback_user_migration: what became of the user, and the rows', async () => {
    const db = await database('sample', 20, 'prepared');
    const user_id = await value<string>(
      db.sql,
      'select user_id from public.posts group by 1 order by count(*) desc limit 1',
    );
    const moved = await call(db.sql, 'migrate_user_to_avatar_centric', { user_id });
    expect(moved).toMatchObject({
      entity: user_id,
      migrated: true,
      skipped: false,
      rows: { 'public.avatars': 1, 'public.users': 1 },
    });
    expect(await call(db.sql, 'migrate_user_to_avatar_centric', { user_id })).toMatchObject({
      migrated: false,
      skipped: true,
    });

    const back = await call(db.sql, 'rollback_user_migration', { user_id, force: false });
    const posts = Number(
      await value(db.sql, 'select count(*) from public.posts where user_id = $1', [user_id]),
    );
    expect(back).toMatchObject({
      entity: user_id,
      rolled_back: true,
      restored: { 'public.users': 1, 'public.posts': posts },
      removed: { 'public.avatars': 1 },
      conflicts: [],
    });
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      held_users: 1,
      migrated_users: 0,
    });
  });

  test('get_migration_statistics, before, in the middle and after: totals and a percentage', async () => {
    const db = await database('sample', 40);
    const fields = (answer: Answer) => [
      answer.total_users,
      answer.migrated_users,
      answer.users_needing_migration,
      answer.total_avatars,
      answer.migrated_avatars,
      answer.migration_completion_percentage,
    ];
    expect(fields(await call(db.sql, 'get_migration_statistics'))).toEqual([40, 0, 40, 0, 0, 0]);
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    expect(fields(await call(db.sql, 'get_migration_statistics'))).toEqual([40, 10, 30, 10, 10, 25]);
    await migrateAll(db.sql);
    expect(fields(await call(db.sql, 'get_migration_statistics'))).toEqual([40, 40, 0, 40, 40, 100]);
  });

  test('get_detailed_migration_progress, before, in the middle and after: state, phase and counts', async () => {
    const db = await database('sample', 40);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'none',
      phase: 'not started',
      total_users: 40,
      migrated_users: 0,
      pending_users: 40,
      failed_users: 0,
      held_users: 0,
      conflicts: 0,
      migration_completion_percentage: 0,
      users_per_minute: null,
      eta_seconds: null,
      lanes: [],
      started_at: null,
      updated_at: null,
      // Whom a plan concerns is known once it is prepared.
      total_is_estimate: true,
    });
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    const middle = await call(db.sql, 'get_detailed_migration_progress');
    expect(middle).toMatchObject({
      state: 'running',
      phase: 'backfill',
      total_is_estimate: false,
      migrated_users: 10,
      pending_users: 30,
      migration_completion_percentage: 25,
      users_per_minute: expect.any(Number),
      eta_seconds: expect.any(Number),
      started_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect(middle.lanes.length).toBeGreaterThan(0);
    await migrateAll(db.sql);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'succeeded',
      phase: 'validate',
      migrated_users: 40,
      pending_users: 0,
      migration_completion_percentage: 100,
      eta_seconds: null,
    });
  });

  test('get_migration_performance_stats, before and after: batches, rates, errors and rows', async () => {
    const db = await database('sample', 200);
    expect(await call(db.sql, 'get_migration_performance_stats')).toMatchObject({
      state: 'none',
      run: null,
      batches: 0,
    });
    await migrateAll(db.sql, { batch_size: 50 });
    const stats = await call(db.sql, 'get_migration_performance_stats');
    expect(stats).toMatchObject({
      state: 'succeeded',
      batches: 4,
      // It has ended: nothing moves.
      users_per_minute_now: null,
      users_per_minute_average: expect.any(Number),
      average_ms_per_user: expect.any(Number),
      batch_ms: {
        p50: expect.any(Number),
        p95: expect.any(Number),
        p99: expect.any(Number),
        max: expect.any(Number),
      },
      error_rate: 0,
      errors_by_sqlstate: {},
      rows: { 'public.avatars': 200, 'public.users': 200 },
      wal_bytes_per_batch: expect.any(Number),
      wal_is_server_wide: true,
      deferred_batches: 0,
      halved_batches: 0,
      lock_timeouts_55P03: 0,
      deadlocks_40P01: 0,
      database_connections: expect.any(Number),
      cache_hit_ratio: expect.any(Number),
    });
    expect(stats.batch_size_trace.map((point: Answer) => point.size)).toEqual([50, 50, 50, 50]);
  });

  test('rollback_batch and rollback_all_migrations: how many went back, until all is as it was', async () => {
    const db = await database('sample', 60);
    const original = await checksums(db.sql);
    await migrateAll(db.sql);
    const answers = await rollbackAll(db.sql);
    expect(answers.at(-1)).toMatchObject({
      status: 'done',
      has_more: false,
      direction: 'rollback',
      conflicts: 0,
    });
    expect(answers.reduce((sum, answer) => sum + answer.rolled_back, 0)).toBe(60);
    expect(await checksums(db.sql)).toEqual(original);
    await migrateAll(db.sql);
    expect(await call(db.sql, 'rollback_all_migrations', { plan: 'avatars', force: false })).toMatchObject({
      status: 'done',
      has_more: false,
      rolled_back: 60,
    });
    expect(await checksums(db.sql)).toEqual(original);
  });

  test('pause, resume, cancel and retry return the new state', async () => {
    const db = await database('sample', 30, 'prepared');
    await call(db.sql, 'migrate_users_batch', { batch_size: 10 });
    expect(await call(db.sql, 'pause_migration')).toMatchObject({ plan: 'avatars', state: 'paused' });
    expect(await call(db.sql, 'migrate_batch')).toMatchObject({
      status: 'paused',
      has_more: true,
      migrated: 0,
    });
    expect(await call(db.sql, 'resume_migration')).toMatchObject({ state: 'running' });
    expect(await call(db.sql, 'cancel_migration')).toMatchObject({ state: 'cancelled' });
    const error = await refusal(call(db.sql, 'retry_failed_migrations'));
    expect(error.code).toBe('IM008');
  });

  test('migration_log: steps, changes of state and batches, with what each moved', async () => {
    const db = await database('sample', 30);
    await migrateAll(db.sql);
    const columns = await db.sql`select * from public.migration_log`;
    expect(columns.columns.map((column) => column.name)).toEqual([
      'created_at',
      'plan',
      'run',
      'batch',
      'level',
      'event',
      'entity',
      'sqlstate',
      'detail',
    ]);
    const events = await db.sql`select distinct event from public.migration_log`;
    expect(events.map((row) => row.event)).toEqual(
      expect.arrayContaining(['run', 'prepare', 'state', 'batch']),
    );
    expect(
      await db.sql`select detail ->> 'from' as from, detail ->> 'to' as to from public.migration_log where event = 'state' order by created_at`,
    ).toEqual([
      { from: 'pending', to: 'running' },
      { from: 'running', to: 'succeeded' },
    ]);
    const [batches] = await db.sql`
      select sum((detail ->> 'moved')::int)::int as moved, bool_and(batch is not null) as named from public.migration_log where event = 'batch'`;
    expect(batches).toEqual({ moved: 30, named: true });
  });
});

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

  test('a repeated window skips whom it moved before', async () => {
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
    const db = await database('sample', 40);
    await migrateAll(db.sql);
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

describe('progress', () => {
  /** Looks at the progress again and again until the work has ended; it must never lie. */
  async function watched(db: TestDatabase, plan: string, work: () => Promise<unknown>): Promise<number[]> {
    const client = db.connect();
    await client`select`;
    let going = true;
    const seen: number[] = [];
    const ended = work().finally(() => {
      going = false;
    });
    const watching = (async () => {
      while (going) {
        const progress = await call(client, 'get_detailed_migration_progress', { plan });
        const percentage = progress.migration_completion_percentage;
        expect(percentage).toBeLessThanOrEqual(100);
        expect(progress.migrated_users).toBeLessThanOrEqual(progress.total_users);
        if (percentage === 100) expect(progress.pending_users).toBe(0);
        seen.push(percentage);
      }
    })();
    await Promise.all([ended, watching]);
    return seen;
  }
  const inOrder = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

  test('that is counted never passes 100 and never goes back', async () => {
    const db = await database('sample', 400);
    const work = async () => {
      while ((await call(db.sql, 'migrate_batch', { batch_size: 15, max_ms: 1 })).has_more);
    };
    const seen = await watched(db, 'avatars', work);
    expect(new Set(seen).size).toBeGreaterThan(1);
    expect(seen).toEqual(inOrder(seen));
  });

  test('that is estimated never passes 100 and never goes back, with deletions and a failure', async () => {
    const db = await database('none');
    const keys = Array.from({ length: 104_000 }, (_, i) => i);
    await createTally(db.sql, 'bigint', keys, { body: `if 777 = any (keys) then raise 'no'; end if;` });
    const deleting = async () => {
      const app = db.connect();
      // Rows that are walked already and rows that are still to come.
      for (let i = 0; i < 20; i++) {
        await app`delete from public.items where id in (select id from public.items where id % 997 = ${i} for update skip locked)`;
      }
    };
    const work = () =>
      Promise.all([migrateAll(db.sql, { plan: 'tally' }), migrateAll(db.sql, { plan: 'tally' }), deleting()]);
    const seen = await watched(db, 'tally', work);
    expect(new Set(seen).size).toBeGreaterThan(1);
    expect(seen).toEqual(inOrder(seen));
    expect(await itemsLeft(db.sql)).toBe(1);
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: 'tally' })).toMatchObject({
      failed_users: 1,
      pending_users: 1,
      total_is_estimate: true,
    });
  });

  test('that is estimated counts whom the plan concerns, forward and back', async () => {
    const db = await database('none');
    const keys = Array.from({ length: 101_000 }, (_, i) => i);
    await createTally(db.sql, 'bigint', keys, { pending: `not i.done and i.id < 20000` });
    await db.sql`create view tally.concerned as select i.id as entity from public.items i where i.id < 20000`;
    const about = (pending: number, migrated: number) => ({
      total_is_estimate: true,
      pending_users: expect.toSatisfy((n: number) => Math.abs(n - pending) < 400),
      migrated_users: expect.toSatisfy((n: number) => Math.abs(n - migrated) < 400),
    });
    const progress = () => call(db.sql, 'get_detailed_migration_progress', { plan: 'tally' });
    const half = async (name: string) => {
      const args = { plan: 'tally', max_ms: 1 };
      const share = `select coalesce(sum(moved), 0)::int from imago.lane where run = (select max(id) from imago.run)`;
      do await call(db.sql, name, args);
      while ((await value<number>(db.sql, share)) < 10_000);
      return await value<number>(db.sql, share);
    };
    expect(await progress()).toMatchObject(about(20_000, 0));
    await half('migrate_batch');
    await migrateAll(db.sql, { plan: 'tally' });
    expect(await progress()).toMatchObject({ ...about(0, 20_000), migration_completion_percentage: 100 });
    expect(await call(db.sql, 'get_migration_statistics', { plan: 'tally' })).toMatchObject({
      total_users: 20_000,
      migrated_users: 20_000,
      users_needing_migration: 0,
    });
    const back = await half('rollback_batch');
    expect(await progress()).toMatchObject(about(back, 20_000 - back));
    // A second rollback goes on where the first was given up.
    await call(db.sql, 'cancel_migration', { plan: 'tally' });
    await call(db.sql, 'rollback_batch', { plan: 'tally', max_ms: 1 });
    const left = await value<number>(db.sql, 'select count(*)::int from public.items where done');
    expect(await progress()).toMatchObject(about(20_000 - left, left));
    const seen = await watched(db, 'tally', () => rollbackAll(db.sql, { plan: 'tally' }));
    expect(seen).toEqual(inOrder(seen).reverse());
    expect(await progress()).toMatchObject({ ...about(20_000, 0), migration_completion_percentage: 0 });
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
    // Each tenth user has an avatar of his own; some follow it although his oldest is another.
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

  test('a user for whom the view has no row is set aside with IM010, everybody else is moved', async () => {
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
  ])('a user for whom the view has two rows is set aside, %s', async (_, metadata, sqlstate) => {
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

describe('rights on Imago', () => {
  test('the list of functions is complete, and those that only look change nothing', async () => {
    const db = await database('none');
    const functions = await db.sql`
      select p.oid::regprocedure::text as name, p.provolatile as volatility, p.prosecdef as definer, p.proconfig as config
      from pg_proc p where p.pronamespace = 'public'::regnamespace and p.oid in (select a.object_id from imago.added a where a.plan is null)`;
    expect(functions.map((row) => row.name).sort()).toEqual([...API].sort());
    expect(
      functions
        .filter((row) => row.volatility === 's')
        .map((row) => row.name)
        .sort(),
    ).toEqual([
      'get_detailed_migration_progress(text)',
      'get_engine_version()',
      'get_migration_performance_stats(text)',
      'get_migration_report(text)',
      'get_migration_statistics(text)',
      'get_run_history(text,integer)',
      'inspect_installation()',
    ]);
    expect(functions.every((row) => row.definer && row.config?.includes('search_path=""'))).toBe(true);
  });

  test.each(['anon', 'authenticated'] as const)(
    '%s gets 42501 from every function and sees nothing of Imago',
    async (role) => {
      const db = await database('sample', 10);
      await migrateAll(db.sql);
      const outsider = db.connect({ role });
      for (const signature of API) {
        const [, name, types] = /^(\w+)\((.*)\)$/.exec(signature) ?? [];
        const nulls = (types ?? '').split(',').flatMap((type) => (type ? [`null::${type}`] : []));
        const error = await refusal(outsider.unsafe(`select public.${name}(${nulls.join(', ')})`));
        expect([name, error.code]).toEqual([name, '42501']);
      }
      for (const relation of [
        'public.migration_log',
        'imago.log',
        'imago.run',
        'imago.failure',
        'imago.plan',
        'imago.setting',
        'avatars.pending',
        'avatars.default_avatar',
      ]) {
        const error = await refusal(outsider.unsafe(`select * from ${relation}`));
        expect([relation, error.code]).toEqual([relation, '42501']);
      }
      const undo =
        await db.sql`select relname from pg_class where relnamespace = 'imago_undo'::regnamespace and relkind = 'r'`;
      expect(undo.length).toBe(4);
      for (const { relname } of undo) {
        expect((await refusal(outsider.unsafe(`select * from imago_undo.${relname}`))).code).toBe('42501');
      }
      // Nor may they execute anything inside.
      const open = await db.sql`
      select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('imago', 'avatars', 'imago_undo') and has_schema_privilege(${role}, n.oid, 'usage')`;
      expect(open).toHaveLength(0);
    },
  );

  test('service_role can call everything', async () => {
    const db = await database('sample', 60);
    const service = db.connect({ role: 'service_role' });
    await prepareAll(service);
    await call(service, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db, 3) });
    await call(service, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    await call(service, 'pause_migration');
    await call(service, 'resume_migration');
    await call(service, 'cancel_migration');
    await migrateAll(service);
    await call(service, 'get_migration_statistics');
    await call(service, 'get_detailed_migration_progress');
    await call(service, 'get_migration_performance_stats');
    await call(service, 'dry_run_migration');
    await call(service, 'rollback_user_migration', { user_id: await anyUser(db, 3) });
    await call(service, 'migrate_entity', { plan: 'avatars', entity: await anyUser(db, 3) });
    await call(service, 'rollback_entity', { plan: 'avatars', entity: await anyUser(db, 3) });
    await rollbackAll(service);
    await call(service, 'rollback_all_migrations');
    expect((await refusal(call(service, 'retry_failed_migrations'))).code).toBe('IM008');
    expect((await service`select * from public.migration_log`).length).toBeGreaterThan(10);
    // And nothing but what the log shows is his to read.
    expect((await refusal(service`select * from imago.failure`)).code).toBe('42501');
    expect(
      (await refusal(service`insert into imago.log (level, event) values ('info', 'forged')`)).code,
    ).toBe('42501');
  });

  test('every function, view, table and schema of Imago has a comment', async () => {
    const db = await database('sample', 5, 'prepared');
    const bare = await db.sql`
      select p.oid::regprocedure::text as name
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('imago', 'avatars') and obj_description(p.oid, 'pg_proc') is null
      union all
      select c.oid::regclass::text
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where (n.nspname in ('imago', 'avatars', 'imago_undo') or c.oid = 'public.migration_log'::regclass)
        and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null
      union all
      select n.nspname::text from pg_namespace n
      where n.nspname in ('imago', 'imago_undo', 'avatars') and obj_description(n.oid, 'pg_namespace') is null`;
    expect(bare.map((row) => row.name)).toEqual([]);
  });
});
