/** What a look of the governor reads, counted by the server: once what is cheap, seldom what is dear. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let db: TestDatabase;

beforeEach(async () => {
  db = await freshDatabase({ app: 'sample', users: 400, avatars: 'prepared' });
  await db.sql`update imago.setting set value = '0' where name = 'look_ms'`;
  const admin = db.connect({ role: 'supabase_admin', max: 1 });
  await admin.unsafe(`alter database ${db.name} set track_functions = 'all'`);
  await admin.end();
});
afterEach(() => db?.drop());

/** So many calls of one sub-batch, all of one session, and how often functions were called in them. */
async function calls(count: number): Promise<Record<string, number>> {
  const session = db.connect({ max: 1 });
  for (let i = 0; i < count; i++) await call(session, 'migrate_batch', { batch_size: 2, max_ms: 1 });
  await session`select pg_stat_force_next_flush()`;
  await session.end();
  const counted = async () =>
    Object.fromEntries(
      (
        await db.sql<{ name: string; calls: number }[]>`
          select funcname as name, calls::int from pg_stat_user_functions where schemaname = 'imago'`
      ).map(({ name, calls }) => [name, calls]),
    );
  await until('they are counted', async () => ((await counted()).work_run ?? 0) >= count);
  return await counted();
}

test('a look reads sessions once, all locks only if somebody waits, and writes no reading while all is fine', async () => {
  await db.sql`update imago.signal set slow = case when low then 0 else 1e15 end, hold = null, tell = null`;
  const counted = await calls(12);
  const looks = counted.take_readings ?? 0;
  expect(looks).toBeGreaterThanOrEqual(12);
  for (const name of ['read_activity', 'read_slots', 'read_replicas', 'read_vacuum', 'read_pace'])
    expect([name, counted[name]]).toEqual([name, looks]);
  expect(counted.read_waiters ?? 0).toBe(0);
  // Where no limit is set nothing is read for it.
  for (const name of ['read_disk', 'read_wal', 'read_query', 'read_archive'])
    expect([name, counted[name] ?? 0]).toEqual([name, 0]);
  expect(await value(db.sql, 'select count(*)::int from imago.reading')).toBe(0);
});

test('what is dear is read again after its interval only, and then again', async () => {
  await db.sql`update imago.setting set value = '1000000' where name = 'disk_mb'`;
  const counted = await calls(8);
  expect(counted.take_readings).toBeGreaterThanOrEqual(8);
  // The calls may take longer than its ten seconds on a machine that does much else.
  const ten = await value<number>(
    db.sql,
    `select ceil(extract(epoch from clock_timestamp() - started_at) / 10)::int from imago.run`,
  );
  expect(counted.read_disk).toBeLessThanOrEqual(ten);
  expect(await value(db.sql, `select value > 0 from imago.reading where signal = 'disk'`)).toBe(true);
  await db.sql`update imago.reading set read_at = read_at - interval '1 min'`;
  expect((await calls(1)).read_disk).toBe((counted.read_disk ?? 0) + 1);
});

test('what took long to read is let alone for twenty times as long', async () => {
  await db.sql`update imago.setting set value = '1000000' where name = 'disk_mb'`;
  const { read_disk } = await calls(1);
  await db.sql`update imago.reading set read_at = read_at - interval '1 min', took_ms = 600000`;
  expect((await calls(2)).read_disk).toBe(read_disk);
  await db.sql`update imago.reading set took_ms = 1`;
  expect((await calls(2)).read_disk).toBe((read_disk ?? 0) + 1);
});

test('a signal without thresholds is not read', async () => {
  await db.sql`update imago.signal set slow = null, hold = null, tell = null`;
  const counted = await calls(3);
  expect(counted.take_readings).toBeGreaterThanOrEqual(3);
  expect(
    Object.keys(counted).filter((name) => name.startsWith('read_s') || name === 'read_activity'),
  ).toEqual([]);
});
