/** What the functions that people call return, and who may call them. */
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { type App, freshDatabase, type TestDatabase } from '../support/database.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';

/** The functions that people call. */
const API = [
  'migrate_users_batch(integer,integer)',
  'migrate_batch(text,integer,integer,boolean,boolean,text,text,bigint,jsonb)',
  'migrate_user_to_avatar_centric(uuid)',
  'dry_run_migration(text,text,integer,integer,jsonb)',
  'forecast_migration(text,integer,boolean,jsonb)',
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
  'claim_entities(text,integer,integer,bigint)',
  'return_entities(uuid,jsonb,jsonb,text,integer,bigint)',
  'schedule_migration(text,interval,boolean,jsonb)',
  'unschedule_migration(text)',
  'notify_migrations(text)',
  'take_notices(integer)',
  'settle_notices(bigint[],bigint[],text)',
  'throttle_migration(text,text,integer,text,text[])',
  'finalize_migration(text,boolean,boolean)',
  'cleanup_migration(text,interval,boolean)',
  'validate_migration(text,boolean,boolean,integer,boolean)',
  'get_run_history(text,integer)',
  'log_request(text,text,text)',
  'get_migration_plans()',
  'get_migration_failures(text,integer)',
  'get_engine_version()',
  'inspect_installation()',
];

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
      // Which entities a plan concerns is known once it is prepared.
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
    const db = await database('sample', 30, 'migrated');
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
      'get_migration_failures(text,integer)',
      'get_migration_performance_stats(text)',
      'get_migration_plans()',
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
      const db = await database('sample', 10, 'migrated');
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
      // Nor may they execute anything inside, but for what triggers of the app ask.
      const open = await db.sql`
      select p.oid::regprocedure::text as routine from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('imago', 'avatars', 'imago_undo') and has_schema_privilege(${role}, n.oid, 'usage')
        and has_function_privilege(${role}, p.oid, 'execute')`;
      expect([...open]).toEqual([{ routine: 'imago.in_batch()' }]);
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
    // And they may read nothing but what the log shows.
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
