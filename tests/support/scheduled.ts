import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { expectAllMigrated } from './avatars.ts';
import { call, value } from './call.ts';
import { runJobs, runJobsToTheEnd } from './cron.ts';
import type { TestDatabase } from './database.ts';
import { checksums } from './imago.ts';

/** What the log says of the schedule, oldest first. */
export async function notes(sql: Sql) {
  const rows = await sql`
    select level, event, sqlstate, detail from public.migration_log
    where event in ('scheduled', 'unscheduled', 'tick') order by created_at`;
  return rows.map(({ level, event, sqlstate, detail }) => [
    level,
    event,
    detail.reason ?? detail.every ?? sqlstate,
  ]);
}

/** How many runs there were. */
export const runsOf = (db: TestDatabase) => value<number>(db.sql, 'select count(*)::int from imago.run');

/** Has ticks alone migrate everybody and take everything back. */
export async function migrateAndTakeBack(db: TestDatabase): Promise<void> {
  const before = await checksums(db.sql);
  expect(await call(db.sql, 'schedule_migration')).toEqual({
    plan: 'avatars',
    job: 'imago avatars',
    scheduled: '10 seconds',
    finalize: false,
    run: 1,
    direction: 'forward',
    state: 'pending',
    cohort: null,
  });
  // One tick, then as many as a job has time for: each begins in a new session, which costs more than this.
  const tickMs = (ms: number) =>
    db.sql`update imago.setting set value = ${String(ms)} where name = 'tick_ms'`;
  await tickMs(1);
  const [first] = await runJobs(db);
  await tickMs(1000);
  expect(first).toMatchObject({ status: 'succeeded' });
  expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({
    phase: 'prepare',
    scheduled: '10 seconds',
  });
  const ran = await runJobsToTheEnd(db);
  expect(ran.filter(({ status }) => status !== 'succeeded')).toEqual([]);
  await expectAllMigrated(db.sql);
  expect(await runsOf(db)).toBe(1);
  expect(await call(db.sql, 'get_detailed_migration_progress')).toMatchObject({ scheduled: null });

  await call(db.sql, 'rollback_batch', { plan: 'avatars', max_ms: 1 });
  expect(await call(db.sql, 'schedule_migration')).toMatchObject({ run: 2, direction: 'rollback' });
  await runJobsToTheEnd(db);
  expect(await checksums(db.sql)).toEqual(before);
  expect(await runsOf(db)).toBe(2);
  expect(await notes(db.sql)).toEqual([
    ['info', 'scheduled', '10 seconds'],
    ['info', 'unscheduled', 'succeeded'],
    ['info', 'scheduled', '10 seconds'],
    ['info', 'unscheduled', 'succeeded'],
  ]);
}
