/** throttle_migration: when and how fast the runs of a plan may work, no matter who drives them. */
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { callUntilDone } from '../support/callers.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { until } from '../support/until.ts';

let db: TestDatabase;
afterEach(() => db?.drop());

async function run(users = 100): Promise<void> {
  db = await freshDatabase({ app: 'sample', users, avatars: 'prepared' });
  await db.sql`update imago.setting set value = '1' where name in ('look_ms', 'backoff_ms')`;
}

const step = () => call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
const throttle = (args: Record<string, unknown>) => call(db.sql, 'throttle_migration', args);

/** Hours that begin so many minutes from now, and are one long. */
const hours = async (from: number) =>
  await value<string>(
    db.sql,
    `select to_char(now() at time zone 'UTC' + make_interval(mins => $1), 'HH24:MI') || '-'
       || to_char(now() at time zone 'UTC' + make_interval(mins => $1 + 60), 'HH24:MI')`,
    [from],
  );

const goesOn = async () => {
  await until('it works again', async () => (await step()).status !== 'waiting');
  await migrateAll(db.sql);
  await expectAllMigrated(db.sql);
};

describe('a run that has limits', () => {
  test('of hours waits outside of them, says which, and works within', async () => {
    await run();
    const later = await hours(120);
    await throttle({ hours: later });
    expect(await step()).toMatchObject({
      status: 'waiting',
      reason: `the run works only at ${later} UTC`,
      migrated: 0,
      has_more: true,
      health: { share: 0, reasons: [{ signal: 'hours', level: 2 }] },
    });
    await throttle({ hours: await hours(-30) });
    await goesOn();
  });

  test('of a rate moves never more than that and a second of it, however many call; the rest waits', async () => {
    await run(400);
    // What else slows a run on a busy machine is not what is asked here.
    await db.sql`update imago.signal set slow = null, hold = null`;
    await throttle({ max_per_second: 20 });
    const began = await value<string>(db.sql, 'select clock_timestamp()::text');
    // What is counted was committed before the clock was read.
    const counted = async () =>
      (
        await db.sql<[{ moved: number; most: number }]>`
          select c.moved, 20 * (1 + extract(epoch from clock_timestamp() - ${began}::timestamptz)::float) as most
          from (select count(*)::int as moved from public.users where active_avatar_id is not null offset 0) c`
      )[0];
    const answers: Record<string, unknown>[] = [];
    let stopped = false;
    const calling = Array.from({ length: 4 }, async () => {
      const sql = db.connect({ max: 1 });
      while (!stopped) answers.push(await call(sql, 'migrate_batch', { max_ms: 200 }));
    });
    const samples: { moved: number; most: number }[] = [];
    await until('two seconds of it are moved', async () => {
      samples.push(await counted());
      return (samples.at(-1)?.moved ?? 0) >= 40;
    });
    stopped = true;
    await Promise.all(calling);
    samples.push(await counted());
    for (const { moved, most } of samples) expect(moved).toBeLessThanOrEqual(most);
    expect(answers).toContainEqual(
      expect.objectContaining({
        status: 'waiting',
        reason: 'the run moves at most 20 a second',
        health: expect.objectContaining({ share: 1 }),
      }),
    );
    for (const { status, retry_after_ms } of answers)
      if (status === 'waiting') expect(retry_after_ms).toBeLessThanOrEqual(1000);
    await throttle({ max_per_second: 0 });
    await goesOn();
  });

  test('of a rate of one moves one at a time, and comes to its end', async () => {
    await run(3);
    await throttle({ max_per_second: 1 });
    const answers = await callUntilDone(db.sql, 'migrate_batch');
    expect(answers.map(({ migrated }) => migrated).filter((moved) => moved > 0)).toEqual([1, 1, 1]);
    await expectAllMigrated(db.sql);
  });

  test('of a rate keeps what was moved and what may be together: what is rolled back has spent nothing', async () => {
    await run(100);
    await throttle({ max_per_second: 1000 });
    await db.sql`update imago.allowance set spent_until = clock_timestamp() - interval '1 h'`;
    const left = () =>
      value<number>(
        db.sql,
        `select sum(imago.allowed_seconds(spent_until, clock_timestamp()))::float from imago.allowance where plan = 'avatars'`,
      );
    expect(await left()).toBe(32);
    const caller = db.connect({ max: 1 });
    await caller
      .begin(async (tx) => {
        await tx`select public.migrate_batch(batch_size => 20)`;
        const [held] = await tx<[{ seconds: number }]>`
          select sum(imago.allowed_seconds(spent_until, clock_timestamp()))::float as seconds from imago.allowance where plan = 'avatars'`;
        expect(held.seconds).toBeLessThan(32);
        throw new Error('taken back');
      })
      .catch(() => undefined);
    expect(await left()).toBe(32);
  });

  test('of a rate goes on at once when the clock has been put back', async () => {
    await run(20);
    await throttle({ max_per_second: 1000 });
    await db.sql`update imago.allowance set spent_until = clock_timestamp() + interval '1 h'`;
    await db.sql`update imago.governor set looked_at = clock_timestamp() + interval '1 h'`;
    await goesOn();
  });

  test('of a query waits while it is true, or cannot be asked, and goes on without it', async () => {
    await run();
    await db.sql`create table public.gate (is_closed boolean)`;
    await db.sql`insert into public.gate values (true)`;
    await throttle({ throttle_query: 'select is_closed from public.gate' });
    expect(await step()).toMatchObject({ status: 'waiting', reason: 'throttle_query asks to wait' });
    await db.sql`update public.gate set is_closed = false`;
    await until('it works', async () => (await step()).status === 'working');
    await db.sql`drop table public.gate`;
    await until('it cannot be asked', async () => (await step()).health.reasons.length > 0);
    expect((await step()).health.reasons).toMatchObject([
      { signal: 'query', level: 1, sqlstate: '42P01', reason: 'query cannot be read (SQLSTATE 42P01)' },
    ]);
    await db.sql`update imago.reading set since = since - interval '20 s'`;
    await until('it is held', async () => (await step()).status === 'waiting');
    await throttle({ throttle_query: '' });
    await goesOn();
  });

  /** A query that does what a switch says, so that it can be set. */
  async function switchable(branches: string): Promise<void> {
    await db.sql`create table public.gate (does text)`;
    await db.sql`insert into public.gate values ('answer')`;
    await db.sql.unsafe(`create function public.is_closed() returns boolean language plpgsql as $$
      begin
        case (select does from public.gate) ${branches} else null; end case;
        return false;
      end $$`);
    await throttle({ throttle_query: 'select public.is_closed()' });
    await until('it works', async () => (await step()).status === 'working');
  }
  const turn = (does: string) => db.sql`update public.gate set does = ${does}`;

  test('of a query that writes, raises an error, answers null or locks rows is slowed, tells the SQLSTATE, and goes on once it answers; nothing is changed', async () => {
    await run(400);
    await switchable(`
      when 'write' then insert into public.users (username) values ('by the query');
      when 'raise' then raise division_by_zero;
      when 'say null' then return null;
      when 'lock' then perform 1 from public.gate for update;`);
    const reasons = async () => (await step()).health.reasons;
    for (const [does, sqlstate] of [
      ['write', '25006'],
      ['raise', '22012'],
      ['say null', '22004'],
      ['lock', '25006'],
    ] as const) {
      await turn(does);
      await until(`it is told that it would ${does}`, async () => (await reasons()).length > 0);
      expect([does, await reasons()]).toMatchObject([does, [{ signal: 'query', sqlstate }]]);
      await turn('answer');
      await until(`it has answered after ${does}`, async () => (await reasons()).length === 0);
    }
    expect(
      await value(db.sql, `select count(*)::int from public.users where username = 'by the query'`),
    ).toBe(0);
    await goesOn();
  });

  test('of a query that gives no row tells that it has no answer', async () => {
    await run();
    await db.sql`create table public.gate as select false as is_closed`;
    await throttle({ throttle_query: 'select is_closed from public.gate' });
    await db.sql`delete from public.gate`;
    await until('it is told', async () => (await step()).health.reasons.length > 0);
    expect((await step()).health.reasons).toMatchObject([{ signal: 'query', sqlstate: 'P0002' }]);
  });

  test('of a query that would wait for a lock tells that, and does not wait for it', async () => {
    await run();
    await db.sql`create table public.gate as select false as is_closed`;
    await throttle({ throttle_query: 'select is_closed from public.gate' });
    await until('it works', async () => (await step()).status === 'working');
    const other = db.connect({ max: 1 });
    await other.begin(async (tx) => {
      await tx`lock table public.gate`;
      await until('it is told', async () => (await step()).health.reasons.length > 0);
      expect((await step()).health.reasons).toMatchObject([{ signal: 'query', sqlstate: '55P03' }]);
    });
    await goesOn();
  });

  test('of a query that is slow is held, says what it takes, and asks it seldom', async () => {
    await run();
    await switchable(`when 'bad' then perform pg_sleep(1.1);`);
    await turn('bad');
    await until('it is held', async () => (await step()).status === 'waiting');
    const held = await step();
    expect(held.reason).toMatch(/^throttle_query takes 1\d\d\d ms$/);
    const asked = () =>
      value<string>(db.sql, `select read_at::text from imago.reading where signal = 'query_time'`);
    const before = await asked();
    for (let i = 0; i < 5; i++) expect((await step()).status).toBe('waiting');
    expect(await asked()).toBe(before);
    // What it says later is believed.
    await turn('answer');
    await db.sql`update imago.reading set read_at = read_at - interval '1 min'`;
    await goesOn();
  });

  test('of a query does not ask it while rows are locked', async () => {
    await run(400);
    await db.sql.unsafe(`create function public.is_closed() returns boolean language sql as $$
      select exists (select from pg_locks where pid = pg_backend_pid() and relation = 'public.users'::regclass and mode = 'RowShareLock') $$`);
    await throttle({ throttle_query: 'select public.is_closed()' });
    const answers = await migrateAll(db.sql, { batch_size: 5 });
    expect(answers.map(({ status }) => `${status}`)).not.toContain('waiting');
    await expectAllMigrated(db.sql);
  });

  test('of its plan leaves those of other plans alone; the setting hold holds all', async () => {
    await run();
    await throttle({ plan: 'profile_gigs', hours: await hours(120) });
    expect((await step()).status).toBe('working');
    await db.sql`update imago.setting set value = 'backup' where name = 'hold'`;
    expect(await step()).toMatchObject({ status: 'waiting', reason: 'all runs are held: backup' });
    await db.sql`update imago.setting set value = '' where name = 'hold'`;
    await goesOn();
  });
});

describe('throttle_migration', () => {
  test('keeps what is left out, takes back what is empty, and says who has set it', async () => {
    await run();
    await throttle({ hours: '22:00-6:00 Europe/Berlin', max_per_second: 800 });
    expect(await throttle({ ignore: ['vacuum'] })).toMatchObject({
      plan: 'avatars',
      hours: '22:00-06:00 Europe/Berlin',
      max_per_second: 800,
      throttle_query: false,
      ignore: ['vacuum'],
      set_by: 'role:postgres',
    });
    expect((await call(db.sql, 'get_detailed_migration_progress')).throttle).toMatchObject({
      max_per_second: 800,
    });
    await throttle({ hours: '', max_per_second: 0, ignore: [] });
    expect((await call(db.sql, 'get_detailed_migration_progress')).throttle).toBeNull();
    const logged = await db.sql`select detail from imago.log where event = 'throttled' order by id`;
    expect(logged).toHaveLength(3);
    expect(logged[0]?.detail).toMatchObject({ max_per_second: 800, set_by: 'role:postgres' });
  });

  test('refuses what makes no sense, and changes nothing', async () => {
    await run(5);
    const cases: [Record<string, unknown>, string][] = [
      [{ hours: '22-6' }, 'IM015'],
      [{ hours: '22:00-22:00' }, 'IM015'],
      [{ hours: '25:00-06:00' }, 'IM015'],
      [{ hours: '22:00-06:00 Nowhere/Else' }, 'IM015'],
      [{ max_per_second: -1 }, 'IM015'],
      [{ ignore: ['vacuums'] }, 'IM015'],
      [{ throttle_query: 'select 1 from nothing' }, 'IM015'],
      [{ throttle_query: 'delete from public.users' }, 'IM015'],
      [{ throttle_query: 'delete from public.users returning true' }, 'IM015'],
      [{ throttle_query: 'select null::boolean' }, 'IM015'],
      [{ throttle_query: 'select true where false' }, 'IM015'],
      [{ throttle_query: 'select pg_sleep(1.1) is null' }, 'IM015'],
      [{ plan: 'nothing' }, 'IM001'],
    ];
    for (const [args, code] of cases)
      expect([args, (await refusal(throttle(args))).code]).toEqual([args, code]);
    expect(Number(await value(db.sql, 'select count(*) from imago.throttle'))).toBe(0);
    expect(Number(await value(db.sql, 'select count(*) from public.users'))).toBe(5);
  });

  test('takes a query from those only who could run it themselves', async () => {
    await run(5);
    const service = db.connect({ role: 'service_role', max: 1 });
    const { code, hint } = await refusal(
      call(service, 'throttle_migration', { throttle_query: 'select true' }),
    );
    expect(code).toBe('IM087');
    expect(hint).toContain('as postgres');
    expect(await call(service, 'throttle_migration', { max_per_second: 5 })).toMatchObject({
      max_per_second: 5,
    });
  });
});

test('hours may go past midnight, and are those of their time zone', async () => {
  db = await freshDatabase();
  const cases: [string, string, boolean][] = [
    ['22:00-06:00', '2026-01-01 23:00Z', true],
    ['22:00-06:00', '2026-01-01 05:59Z', true],
    ['22:00-06:00', '2026-01-01 06:00Z', false],
    ['09:00-17:00', '2026-01-01 09:00Z', true],
    ['09:00-17:00', '2026-01-01 17:00Z', false],
    ['18:00-24:00', '2026-01-01 23:59Z', true],
    ['22:00-06:00 Europe/Berlin', '2026-07-01 20:30Z', true],
    ['22:00-06:00 Europe/Berlin', '2026-01-01 20:30Z', false],
  ];
  for (const [text, at, open] of cases)
    expect([
      text,
      at,
      await value(
        db.sql,
        'select imago.is_open(imago.set_hours(null::imago.throttle, $1), $2::timestamptz)',
        [text, at],
      ),
    ]).toEqual([text, at, open]);
});

describe('while the server is in trouble', () => {
  const hold = (on: boolean) =>
    db.sql`update imago.setting set value = ${on ? 'disk is being moved' : ''} where name = 'hold'`;
  const reason = 'all runs are held: disk is being moved';

  test('what asks for much waits or is refused, says why, leaves nothing, and goes on later', async () => {
    await run(20);
    await hold(true);
    const held = `what plan avatars does is held: ${reason}`;
    const dry = await refusal(call(db.sql, 'dry_run_migration'));
    expect([dry.code, dry.message]).toEqual(['IM088', held]);
    expect(await call(db.sql, 'dry_run_migration', { mode: 'preflight' })).toMatchObject({ status: 'done' });
    await hold(false);
    await until('it is released', async () => (await step()).status !== 'waiting');
    expect(await call(db.sql, 'dry_run_migration')).toMatchObject({ dry_run: true, failed: 0 });

    await migrateAll(db.sql);
    await hold(true);
    for (const fix_issues of [false, true])
      expect(await call(db.sql, 'validate_migration', { fix_issues })).toMatchObject({
        status: 'waiting',
        reason,
      });
    const back = await refusal(call(db.sql, 'rollback_all_migrations'));
    expect([back.code, back.message]).toEqual(['IM088', held]);
    await expectAllMigrated(db.sql);
    expect(await call(db.sql, 'finalize_migration')).toMatchObject({
      state: 'waiting',
      reason,
      closed: false,
    });

    await hold(false);
    const looked = async () => (await call(db.sql, 'validate_migration')).status === 'done';
    await until('it is looked through', looked);
    // Outside of the hours of a run, looking and finalizing are free.
    await throttle({ hours: await hours(120) });
    expect((await call(db.sql, 'validate_migration')).status).not.toBe('waiting');
    expect((await call(db.sql, 'finalize_migration')).state).not.toBe('waiting');
    await until(
      'it is finalized',
      async () => (await call(db.sql, 'finalize_migration')).state === 'finalized',
    );
  });
});
