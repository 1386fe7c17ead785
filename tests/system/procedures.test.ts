/** What commits after each batch: the procedure imago.run on a connection of your own, the block of a pg_cron job. */
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { installCron, runJobs, runJobsToTheEnd } from '../support/cron.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let db: TestDatabase;
afterEach(() => db?.drop());

/** An app beside which calls are as short as can be. */
async function app(users = 300): Promise<void> {
  db = await freshDatabase({ app: 'sample', users });
  await db.sql`update imago.setting set value = '1' where name = 'hold_ms'`;
  await db.sql`update imago.setting set value = '600000' where name = 'quiet_ms'`;
  await prepareAll(db.sql);
  await db.sql`select imago.create_run()`;
  await call(db.sql, 'migrate_batch', { batch_size: 1, max_ms: 1 });
  await db.sql`update imago.health set others_written = 0, others_at = clock_timestamp()`;
}

const transactions = async () =>
  Number(await value(db.sql, `select count(distinct xid::text) from imago.batch where path <> 'sync'`));

const run = async (text: string) => {
  const session = db.connect({ max: 1 });
  const [row] = await session.unsafe(text);
  await session.end();
  return row?.answer;
};

describe('imago.run', () => {
  test('migrates and takes back by one statement, in many transactions', async () => {
    await app();
    expect(await run(`call imago.run('avatars')`)).toMatchObject({ status: 'done', state: 'succeeded' });
    await expectAllMigrated(db.sql);
    const forward = await transactions();
    expect(forward).toBeGreaterThan(3);
    expect(await run(`call imago.run('avatars', 'rollback')`)).toMatchObject({
      status: 'done',
      state: 'succeeded',
      conflicts: 0,
    });
    expect(await transactions()).toBeGreaterThan(forward);
    expect(Number(await value(db.sql, 'select count(*) from public.avatars'))).toBe(0);
  });

  test('ends before a statement timeout would end it, and goes on when it is called again', async () => {
    await app(100);
    await db.sql`update imago.setting set value = 'not now' where name = 'hold'`;
    await db.sql`update imago.setting set value = '1' where name = 'look_ms'`;
    const session = db.connect({ max: 1, connection: { statement_timeout: 3000 } });
    const [row] = await session`call imago.run('avatars')`;
    expect(row?.answer).toMatchObject({ status: 'waiting', reason: 'all runs are held: not now' });
    await db.sql`update imago.setting set value = '' where name = 'hold'`;
    await db.sql`update imago.governor set held_until = clock_timestamp()`;
    expect(await run(`call imago.run('avatars')`)).toMatchObject({ status: 'done' });
    await expectAllMigrated(db.sql);
  });

  test('killed in the middle has lost nothing, and goes on', async () => {
    await app();
    const session = db.connect({ max: 1 });
    const [{ pid }] = await session<[{ pid: number }]>`select pg_backend_pid() as pid`;
    const running = session`call imago.run('avatars')`.execute().catch(() => undefined);
    const moved = () =>
      value<number>(db.sql, 'select count(*)::int from public.users where active_avatar_id is not null');
    await until('some are moved', async () => (await moved()) > 1);
    await db.sql`select pg_terminate_backend(${pid})`;
    await running;
    expect(await run(`call imago.run('avatars')`)).toMatchObject({ status: 'done' });
    await expectAllMigrated(db.sql);
  });

  test('refuses a direction that there is not, and a transaction of its caller', async () => {
    await app(5);
    await db.sql`select imago.create_run()`;
    const session = db.connect({ max: 1 });
    expect((await refusal(session`call imago.run('avatars', 'sideways')`)).code).toBe('IM015');
    expect((await refusal(session.begin((tx) => tx`call imago.run('avatars')`))).code).toBe('2D000');
    expect((await refusal(db.connect({ role: 'service_role' })`call imago.run('avatars')`)).code).toBe(
      '42501',
    );
  });
});

test('a job of pg_cron does many short ticks, each a transaction of its own', async () => {
  await app();
  await installCron(db);
  await call(db.sql, 'schedule_migration');
  const before = await transactions();
  expect(await runJobs(db)).toMatchObject([{ status: 'succeeded' }]);
  expect(await transactions()).toBeGreaterThan(before + 1);
  await runJobsToTheEnd(db);
  await expectAllMigrated(db.sql);
});

test('a job of pg_cron whose run has a rate keeps to it until shortly before the next job, not for one look only', async () => {
  db = await freshDatabase({ app: 'sample', users: 200 });
  await prepareAll(db.sql);
  await installCron(db);
  await call(db.sql, 'schedule_migration', { every: '3 seconds' });
  await call(db.sql, 'throttle_migration', { max_per_second: 20 });
  const moved = () =>
    value<number>(db.sql, 'select count(*)::int from public.users where active_avatar_id is not null');
  const before = await moved();
  const began = await value<string>(db.sql, 'select clock_timestamp()::text');
  expect(await runJobs(db)).toMatchObject([{ status: 'succeeded' }]);
  const after = (await moved()) - before;
  const seconds = Number(
    await value(db.sql, 'select extract(epoch from clock_timestamp() - $1::timestamptz)', [began]),
  );
  expect(after).toBeGreaterThan(1.2 * 20);
  expect(after).toBeLessThanOrEqual(20 * (seconds + 1));
});
