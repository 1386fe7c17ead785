import type { Sql } from 'postgres';
import { beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, journal, PLAN, type PlanParts } from '../support/plan.ts';

/**
 * Orders name their shop, and some of the shops are not there. A plan makes one for all orders that name it, and a town
 * for each shop that it makes. Neither the shop nor the town belongs to one order.
 */
const APP = `
  create table public.towns (id integer primary key generated always as identity (start with 100), name text not null unique);
  create table public.shops (id text primary key, town integer references public.towns on delete cascade, name text);
  create table public.signs (id integer primary key, shop text references public.shops on delete cascade);
  create table public.orders (
    id integer primary key, shop text not null, checked boolean not null default false,
    found text);
  insert into public.towns overriding system value values (1, 'Old Town');
  insert into public.shops values ('s1', 1, 'first');
  insert into public.orders select n, 's' || (1 + n % 5) from generate_series(1, 60) n;`;
const TABLES = ['public.towns', 'public.shops', 'public.signs', 'public.orders'];

const parts: PlanParts = {
  table: 'orders',
  key: 'id',
  keyType: 'integer',
  pending: 'not s.checked',
  apply: `
    with missing as (
      select distinct o.shop from public.orders o
      where o.id = any (keys) and not exists (select from public.shops s where s.id = o.shop)
    ), made as (
      insert into public.towns (name) select 'placeholder for ' || m.shop from missing m returning id, name
    )
    insert into public.shops (id, town, name) select m.shop, t.id, 'placeholder' from missing m join made t on t.name = 'placeholder for ' || m.shop;
    update public.orders o set checked = true, found = o.shop where o.id = any (keys);`,
  writes: [
    { relation: 'public.towns', entity: null, inserts: true },
    { relation: 'public.shops', entity: null, inserts: true },
    {
      relation: 'public.orders',
      entity: 'id',
      columns: ['checked', 'found'],
      points_to: { found: 'public.shops' },
    },
  ],
};

describe('rows that several entities share', () => {
  let db: TestDatabase;
  let sql: Sql;
  let original: Record<string, string[]>;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'none' });
    sql = db.sql;
    await sql.unsafe(APP);
    await createPlan(sql, parts);
    original = await contents(sql, TABLES);
    return async () => await db.drop();
  });

  const shops = async () =>
    (await sql<{ id: string }[]>`select id from public.shops order by id`).map(({ id }) => id);
  const conflicts = async () => [
    ...(await sql`select stage, entity, table_name, reason from imago.failure where kind = 'conflict' order by stage desc, entity`),
  ];

  test('are made once and go back last, what refers before what is referred to', async () => {
    await forward(sql, 7);
    expect(await shops()).toEqual(['s1', 's2', 's3', 's4', 's5']);
    expect((await journal(sql, 'public.shops')).map((row) => row.entity)).toEqual(
      expect.arrayContaining(['s2', 's3', 's4', 's5']),
    );
    const last = (await rollbackAll(sql, { plan: PLAN })).at(-1);
    expect(last).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await contents(sql, TABLES)).toEqual(original);
    const order = await sql<{ stage: number }[]>`
      select distinct on (l.stage) l.stage from imago.lane l where l.run = (select max(id) from imago.run) order by l.stage desc`;
    expect(order.map(({ stage }) => stage)).toEqual([1, 0, -1]);
    expect(await journal(sql, 'public.towns')).toEqual([]);
  });

  test('stay when one of their entities goes back alone', async () => {
    await forward(sql);
    await sql`select imago.rollback_entity(${PLAN}, '1', false)`;
    expect(await shops()).toEqual(['s1', 's2', 's3', 's4', 's5']);
    await back(sql);
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('stay while something refers to them, with what they refer to, and never cascade', async () => {
    await forward(sql);
    await sql`insert into public.signs values (1, 's3')`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 2 });
    expect(await shops()).toEqual(['s1', 's3']);
    expect(await conflicts()).toMatchObject([
      { stage: 0, entity: 's3', table_name: 'public.shops', reason: 'referenced by public.signs' },
      { stage: -1, table_name: 'public.towns', reason: 'referenced by public.shops' },
    ]);
    // Force overrides edits, never references.
    expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({
      state: 'failed',
      conflicts: 2,
    });
    expect(await shops()).toEqual(['s1', 's3']);
    await sql`delete from public.signs`;
    await back(sql);
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('stay while a row that the app added refers to them, which is not detached', async () => {
    await forward(sql);
    await sql`insert into public.orders values (100, 's3', true, 's3')`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 2 });
    expect(await shops()).toEqual(['s1', 's3']);
    expect([...(await sql`select id, found from public.orders where found is not null`)]).toEqual([
      { id: 100, found: 's3' },
    ]);
  });

  test('stay when somebody made them real, unless forced', async () => {
    await forward(sql);
    await sql`update public.shops set name = 'The Third' where id = 's3'`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed', conflicts: 2 });
    expect(await conflicts()).toMatchObject([
      { entity: 's3', reason: 'edited' },
      { table_name: 'public.towns' },
    ]);
    expect((await rollbackAll(sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({
      state: 'succeeded',
    });
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('that the app removed stay removed', async () => {
    await forward(sql);
    await sql`delete from public.shops where id = 's4'`;
    await back(sql);
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('stay when a reference was in flight: the rollback waits for it, then keeps the row', async () => {
    await forward(sql);
    const writer = db.connect();
    await writer`begin`;
    await writer`insert into public.signs values (1, 's2')`;
    const answer = await untilDeferred(sql);
    expect(answer).toMatchObject({ has_more: true });
    expect(await shops()).toContain('s2');
    await writer`commit`;
    await writer.end();
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'failed' });
    expect(await shops()).toEqual(['s1', 's2']);
    expect(await sql`select from public.signs`).toHaveLength(1);
  });

  test('are made again when their entities are moved again after a rollback', async () => {
    await forward(sql);
    await back(sql);
    await forward(sql);
    expect(await shops()).toEqual(['s1', 's2', 's3', 's4', 's5']);
    await back(sql);
    expect(await contents(sql, TABLES)).toEqual(original);
  });

  test('need a key of one column: another is refused with IM044', async () => {
    await sql`alter table public.towns add part integer not null default 0, drop constraint towns_pkey cascade`;
    await sql`alter table public.towns add primary key (id, part)`;
    await expect(migrateAll(sql, { plan: PLAN })).rejects.toMatchObject({ code: 'IM044' });
  });

  test('refer to no rows that the plan inserts: such a declaration is refused', async () => {
    await expect(
      sql`insert into imago.plan_write (plan, position, relation, entity_column, columns, points_to)
        values (${PLAN}, 9, 'public.signs', null, '{shop}', '{"shop": "public.shops"}')`,
    ).rejects.toMatchObject({ code: '23514' });
  });
});

/** Calls rollback_batch until a lock is in the way. */
async function untilDeferred(sql: Sql): Promise<Record<string, unknown>> {
  for (let calls = 0; calls < 100; calls++) {
    const [row] = await sql`select public.rollback_batch(plan => ${PLAN}) as answer`;
    if (row?.answer.status === 'deferred') return row.answer;
    if (!row?.answer.has_more) throw new Error(`not deferred: ${JSON.stringify(row?.answer)}`);
  }
  throw new Error('not deferred after 100 calls');
}
