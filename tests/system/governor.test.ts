/** What the governor sees of a server in trouble: a run is slowed or held, says why, loses nothing and goes on by itself. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { until } from '../support/until.ts';

interface Reason {
  signal: string;
  name?: string;
  level: number;
  reason: string;
}

interface Answer {
  status: string;
  migrated: number;
  reason?: string;
  retry_after_ms: number;
  others_write: boolean | null;
  health: { share: number; reasons: Reason[] };
}

describe.each([15, 17] as const)('on PostgreSQL %i a run', (version) => {
  let server: TestCluster;
  /** Of the test that is on. */
  let db: TestDatabase;
  /** Of all tests that leave a run as they found it. */
  let shared: TestDatabase | undefined;
  let own: TestDatabase | undefined;

  beforeAll(async () => {
    server = await testCluster({
      version,
      settings: {
        wal_level: 'logical',
        max_slot_wal_keep_size: '64MB',
        archive_mode: 'on',
      },
    });
  });
  afterAll(() => server?.remove());
  afterEach(async () => {
    await own?.drop();
    own = undefined;
  });

  /** An app with a run that looks at each call, and holds no longer than it must. */
  async function newRun(options: DatabaseOptions): Promise<TestDatabase> {
    db = await freshDatabase({ app: 'sample', avatars: 'prepared', on: server, ...options });
    await superuser(`alter system set archive_command = '/bin/true'`, 'select pg_reload_conf()');
    await db.sql`update imago.setting set value = '1' where name in ('look_ms', 'backoff_ms')`;
    await db.sql`update imago.signal set every_ms = 0 where every_ms is not null`;
    await db.sql`update imago.setting set value = '100' where name = 'beside_app_percent'`;
    // A busy machine may well get slower: that is for the test of it.
    await db.sql`update imago.signal set slow = null where name = 'pace'`;
    await db.sql`create table public.signals_before as select * from imago.signal`;
    return db;
  }

  async function ownRun(users = 100): Promise<void> {
    own = await newRun({ users });
    expect(await step()).toMatchObject({ status: 'working', health: { share: 1, reasons: [] } });
  }

  /** The run of all tests, as if nothing had happened to it before. */
  async function run(): Promise<void> {
    shared ??= await newRun({ users: 2000 });
    db = shared;
    await db.sql`delete from imago.governor`;
    await db.sql`delete from imago.reading`;
    await db.sql`delete from imago.log`;
    await db.sql`delete from imago.throttle`;
    await db.sql`update imago.health set others_at = null`;
    await db.sql`
      update imago.signal s set slow = b.slow, hold = b.hold, tell = b.tell from public.signals_before b where b.name = s.name`;
    expect(await step()).toMatchObject({ status: 'working', health: { share: 1, reasons: [] } });
  }

  /** One small call. */
  const step = async (): Promise<Answer> => {
    // What is dear to read is left alone for twenty times as long as reading it took, which is long on a busy machine.
    await db.sql`update imago.reading set took_ms = 0 where took_ms > 0`;
    return (await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 })) as unknown as Answer;
  };

  const seen = (answer: Answer) =>
    answer.health.reasons.filter(({ level }) => level > 0).map(({ signal }) => signal);

  /** Calls until the run is held, and says which signal it is. */
  async function isHeld(signal: string): Promise<Answer> {
    let answer = await step();
    for (let i = 0; i < 3 && answer.status !== 'waiting'; i++) answer = await step();
    expect({ status: answer.status, seen: seen(answer), share: answer.health.share }).toEqual({
      status: 'waiting',
      seen: expect.arrayContaining([signal]),
      share: 0,
    });
    expect(answer.migrated).toBe(0);
    expect(answer.retry_after_ms).toBeGreaterThan(0);
    return answer;
  }

  async function isSlowed(signal: string): Promise<Answer> {
    const answer = await step();
    expect({ status: answer.status, seen: seen(answer) }).toEqual({ status: 'working', seen: [signal] });
    expect(answer.health.share).toBeLessThan(1);
    return answer;
  }

  /** Calls until the run works again. */
  async function worksAgain(): Promise<void> {
    let answer = await step();
    await until('the run works again', async () => {
      answer = await step();
      return answer.status === 'working';
    });
    expect(answer.migrated).toBeGreaterThan(0);
    expect(answer.health.share).toBeGreaterThan(0);
  }

  /** The same, and then to its end. */
  async function goesOn(): Promise<void> {
    await worksAgain();
    await migrateAll(db.sql);
    await expectAllMigrated(db.sql);
  }

  const events = async () =>
    (
      await db.sql<{ event: string }[]>`
        select event from imago.log where event in ('slowed', 'held', 'released') order by id`
    )
      .map(({ event }) => event)
      // Released once from the hold, and once more where it comes back to all of the time before it ends.
      .filter((event, index, all) => event !== all[index - 1]);

  async function superuser(...statements: string[]): Promise<void> {
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    for (const statement of statements) await admin.unsafe(statement);
    await admin.end();
  }

  /** Write-ahead log of somebody else. */
  async function writeWal(megabytes: number): Promise<void> {
    for (let i = 0; i < megabytes; i += 8)
      await db.sql`select pg_logical_emit_message(false, 'x', repeat('y', 8388608))`;
  }

  test('with a slot that nobody reads: slowed at half, held at three quarters, released without it', async () => {
    await run();
    await db.sql`select pg_create_logical_replication_slot('etl', 'test_decoding')`;
    await writeWal(36);
    const slowed = await isSlowed('slot');
    expect(slowed.health.reasons).toEqual([
      expect.objectContaining({
        signal: 'slot',
        name: 'etl',
        reason: expect.stringMatching(/^slot etl keeps [34]\d of 64 MB$/),
      }),
    ]);
    await writeWal(16);
    const held = await isHeld('slot');
    expect(held.reason).toMatch(/^slot etl keeps [56]\d of 64 MB$/);
    const progress = await call(db.sql, 'get_detailed_migration_progress');
    expect(progress).toMatchObject({ state: 'running', waiting: held.reason, health: { share: 0 } });
    await db.sql`select pg_drop_replication_slot('etl')`;
    await worksAgain();
    expect(await events()).toEqual(['slowed', 'held', 'released']);
    expect(
      Number(await value(db.sql, `select held_ms from imago.reading where signal = 'slot'`)),
    ).toBeGreaterThan(0);
  });

  test('whose own writing a slot could not bear takes small steps, and stops before the slot is lost', async () => {
    await ownRun(1000);
    // Nobody looks because time has passed.
    await db.sql`update imago.setting set value = '3600000' where name = 'look_ms'`;
    await db.sql`
      update public.users u set bio = (select string_agg(md5(u.id::text || n), '') from generate_series(1, 50) n)`;
    await db.sql`select pg_create_logical_replication_slot('etl', 'test_decoding')`;
    await writeWal(44);
    await db.sql`update imago.governor set looked_at = null`;
    let answer: Answer | undefined;
    while (answer?.status !== 'waiting' && answer?.status !== 'done')
      answer = (await call(db.sql, 'migrate_batch')) as unknown as Answer;
    const [{ status, kept }] = await db.sql<[{ status: string; kept: number }]>`
      select wal_status as status, (pg_current_wal_insert_lsn() - restart_lsn)::float / 1048576 as kept
      from pg_replication_slots`;
    expect(answer.status).toBe('waiting');
    expect(kept).toBeLessThan(54);
    expect(status).not.toBe('lost');
    await db.sql`select pg_drop_replication_slot('etl')`;
    await db.sql`update imago.setting set value = '1' where name = 'look_ms'`;
    await goesOn();
  });

  test('while archiving fails: held, and released once it works', async () => {
    await run();
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    const archive = async (command: string, result: string) => {
      await admin.unsafe(`alter system set archive_command = '${command}'`);
      await admin`select pg_reload_conf()`;
      await until(`archiving ${result}`, async () => {
        await admin`select pg_logical_emit_message(false, 'x', 'y')`;
        await admin`select pg_switch_wal()`;
        return value(
          db.sql,
          `select (last_failed_time > coalesce(last_archived_time, '-infinity')) = $1 from pg_stat_archiver`,
          [result === 'fails'],
        );
      });
    };
    await archive('/bin/false', 'fails');
    expect((await isHeld('archiver')).reason).toContain('archiving the write-ahead log fails');
    await archive('/bin/true', 'works');
    await until('all is archived', () =>
      value(db.sql, `select count(*) = 0 from pg_ls_archive_statusdir() f where f.name like '%.ready'`),
    );
    await worksAgain();
  });

  test('with few connections left: slowed; with next to none: held; released when they are there', async () => {
    await run();
    const free = Number(
      await value(
        db.sql,
        `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0) - count(*)
         from pg_stat_activity where backend_type = 'client backend'`,
      ),
    );
    await db.sql`update imago.signal set slow = ${free + 5} where name = 'connections'`;
    await isSlowed('connections');
    await db.sql`update imago.signal set hold = ${free + 5} where name = 'connections'`;
    expect((await isHeld('connections')).reason).toMatch(/^\d+ connections are free$/);
    await db.sql`update imago.signal set slow = 8, hold = 3 where name = 'connections'`;
    await worksAgain();
  });

  test('that others wait for ends its call, and says so', async () => {
    await run();
    await db.sql`update imago.signal set slow = 1, hold = 2 where name = 'waiters'`;
    const caller = db.connect({ max: 1 });
    const writer = db.connect({ max: 1 });
    const moved = await db.sql<
      { id: string }[]
    >`select id from public.users where active_avatar_id is not null`;
    const answer = await caller.begin(async (tx) => {
      await tx`select public.migrate_batch(batch_size => 5, max_ms => 1)`;
      const [{ id }] = await tx<[{ id: string }]>`
        select id from public.users where active_avatar_id is not null and id <> all (${moved.map((user) => user.id)}) limit 1`;
      const waiting = writer`update public.users set bio = 'new' where id = ${id}`.execute();
      await until('somebody waits', () =>
        value(db.sql, 'select count(*) > 0 from pg_locks where not granted'),
      );
      const [row] = await tx<
        [{ answer: Answer }]
      >`select public.migrate_batch(batch_size => 5, max_ms => 60000) as answer`;
      return { answer: row.answer, waiting };
    });
    await answer.waiting;
    expect(answer.answer).toMatchObject({ status: 'working', migrated: 5 });
    expect(seen(answer.answer)).toEqual(['waiters']);
    await worksAgain();
  });

  test('while a vacuum of its table is running beside the app: slowed; for wraparound it would be held', async () => {
    await run();
    // Others write: who protects nobody need not slow down.
    await db.sql`insert into public.users (username) values ('somebody')`;
    const vacuum = db.connect({ max: 1 });
    await vacuum`set vacuum_cost_delay = 100`;
    await vacuum`set vacuum_cost_limit = 1`;
    const [{ pid }] = await vacuum<[{ pid: number }]>`select pg_backend_pid() as pid`;
    const done = vacuum`vacuum (freeze, disable_page_skipping) public.users`.execute().catch(() => undefined);
    await until('it has begun', () => value(db.sql, 'select count(*) > 0 from pg_stat_progress_vacuum'));
    await db.sql`select pg_stat_force_next_flush()`;
    await db.sql`update imago.health set others_at = clock_timestamp()`;
    expect((await isSlowed('vacuum')).health.reasons[0]?.reason).toBe('a vacuum of public.users is running');
    await db.sql`select pg_cancel_backend(${pid})`;
    await done;
    await worksAgain();
  });

  test('beside sessions that are at work: slowed by how many there were before', async () => {
    await run();
    await db.sql`update imago.signal set slow = 5, hold = 1000 where name = 'active'`;
    const busy = db.connect({ max: 1 });
    const [{ pid }] = await busy<[{ pid: number }]>`select pg_backend_pid() as pid`;
    const done = busy`select count(*) from generate_series(1, 100000000000)`.execute().catch(() => undefined);
    await until('it is at work', () =>
      value(db.sql, `select state = 'active' from pg_stat_activity where pid = $1`, [pid]),
    );
    await until('it is seen', async () => seen(await step()).includes('active'));
    await db.sql`select pg_cancel_backend(${pid})`;
    await done;
    await worksAgain();
  });

  test('past what the disk has: held, and released when there is room', async () => {
    await run();
    await db.sql`update imago.setting set value = '1' where name = 'disk_mb'`;
    expect((await isHeld('disk')).reason).toMatch(/^database and write-ahead log take \d+ of 1 MB$/);
    await db.sql`update imago.setting set value = '' where name = 'disk_mb'`;
    await worksAgain();
  });

  test('while more write-ahead log is written than the disk takes: slowed or held, then released', async () => {
    await run();
    await db.sql`update imago.setting set value = '0.001' where name = 'wal_mb_per_s'`;
    await writeWal(8);
    expect(seen(await step())).toEqual(['wal']);
    await db.sql`update imago.setting set value = '' where name = 'wal_mb_per_s'`;
    await worksAgain();
  });

  test('with checkpoints on request beside the app: slowed', async () => {
    await run();
    await superuser('checkpoint', 'checkpoint');
    await db.sql`update imago.health set others_at = clock_timestamp()`;
    await until('they are counted', async () => {
      await db.sql`update imago.health set others_at = clock_timestamp()`;
      return seen(await step()).includes('checkpoints');
    });
    await db.sql`update imago.governor set checkpoints_at = clock_timestamp() - interval '1 hour'`;
    await worksAgain();
  });

  test('that gets slower beside the app: slowed once it has been for five looks', async () => {
    await run();
    await db.sql`update imago.signal set slow = 300 where name = 'pace'`;
    const slow = async () => {
      await db.sql`update imago.governor set usual_entity_ms = 0.0001`;
      await db.sql`update imago.health set others_at = clock_timestamp()`;
      return seen(await step());
    };
    await until('it is slowed', async () => (await slow()).includes('pace'));
    expect(
      Number(await value(db.sql, `select slow_looks from imago.reading where signal = 'pace'`)),
    ).toBeGreaterThanOrEqual(5);
    await db.sql`update imago.governor set usual_entity_ms = 1000`;
    await worksAgain();
  });

  test('beside a transaction that stays open tells it, and is neither slowed nor held', async () => {
    await run();
    await db.sql`update imago.signal set tell = 0 where name = 'transaction'`;
    const idle = db.connect({ max: 1 });
    await idle.begin(async (tx) => {
      const [{ pid }] = await tx<[{ pid: number }]>`select pg_backend_pid() as pid`;
      expect(await step()).toMatchObject({
        status: 'working',
        health: {
          share: 1,
          reasons: [expect.objectContaining({ signal: 'transaction', name: String(pid), level: 0 })],
        },
      });
    });
    await worksAgain();
  });

  test('that cannot see whether archiving works: slowed at once, held after 15 seconds, told what to do', async () => {
    await run();
    await superuser(
      'revoke pg_monitor from postgres',
      'revoke execute on function pg_ls_archive_statusdir() from public',
    );
    try {
      const slowed = await isSlowed('archive');
      expect(slowed.health.reasons[0]?.reason).toBe('archive cannot be read (SQLSTATE 42501)');
      await db.sql`update imago.reading set since = since - interval '20 s'`;
      await isHeld('archive');
      await db.sql`select throttle_migration(ignore => '{archive}')`;
      await worksAgain();
    } finally {
      await superuser('grant pg_monitor to postgres');
    }
  });

  test('after the server was killed is not slowed for what recovery did, nor for its own batch that was lost', async () => {
    await ownRun(60);
    // As if none had been asked for before: so many are no more than the new counter has.
    await db.sql`update imago.governor set checkpoints = -5`;
    const caller = await db.connect({ max: 1 }).reserve();
    await caller`begin`;
    await caller`select public.migrate_batch(batch_size => 20, max_ms => 1)`;
    await server.crash();
    await server.restart();
    const answers: Answer[] = [];
    await until('it is done', async () => {
      await db.sql`update imago.health set others_at = null`;
      answers.push(await step());
      return answers.at(-1)?.status === 'done';
    });
    expect([...new Set(answers.flatMap(seen))]).toEqual([]);
    expect(answers.filter(({ others_write }) => others_write)).toEqual([]);
    await expectAllMigrated(db.sql);
  });

  test.each([
    ['of the database', 'select pg_stat_reset()'],
    ['of the server', `select pg_stat_reset_shared('bgwriter')`],
  ])('whose statistics %s were reset begins to compare again', async (_what, reset) => {
    await run();
    await db.sql`update imago.governor set checkpoints = -5`;
    await db.sql`update imago.health set others_written = -1000000`;
    await superuser(reset);
    const answer = await step();
    expect([answer.others_write, seen(answer)]).toEqual([null, []]);
    await worksAgain();
  });

  test('on a server whose write-ahead log or clock is behind what was seen before looks, and goes on', async () => {
    await run();
    await db.sql`update imago.setting set value = '1000' where name = 'wal_mb_per_s'`;
    await db.sql`update imago.setting set value = '60000' where name = 'look_ms'`;
    await db.sql`
      update imago.governor set lsn = 'FFFFFFFF/0', looked_at = clock_timestamp() + interval '1 h', share = 0, backoff_ms = 60000,
        held_since = clock_timestamp() + interval '1 h', held_until = clock_timestamp() + interval '1 h',
        released_at = clock_timestamp() + interval '1 h', checkpoints_at = clock_timestamp() + interval '1 h'`;
    await db.sql`update imago.health set others_at = clock_timestamp() + interval '1 h'`;
    const answer = await step();
    expect(answer.status).toBe('waiting');
    expect(answer.others_write).not.toBe(true);
    expect(
      await value(
        db.sql,
        `select looked_at <= clock_timestamp() and held_until <= clock_timestamp() + interval '1 min' and lsn <= pg_current_wal_insert_lsn()
           and checkpoints_at <= clock_timestamp() from imago.governor where plan = 'avatars'`,
      ),
    ).toBe(true);
    await db.sql`update imago.setting set value = '1' where name = 'look_ms'`;
    await db.sql`update imago.governor set held_until = clock_timestamp()`;
    await worksAgain();
  });

  test('on its way back is held and released as well', async () => {
    own = await newRun({ users: 60, avatars: 'migrated' });
    await db.sql`update imago.setting set value = 'backup at night' where name = 'hold'`;
    expect(await call(db.sql, 'rollback_batch')).toMatchObject({
      status: 'waiting',
      state: 'running',
      reason: 'all runs are held: backup at night',
      rolled_back: 0,
      has_more: true,
    });
    await db.sql`update imago.setting set value = '' where name = 'hold'`;
    await until('it works again', async () => (await call(db.sql, 'rollback_batch')).status !== 'waiting');
    expect((await rollbackAll(db.sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
  });

  test('that all this was done to has lost nothing at its end', async () => {
    await run();
    await goesOn();
  });
});
