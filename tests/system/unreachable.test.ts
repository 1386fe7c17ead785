/** Pending entities that no batch can reach, and whatever else leaves a run as it is: the run ends, and says why. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, PLAN, type PlanParts } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const TABLES = ['public.accounts', 'public.orders'];

/** The plan walks accounts, and its view lists those that the orders name. */
function orders(keyType: PlanParts['keyType'], more: Partial<PlanParts> = {}): PlanParts {
  return {
    table: 'accounts',
    key: 'id',
    keyType,
    pending: 'true',
    apply: "update public.orders set currency = 'EUR' where account_id = any (keys) and currency is null;",
    writes: [{ relation: 'public.orders', entity: 'account_id', columns: ['currency'] }],
    ...more,
  };
}

const listed = `create or replace view ${PLAN}.pending as select o.account_id as entity from public.orders o where o.currency is null`;

async function shop(keyType: PlanParts['keyType'] = 'integer', column: string = keyType, more = '') {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table public.accounts (id ${keyType} primary key);
    create table public.orders (id int primary key, account_id ${column}, currency text);
    insert into public.accounts select g::text::${keyType} from generate_series(1, 10) g;
    insert into public.orders select g, (1 + g % 10)::text::${column}, null from generate_series(1, 40) g;`);
  await createPlan(db.sql, orders(keyType));
  await db.sql.unsafe(`drop view ${PLAN}.pending; ${listed}; ${more}`);
  return db;
}

const migrate = async ({ sql }: TestDatabase) => (await migrateAll(sql, { plan: PLAN })).at(-1);
const aside = async ({ sql }: TestDatabase) => [
  ...(await sql`select entity, kind from imago.failure where direction = 'forward' order by entity`),
];
const check = (answer: Answer, name: string): Answer =>
  answer.checks.find((one: { name: string }) => one.name === name);

async function validate({ sql }: TestDatabase): Promise<Answer> {
  for (;;) {
    const answer = await call(sql, 'validate_migration', { plan: PLAN, detailed: true });
    if (!answer.has_more) return answer;
  }
}

describe('entities that the view lists and the walked table does not have', () => {
  const causes: [what: string, statement: string, entities: (string | null)[]][] = [
    ['an account that is gone', 'update public.orders set account_id = 999 where id <= 2', ['999']],
    ['orders without an account', 'update public.orders set account_id = null where id <= 2', [null]],
    [
      'both',
      'update public.orders set account_id = case id when 1 then 999 end where id <= 2',
      ['999', null],
    ],
    [
      'more of them than one look finds',
      'insert into public.orders select 100 + g, 100 + g, null from generate_series(1, 1500) g',
      Array.from({ length: 1500 }, (_, i) => String(101 + i)),
    ],
  ];
  test.each(causes)(
    '%s: set aside, the run ends as failed, the validator names them',
    async (_, statement, entities) => {
      const db = await shop();
      const original = await contents(db.sql, TABLES);
      await db.sql.unsafe(statement);
      const changed = await contents(db.sql, TABLES);
      const last = await migrate(db);
      expect(last).toMatchObject({ status: 'done', state: 'failed', has_more: false });
      expect(last).toMatchObject({ unreachable: entities.length, failures_left: entities.length });
      expect(new Set((await aside(db)).map(({ entity, kind }) => `${kind} ${entity}`))).toEqual(
        new Set(entities.map((entity) => `unreachable ${entity}`)),
      );
      // All others are moved.
      expect(
        await value(
          db.sql,
          'select count(*)::int from public.orders o join public.accounts a on a.id = o.account_id where currency is null',
        ),
      ).toBe(0);
      const answer = await validate(db);
      expect(answer.healthy).toBe(false);
      const { found, keys } = check(answer, 'unreachable');
      expect(found).toBe(Math.min(entities.length, 1000));
      expect(keys[0]).toBe(`public.accounts ${entities.includes(null) ? 'null' : entities[0]}`);
      expect((await refusal(call(db.sql, 'finalize_migration', { plan: PLAN }))).message).toContain(
        'not in the table that the plan walks',
      );
      const [line] =
        await db.sql`select level, detail from migration_log where event = 'unreachable' limit 1`;
      expect(line).toMatchObject({
        level: 'error',
        detail: { reason: expect.stringContaining('view pending') },
      });

      expect((await rollbackAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
      expect(await contents(db.sql, TABLES)).toEqual(changed);
      expect(original).toBeTruthy();
    },
  );

  test('a later run, or a retry, moves those whose row has come, and forgets those that are not pending', async () => {
    const db = await shop();
    await db.sql`update public.orders set account_id = case id when 1 then 11 when 2 then 12 end where id <= 3`;
    expect(await migrate(db)).toMatchObject({ state: 'failed', unreachable: 3 });
    await db.sql`insert into public.accounts values (11)`;
    await db.sql`delete from public.orders where id = 3`;
    expect(await migrate(db)).toMatchObject({ state: 'failed', unreachable: 1 });
    expect(await aside(db)).toEqual([{ entity: '12', kind: 'unreachable' }]);
    await db.sql`insert into public.accounts values (12)`;
    expect(await call(db.sql, 'retry_failed_migrations', { plan: PLAN })).toMatchObject({ retried: 1 });
    expect(await migrate(db)).toMatchObject({ state: 'succeeded', unreachable: 0, failures_left: 0 });
    expect(await value(db.sql, 'select count(*)::int from public.orders where currency is null')).toBe(0);
  });

  test('are set aside by windows, too, which end', async () => {
    const db = await shop();
    await db.sql`update public.orders set account_id = 999 where id = 1`;
    await call(db.sql, 'prepare_migration', { plan: PLAN });
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    let offset: number | null = 0;
    let calls = 0;
    while (offset !== null && ++calls < 30) {
      offset = (await value<Answer>(db.sql, `select imago.move_window('${PLAN}', 4, $1)`, [offset]))
        .next_offset;
    }
    expect(offset).toBe(null);
    expect(await aside(db)).toEqual([{ entity: '999', kind: 'unreachable' }]);
  });

  test('of the second stage are named with the table of that stage', async () => {
    const db = await shop();
    await db.sql.unsafe(`
      create table public.places (code text primary key); insert into public.places values ('a'), ('b');
      create table public.visits (id int primary key, place text, seen boolean);
      insert into public.visits values (1, 'a', null), (2, 'B', null), (3, null, null);
      drop schema ${PLAN} cascade; delete from imago.plan where name = '${PLAN}';`);
    await createPlan(
      db.sql,
      orders('integer', {
        stages: [
          {
            table: 'places',
            key: 'code',
            keyType: 'text',
            pending: 'true',
            apply: 'update public.visits set seen = true where place = any (keys) and seen is null;',
          },
        ],
        writes: [
          { relation: 'public.orders', entity: 'account_id', columns: ['currency'] },
          { relation: 'public.visits', entity: 'place', columns: ['seen'], stage: 2 },
        ],
      }),
    );
    await db.sql.unsafe(`
      drop view ${PLAN}.pending, ${PLAN}.pending_2; ${listed};
      create view ${PLAN}.pending_2 as select place as entity from public.visits where seen is null`);
    expect(await migrate(db)).toMatchObject({ status: 'done', state: 'failed', unreachable: 2 });
    expect([...(await db.sql`select stage, entity, table_name from imago.failure order by entity`)]).toEqual([
      { stage: 2, entity: 'B', table_name: 'places' },
      { stage: 2, entity: null, table_name: 'places' },
    ]);
  });
});

describe('keys that are written in another way', () => {
  test('a view of another type than the key is refused by the end of prepare (IM067)', async () => {
    for (const [key, column] of [
      ['integer', 'text'],
      ['text', 'integer'],
      ['integer', 'numeric'],
    ] as const) {
      const db = await shop(key, column);
      expect(await refusal(migrate(db))).toMatchObject({
        code: 'IM067',
        message: expect.stringContaining(`lists entities as ${column}`),
      });
    }
  });

  test('other integers, and blanks that do not count, are the same key', async () => {
    for (const [key, column] of [
      ['integer', 'bigint'],
      ['bigint', 'smallint'],
      ['text', 'char(5)'],
      ['text', 'varchar(9)'],
    ] as const) {
      const db = await shop(key, column);
      expect(await migrate(db)).toMatchObject({ state: 'succeeded', failures_left: 0 });
      expect(await value(db.sql, 'select count(*)::int from public.orders where currency is null')).toBe(0);
    }
  });

  test('a number that is too large for a key: unreachable, and the others are moved', async () => {
    const db = await shop('integer', 'bigint');
    await db.sql`update public.orders set account_id = case id when 1 then 99999999999 else 999 end where id <= 2`;
    expect(await migrate(db)).toMatchObject({ state: 'failed', unreachable: 2 });
    expect((await aside(db)).map(({ entity }) => entity).sort()).toEqual(['999', '99999999999']);
    expect(await value(db.sql, 'select count(*)::int from public.orders where currency is null')).toBe(2);
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    expect(await migrate(db)).toMatchObject({ state: 'failed', unreachable: 2 });
    expect((await rollbackAll(db.sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('blanks that count, and another case, are other keys: unreachable', async () => {
    const db = await shop('text');
    await db.sql`insert into public.accounts values ('abc')`;
    await db.sql`update public.orders set account_id = case id when 1 then '1 ' else 'ABC' end where id <= 2`;
    expect(await migrate(db)).toMatchObject({ state: 'failed', unreachable: 2 });
    expect((await aside(db)).map(({ entity }) => entity)).toEqual(['1 ', 'ABC']);
  });
});

describe('a run that does not get on', () => {
  // The table has one key, the view another, and the collation says that they are the same: neither is unreachable nor moved.
  test.each([
    [12, /3 calls .*12 accounts still pending \(KEY1, KEY10, KEY11, …\)/],
    [1200, /3 calls .*1000 accounts or more still pending \(KEY1, /],
  ])(
    'with %s keys that are taken for others ends with IM065 after some calls that move nothing, and what it saw',
    async (keys, seen) => {
      const db = await freshDatabase();
      databases.push(db);
      await db.sql.unsafe(`
      create collation public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table public.accounts (id text collate public.any_case primary key);
      create table public.orders (id int primary key, account_id text, currency text);
      insert into public.accounts select 'key' || g from generate_series(1, ${keys}) g;
      insert into public.orders select g, 'KEY' || g, null from generate_series(1, ${keys}) g;
      update imago.setting set value = '3' where name = 'idle_calls';`);
      await createPlan(db.sql, orders('text'));
      await db.sql.unsafe(`drop view ${PLAN}.pending; ${listed}`);
      let last: Answer | undefined;
      for (let calls = 0; calls < 60 && last?.status !== 'failed' && last?.has_more !== false; calls += 1) {
        last = await call(db.sql, 'migrate_batch', { plan: PLAN, max_ms: 100 });
      }
      expect(last).toMatchObject({
        status: 'failed',
        error: {
          code: 'IM065',
          message: expect.stringMatching(seen),
          hint: expect.stringContaining(`('${PLAN}')`),
        },
      });
      expect(await value(db.sql, 'select reason from imago.run order by id desc limit 1')).toMatch(/KEY1/);
      // What it said to look at is put right.
      await db.sql.unsafe(`
      update public.orders set account_id = lower(account_id)`);
      expect(await call(db.sql, 'retry_failed_migrations', { plan: PLAN })).toMatchObject({
        state: 'running',
      });
      expect(await migrate(db)).toMatchObject({ state: 'succeeded' });
      expect(await value(db.sql, 'select count(*)::int from public.orders where currency is null')).toBe(0);
    },
  );

  test('is not one that waits for a lock, or is paused', async () => {
    const db = await shop();
    await db.sql`update imago.setting set value = '2' where name = 'idle_calls'`;
    await db.sql`update imago.setting set value = '20' where name = 'lock_timeout_ms'`;
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    const other = db.connect({ max: 1 });
    await other`begin`;
    await other`lock table public.accounts in exclusive mode`;
    for (let calls = 0; calls < 6; calls += 1) {
      const { status } = await call(db.sql, 'migrate_batch', { plan: PLAN, max_ms: 50 });
      expect(status).not.toBe('failed');
    }
    await other`rollback`;
    await call(db.sql, 'pause_migration', { plan: PLAN });
    for (let calls = 0; calls < 4; calls += 1) await call(db.sql, 'migrate_batch', { plan: PLAN });
    await call(db.sql, 'resume_migration', { plan: PLAN });
    await call(db.sql, 'retry_failed_migrations', { plan: PLAN });
    expect(await migrate(db)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a walk key that may be null', () => {
  test('is refused by preflight, with the statement that fixes it', async () => {
    const db = await freshDatabase();
    databases.push(db);
    await db.sql`create table public.customers (id int primary key, external_id text unique, tier text)`;
    await createPlan(db.sql, {
      table: 'customers',
      key: 'external_id',
      keyType: 'text',
      pending: 's.tier is null',
      apply: "update public.customers set tier = 'basic' where external_id = any (keys);",
      writes: [{ relation: 'public.customers', entity: 'external_id', columns: ['tier'] }],
    });
    const { problems } = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'preflight' });
    expect(problems).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        kind: 'nullable',
        object: 'public.customers.external_id',
      }),
    );
    expect(await refusal(call(db.sql, 'migrate_batch', { plan: PLAN }))).toMatchObject({ code: 'IM006' });
    const { hint } = problems.find(({ kind }: { kind: string }) => kind === 'nullable');
    await db.sql.unsafe(hint.replace(/^.*then: /, ''));
    expect(await migrate(db)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a view that lists an entity several times', () => {
  test('counts each once, in progress, estimates, answers and windows', async () => {
    const db = await shop();
    while ((await call(db.sql, 'prepare_migration', { plan: PLAN })).has_more);
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
      total: 10,
      pending: 10,
      percentage: 0,
    });
    const dry = await call(db.sql, 'dry_run_migration', { plan: PLAN, mode: 'full' });
    expect(dry).toMatchObject({ processed: 10, migrated: 10, estimate: { total: 10 } });
    await db.sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    const first = await call(db.sql, 'migrate_batch', { plan: PLAN, batch_size: 2, max_ms: 1 });
    expect(first.migrated).toBe(2);
    const half = await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN });
    expect(half).toMatchObject({ total: 10, migrated: 2, pending: 8, remaining: 8, percentage: 20 });
    const answers = await migrateAll(db.sql, { plan: PLAN });
    expect(answers.reduce((sum, { migrated }) => sum + migrated, 2)).toBe(10);
    expect(await value(db.sql, 'select sum(moved)::int from imago.batch')).toBe(10);
    expect(await call(db.sql, 'get_migration_statistics', { plan: PLAN })).toMatchObject({
      total: 10,
      migrated: 10,
      pending: 0,
    });
  });

  test('counts each once in a view concerned, too', async () => {
    const db = await shop();
    await db.sql.unsafe(`create view ${PLAN}.concerned as select account_id as entity from public.orders`);
    await migrate(db);
    expect(await call(db.sql, 'get_detailed_migration_progress', { plan: PLAN })).toMatchObject({
      total: 10,
      migrated: 10,
      percentage: 100,
    });
  });
});
