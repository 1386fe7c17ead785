/** What the app's next migration asks before it relies on a plan. */
import { afterEach, describe, expect, test } from 'vitest';
import { call, type DatabaseError, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function items(rows = 10): Promise<TestDatabase> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table public.items (id int primary key, label text);
    insert into public.items (id) select generate_series(1, ${rows});`);
  await createPlan(db.sql, {
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: 's.label is null',
    apply: "update public.items set label = 'x' where id = any (keys) and label is null;",
    writes: [{ relation: 'public.items', entity: 'id', columns: ['label'] }],
  });
  return db;
}

const done = ({ sql }: TestDatabase, finalized = false) =>
  sql`select public.expect_done(${PLAN}, finalized => ${finalized})`;
const refused = async (db: TestDatabase): Promise<DatabaseError> => {
  const error = await refusal(done(db));
  expect(error).toMatchObject({ code: 'IM066', hint: expect.stringMatching(/\w/) });
  return error;
};
const migrate = (db: TestDatabase) => migrateAll(db.sql, { plan: PLAN });
const one = (db: TestDatabase) => call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: 2, max_ms: 1 });
const prepare = async (db: TestDatabase) => {
  while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
};

const takeBack = (db: TestDatabase) => rollbackAll(db.sql, { plan: PLAN });
const ask =
  (name: string, args = {}) =>
  (db: TestDatabase) =>
    call(db.sql, name, { plan: PLAN, ...args });
const run = (statement: string) => (db: TestDatabase) => db.sql.unsafe(statement);

describe('expect_done', () => {
  type Step = (db: TestDatabase) => PromiseLike<unknown>;
  const states: [what: string, message: RegExp, steps: Step[]][] = [
    ['never begun', /nothing has been migrated/, []],
    ['prepared only', /nothing has been migrated/, [prepare]],
    ['half-way', /run 1 \(forward\) is running/, [prepare, one]],
    ['paused', /run 1 \(forward\) is paused/, [prepare, one, ask('pause_migration')]],
    ['cancelled half-way', /its last run is cancelled/, [prepare, one, ask('cancel_migration')]],
    [
      'one set aside',
      /1 item set aside \(3\)/,
      [run('alter table public.items add check (id <> 3 or label is null)'), migrate],
    ],
    ['one held', /1 item held \(4\)/, [migrate, ask('rollback_entity', { entity: '4' })]],
    [
      'one in conflict',
      /1 item in conflict \(5\)/,
      [migrate, run("update public.items set label = 'mine' where id = 5"), takeBack],
    ],
    [
      'rows that came since',
      /2 of public\.items pending \(101, 102\)/,
      [migrate, run('insert into public.items values (101), (102)')],
    ],
    ['taken back', /it was rolled back/, [migrate, takeBack]],
  ];
  test.each(states)('%s: refused, with the reason and a remedy', async (_, message, steps) => {
    const db = await items();
    for (const step of steps) await step(db);
    expect((await refused(db)).message).toMatch(message);
  });

  test('all moved and checked: passes, and with finalized only after finalize', async () => {
    const db = await items();
    await migrate(db);
    await done(db);
    expect(await refusal(done(db, true))).toMatchObject({
      code: 'IM066',
      message: expect.stringContaining('finalized'),
    });
    while ((await call(db.sql, 'finalize_migration', { plan: PLAN })).has_more);
    await done(db);
    await done(db, true);
    while ((await call(db.sql, 'cleanup_migration', { plan: PLAN, older_than: '0' })).has_more);
    await done(db, true);
  });

  test('a check that finds something at the end: refused until it is put right', async () => {
    const db = await items();
    await db.sql`
      insert into imago.plan_check (plan, position, name, severity, phase, meaning, remedy, source, query)
      values (${PLAN}, 1, 'no_sevens', 'error', 'after', 'A seven.', 'Remove it.', 'public.items',
              'select id as key, id as entity from public.items where id = 7')`;
    await migrate(db);
    expect((await refused(db)).message).toContain('no_sevens');
    await db.sql`delete from public.items where id = 7`;
    await done(db);
  });

  test('an empty database, to which all migrations are applied in a row: passes, with nothing to migrate', async () => {
    const db = await items(0);
    await done(db);
    await done(db, true);
    await db.sql`insert into public.items values (1)`;
    await refused(db);
  });

  test('before all is moved: stops the migration of the app that asks, and leaves nothing of it', async () => {
    const db = await items();
    const deploy = db.sql.begin((tx) =>
      tx.unsafe(`alter table public.items add column later int; select public.expect_done('${PLAN}');`),
    );
    expect(await refusal(deploy)).toMatchObject({ code: 'IM066' });
    expect(await value(db.sql, `select count(*)::int from pg_attribute where attname = 'later'`)).toBe(0);
  });

  test('an unknown plan, or one whose table has gone: refused', async () => {
    const db = await items();
    expect(await refusal(db.sql`select public.expect_done('items')`)).toMatchObject({ code: 'IM001' });
    await db.sql`drop table public.items cascade`;
    await refused(db);
  });
});
