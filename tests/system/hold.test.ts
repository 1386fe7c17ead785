/** How long a call keeps rows from the app: it ends when somebody waits, and is short while others write. */
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function app(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users: 300, ...options });
  databases.push(db);
  return db;
}

/** Writes a post, and has the server count it at once. */
const post = async (db: TestDatabase) => {
  const writer = db.connect({ max: 1 });
  await writer`insert into public.posts (user_id, body) select id, 'new' from public.users limit 1`;
  await writer`select pg_stat_force_next_flush()`;
  await writer.end();
};

describe('a call that holds a row which somebody waits for', () => {
  test.each([
    ['forward', 'migrate_batch', { batch_size: 2, max_ms: 60_000 }],
    ['back', 'rollback_batch', { max_ms: 60_000 }],
  ])('%s: it ends after its sub-batch, and the write goes through', async (direction, name, options) => {
    const db = await app();
    await prepareAll(db.sql);
    if (direction === 'back') await migrateAll(db.sql);
    // A call of many small sub-batches, which would move everybody.
    await db.sql`update imago.setting set value = '100000' where name = 'max_sub_batches'`;
    await db.sql`update imago.setting set value = '1' where name = 'lanes'`;
    await db.sql`update imago.setting set value = '1' where name = 'sub_batch_ms'`;
    await call(db.sql, name, { ...options, max_ms: 1 });

    // In the middle of the walk: not moved by the call before, and with others behind.
    const user = await value<string>(db.sql, 'select id from public.users order by id offset 150 limit 1');
    const writer = db.connect({ max: 1 });
    let ended = false;
    const answer = call(db.sql, name, options).finally(() => {
      ended = true;
    });
    let writes = 0;
    while (!ended) {
      await writer`update public.users set bio = 'written meanwhile' where id = ${user}`;
      writes += 1;
    }
    const { has_more, status } = await answer;
    expect({ has_more, status }).toEqual({ has_more: true, status: 'working' });
    expect(writes).toBeGreaterThan(0);
    const left = direction === 'forward' ? 'is null' : 'is not null';
    expect(
      await value<number>(db.sql, `select count(*)::int from users where active_avatar_id ${left}`),
    ).toBeGreaterThan(0);
  });
});

test('a validation that keeps somebody waiting for a table ends after its piece, and goes on with the next call', async () => {
  const db = await app({ users: 1000 });
  await prepareAll(db.sql);
  await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
  await post(db);
  await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
  await db.sql`update imago.setting set value = '600000' where name = 'quiet_ms'`;
  // Pieces as small as they get.
  await db.sql`update imago.setting set value = '1' where name = 'hold_ms'`;
  const other = db.connect({ max: 1 });
  let ended = false;
  const answer = call(db.sql, 'validate_migration', { max_ms: 60_000 }).finally(() => {
    ended = true;
  });
  while (!ended) {
    await other.begin((tx) => tx`lock table public.users in access exclusive mode`);
  }
  expect((await answer).has_more).toBe(true);
  let last = await answer;
  while (last.has_more) last = await call(db.sql, 'validate_migration', { max_ms: 60_000 });
  expect(last.status).toBe('done');
});

describe('whether others write the plan’s tables', () => {
  const others = (db: TestDatabase) =>
    call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 }).then(({ others_write }) => others_write);

  test('is not known at the first look, then false for Imago’s own writes, true for a write of the app', async () => {
    const db = await app();
    await prepareAll(db.sql);
    expect(await others(db)).toBeNull();
    expect(await others(db)).toBe(false);
    expect(await others(db)).toBe(false);
    await post(db);
    expect(await others(db)).toBe(true);
    expect(await others(db)).toBe(true);
    await db.sql`update imago.setting set value = '0' where name = 'quiet_ms'`;
    expect(await others(db)).toBe(false);
  });

  test('is not told by writes to tables that the plan has nothing to do with', async () => {
    const db = await app();
    await prepareAll(db.sql);
    await db.sql`create table public.other (id integer)`;
    await others(db);
    await db.sql`insert into public.other select generate_series(1, 1000)`;
    await db.sql`select pg_stat_force_next_flush()`;
    expect(await others(db)).toBe(false);
  });

  test('is told after the server’s statistics were reset, as a crash leaves them', async () => {
    const db = await app();
    await prepareAll(db.sql);
    await others(db);
    expect(await others(db)).toBe(false);
    const superuser = db.connect({ role: 'supabase_admin', max: 1 });
    await superuser`select pg_stat_reset()`;
    await superuser.end();
    expect(await others(db)).toBeNull();
    expect(await others(db)).toBe(false);
    await post(db);
    expect(await others(db)).toBe(true);
  });

  test('is told by writes to a table that a later stage walks and nobody else writes', async () => {
    const db = await app({ app: 'none' });
    await db.sql.unsafe(`
      create table public.items (id int primary key, done boolean);
      create table public.kinds (id int primary key, name text);
      insert into public.items (id) select generate_series(1, 50);
      insert into public.kinds (id) select generate_series(1, 50)`);
    await createPlan(db.sql, {
      table: 'items',
      key: 'id',
      keyType: 'integer',
      pending: 's.done is null',
      apply: 'update public.items set done = true where id = any (keys);',
      stages: [
        {
          table: 'kinds',
          key: 'id',
          keyType: 'integer',
          pending: 'exists (select from public.items i where i.id = s.id and i.done is null)',
          apply: 'update public.items set done = true where id = any (keys);',
        },
      ],
      writes: [{ relation: 'public.items', entity: 'id', columns: ['done'] }],
    });
    const look = () => call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: 2, max_ms: 1 });
    while ((await look()).others_write !== false);
    const writer = db.connect({ max: 1 });
    await writer`update public.kinds set name = 'new'`;
    await writer`select pg_stat_force_next_flush()`;
    await writer.end();
    expect((await look()).others_write).toBe(true);
  });

  test('is not known until sessions have had time to report: notice_ms after the first look', async () => {
    const db = await app();
    await db.sql`update imago.setting set value = '600000' where name = 'notice_ms'`;
    await prepareAll(db.sql);
    expect(await others(db)).toBeNull();
    expect(await others(db)).toBeNull();
    await post(db);
    expect(await others(db)).toBe(true);
  });

  test('decides how long a call works: a third of hold_ms while they do, hold_ms while that is not known, else what it was given', async () => {
    const db = await app();
    await prepareAll(db.sql);
    await others(db);
    await db.sql`update imago.setting set value = '1500' where name = 'notice_ms'`;
    const budget = (write: boolean | null) =>
      value<number>(db.sql, 'select imago.call_budget(r, 2000, $1) from imago.run r', [write]);
    expect([await budget(null), await budget(false), await budget(true)]).toEqual([100, 2000, 33]);
  });

  test('with several callers one looks, and the others take what it saw', async () => {
    const db = await app();
    await prepareAll(db.sql);
    await others(db);
    await others(db);
    await post(db);
    const holder = db.connect({ max: 1 });
    await holder`begin`;
    await holder`select from imago.health for update`;
    expect(await others(db)).toBe(false);
    await holder`rollback`;
    expect(await others(db)).toBe(true);
  });
});

describe('beside an app that writes', () => {
  /** A run of several lanes that has seen the app write. */
  const besideApp = async ({ users = 4500 } = {}) => {
    const db = await app({ users });
    await db.sql`update imago.setting set value = '50' where name = 'beside_app_percent'`;
    await db.sql`analyze public.users`;
    await prepareAll(db.sql);
    await call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
    if (users > 4000)
      expect(await value<number>(db.sql, 'select count(*)::int from imago.lane')).toBeGreaterThan(2);
    await post(db);
    return db;
  };
  const batch = (db: TestDatabase) => call(db.sql, 'migrate_batch', { batch_size: 5, max_ms: 1 });
  const rested = (db: TestDatabase) =>
    db.sql`update imago.health set rest_until = clock_timestamp() - interval '1 second'`;

  test('a run rests as long as it has worked: who calls before that is told when, and nothing moves', async () => {
    const db = await besideApp();
    const worked = await batch(db);
    expect(worked).toMatchObject({ others_write: true, status: 'working', migrated: 5 });
    expect(worked.retry_after_ms).toBeGreaterThan(0);
    // The longest rest that there is.
    await db.sql`update imago.health set rest_until = clock_timestamp() + interval '5 s'`;
    const early = await batch(db);
    expect(early).toMatchObject({ others_write: true, status: 'busy', migrated: 0, has_more: true });
    expect(early.retry_after_ms).toBeGreaterThan(50);
    await db.sql`update imago.health set rest_until = clock_timestamp() + interval '1 hour'`;
    // It can only be of a clock that was put back since.
    expect(await batch(db)).toMatchObject({ status: 'working', migrated: 5 });
    await rested(db);
    expect(await batch(db)).toMatchObject({ status: 'working', migrated: 5 });
  });

  test('one caller works at a time: another is told to come back, and nothing moves', async () => {
    const db = await besideApp();
    await batch(db);
    await rested(db);
    const other = db.connect({ max: 1 });
    await other`begin`;
    expect(await call(other, 'migrate_batch', { batch_size: 5, max_ms: 1 })).toMatchObject({ migrated: 5 });
    expect(await batch(db)).toMatchObject({ status: 'busy', migrated: 0, has_more: true });
    await other`commit`;
    await rested(db);
    expect(await batch(db)).toMatchObject({ status: 'working', migrated: 5 });
  });

  test('the checks at the end of a run, which hold no row, take as few calls as they take alone', async () => {
    const db = await besideApp({ users: 600 });
    await db.sql`update imago.setting set value = '600000' where name = 'quiet_ms'`;
    await db.sql`update imago.setting set value = '100' where name = 'beside_app_percent'`;
    await db.sql`update imago.setting set value = '1' where name = 'hold_ms'`;
    await db.sql`update imago.setting set value = '0' where name = 'writer_wait_ms'`;
    // What the planner takes to be long is looked at piece by piece, here ten rows at a time.
    await db.sql`create function public.slow() returns boolean language plpgsql cost 100000 as 'begin return false; end'`;
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
      values ('avatars', 90, 'slow', 'error', 'after', 'Never.', 'Nothing.', 'public.users',
              'select s.id as key, s.id as entity from public.users s where public.slow()')`;
    let calls = 0;
    for (let ended = false; !ended; ) {
      const answer = await call(db.sql, 'migrate_batch', { max_ms: 60_000 });
      expect(answer).toMatchObject({ others_write: true, error: null });
      const checking = await value<number>(db.sql, 'select count(*)::int from imago.validation');
      if (checking > 0) calls += 1;
      ended = !answer.has_more;
    }
    // Some to begin, to end, and to prove that nothing has come meanwhile; a piece of ten rows a call were hundreds of them.
    expect(calls).toBeLessThan(20);
  });

  test('with beside_app_percent at 100 all callers work all the time', async () => {
    const db = await besideApp();
    await db.sql`update imago.setting set value = '100' where name = 'beside_app_percent'`;
    const worked = await batch(db);
    expect(worked).toMatchObject({ others_write: true, status: 'working', retry_after_ms: 0 });
    const other = db.connect({ max: 1 });
    await other`begin`;
    expect(await call(other, 'migrate_batch', { batch_size: 5, max_ms: 1 })).toMatchObject({ migrated: 5 });
    expect(await batch(db)).toMatchObject({ status: 'working', migrated: 5 });
    await other`rollback`;
  });
});

test('how long the calls of a run have held rows is in its statistics', async () => {
  const db = await app({ users: 50 });
  await prepareAll(db.sql);
  await migrateAll(db.sql);
  const stats = await call(db.sql, 'get_migration_performance_stats');
  expect(stats.held_ms).toEqual({
    p50: expect.any(Number),
    p99: expect.any(Number),
    max: expect.any(Number),
  });
  expect(stats.held_ms.max).toBeGreaterThanOrEqual(stats.held_ms.p50);
});
