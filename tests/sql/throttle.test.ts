/** throttle_migration: when and how fast the runs of a plan may work, whoever drives them. */
import { afterEach, describe, expect, test } from 'vitest';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { until } from '../support/until.ts';

let db: TestDatabase;
afterEach(() => db?.drop());

async function run(users = 100): Promise<void> {
  db = await freshDatabase({ app: 'sample', users });
  await db.sql`update imago.setting set value = '1' where name in ('look_ms', 'backoff_ms')`;
  await prepareAll(db.sql);
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

  test('of a rate moves no more in a second, however many call; the rest waits for the next look', async () => {
    await run(200);
    await db.sql`update imago.setting set value = '60000' where name = 'look_ms'`;
    await throttle({ max_per_second: 1 });
    const callers = Array.from({ length: 4 }, () => db.connect({ max: 1 }));
    const answers = await Promise.all(
      callers.map(async (sql) => {
        for (;;) {
          const answer = await call(sql, 'migrate_batch', { max_ms: 100 });
          if (answer.status === 'waiting') return answer;
        }
      }),
    );
    expect(answers[0]).toMatchObject({ reason: 'the run moves at most 1 a second', health: { share: 1 } });
    expect(answers[0]?.retry_after_ms).toBeGreaterThan(1000);
    // One each may be under way when the last is used up.
    const moved = Number(
      await value(db.sql, 'select count(*) from public.users where active_avatar_id is not null'),
    );
    expect(moved).toBeGreaterThanOrEqual(60);
    expect(moved).toBeLessThanOrEqual(60 * callers.length);
    const left = Number(await value(db.sql, "select entity_room from imago.governor where plan = 'avatars'"));
    expect(left).toBe(60);
    // What was too many is fewer in the next second.
    await db.sql`update imago.governor set looked_at = looked_at - interval '1 hour'`;
    await step();
    expect(Number(await value(db.sql, "select entity_room from imago.governor where plan = 'avatars'"))).toBe(
      60 - (moved - 60),
    );
    await db.sql`update imago.setting set value = '1' where name = 'look_ms'`;
    await throttle({ max_per_second: 0 });
    await db.sql`update imago.governor set looked_at = null`;
    await goesOn();
  });

  test('of a query waits while it is true, or cannot be asked, and goes on without it', async () => {
    await run();
    await db.sql`create table public.gate (is_closed boolean)`;
    await db.sql`insert into public.gate values (true)`;
    await throttle({ throttle_query: 'select is_closed from public.gate' });
    expect(await step()).toMatchObject({ status: 'waiting', reason: 'throttle_query asks to wait' });
    await db.sql`drop table public.gate`;
    expect(await step()).toMatchObject({
      status: 'waiting',
      health: {
        reasons: [{ signal: 'query', sqlstate: '42P01', reason: 'query cannot be read (SQLSTATE 42P01)' }],
      },
    });
    await throttle({ throttle_query: '' });
    await goesOn();
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

  test('validate, with fixes and without, waits and says why', async () => {
    await run(20);
    await migrateAll(db.sql);
    await hold(true);
    for (const fix_issues of [false, true])
      expect(await call(db.sql, 'validate_migration', { fix_issues })).toMatchObject({
        status: 'waiting',
        reason,
      });
    await hold(false);
    await until(
      'it is looked through',
      async () => (await call(db.sql, 'validate_migration')).status === 'done',
    );
  });

  test('finalize waits, says why, and goes on where it was', async () => {
    await run(20);
    await migrateAll(db.sql);
    await hold(true);
    expect(await call(db.sql, 'finalize_migration')).toMatchObject({
      state: 'waiting',
      reason,
      closed: false,
    });
    await hold(false);
    await until(
      'it is finalized',
      async () => (await call(db.sql, 'finalize_migration')).state === 'finalized',
    );
  });

  test('a dry run is refused, and leaves nothing', async () => {
    await run(20);
    await hold(true);
    const { code, message } = await refusal(call(db.sql, 'dry_run_migration'));
    expect([code, message]).toEqual(['IM088', `what plan avatars does is held: ${reason}`]);
    expect(await call(db.sql, 'dry_run_migration', { mode: 'preflight' })).toMatchObject({ status: 'done' });
    await hold(false);
    await until('it is released', async () => (await step()).status !== 'waiting');
    expect(await call(db.sql, 'dry_run_migration')).toMatchObject({ dry_run: true, failed: 0 });
  });

  test('taking all back by one call is refused, and nothing is taken back', async () => {
    await run(20);
    await migrateAll(db.sql);
    await hold(true);
    const { code, message } = await refusal(call(db.sql, 'rollback_all_migrations'));
    expect([code, message]).toEqual(['IM088', `what plan avatars does is held: ${reason}`]);
    await expectAllMigrated(db.sql);
  });

  test('outside of the hours of a run, looking and finalizing are free', async () => {
    await run(20);
    await migrateAll(db.sql);
    await throttle({ hours: await hours(120) });
    expect((await call(db.sql, 'validate_migration')).status).not.toBe('waiting');
    expect((await call(db.sql, 'finalize_migration')).state).not.toBe('waiting');
  });
});
