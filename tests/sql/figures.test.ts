/** The figures of a plan: one definition, and the same numbers on every path, at the same moment. */
import { stripVTControlCharacters } from 'node:util';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { answers } from '../../functions/_shared/answers.ts';
import { stats } from '../../scripts/migrate/look.ts';
import { Progress } from '../../scripts/migrate/progress.ts';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, value } from '../support/call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { contextOn, expectSameFigures, fakeTerminal } from '../support/figures.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';
import { createTally } from '../support/tally.ts';

const databases: TestDatabase[] = [];

async function database(options: DatabaseOptions): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const progress = async (sql: Sql, plan: string) =>
  await call(sql, 'get_detailed_migration_progress', { plan });

describe('SQL, --stats-only, --watch, the bar, the table at the end and their JSON show the same', () => {
  test('of users: before, half-way, paused, waiting, with failures, held and in conflict, cancelled, done, rolling back, rolled back', async () => {
    const { sql, connect } = await database({ app: 'sample', users: 150 });
    const same = async (state: string) => {
      const shown = await expectSameFigures(sql, 'avatars');
      expect((await progress(sql, 'avatars')).state).toBe(state);
      return shown;
    };
    expect(await same('none')).toMatchObject({ migrated: 0, total: 150, isEstimate: true, stages: [] });
    await prepareAll(sql);
    await sql.unsafe(`do $$ begin execute format(
      'alter table public.users add constraint poison check (id <> %L or active_avatar_id is null)', (select min(id::text) from public.users)); end $$`);
    await call(sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    expect(await same('running')).toMatchObject({ migrated: 9, failed: 1, perMinute: expect.any(Number) });
    await call(sql, 'pause_migration');
    expect(await same('paused')).toMatchObject({ migrated: 9, left: 141, failed: 1, perMinute: null });
    await call(sql, 'resume_migration');
    const standby = connect();
    await standby`set default_transaction_read_only = on`;
    expect(await expectSameFigures(standby, 'avatars')).toMatchObject({ migrated: 9, perMinute: null });
    await call(sql, 'cancel_migration');
    expect(await same('cancelled')).toMatchObject({ migrated: 9, left: 141, failed: 1, perMinute: null });
    await migrateAll(sql);
    expect(await same('failed')).toMatchObject({ migrated: 149, left: 1, failed: 1, percentage: 99.33 });
    await sql`alter table public.users drop constraint poison`;
    await call(sql, 'retry_failed_migrations');
    await migrateAll(sql);
    const [held, edited] = await sql`select id from public.users order by id offset 5 limit 2`;
    await call(sql, 'rollback_user_migration', { user_id: held?.id });
    expect(await same('succeeded')).toMatchObject({
      migrated: 149,
      left: 1,
      held: 1,
      failed: 0,
      perMinute: null,
    });
    await sql`update public.avatars set name = 'edited' where owner_user_id = ${edited?.id}`;
    await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    while ((await call(sql, 'rollback_batch', { max_ms: 1 })).rolled_back === 0);
    expect(await same('running')).toMatchObject({ total: 150, held: 1 });
    await rollbackAll(sql);
    expect(await same('failed')).toMatchObject({ migrated: 1, left: 1, conflicts: 1, perMinute: null });
    await rollbackAll(sql, { force: true });
    expect(await same('succeeded')).toMatchObject({ migrated: 0, left: 0, percentage: 0, perMinute: null });
  });

  test('of a plan of two stages: each has its own line, and all add up to the whole', async () => {
    const { sql } = await database({ app: 'none' });
    await sql.unsafe(`
      create table public.images (id integer primary key, done boolean not null default false, check (id <> 7 or not done));
      create table public.owners (id text primary key, done boolean not null default false);
      insert into public.images select n from generate_series(1, 30) n;
      insert into public.owners select n from generate_series(1, 50) n;`);
    const stage = (table: string, keyType: 'integer' | 'text') => ({
      table,
      key: 'id',
      keyType,
      pending: 'not s.done',
      apply: `update public.${table} t set done = true where t.id = any (keys);`,
    });
    await createPlan(sql, {
      ...stage('images', 'integer'),
      stages: [stage('owners', 'text')],
      writes: [
        { relation: 'public.images', entity: 'id', columns: ['done'] },
        { stage: 2, relation: 'public.owners', entity: 'id', columns: ['done'] },
      ],
    });
    const same = async () => {
      const shown = await expectSameFigures(sql, PLAN);
      for (const name of ['total', 'migrated', 'left', 'failed'] as const)
        expect(shown.stages.map((one) => one[name] ?? 0).reduce((sum, one) => sum + one)).toBe(shown[name]);
      return shown.stages.map(({ name, migrated, total, failed }) => [name, migrated, total, failed]);
    };
    await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    expect(await same()).toEqual([
      ['images', 0, 30, 0],
      ['owners', 0, 50, 0],
    ]);
    while (!(await sql`select from public.owners where done`).length)
      await call(sql, 'migrate_batch', { plan: PLAN, max_ms: 1, batch_size: 5 });
    expect((await same())[0]).toEqual(['images', 29, 30, 1]);
    await migrateAll(sql, { plan: PLAN });
    expect(await same()).toEqual([
      ['images', 29, 30, 1],
      ['owners', 50, 50, 0],
    ]);
    await rollbackAll(sql, { plan: PLAN });
    expect(await same()).toEqual([
      ['images', 0, 30, 0],
      ['owners', 0, 50, 0],
    ]);
  });
});

describe('--stats-only suggests what the run allows', () => {
  const suggested = async (sql: Sql) =>
    (await stats(contextOn(sql, 'tally', ['--stats-only']).context)).next.join();
  const migrated = { plan: 'tally' };

  test('of a table without a row: nothing, before a run and after it was taken back', async () => {
    const { sql } = await database({ app: 'none' });
    await createTally(sql, 'integer', []);
    expect(await suggested(sql)).toBe('Nothing is there to be migrated.');
    await migrateAll(sql, migrated);
    expect(await suggested(sql)).toMatch(/^Take it back: .* --rollback$/);
    await rollbackAll(sql, migrated);
    expect(await suggested(sql)).toBe('Nothing is there to be migrated.');
  });

  test('of a run that its error budget has stopped: to retry it; of a rollback with a conflict: to force it', async () => {
    const { sql } = await database({ app: 'none' });
    await createTally(sql, 'integer', [1, 2, 3, 4, 5]);
    await sql`alter table public.items add constraint poison check (id < 3 or not done)`;
    let answer: Answer;
    do answer = await call(sql, 'migrate_batch', { plan: 'tally', max_failures: '1' });
    while (answer.status !== 'failed');
    expect(await progress(sql, 'tally')).toMatchObject({ state: 'failed', remaining: expect.any(Number) });
    expect(await suggested(sql)).toMatch(/^Fix the cause, then: .* --retry-failed$/);
    await sql`alter table public.items drop constraint poison`;
    await call(sql, 'retry_failed_migrations', migrated);
    await migrateAll(sql, migrated);
    await sql`alter table public.items alter column done drop not null`;
    await sql`update public.items set done = null where id = 2`;
    await rollbackAll(sql, migrated);
    expect(await progress(sql, 'tally')).toMatchObject({ state: 'failed', conflicts: 1 });
    expect(await suggested(sql)).toMatch(/^Restore over later changes: .* --rollback --force$/);
  });
});

describe('the rate', () => {
  test('is told while somebody moves, and not ten seconds after the last', async () => {
    const { sql } = await database({ app: 'sample', users: 40, avatars: 'prepared' });
    await call(sql, 'migrate_users_batch', { batch_size: 10, batch_offset: 0 });
    const moving = await progress(sql, 'avatars');
    expect(moving).toMatchObject({ per_minute: expect.any(Number), eta_seconds: expect.any(Number) });
    expect(moving.eta_seconds).toBe(Math.ceil((60 * moving.remaining) / moving.per_minute));
    await sql`update imago.batch set created_at = created_at - interval '11 s'`;
    expect(await progress(sql, 'avatars')).toMatchObject({
      state: 'running',
      per_minute: null,
      eta_seconds: null,
    });
    expect(await call(sql, 'get_migration_performance_stats')).toMatchObject({
      per_minute_now: null,
      per_minute_average: expect.any(Number),
    });
  });
});

describe.each([80, 60, 40, 20])('on a terminal of %i columns', (columns) => {
  const reason =
    'the database is read-only (default_transaction_read_only = on); on Supabase because its disk is nearly full';
  const counts = {
    total: 187_123_456,
    migrated: 40_564_321,
    pending: 146_559_135,
    failed: 1_234,
    held: 12,
    conflicts: 345,
    remaining: 146_557_889,
  };
  const looked = answers.get_detailed_migration_progress.parse({
    ...counts,
    plan: 'customers',
    entity_singular: 'customer',
    entity_plural: 'customers',
    state: 'running',
    direction: 'forward',
    percentage: 21.67,
    total_is_estimate: true,
    per_minute: 202_800,
    eta_seconds: 43_359,
    waiting: reason,
    stages: ['images', 'customers'].map((name, i) => ({
      ...counts,
      stage: i + 1,
      entity_plural: name,
      percentage: 21.67,
      total_is_estimate: true,
    })),
  });

  test('no line is wider, and neither failures nor the reason for waiting are cut off', () => {
    const { terminal, frames } = fakeTerminal(columns, 60);
    new Progress(terminal, { progress: looked, workers: 2 }).stop();
    const lines = stripVTControlCharacters(frames().at(-1) ?? '').split('\n');
    expect(lines.filter((line) => line.length >= columns)).toEqual([]);
    const text = lines
      .map((line) => line.trim())
      .join(' ')
      .replaceAll(' · ', ' ');
    for (const part of [
      '40,564,321 of about 187,123,456 customers migrated',
      'about 146,559,135 pending',
      '1,234 failed',
      '345 conflicts',
      '2 workers',
    ])
      expect(text).toContain(part);
    expect(text.replaceAll(' ', '')).toContain(`waiting:${reason}`.replaceAll(' ', ''));
    for (const name of ['images', 'customers'])
      expect(text).toContain(`${name}: 40,564,321 of about 187,123,456 migrated`);
    expect(text).not.toContain('a minute');
    expect(text).not.toContain('left');
  });
});

test('get_migration_report tells what the three functions tell, and exact counts say that they are', async () => {
  const { sql } = await database({ app: 'sample', users: 20 });
  await migrateAll(sql);
  const report = await call(sql, 'get_migration_report');
  const still = ({ database_connections, cache_hit_ratio, ...rest }: Answer) => rest;
  expect(report.progress).toEqual(await call(sql, 'get_detailed_migration_progress'));
  expect(report.statistics).toEqual(await call(sql, 'get_migration_statistics'));
  expect(still(report.performance)).toEqual(still(await call(sql, 'get_migration_performance_stats')));
  expect(report.statistics).toMatchObject({ total: 20, migrated: 20, total_is_estimate: false });
  expect(await value(sql, 'select count(*)::int from imago.run_stage')).toBe(1);
});
