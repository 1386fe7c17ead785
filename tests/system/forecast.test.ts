/** What is said of a run before its first row: how much it writes, in how long, and what that does not fit. */
import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { createApp } from '../support/conformance/app.ts';
import { everyPlan } from '../support/conformance/plans.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { everything } from '../support/everything.ts';
import { migrateAll } from '../support/imago.ts';
import { readSlot } from '../support/reader.ts';
import { until } from '../support/until.ts';

interface Problem {
  severity: string;
  signal: string;
  name: string;
  room: number;
  needed: number;
  max_per_second: number | null;
  message: string;
  remedy: string;
}

const forecast = (sql: Sql, args: Record<string, unknown> = {}) => call(sql, 'forecast_migration', args);

/** What is said for 8 callers of the same rehearsal under settings that have changed since. */
const foreseen = (sql: Sql, { stages }: Answer) =>
  value<Answer>(sql, `select imago.forecast(imago.find_plan('avatars'), $1::text::jsonb, 8)`, [
    JSON.stringify(stages),
  ]);

const problemsOf = ({ problems }: Answer): string[] =>
  (problems as Problem[]).map(({ severity, signal, name }) => [severity, signal, name].join(' ').trim());

/** The statement that a remedy holds. */
const statement = (remedy: string): string => /\b(select|update) [^;]*;/.exec(remedy)?.[0] ?? '';

const moved = (sql: Sql) =>
  value(sql, 'select count(*)::int from public.users where active_avatar_id is not null');

const kept = (sql: Sql) =>
  value<number>(
    sql,
    `select (pg_database_size(current_database()) + (select sum(size) from pg_ls_waldir()))::float / 1048576`,
  );

/** The sample is the smaller batches, the slower a machine is: its figures differ from run to run. */
function near(timesTheTruth: number): void {
  expect(timesTheTruth).toBeGreaterThan(0.4);
  expect(timesTheTruth).toBeLessThan(3);
}

/** A busy machine is no reason for a smaller sample. */
async function patient(sql: Sql): Promise<void> {
  await sql`update imago.setting set value = '60000' where name = 'forecast_ms'`;
}

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

describe.each([15, 17] as const)('on PostgreSQL %i a forecast', (version) => {
  let server: TestCluster;

  beforeAll(async () => {
    server = await testCluster({
      version,
      // Nobody else writes while what a run writes is measured.
      settings: { wal_level: 'logical', full_page_writes: 'on', autovacuum: 'off' },
    });
  });
  afterAll(() => server?.remove());

  async function database(): Promise<TestDatabase> {
    const db = await freshDatabase({
      // One size, so that the first of them is the template of all.
      app: 'sample',
      users: 4000,
      avatars: 'prepared',
      on: server,
    });
    databases.push(db);
    await patient(db.sql);
    await mayKeep(db, '16MB');
    return db;
  }

  /** What a slot of the server may keep. */
  async function mayKeep(db: TestDatabase, size: string): Promise<void> {
    await superuser(db, `alter system set max_slot_wal_keep_size = '${size}'`, 'select pg_reload_conf()');
    await until('the server has read it', () =>
      value(db.sql, `select setting || unit = $1 from pg_settings where name = 'max_slot_wal_keep_size'`, [
        size === '-1' ? '-1MB' : size,
      ]),
    );
  }

  async function superuser(db: TestDatabase, ...statements: string[]): Promise<void> {
    const admin = db.connect({ role: 'supabase_admin', max: 1 });
    for (const text of statements) await admin.unsafe(text);
    await admin.end();
  }

  /** A slot of this database, which goes with it. */
  async function slot(db: TestDatabase, name: string): Promise<void> {
    await db.sql`select pg_create_logical_replication_slot(${name}, 'test_decoding')`;
    // What a forecast writes itself is kept as well.
    await db.sql`update imago.setting set value = '100' where name = 'forecast_sample'`;
  }

  /** Slots that could not keep what was foreseen. The same figures again: another rehearsal has others, the more so on a busy machine. */
  async function slotErrors(sql: Sql, told: Answer): Promise<number> {
    return await value<number>(
      sql,
      `select count(*)::int from imago.slot_problems(
         imago.find_plan('avatars'), jsonb_populate_record(null::imago.forecast, $1::text::jsonb), null) p where p.severity = 'error'`,
      [JSON.stringify(told)],
    );
  }

  /** Of what was foreseen after a checkpoint, how many times what the run then writes after one. */
  async function timesTheTruth(db: TestDatabase): Promise<{ told: Answer; wal: number; journal: number }> {
    await superuser(db, 'checkpoint');
    const told = await forecast(db.sql);
    await superuser(db, 'checkpoint');
    const before = await db.sql<[{ lsn: string; bytes: number }]>`
      select pg_current_wal_insert_lsn() as lsn, (select sum(bytes)::float from imago.undo_bytes('avatars')) as bytes`;
    await migrateAll(db.sql);
    const [real] = await db.sql<[{ wal: number; journal: number }]>`
      select (pg_current_wal_insert_lsn() - ${before[0].lsn}::pg_lsn)::float as wal,
        (select sum(bytes)::float from imago.undo_bytes('avatars')) - ${before[0].bytes}::float as journal`;
    return { told, wal: told.wal_bytes / real.wal, journal: told.journal_bytes / real.journal };
  }

  test('comes near to what the run then writes after a checkpoint', async () => {
    const db = await database();
    const { told, wal, journal } = await timesTheTruth(db);
    expect(told).toMatchObject({ entities: 4000, unknown_stages: [], problems: [] });
    expect(told.wal_bytes_least).toBeLessThanOrEqual(told.wal_bytes);
    near(wal);
    expect(journal).toBeGreaterThan(0.5);
    expect(journal).toBeLessThan(2.5);
  });

  test('with a slot that nobody reads is an error by all that is written, and none once that is as its remedy says', async () => {
    // What rehearsing writes into the slot is little beside the run.
    const db = await database();
    expect(problemsOf(await forecast(db.sql))).toEqual([]);
    await slot(db, 'etl');
    const told = await forecast(db.sql);
    expect(told.wal_bytes).toBeGreaterThan(12 * 1048576);
    expect(problemsOf(told)).toEqual(['error slot etl']);
    const [problem] = told.problems as [Problem];
    expect(problem.needed).toBeCloseTo(told.wal_bytes, -3);
    expect(problem.needed).toBeGreaterThan(problem.room);
    expect(problem.max_per_second).toBeNull();
    // No rate helps: nothing is ever let go of.
    await call(db.sql, 'throttle_migration', { max_per_second: 1 });
    expect(problemsOf(await forecast(db.sql))).toEqual(['error slot etl']);

    const [, size] = /max_slot_wal_keep_size = '(\d+MB)'/.exec(problem.remedy) ?? [];
    await mayKeep(db, size ?? '');
    expect(await slotErrors(db.sql, told)).toBe(0);
    await mayKeep(db, '16MB');
    expect(await slotErrors(db.sql, told)).toBe(1);
    expect(problemsOf(await forecast(db.sql))).toEqual(['error slot etl']);
    await db.sql.unsafe(statement(problem.remedy));
    expect(problemsOf(await forecast(db.sql))).toEqual([]);
  });

  // What is made of these figures is the same on all versions.
  if (version === 17) {
    test('of entities of very different sizes is near to the truth', async () => {
      const db = await database();
      await db.sql`update public.users set bio = repeat(md5(id::text), 200) where get_byte(uuid_send(id), 0) < 26`;
      await db.sql`analyze public.users`;
      const { wal } = await timesTheTruth(db);
      near(wal);
    });

    test('with a slot that is read is an error by the rate, and fits at the rate that it names; one that is ignored, or that another setting allows, is none', async () => {
      const db = await database();
      const { sql } = db;
      // The first one after a checkpoint has images of the pages that those after it write again.
      expect(problemsOf(await forecast(sql, { workers: 8 }))).toEqual([]);
      await slot(db, 'etl');
      await readSlot(db, 'etl');
      const told = await forecast(sql, { workers: 8 });
      expect(problemsOf(told)).toEqual(['error slot etl']);
      const [problem] = told.problems as [Problem];
      expect(problem.max_per_second).toBeGreaterThan(0);
      await sql.unsafe(statement(problem.remedy));
      const slower = await foreseen(sql, told);
      expect(problemsOf(slower)).not.toContain('error slot etl');
      expect(slower).toMatchObject({ max_per_second: problem.max_per_second });
      expect(slower.seconds).toBeGreaterThanOrEqual(4000 / (problem.max_per_second ?? 0));
      // A reader that is never late needs no room.
      await call(sql, 'throttle_migration', { max_per_second: 0 });
      await sql`update imago.setting set value = '0' where name = 'reader_lag_s'`;
      expect(problemsOf(await foreseen(sql, told))).not.toContain('error slot etl');
      // Its reader goes with its connection.
      await superuser(db, `select pg_terminate_backend(active_pid) from pg_replication_slots where active`);
      await until('nobody reads it', () => value(sql, `select not active from pg_replication_slots`));
      await sql`select pg_drop_replication_slot('etl')`;

      // Without a limit of the server, the setting slot_mb is it.
      await mayKeep(db, '-1');
      await slot(db, 'idle');
      expect(problemsOf(await forecast(sql))).toEqual([]);
      await sql`update imago.setting set value = '16' where name = 'slot_mb'`;
      const without = await forecast(sql);
      expect(problemsOf(without)).toEqual(['error slot idle']);
      const update = /update [^;]*;/.exec((without.problems as [Problem])[0].remedy)?.[0] ?? '';
      expect(await slotErrors(sql, without)).toBe(1);
      await call(sql, 'throttle_migration', { ignore: ['slot'] });
      expect(problemsOf(await forecast(sql))).toEqual([]);
      await call(sql, 'throttle_migration', { ignore: [] });
      expect(await slotErrors(sql, without)).toBe(1);
      await sql.unsafe(update);
      expect(await slotErrors(sql, without)).toBe(0);
    });
  }
});

describe('a forecast', () => {
  /** A forecast leaves nothing, and so does each of these tests. */
  let db: TestDatabase;
  let settings: { name: string; value: string }[];
  beforeAll(async () => {
    db = await freshDatabase({ app: 'sample', users: 1000, avatars: 'prepared' });
    await patient(db.sql);
    settings = await db.sql`select name, value from imago.setting`;
  });
  afterEach(async () => {
    await db.sql`delete from imago.throttle`;
    await db.sql`
      update imago.setting s set value = b.value
      from jsonb_to_recordset(${db.sql.json(settings)}) b(name text, value text) where b.name = s.name`;
  });
  afterAll(() => db?.drop());

  test('of a disk that is too small is an error, and none once disk_mb is as its remedy says; an empty one is only named', async () => {
    const told = await forecast(db.sql);
    expect(told).toMatchObject({ problems: [], not_known: ['disk_mb', 'wal_mb_per_s'] });
    // Just below what holds a run before it has written anything.
    await db.sql`update imago.setting set value = ${String(Math.ceil((await kept(db.sql)) / 0.84))} where name = 'disk_mb'`;
    const full = await forecast(db.sql);
    expect(full.not_known).toEqual(['wal_mb_per_s']);
    expect(problemsOf(full)).toEqual(['error disk']);
    const [problem] = full.problems as [Problem];
    expect(problem.needed).toBeGreaterThan(told.journal_bytes / 2);
    await db.sql.unsafe(statement(problem.remedy));
    expect(problemsOf(await forecast(db.sql))).toEqual([]);
  });

  test('of a rate that the disk does not take is an error, and fits at the rate that it names', async () => {
    await db.sql`update imago.setting set value = '0.01' where name = 'wal_mb_per_s'`;
    const told = await forecast(db.sql, { workers: 8 });
    expect(problemsOf(told)).toEqual(['error wal']);
    const [problem] = told.problems as [Problem];
    await db.sql.unsafe(statement(problem.remedy));
    expect(problemsOf(await foreseen(db.sql, told))).toEqual([]);
  });

  test('goes by the number of callers', async () => {
    expect(await forecast(db.sql, { workers: 4 })).toMatchObject({ workers: 4 });
    // Of one rehearsal: two would not take the same time.
    const { stages } = await call(db.sql, 'dry_run_migration', { mode: 'full' });
    const seconds = async (workers: number) =>
      await value<number>(
        db.sql,
        `select (imago.forecast_amounts(imago.find_plan('avatars'), $1::text::jsonb, $2::int, null)).seconds::float`,
        [JSON.stringify(stages), workers],
      );
    expect(await seconds(1)).toBeGreaterThan(0);
    expect(await seconds(4)).toBeCloseTo((await seconds(1)) / 4, 3);
    expect(await refusal(forecast(db.sql, { workers: 0 }))).toMatchObject({ code: 'IM015' });
  });

  test('of hours says on how many days it works and when it ends', async () => {
    await call(db.sql, 'throttle_migration', { hours: '22:00-22:01 Europe/Berlin', max_per_second: 5 });
    const told = await forecast(db.sql);
    // 1,000 users at 5 a second: 200 s, a minute a night.
    expect(told).toMatchObject({ windows: 4, max_per_second: 5 });
    expect(problemsOf(told)).toEqual(['warning hours 22:00-22:01 Europe/Berlin']);
  });

  test('within hours says when it ends, and in how many of them', async () => {
    for (const [hours, seconds, at, windows, ends] of [
      ['22:00-06:00', 3600, '2026-01-01 23:00+00', 1, '2026-01-02 00:00:00+00'],
      ['22:00-06:00', 3600, '2026-01-01 12:00+00', 1, '2026-01-01 23:00:00+00'],
      ['22:00-06:00', 3600, '2026-01-01 02:00+00', 1, '2026-01-01 03:00:00+00'],
      ['22:00-06:00', 5 * 3600, '2026-01-01 02:00+00', 2, '2026-01-01 23:00:00+00'],
      ['22:00-06:00', 20 * 3600, '2026-01-01 12:00+00', 3, '2026-01-04 02:00:00+00'],
      ['09:00-17:00', 8 * 3600, '2026-01-01 18:00+00', 1, '2026-01-02 17:00:00+00'],
      ['09:00-17:00', 9 * 3600, '2026-01-01 08:00+00', 2, '2026-01-02 10:00:00+00'],
      ['00:00-24:00', 30 * 3600, '2026-01-01 12:00+00', 2, '2026-01-02 18:00:00+00'],
    ] as const) {
      const [row] = await db.sql<[{ windows: number; fits: boolean }]>`
        select h.windows, h.ends_at = ${ends}::text::timestamptz as fits
        from imago.set_hours(null, ${hours}) t cross join lateral imago.hours_ahead(t, ${seconds}, ${at}::text::timestamptz) h`;
      expect(row, `${hours} for ${seconds} s from ${at} on`).toEqual({ windows, fits: true });
    }
  });

  test('counts no write-ahead log of others, however much they write', async () => {
    const quiet = await forecast(db.sql);
    const other = db.connect({ max: 1 });
    let writes = true;
    const writing = (async () => {
      while (writes) await other`select pg_logical_emit_message(false, 'x', repeat('y', 8388608))`;
    })();
    const beside = await call(db.sql, 'dry_run_migration');
    writes = false;
    await writing;
    expect(beside.wal_bytes).toBeGreaterThan(2 * quiet.wal_bytes);
    expect(beside.forecast.wal_bytes / quiet.wal_bytes).toBeLessThan(1.5);
  });

  test('of a plan that is not prepared, and of one with nothing left', async () => {
    const db = await freshDatabase({ app: 'sample', users: 300 });
    databases.push(db);
    await patient(db.sql);
    const before = await everything(db.sql);
    const told = await forecast(db.sql);
    expect(told).toMatchObject({ entities: 300, unknown_stages: [] });
    expect(told.journal_bytes).toBeGreaterThan(0);
    expect(told.dead_rows['public.users']).toBeGreaterThan(0);
    expect(await everything(db.sql)).toEqual(before);
    await migrateAll(db.sql);
    expect(await forecast(db.sql)).toMatchObject({ entities: 0, wal_bytes: 0, seconds: 0, problems: [] });
  });

  test('is left out where nothing can be too small, and made where something can', async () => {
    const look = async () => (await forecast(db.sql, { only_if_large: true })).status;
    expect(await look()).toBe('not_needed');
    await db.sql`update imago.setting set value = '1000' where name = 'forecast_entities'`;
    expect(await look()).not.toBe('not_needed');
    await db.sql`update imago.setting set value = '100000' where name = 'forecast_entities'`;
    await db.sql`update imago.setting set value = '0.1' where name = 'wal_mb_per_s'`;
    expect(await look()).not.toBe('not_needed');
    await call(db.sql, 'throttle_migration', { ignore: ['wal'] });
    expect(await look()).toBe('not_needed');
  });
});

await everyPlan((plan, fixture) => {
  test(`a forecast of the plan ${plan} says what each stage writes, and leaves nothing`, async () => {
    const db = await freshDatabase();
    databases.push(db);
    await createApp(db.sql, fixture.app, 30);
    await prepareAll(db.sql, plan);
    await patient(db.sql);
    const before = await everything(db.sql);
    const told = await forecast(db.sql, { plan });
    expect(await everything(db.sql)).toEqual(before);
    expect(told.unknown_stages).toEqual([]);
    for (const { cost, moved: entities, pending } of told.stages) {
      expect(entities).toBe(pending);
      expect(cost.wal_bytes).toBeGreaterThan(0);
      expect(cost.ms).toBeGreaterThan(0);
    }
    expect(told.entities).toBe(told.stages.reduce((sum: number, stage: Answer) => sum + stage.pending, 0));
    expect(told.wal_bytes).toBeGreaterThan(0);
    expect(told.journal_bytes).toBeGreaterThan(0);
  });
});

describe('the command, before the first row of a run,', () => {
  const limit = async ({ db }: Project, name: string, wanted: string) => {
    await db.sql`update imago.setting set value = ${wanted} where name = ${name}`;
  };

  test('says nothing of a small run; of a large one what it writes', async () => {
    const project = await freshProject({ users: 100, avatars: 'prepared' });
    const small = await runCommand(['--yes', '--json'], project.environment);
    expect(small.stderr).not.toContain('Forecast');
    expect(small.json()).not.toHaveProperty('forecast');
    const other = await freshProject({ users: 100, avatars: 'prepared' });
    await patient(other.db.sql);
    await limit(other, 'forecast_entities', '1');
    const large = await runCommand(['--yes', '--json'], other.environment);
    expect(large.stderr).toMatch(/Forecast: about [\d.]+ [kM]B of WAL and [\d.]+ [kM]B of journal in about /);
    expect(large.stderr).toContain('disk_mb and wal_mb_per_s of imago.setting are empty');
    expect(large.json()).toMatchObject({
      status: 'done',
      exit_code: 0,
      forecast: { entities: 100, problems: [] },
    });
  });

  test('refuses one that does not fit, moves nothing, and begins when it is told the rate that it names', async () => {
    const project = await freshProject({ avatars: 'prepared' });
    await patient(project.db.sql);
    await limit(project, 'wal_mb_per_s', '0.01');
    const before = await everything(project.db.sql);
    const refused = await runCommand(['--yes', '--json', '--workers', '8'], project.environment);
    expect(refused.json()).toMatchObject({
      status: 'usage',
      exit_code: 2,
      message: 'The run would not fit. Nothing was moved.',
      error: { message: expect.stringContaining('of write-ahead log a second') },
      forecast: { problems: [{ severity: 'error', signal: 'wal' }] },
    });
    expect(refused.code).toBe(2);
    expect(await everything(project.db.sql)).toEqual(before);

    const rate = refused
      .json()
      .next.join(' ')
      .match(/Slower it fits: .* (--workers 8) --max-per-second (\d+)/);
    expect(Number(rate[2])).toBeGreaterThan(0);
    const slower = startCommand(
      ['--yes', '--json', '--workers', '8', '--max-per-second', rate[2]],
      project.environment,
    );
    await slower.says('Working with 8 workers');
    slower.child.kill('SIGINT');
    expect((await slower.finished).code).toBe(130);
    // One that is under way is gone on with as it is.
    await call(project.db.sql, 'throttle_migration', { max_per_second: 0 });
    await limit(project, 'look_ms', '1');
    await call(project.db.sql, 'throttle_migration', { ignore: ['wal'] });
    await limit(project, 'forecast_entities', '1');
    const resumed = await runCommand(['--yes', '--json'], project.environment);
    expect(resumed.stderr).not.toContain('Forecast');
    expect(resumed.json()).toMatchObject({ status: 'done' });
    expect(await moved(project.db.sql)).toBe(300);
  });

  test('begins despite the forecast where that is typed, and says what it is told', async () => {
    const project = await freshProject({ users: 100, avatars: 'prepared' });
    await patient(project.db.sql);
    await limit(project, 'wal_mb_per_s', '0.01');
    const begun = await runCommand(
      ['--yes', '--json', '--workers', '8', '--despite-forecast'],
      project.environment,
    );
    expect(begun.stderr).toMatch(/The run writes .* of write-ahead log a second/);
    expect(begun.json()).toMatchObject({ status: 'done', exit_code: 0 });
  });
});
