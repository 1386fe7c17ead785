/** Replicas of the server, as the governor sees them: one that falls behind slows and holds a run, one that is gone does not. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { type Standby, startStandby } from '../support/standby.ts';
import { until } from '../support/until.ts';

describe.each([15, 17] as const)('on PostgreSQL %i a replica', (version) => {
  let server: TestCluster;
  let standby: Standby;
  let db: TestDatabase;

  beforeAll(async () => {
    server = await testCluster({ version, settings: { wal_keep_size: '256MB' } });
    standby = await startStandby(server, version, 'berlin');
  });
  afterAll(async () => {
    await standby?.remove();
    await server?.remove();
  });

  beforeEach(async () => {
    db = await freshDatabase({ app: 'sample', users: 200, on: server });
    onTestFinished(db.drop);
    await db.sql`update imago.setting set value = '1' where name in ('look_ms', 'backoff_ms')`;
    // What the test itself does is none of its business.
    await db.sql`update imago.signal set slow = null, hold = null where name not in ('replica', 'replica_delay')`;
    await db.sql`update imago.signal set slow = null, hold = null where name = 'replica_delay'`;
    await db.sql`update imago.signal set slow = 4 * 1048576, hold = 16 * 1048576 where name = 'replica'`;
    await prepareAll(db.sql);
    await until('the replica has caught up', () =>
      value(
        db.sql,
        `select coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false) from pg_stat_replication where state = 'streaming'`,
      ),
    );
  });

  const step = () => call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });

  async function write(megabytes: number): Promise<void> {
    for (let i = 0; i < megabytes; i += 2)
      await db.sql`select pg_logical_emit_message(false, 'x', repeat('y', 2097152))`;
  }

  async function goesOn(): Promise<void> {
    await until('the run works again', async () => (await step()).status === 'working');
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
  }

  test('that does not replay slows a run, then holds it, by bytes; once it replays, the run goes on', async () => {
    expect(await step()).toMatchObject({ status: 'working', health: { share: 1, reasons: [] } });
    await standby.sql`select pg_wal_replay_pause()`;
    await until('it is paused', () =>
      value(standby.sql, `select pg_get_wal_replay_pause_state() = 'paused'`),
    );
    await write(6);
    const slowed = await step();
    expect(slowed).toMatchObject({
      status: 'working',
      health: {
        reasons: [
          {
            signal: 'replica',
            name: 'berlin',
            level: 1,
            reason: expect.stringMatching(/^replica berlin is \d+ MB behind$/),
          },
        ],
      },
    });
    expect(slowed.health.share).toBeLessThan(1);
    await write(12);
    await until('the run is held', async () => (await step()).status === 'waiting');
    expect((await step()).reason).toMatch(/^replica berlin is \d+ MB behind$/);
    await standby.sql`select pg_wal_replay_resume()`;
    await goesOn();
  });

  test('that replays late slows a run by seconds', async () => {
    await db.sql`update imago.signal set slow = null, hold = null where name = 'replica'`;
    await db.sql`update imago.signal set slow = 1, hold = 1000 where name = 'replica_delay'`;
    await standby.sql`alter system set recovery_min_apply_delay = '1500ms'`;
    await standby.sql`select pg_reload_conf()`;
    await until('it is late', async () => {
      const { health } = await step();
      return health.reasons[0]?.signal === 'replica_delay' && health.reasons[0].level === 1;
    });
    expect((await step()).health.reasons[0].reason).toMatch(/^replica berlin is \d+ s behind$/);
    await standby.sql`alter system reset recovery_min_apply_delay`;
    await standby.sql`select pg_reload_conf()`;
    await goesOn();
  });

  test('that is hidden from the role that looks is not taken to be fine', async () => {
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    await admin`revoke pg_monitor from postgres`;
    onTestFinished(async () => {
      const again = db.connect({ role: 'supabase_admin', max: 1 });
      await again`grant pg_monitor to postgres`;
    });
    expect(await step()).toMatchObject({
      status: 'working',
      health: { reasons: [{ signal: 'replica', level: 1, sqlstate: '42501' }] },
    });
    await db.sql`update imago.reading set since = since - interval '20 s'`;
    expect(await step()).toMatchObject({ status: 'waiting' });
  });

  test('that is gone holds nobody any more', async () => {
    await standby.sql`select pg_wal_replay_pause()`;
    await until('it is paused', () =>
      value(standby.sql, `select pg_get_wal_replay_pause_state() = 'paused'`),
    );
    await write(24);
    await until('the run is held', async () => (await step()).status === 'waiting');
    await standby.crash();
    await goesOn();
  });
});
