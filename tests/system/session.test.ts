/** What a session may be like that moves entities, and what happens while the database takes no writes. */
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { installCron } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** The sample app, half-way. */
async function halfWay(): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users: 20, avatars: 'prepared' });
  databases.push(db);
  await installCron(db);
  await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
  return db;
}

const anyUser = (db: TestDatabase) =>
  value<string>(db.sql, 'select id from public.users order by id desc limit 1');
const TABLES = ['public.users', 'public.posts', 'public.follows', 'imago.run', 'imago.lane', 'imago.failure'];

/** Every call that writes. */
const moving = async (db: TestDatabase): Promise<[name: string, args?: Record<string, unknown>][]> => {
  const user_id = await anyUser(db);
  return [
    ['migrate_batch'],
    ['migrate_batch', { dry_run: true }],
    ['rollback_batch'],
    ['rollback_all_migrations'],
    ['migrate_users_batch'],
    ['migrate_entity', { plan: 'avatars', entity: user_id }],
    ['rollback_entity', { plan: 'avatars', entity: user_id }],
    ['migrate_user_to_avatar_centric', { user_id }],
    ['rollback_user_migration', { user_id }],
    ['validate_migration', { fix_issues: true }],
    ['dry_run_migration'],
    ['prepare_migration'],
    ['finalize_migration'],
    ['cleanup_migration', { older_than: '0' }],
    ['retry_failed_migrations'],
    ['pause_migration'],
    ['resume_migration'],
    ['cancel_migration'],
    ['forget_entity', { plan: 'avatars', entity: user_id }],
    ['give_up_column', { plan: 'avatars', relation: 'public.posts', column_name: 'avatar_id' }],
    ['schedule_migration'],
  ];
};

describe('a session in which moving would go wrong is refused by every moving call, and nothing changes', () => {
  test('session_replication_role = replica: IM062', async () => {
    const db = await halfWay();
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    await admin`set session_replication_role = replica`;
    const before = await contents(db.sql, TABLES);
    for (const [name, args] of await moving(db)) {
      expect({ called: name, ...(await refusal(call(admin, name, args))) }).toMatchObject({
        called: name,
        code: 'IM062',
        hint: expect.stringContaining('set session_replication_role = origin'),
      });
    }
    expect(await contents(db.sql, TABLES)).toEqual(before);
    await admin`set session_replication_role = origin`;
    expect((await migrateAll(admin)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test.each(['repeatable read', 'serializable'])('%s: IM063', async (level) => {
    const db = await halfWay();
    const client = db.connect({ max: 1 });
    await client.unsafe(`set default_transaction_isolation = '${level}'`);
    const before = await contents(db.sql, TABLES);
    const all = [...(await moving(db)), ['expect_done'] as [string]];
    for (const [name, args] of all) {
      const { code, message } = await refusal(call(client, name, args));
      expect({ called: name, code, message }).toMatchObject({
        called: name,
        code: 'IM063',
        message: expect.stringContaining(level),
      });
    }
    expect(await contents(db.sql, TABLES)).toEqual(before);
    // Who only looks may look so.
    expect(await call(client, 'get_detailed_migration_progress')).toMatchObject({ state: 'running' });
    await client`set default_transaction_isolation = 'read committed'`;
    expect((await migrateAll(client)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('pg_cron has such a session by the settings of its database: the tick says so in the log', async () => {
    const db = await halfWay();
    const client = db.connect({ max: 1 });
    await client`set default_transaction_isolation = 'repeatable read'`;
    expect(await value<Answer>(client, `select imago.tick('avatars')`)).toMatchObject({
      status: 'error',
      code: 'IM063',
    });
    expect(await value(db.sql, `select sqlstate from migration_log where event = 'tick'`)).toBe('IM063');
  });
});

describe('a database that is read-only', () => {
  /** As Supabase does when the disk is nearly full: for every new session. */
  async function readOnly(db: TestDatabase, on: boolean): Promise<Sql> {
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    await admin`set default_transaction_read_only = off`;
    await admin.unsafe(
      on
        ? `alter database "${db.name}" set default_transaction_read_only = on`
        : `alter database "${db.name}" reset default_transaction_read_only`,
    );
    return db.connect({ max: 1 });
  }

  const waiting = {
    has_more: true,
    reason: expect.stringMatching(/^the database is read-only .*disk is nearly full$/),
    retry_after_ms: 15_000,
  };

  test('calls with a status say waiting, why, and for how long; the others IM064; nothing changes and nothing is lost', async () => {
    const db = await halfWay();
    const before = await contents(db.sql, TABLES);
    const client = await readOnly(db, true);
    expect(await call(client, 'migrate_batch')).toMatchObject({
      ...waiting,
      status: 'waiting',
      direction: 'forward',
      run: null,
      migrated: 0,
      error: null,
    });
    expect(await call(client, 'rollback_batch')).toMatchObject({
      ...waiting,
      status: 'waiting',
      direction: 'rollback',
      run: null,
      rolled_back: 0,
    });
    expect(await call(client, 'migrate_users_batch', { batch_size: 5, batch_offset: 10 })).toMatchObject({
      ...waiting,
      status: 'waiting',
      next_offset: 10,
    });
    expect(await call(client, 'finalize_migration')).toMatchObject({ ...waiting, state: 'waiting' });
    expect(await call(client, 'cleanup_migration')).toMatchObject({ ...waiting, state: 'waiting' });
    expect(await call(client, 'validate_migration', { fix_issues: true })).toMatchObject({
      ...waiting,
      status: 'waiting',
    });
    expect(await value(client, `select imago.tick('avatars')`)).toMatchObject({
      ...waiting,
      status: 'waiting',
    });
    const user_id = await anyUser(db);
    for (const [name, args] of [
      ['rollback_all_migrations'],
      ['migrate_entity', { plan: 'avatars', entity: user_id }],
      ['rollback_user_migration', { user_id }],
      ['dry_run_migration'],
      ['retry_failed_migrations'],
      ['pause_migration'],
      ['cancel_migration'],
      ['forget_entity', { plan: 'avatars', entity: user_id }],
      ['give_up_column', { plan: 'avatars', relation: 'public.posts', column_name: 'avatar_id' }],
      ['schedule_migration'],
      ['unschedule_migration'],
      ['throttle_migration', { max_per_second: 5 }],
    ] as [string, Record<string, unknown>?][]) {
      expect({ called: name, ...(await refusal(call(client, name, args))) }).toMatchObject({
        called: name,
        code: 'IM064',
      });
    }
    expect(await contents(db.sql, TABLES)).toEqual(before);
  });

  test('calls that only look are answered', async () => {
    const db = await halfWay();
    const client = await readOnly(db, true);
    expect(await call(client, 'get_detailed_migration_progress')).toMatchObject({
      state: 'running',
      total: 20,
      waiting: waiting.reason,
    });
    expect(await call(client, 'prepare_migration')).toMatchObject({ status: 'prepared' });
    expect(await call(client, 'get_migration_statistics')).toMatchObject({ total: 20 });
    expect(await call(client, 'get_run_history')).toMatchObject({ runs: [{ state: 'running' }] });
    for (const name of [
      'get_migration_performance_stats',
      'get_migration_plans',
      'get_migration_failures',
      'get_engine_version',
      'inspect_installation',
    ]) {
      await call(client, name);
    }
    expect(await call(client, 'dry_run_migration', { mode: 'preflight' })).toMatchObject({ status: 'done' });
    expect(await call(client, 'finalize_migration', { dry_run: true })).toMatchObject({ dry_run: true });
    // What the edge functions write down first waits as well.
    expect(
      await call(client, 'log_request', { plan: 'avatars', action: 'run', caller: 'key:x' }),
    ).toMatchObject({
      action: 'run',
    });
  });

  test('the checks are gone through as ever, within one call, and nothing is written down', async () => {
    const db = await halfWay();
    await migrateAll(db.sql);
    const counted = (answer: Answer) => ({
      ...answer,
      validation: null,
      duration_ms: null,
      checks: answer.checks.map((check: Answer) => ({ ...check, slow_piece_ms: null })),
    });
    await db.sql`update public.posts set avatar_id = null where id = (select min(id::text) from public.posts)::uuid`;
    const usual = await call(db.sql, 'validate_migration', { detailed: true });
    expect(usual).toMatchObject({ status: 'done', healthy: false });
    const validations = await value(db.sql, 'select count(*) from imago.validation');
    const client = await readOnly(db, true);
    const answer = await call(client, 'validate_migration', { detailed: true });
    expect(counted(answer)).toEqual(counted(usual));
    expect(await value(db.sql, 'select count(*) from imago.validation')).toBe(validations);
    // What does not fit the call waits.
    expect(await call(client, 'validate_migration', { max_ms: 1 })).toMatchObject({
      ...waiting,
      status: 'waiting',
      partial: true,
    });
    // What the last run's checks have found may have been put right; whether it was, is written down.
    await db.sql`update imago.run set findings = '[{}]'`;
    await db.sql`update public.posts p set avatar_id = u.active_avatar_id from public.users u where u.id = p.user_id`;
    expect(await refusal(call(client, 'expect_done'))).toMatchObject({ code: 'IM064' });
    expect(await call(db.sql, 'expect_done')).toMatchObject({ done: true });
  });

  test('a plan that is not prepared waits, too', async () => {
    const db = await freshDatabase({ app: 'sample', users: 5 });
    databases.push(db);
    const client = await readOnly(db, true);
    expect(await call(client, 'prepare_migration')).toMatchObject({ ...waiting, status: 'waiting' });
    expect(await call(client, 'migrate_batch')).toMatchObject({ ...waiting, status: 'waiting' });
  });

  test('sessions of a pool that are older write on, newer ones wait: no standstill, and nothing is lost', async () => {
    const db = await halfWay();
    const older = db.connect({ max: 1 });
    await older`update imago.setting set value = '2' where name = 'idle_calls'`;
    const newer = await readOnly(db, true);
    for (let i = 0; i < 5; i += 1)
      expect(await call(newer, 'migrate_batch')).toMatchObject({ status: 'waiting' });
    let answer: Answer;
    do {
      answer = await call(older, 'migrate_batch', { batch_size: 5 });
      expect(await call(newer, 'rollback_batch')).toMatchObject({ status: 'waiting' });
    } while (answer.has_more);
    expect(answer).toMatchObject({ status: 'done', state: 'succeeded' });
    expect(await value(older, 'select count(*)::int from imago.standstill')).toBe(0);
    expect((await rollbackAll(older)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('once it can be written again, the same calls go on by themselves, to the end and back', async () => {
    const db = await halfWay();
    await call(await readOnly(db, true), 'migrate_batch');
    const client = await readOnly(db, false);
    expect((await migrateAll(client)).at(-1)).toMatchObject({ state: 'succeeded' });
    expect((await rollbackAll(client)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('a transaction that somebody makes writable, to free space, may clean up and cancel; moving waits', async () => {
    const db = await halfWay();
    const client = await readOnly(db, true);
    await client`begin read write`;
    expect(await call(client, 'migrate_batch')).toMatchObject({ status: 'waiting' });
    expect(await call(client, 'pause_migration')).toMatchObject({ state: 'paused' });
    await client`commit`;
  });

  test('a session whose operator has overridden it migrates to the end', async () => {
    const db = await halfWay();
    const client = await readOnly(db, true);
    await client`set session characteristics as transaction read write`;
    expect((await migrateAll(client)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('where only the transaction of the caller is read-only, that is what the error says', async () => {
    const db = await halfWay();
    const client = db.connect({ max: 1 });
    await client`begin read only`;
    expect(await call(client, 'migrate_batch')).toMatchObject({
      status: 'waiting',
      reason: 'the transaction of this call is read-only',
    });
    await client`rollback`;
  });
});
