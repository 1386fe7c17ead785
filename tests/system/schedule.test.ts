/** pg_cron drives the batches: against the stand-in of the embedded Supabase, whose jobs the tests run. */
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { installCron, installNet, jobs, runJobs, runJobsToTheEnd } from '../support/cron.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { addSteps, itemsPlan, type Step } from '../support/finalize.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { migrateAndTakeBack, notes, runsOf } from '../support/scheduled.ts';
import { pidOf, until, untilBlocked } from '../support/until.ts';

const databases: TestDatabase[] = [];

/** The sample app and pg_cron. */
async function database(users: number, options: DatabaseOptions = {}): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users, ...options });
  databases.push(db);
  await installCron(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const moved = (db: TestDatabase) =>
  value<number>(db.sql, 'select count(*)::int from public.users where active_avatar_id is not null');

/** Prepares the plan, and has the avatars of the first users refused. */
async function poison(db: TestDatabase, users: number): Promise<void> {
  await prepareAll(db.sql);
  const rows = await db.sql<{ id: string }[]>`select id from public.users order by id limit ${users}`;
  const bad = rows.map(({ id }) => `'${id}'`).join(', ');
  await db.sql.unsafe(
    `alter table public.avatars add constraint nobody check (owner_user_id not in (${bad}))`,
  );
}

/** Has the app have the indexes that rollback needs: a call that builds them ends there, where others write. */
const indexAll = (db: TestDatabase) =>
  db.sql.unsafe(`
    create index on public.users (active_avatar_id);
    create index on public.posts (avatar_id);
    create index on public.follows (avatar_id)`);

const lastError = (db: TestDatabase) =>
  value(db.sql, 'select imago.run_error(r) from imago.run r order by r.id desc limit 1');

/** A tick in a transaction that stays open until its commit. */
async function openTick(db: TestDatabase) {
  const session = await db.connect().reserve();
  await session`begin`;
  const [row] = await session`select imago.tick('avatars') as answer`;
  return { answer: row?.answer, session };
}

describe('ticks of pg_cron alone', () => {
  test('prepare, migrate everybody and remove the job; and take everything back', async () => {
    const db = await database(100);
    await db.sql`update imago.setting set value = '60' where name = 'tick_ms'`;
    await migrateAndTakeBack(db);
  });

  test('five at once, again and again: everybody is moved once, in one run', async () => {
    const db = await database(100);
    await db.sql`update imago.setting set value = '500' where name = 'tick_ms'`;
    await call(db.sql, 'schedule_migration');
    for (let round = 0; (await jobs(db)).length > 0; round += 1) {
      expect(round).toBeLessThan(200);
      const ran = await runJobs(db, 5);
      expect(ran.filter(({ status }) => status !== 'succeeded')).toEqual([]);
    }
    await expectAllMigrated(db.sql);
    expect(await runsOf(db)).toBe(1);
    expect(await value(db.sql, 'select count(*)::int from public.avatars')).toBe(100);
  });

  test('leave the work to one that is still at it', async () => {
    const db = await database(60, { avatars: 'prepared' });
    await call(db.sql, 'schedule_migration');
    const { answer, session } = await openTick(db);
    expect(answer.processed).toBeGreaterThan(0);
    const before = await moved(db);
    expect(await value(db.sql, `select imago.tick('avatars')`)).toEqual({ plan: 'avatars', status: 'busy' });
    for (const { status } of await runJobs(db, 5)) expect(status).toBe('succeeded');
    expect(await moved(db)).toBe(before);
    await session`commit`;
    session.release();
    await runJobsToTheEnd(db);
    await expectAllMigrated(db.sql);
  });

  test('do nothing while paused, and go on when resumed', async () => {
    const db = await database(100, { avatars: 'prepared' });
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 30 });
    await call(db.sql, 'pause_migration');
    expect(await call(db.sql, 'schedule_migration', { every: '30 seconds' })).toMatchObject({
      state: 'paused',
    });
    for (let round = 0; round < 3; round += 1) await runJobs(db);
    expect([await moved(db), (await jobs(db)).length]).toEqual([30, 1]);
    await call(db.sql, 'resume_migration');
    await runJobsToTheEnd(db);
    await expectAllMigrated(db.sql);
  });

  test('begin no new run when theirs is cancelled', async () => {
    const db = await database(100, { avatars: 'prepared' });
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 30 });
    await call(db.sql, 'schedule_migration');
    await call(db.sql, 'cancel_migration');
    expect(await runJobsToTheEnd(db)).toMatchObject([{ status: 'succeeded' }]);
    expect([await moved(db), await runsOf(db)]).toEqual([30, 1]);
    expect((await notes(db.sql)).at(-1)).toEqual(['warning', 'unscheduled', 'cancelled']);
  });

  test('set users aside as any caller does, and end with the run', async () => {
    const db = await database(100);
    await poison(db, 2);
    await call(db.sql, 'schedule_migration');
    await runJobsToTheEnd(db);
    expect(await moved(db)).toBe(98);
    expect((await notes(db.sql)).at(-1)).toEqual(['error', 'unscheduled', 'failed: 2 users set aside']);
  });

  test('end with a run that its error budget stops; a failed run is not scheduled until somebody decides', async () => {
    const db = await database(100);
    await poison(db, 40);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 5, max_failures: '10' });
    await call(db.sql, 'schedule_migration');
    await runJobsToTheEnd(db);
    expect(await lastError(db)).toMatchObject({ code: 'IM020' });
    expect((await notes(db.sql)).at(-1)).toEqual([
      'error',
      'unscheduled',
      expect.stringMatching(/^failed: \d+ of 10/),
    ]);

    expect((await refusal(call(db.sql, 'schedule_migration'))).code).toBe('IM024');
    expect([await runsOf(db), await jobs(db)]).toEqual([1, []]);
    await db.sql`alter table public.avatars drop constraint nobody`;
    await call(db.sql, 'retry_failed_migrations');
    expect(await call(db.sql, 'schedule_migration')).toMatchObject({ run: 1, state: 'running' });
    await runJobsToTheEnd(db);
    await expectAllMigrated(db.sql);
  });

  test('take the run back where its on_failure asks for that', async () => {
    const db = await database(100);
    const before = await checksums(db.sql);
    await poison(db, 40);
    await call(db.sql, 'migrate_batch', {
      max_ms: 1,
      batch_size: 5,
      max_failures: '3',
      on_failure: 'rollback',
    });
    await call(db.sql, 'schedule_migration');
    await runJobsToTheEnd(db);
    expect(await checksums(db.sql)).toEqual(before);
    expect(await runsOf(db)).toBe(2);
  });

  test('follow a rollback that takes over from their run', async () => {
    const db = await database(100, { avatars: 'prepared' });
    const before = await checksums(db.sql);
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 30 });
    await call(db.sql, 'schedule_migration');
    await call(db.sql, 'rollback_batch', { plan: 'avatars', max_ms: 1, force: true });
    await runJobsToTheEnd(db);
    expect(await checksums(db.sql)).toEqual(before);
    expect(await runsOf(db)).toBe(2);
  });

  test('with nothing to do find that out once and remove the job', async () => {
    const db = await database(50, { avatars: 'migrated' });
    expect(await call(db.sql, 'schedule_migration')).toMatchObject({ run: 2, state: 'pending' });
    expect(await runJobsToTheEnd(db)).toMatchObject([{ status: 'succeeded' }]);
    expect(await runsOf(db)).toBe(2);
  });

  test('in a short interval end within it', async () => {
    const db = await database(1);
    const budget = async (every: string) => {
      await call(db.sql, 'schedule_migration', { every });
      return await value(db.sql, `select imago.tick_budget('avatars')`);
    };
    expect([await budget('1 second'), await budget('5 seconds'), await budget('10 seconds')]).toEqual([
      800, 4000, 5000,
    ]);
    expect(await budget('2 hours')).toBe(5000);
    // A schedule of somebody's own has no interval.
    await db.connect({ role: 'supabase_admin' })`update cron.job set schedule = '5 4 * * 1'`;
    expect(await value(db.sql, `select imago.tick_budget('avatars')`)).toBe(5000);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ scheduled: '5 4 * * 1' });
  });
});

describe('a tick of pg_cron that fails', () => {
  const replace = (db: TestDatabase, body: string) =>
    db.sql.unsafe(
      `create or replace function avatars.prepare_default_key() returns boolean language plpgsql as $$ begin ${body} end $$`,
    );

  test('with what passes by itself is logged and tried again', async () => {
    const db = await database(30);
    const good = await value<string>(
      db.sql,
      `select pg_get_functiondef('avatars.prepare_default_key'::regproc)`,
    );
    await call(db.sql, 'schedule_migration');
    await db.sql`select imago.tick('avatars')`;
    await replace(db, `raise serialization_failure using message = 'a value of a row';`);
    for (let round = 0; round < 2; round += 1) {
      expect(await value(db.sql, `select imago.tick('avatars')`)).toMatchObject({
        status: 'error',
        code: '40001',
      });
    }
    expect((await notes(db.sql)).slice(1)).toEqual([
      ['error', 'tick', '40001'],
      ['error', 'tick', '40001'],
    ]);
    await replace(db, `perform pg_sleep(30);`);
    const impatient = db.connect({ connection: { statement_timeout: 300 } });
    expect(await value(impatient, `select imago.tick('avatars')`)).toMatchObject({ code: '57014' });
    expect((await notes(db.sql)).at(-1)).toEqual(['error', 'tick', '57014']);
    expect(await jobs(db)).toHaveLength(1);
    await db.sql.unsafe(good);
    await runJobsToTheEnd(db);
    await expectAllMigrated(db.sql);
  });

  test('with what does not pass removes the job, and says so', async () => {
    const db = await database(30);
    await call(db.sql, 'schedule_migration');
    await db.sql`select imago.tick('avatars')`;
    await replace(db, `raise undefined_column;`);
    await runJobsToTheEnd(db);
    expect(await lastError(db)).toMatchObject({
      code: 'IM073',
      message: expect.stringContaining('42703'),
    });
    expect((await notes(db.sql)).slice(1)).toEqual([
      ['error', 'unscheduled', 'failed: step one default avatar a user of prepare failed'],
    ]);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
      state: 'failed',
      scheduled: null,
    });
  });

  test('because somebody cancels its statement leaves the job, and what it did is undone', async () => {
    const db = await database(30, { avatars: 'prepared' });
    await call(db.sql, 'schedule_migration');
    await db.sql.unsafe(`
      create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(30); return new; end $$;
      create trigger slow before update on public.users for each row execute function public.slow();`);
    const running = runJobs(db);
    await until('the tick is cancelled', async () => {
      const rows = await db.sql`
        select pg_cancel_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event = 'PgSleep'`;
      return rows.length > 0;
    });
    expect(await running).toMatchObject([{ status: 'failed' }]);
    expect([await moved(db), (await jobs(db)).length]).toEqual([0, 1]);
    await db.sql`drop trigger slow on public.users`;
    await runJobsToTheEnd(db);
    await expectAllMigrated(db.sql);
  });
});

describe('direct steps of a scheduled plan', () => {
  const statement = 'create index concurrently items_fresh_idx on public.items (fresh)';
  const valid = "select indisvalid from pg_index where indexrelid = to_regclass('public.items_fresh_idx')";
  const index: Step = {
    name: 'index on fresh',
    returns: 'boolean',
    body: `return coalesce((${valid}), false);`,
    statement,
  };
  const drop: Step = {
    name: 'drop the old column',
    body: 'drop view trial.pending; alter table public.items drop column old;',
  };

  /** The plan trial with these steps, and pg_cron. */
  async function trial(steps: Step[], options: { migrated?: boolean } = {}): Promise<TestDatabase> {
    const db = await freshDatabase();
    databases.push(db);
    await installCron(db);
    await itemsPlan(db.sql, steps, options);
    return db;
  }
  const schedule = (db: TestDatabase, args: Record<string, unknown> = {}) =>
    call(db.sql, 'schedule_migration', { plan: PLAN, ...args });
  const names = async (db: TestDatabase) => (await jobs(db)).map(({ jobname }) => jobname);
  const lines = async (db: TestDatabase) => {
    const rows =
      await db.sql`select detail from public.migration_log where event = 'direct' order by created_at`;
    return rows.map(({ detail }) => detail);
  };
  const breakBuild = async (db: TestDatabase) => {
    await db.sql`update items set fresh = 'same', old = 'same' where id < 3`;
    await refusal(db.sql.unsafe(statement.replace('index', 'unique index')));
    expect(await value(db.sql, valid)).toBe(false);
  };

  test('of prepare run as a job of their own, which goes when the step is done', async () => {
    const db = await trial([{ ...index, phase: 'prepare' }], { migrated: false });
    await schedule(db);
    await runJobs(db);
    expect((await jobs(db))[1]).toMatchObject({
      jobname: 'imago trial direct',
      schedule: '10 seconds',
      command: statement,
      username: 'postgres',
      active: true,
    });
    expect(await call(db.sql, 'inspect_installation')).toMatchObject({
      cron: { jobs: [{ state: 'sound' }, { state: 'sound' }] },
    });
    await runJobsToTheEnd(db);
    expect([await value(db.sql, valid), await names(db)]).toEqual([true, []]);
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
      state: 'succeeded',
      migrated_users: 40,
    });
    expect(await lines(db)).toEqual([{ step: index.name, statement }]);
  });

  test('of finalize, scheduled by somebody who has decided, are all gone through', async () => {
    const db = await trial([index, drop]);
    expect(await schedule(db, { finalize: true })).toMatchObject({ finalize: true, run: null });
    await runJobsToTheEnd(db);
    expect(await value(db.sql, valid)).toBe(true);
    expect((await notes(db.sql)).at(-1)).toEqual(['info', 'unscheduled', 'finalized']);
    // A job that nobody removed in time finds nothing to do.
    expect(await value(db.sql, `select imago.tick('trial', true)`)).toMatchObject({ state: 'finalized' });
  });

  test('of finalize are not scheduled while something is left, and given up when one would lose data', async () => {
    const db = await trial([
      {
        name: 'nothing is lost',
        body: "perform imago.refuse_data_loss('trial', '3 items');",
        reversible: true,
      },
      drop,
    ]);
    await db.sql`insert into items values (41, 'new')`;
    expect((await refusal(schedule(db, { finalize: true }))).code).toBe('IM038');
    expect((await refusal(schedule(db, { finalize: null }))).code).toBe('IM004');
    expect(await jobs(db)).toEqual([]);
    await migrateAll(db.sql, { plan: PLAN });
    await schedule(db, { finalize: true });
    await runJobsToTheEnd(db);
    expect((await notes(db.sql)).slice(-2)).toEqual([
      ['error', 'tick', 'IM043'],
      ['error', 'unscheduled', 'error'],
    ]);
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
      phase: 'finalize',
    });
  });

  test('drop an invalid index that an interruption has left and build it again', async () => {
    const db = await trial([index]);
    await breakBuild(db);
    await schedule(db, { finalize: true });
    await runJobsToTheEnd(db);
    expect(await value(db.sql, valid)).toBe(true);
    expect(await lines(db)).toEqual([
      { step: index.name, dropped: 'public.items_fresh_idx' },
      { step: index.name, statement },
    ]);
  });

  test('wait for an index that somebody is building', async () => {
    const db = await trial([index]);
    const other = await db.connect().reserve();
    await other`begin`;
    await other`update public.items set fresh = fresh where id = 1`;
    const builder = db.connect();
    const pid = await pidOf(builder);
    const building = builder.unsafe(statement);
    building.catch(() => {});
    await untilBlocked(db.sql, pid);
    await schedule(db, { finalize: true });
    for (let round = 0; round < 3; round += 1) {
      expect(await value(db.sql, `select imago.tick('trial', true) ->> 'code'`)).toBeNull();
      await runJobs(db);
    }
    expect((await names(db))[0]).toBe('imago trial');
    expect(await lines(db)).toEqual([]);
    await other`commit`;
    other.release();
    await building;
    await runJobsToTheEnd(db);
    expect(await value(db.sql, valid)).toBe(true);
  });

  test('whose statement keeps failing end both jobs with IM056', async () => {
    const db = await trial([{ ...index, statement: statement.replace('index', 'unique index') }]);
    await db.sql`update items set fresh = 'secret twin', old = 'secret twin' where id < 3`;
    await schedule(db, { finalize: true });
    const ran = await runJobsToTheEnd(db);
    expect(
      ran.filter(({ job, status }) => job === 'imago trial direct' && status === 'failed').length,
    ).toBeLessThan(9);
    expect((await notes(db.sql)).slice(-2)).toEqual([
      ['error', 'tick', 'IM056'],
      ['error', 'unscheduled', 'error'],
    ]);
    expect(JSON.stringify(await db.sql`select * from public.migration_log`)).not.toContain('secret twin');
  });

  test.each(['pause_migration', 'unschedule_migration', 'cancel_migration'])(
    'are taken from pg_cron by %s',
    async (name) => {
      const db = await trial([{ ...index, phase: 'prepare' }], { migrated: false });
      await schedule(db);
      await runJobs(db);
      expect(await names(db)).toEqual(['imago trial', 'imago trial direct']);
      await call(db.sql, name, { plan: PLAN });
      await value(db.sql, `select imago.tick('trial')`);
      expect(await names(db)).toEqual(name === 'pause_migration' ? ['imago trial'] : []);
    },
  );

  test('belong to prepare or finalize: another phase is refused', async () => {
    const db = await trial([]);
    expect((await refusal(addSteps(db.sql, [{ ...index, phase: 'cleanup' }]))).code).toBe('23514');
  });

  test.each([
    ['create index concurrently a_idx on public.items (fresh)', 'public.a_idx', 'items'],
    ['CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS A_idx ON ONLY items (fresh)', 'public.a_idx', 'items'],
    ['create index concurrently "My ""i""" on "s p"."T" (x)', '"s p"."My ""i"""', '"s p"."T"'],
    ['create index a_idx on public.items (fresh)', null, null],
    ['alter table public.items validate constraint c', null, null],
  ])(
    'have the index that may be left invalid, if any, from the statement: %s',
    async (said, invalid, relation) => {
      const db = await trial([{ ...index, statement: said }]);
      await db.sql.unsafe(`create schema "s p"; create table "s p"."T" (x integer);
      create index a_idx on public.items (fresh); create index "My ""i""" on "s p"."T" (x);`);
      const superuser = db.connect({ role: 'supabase_admin' });
      await superuser`update pg_index set indisvalid = false where indexrelid in ('public.a_idx'::regclass, '"s p"."My ""i"""'::regclass)`;
      const [step] = await db.sql`select * from imago.direct_step('trial', 'finalize')`;
      expect(step).toMatchObject({ statement: said, invalid_index: invalid, building: false });
      expect(step?.relation?.replace('public.', '') ?? null).toBe(relation);
      expect([...(await db.sql`select * from imago.direct_step('trial', 'prepare')`)]).toEqual([]);
    },
  );
});

describe('schedule_migration', () => {
  test('again changes the interval, and switches a job on that somebody had switched off', async () => {
    const db = await database(30);
    await call(db.sql, 'schedule_migration');
    await call(db.sql, 'schedule_migration', { plan: 'avatars', every: '5 minutes' });
    const [job] = await jobs(db);
    expect(await jobs(db)).toEqual([
      expect.objectContaining({
        jobname: 'imago avatars',
        schedule: '*/5 * * * *',
        command: expect.stringContaining(`imago.run_tick('avatars', false)`),
        username: 'postgres',
        active: true,
      }),
    ]);
    await db.connect({
      role: 'supabase_admin',
    })`select cron.alter_job(${job?.jobid as string}, active => false)`;
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ scheduled: null });
    await call(db.sql, 'schedule_migration');
    expect(await jobs(db)).toEqual([expect.objectContaining({ schedule: '10 seconds', active: true })]);
    expect(await runsOf(db)).toBe(1);
  });

  test.each([
    ['1 second', '1 seconds', '1 second'],
    ['00:00:59', '59 seconds', '59 seconds'],
    ['60 seconds', '* * * * *', '1 minute'],
    ['300 seconds', '*/5 * * * *', '5 minutes'],
    ['1 hour', '0 * * * *', '1 hour'],
    ['120 minutes', '0 */2 * * *', '2 hours'],
    ['1 day', '0 0 * * *', '24 hours'],
  ])('every %s is the schedule %s', async (every, schedule, scheduled) => {
    const db = await database(1);
    expect(await call(db.sql, 'schedule_migration', { every })).toMatchObject({ scheduled });
    expect((await jobs(db))[0]?.schedule).toBe(schedule);
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ scheduled });
  });

  test('refuses intervals that pg_cron cannot keep, and changes nothing', async () => {
    const db = await database(1);
    for (const every of [
      '0 seconds',
      '-10 seconds',
      '1.5 seconds',
      '90 seconds',
      '7 minutes',
      '5 hours',
      '2 days',
      '1 month',
    ]) {
      const error = await refusal(call(db.sql, 'schedule_migration', { every }));
      expect([every, error.code]).toEqual([every, 'IM033']);
      expect(error.hint).toContain('1 to 59 seconds; 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes');
    }
    expect((await refusal(call(db.sql, 'schedule_migration', { every: null }))).code).toBe('IM004');
    expect((await refusal(call(db.sql, 'schedule_migration', { plan: 'nothing' }))).code).toBe('IM001');
    expect([await runsOf(db), await jobs(db)]).toEqual([0, []]);
  });

  test('refuses an app that does not fit, which nobody would see in a job', async () => {
    const db = await database(1);
    await db.sql`drop table public.follows`;
    expect((await refusal(call(db.sql, 'schedule_migration'))).code).toBe('IM006');
    expect([await runsOf(db), await jobs(db)]).toEqual([0, []]);
  });

  test('without pg_cron, or without the right to use it, is refused with what to do', async () => {
    const bare = await freshDatabase({ app: 'sample', users: 1 });
    databases.push(bare);
    const db = await database(1);
    const superuser = db.connect({ role: 'supabase_admin' });
    for (const name of ['schedule_migration', 'unschedule_migration']) {
      const missing = await refusal(call(bare.sql, name));
      expect([missing.code, missing.hint]).toEqual([
        'IM031',
        expect.stringContaining('create extension pg_cron'),
      ]);
    }
    expect(await call(bare.sql, 'get_detailed_migration_progress')).toMatchObject({ scheduled: null });
    await superuser`revoke usage on schema cron from postgres`;
    for (const name of ['schedule_migration', 'unschedule_migration']) {
      const closed = await refusal(call(db.sql, name));
      expect([closed.code, closed.hint]).toEqual([
        'IM032',
        expect.stringContaining('grant usage on schema cron to postgres'),
      ]);
    }
    expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ scheduled: null });
    expect([await runsOf(bare), await runsOf(db)]).toEqual([0, 0]);
  });

  test('is for service_role, whose job belongs to postgres; visitors and signed-in users get 42501', async () => {
    const db = await database(1);
    for (const role of ['anon', 'authenticated'] as const) {
      for (const name of ['schedule_migration', 'unschedule_migration']) {
        expect((await refusal(call(db.connect({ role }), name))).code).toBe('42501');
      }
      expect((await refusal(db.connect({ role })`select imago.tick('avatars')`)).code).toBe('42501');
    }
    const service = db.connect({ role: 'service_role' });
    await call(service, 'schedule_migration');
    expect((await jobs(db)).map(({ username }) => username)).toEqual(['postgres']);
    expect(await call(service, 'get_detailed_migration_progress')).toMatchObject({ scheduled: '10 seconds' });
    expect(await call(service, 'unschedule_migration')).toEqual({ plan: 'avatars', unscheduled: true });
  });

  test('is ended by unschedule_migration; the run stays, and any caller goes on with it', async () => {
    const db = await database(60, { avatars: 'prepared' });
    await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 10 });
    await call(db.sql, 'schedule_migration');
    expect(await call(db.sql, 'unschedule_migration')).toEqual({ plan: 'avatars', unscheduled: true });
    expect(await call(db.sql, 'unschedule_migration')).toEqual({ plan: 'avatars', unscheduled: false });
    expect((await refusal(call(db.sql, 'unschedule_migration', { plan: 'nothing' }))).code).toBe('IM001');
    expect(await jobs(db)).toEqual([]);
    expect((await migrateAll(db.sql)).at(-1)).toMatchObject({ status: 'done', run: 1 });
    expect(await notes(db.sql)).toEqual([
      ['info', 'scheduled', '10 seconds'],
      ['info', 'unscheduled', 'asked for'],
    ]);
    // A job that nobody removed in time finds nothing to do.
    await rollbackAll(db.sql);
    expect(await value(db.sql, `select imago.tick('avatars')`)).toEqual({ plan: 'avatars', status: 'done' });
    expect(await runsOf(db)).toBe(2);
  });

  test('while the last tick ends waits for it, and begins a new run', async () => {
    const db = await database(20, { avatars: 'prepared' });
    // One tick is enough for all of them on any machine.
    await db.sql`update imago.setting set value = '20000' where name = 'tick_ms'`;
    await indexAll(db);
    await call(db.sql, 'schedule_migration');
    const { answer, session } = await openTick(db);
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded' });
    const other = db.connect();
    const pid = await pidOf(other);
    const scheduling = call(other, 'schedule_migration');
    await untilBlocked(db.sql, pid);
    await session`commit`;
    session.release();
    expect(await scheduling).toMatchObject({ run: 2, state: 'pending' });
    expect(await jobs(db)).toHaveLength(1);
    await runJobsToTheEnd(db);
    expect(await runsOf(db)).toBe(2);
  });

  test('in the moment in which the last tick ends leaves the job to the next tick', async () => {
    const db = await database(20, { avatars: 'prepared' });
    // One tick is enough for all of them on any machine.
    await db.sql`update imago.setting set value = '20000' where name = 'tick_ms'`;
    await indexAll(db);
    await call(db.sql, 'schedule_migration');
    const scheduler = await db.connect().reserve();
    await scheduler`begin`;
    await scheduler`select public.schedule_migration(every => '1 minute')`;
    expect(await value(db.sql, `select imago.tick('avatars')`)).toMatchObject({ status: 'done' });
    await scheduler`commit`;
    scheduler.release();
    expect(await jobs(db)).toHaveLength(1);
    expect(await runJobsToTheEnd(db)).toMatchObject([{ status: 'succeeded' }]);
    expect(await runsOf(db)).toBe(1);
  });
});

describe('the job in docs/schedule.md that calls the edge function', () => {
  /** What pg_net has been asked to send. */
  const requests = async (db: TestDatabase) => [
    ...(await db.sql`
      delete from net.http_request_queue where true
      returning method, url, headers, convert_from(body, 'UTF8')::jsonb as body, timeout_milliseconds`),
  ];

  test('sends the key from Vault while a run is unfinished, and nothing afterwards', async () => {
    const db = await database(60);
    await installNet(db);
    const page = await readFile(new URL('../../docs/schedule.md', import.meta.url), 'utf8');
    const blocks = [...page.matchAll(/^```sql\n(--[\s\S]*?)^```$/gm)].map(([, text = '']) => text);
    expect(blocks).toHaveLength(2);
    for (const block of blocks) await db.sql.unsafe(block);
    expect((await jobs(db))[0]?.command).not.toContain('sb_secret');

    await runJobs(db);
    expect(await requests(db)).toEqual([]);
    await call(db.sql, 'migrate_batch');
    expect((await runJobs(db))[0]?.status).toBe('succeeded');
    expect(await requests(db)).toEqual([
      {
        method: 'POST',
        url: 'https://<ref>.supabase.co/functions/v1/migrate',
        headers: { 'Content-Type': 'application/json', apikey: 'sb_secret_<key>' },
        body: { plan: 'avatars', action: 'run', run: 1, max_seconds: 20 },
        timeout_milliseconds: 25_000,
      },
    ]);
    await call(db.sql, 'pause_migration');
    await runJobs(db);
    await call(db.sql, 'resume_migration');
    await migrateAll(db.sql);
    await runJobs(db);
    await call(db.sql, 'rollback_batch', { plan: 'avatars', max_ms: 1 });
    await runJobs(db);
    expect(await requests(db)).toEqual([]);
  });
});
