import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createPlan, forward, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Items of which three columns are written, and copies that are inserted; all moved. */
async function moved(): Promise<Sql> {
  const db = await freshDatabase({});
  databases.push(db);
  await db.sql.unsafe(`
    create type public.mood as enum ('good', 'bad', 'odd');
    create table public.items (id int primary key, a text, n int, mood public.mood, short varchar(10), other text, version int not null default 0);
    create table public.copies (id int primary key, item int, note text, extra text default 'x');
    create function public.bump() returns trigger language plpgsql as $$ begin new.version := old.version + 1; return new; end $$;
    create trigger bump before update on public.items for each row execute function public.bump();
    insert into public.items select i, 'a' || i, i, (array['good', 'bad', 'odd']::public.mood[])[1 + i % 3], 's' || i, 'o' || i from generate_series(1, 12) i;`);
  await createPlan(db.sql, {
    table: 'items',
    key: 'id',
    keyType: 'integer',
    pending: 's.a is not null',
    apply: `
      insert into public.copies (id, item, note) select i.id, i.id, i.a from public.items i where i.id = any (keys);
      update public.items set a = null, n = -n, mood = 'odd', short = 'done' where id = any (keys);`,
    writes: [
      { relation: 'public.items', entity: 'id', columns: ['a', 'n', 'mood', 'short'] },
      { relation: 'public.copies', entity: 'item', inserts: true },
    ],
  });
  await forward(db.sql, 5);
  return db.sql;
}

async function goesBack(sql: Sql): Promise<void> {
  const last = (await rollbackAll(sql, { plan: PLAN })).at(-1);
  expect([
    ...(await sql`select entity, kind, sqlstate, reason, table_name from imago.failure limit 3`),
  ]).toEqual([]);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded', conflicts: 0 });
}

/** What items were before, whatever the columns are called now: to be read from a table of the names of then. */
const back = (sql: Sql, table = 'public.items', columns = 'a, n, mood, short') =>
  value(
    sql,
    `select count(*)::int from (select id, ${columns} from ${table}) t(id, a, n, mood, short)
     where a = 'a' || id and n::text = id::text and mood::text in ('good', 'bad', 'odd', 'fine') and short = 's' || id`,
  );

describe('a change of schema that the catalogue proves to be harmless', () => {
  test.each([
    ['a renamed table', 'alter table public.items rename to things', 'public.things', 'a, n, mood, short'],
    [
      'a table moved to another schema and renamed',
      'create schema app; alter table public.items set schema app; alter table app.items rename to "The Things"',
      'app."The Things"',
      'a, n, mood, short',
    ],
    [
      'a renamed column',
      'alter table public.items rename a to "The A"',
      'public.items',
      '"The A", n, mood, short',
    ],
    [
      'a renamed key',
      'alter table public.items rename id to number; alter table public.items add id int generated always as (number) stored',
      'public.items',
      'a, n, mood, short',
    ],
    [
      'two columns that changed places',
      'alter table public.items rename a to x; alter table public.items rename short to a; alter table public.items rename x to short',
      'public.items',
      'short, n, mood, a',
    ],
    [
      'widened types',
      'alter table public.items alter n type bigint, alter short type text',
      'public.items',
      'a, n, mood, short',
    ],
    [
      'a type to which all values cast',
      'alter table public.items alter n type text',
      'public.items',
      'a, n, mood, short',
    ],
    [
      'a renamed label',
      `alter type public.mood rename value 'good' to 'fine'`,
      'public.items',
      'a, n, mood, short',
    ],
    [
      'labels that changed places',
      `alter type public.mood rename value 'good' to 'x'; alter type public.mood rename value 'bad' to 'good'; alter type public.mood rename value 'x' to 'bad'`,
      'public.items',
      'a, n, mood, short',
    ],
    [
      'a widened key',
      'drop view trial.pending; alter table public.items alter id type bigint; create view trial.pending as select id as entity from public.items where a is not null',
      'public.items',
      'a, n, mood, short',
    ],
  ])('%s: all goes back', async (_, change, table, columns) => {
    const sql = await moved();
    await sql.unsafe(change);
    await goesBack(sql);
    expect(await back(sql, table, columns)).toBe(12);
    expect(await value(sql, 'select count(*)::int from public.copies')).toBe(0);
    expect(await value(sql, `select count(*)::int from imago.log where event = 'schema_moved'`)).toBe(1);
  });

  test('of a label: what it was called at the time tells which row goes back to it', async () => {
    const sql = await moved();
    const before = await value(
      sql,
      `select count(*)::int from imago_undo.trial_public_items where before_3 = 'good'`,
    );
    await sql.unsafe(`alter type public.mood rename value 'good' to 'fine'`);
    await goesBack(sql);
    expect(await value(sql, `select count(*)::int from public.items where mood = 'fine'`)).toBe(before);
  });

  test('one entity goes back alone after a rename', async () => {
    const sql = await moved();
    await sql.unsafe('alter table public.items rename to things; alter table public.things rename a to b');
    expect(await call(sql, 'rollback_entity', { plan: PLAN, entity: '3' })).toMatchObject({
      rolled_back: true,
    });
    expect(await value(sql, 'select b from public.things where id = 3')).toBe('a3');
  });
});

describe('columns that the plan does not declare', () => {
  test.each([
    ['dropped on the table that is updated', 'alter table public.items drop other', 0],
    [
      'added to the table that is updated',
      `alter table public.items add fresh text default 'f', add later int`,
      0,
    ],
    ['dropped on the table that gets rows', 'alter table public.copies drop extra', 0],
    [
      'added with a default to the table that gets rows',
      `alter table public.copies add fresh int default 7, add later text`,
      0,
    ],
    [
      'added with a default that differs in each row',
      'alter table public.copies add fresh uuid default gen_random_uuid()',
      0,
    ],
    ['renamed on the table that gets rows', 'alter table public.copies rename extra to more', 0],
    [
      'added and filled by the app since',
      `alter table public.copies add fresh int; update public.copies set fresh = 1 where id < 4`,
      0,
    ],
    [
      'dropped, after another was edited',
      `alter table public.copies drop extra; update public.copies set note = 'mine' where id < 3`,
      2,
    ],
  ])('%s: batches and the way back go on', async (_, change, conflicts) => {
    const sql = await moved();
    await sql.unsafe(change);
    await sql`insert into public.items (id, a, n, mood, short) values (100, 'a100', 100, 'bad', 's100')`;
    expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ conflicts });
    expect(await back(sql)).toBe(13 - conflicts);
    expect(await value(sql, 'select count(*)::int from public.copies')).toBe(conflicts);
  });
});

describe('a change of schema that loses what the journal needs', () => {
  test('a dropped column stops forward, back and single calls, named, and nothing is touched; given up, all else goes back', async () => {
    const sql = await moved();
    await sql`insert into public.items (id, a) values (100, 'new')`;
    await sql.unsafe('alter table public.items drop n');
    for (const [name, args] of [
      ['rollback_batch', { plan: PLAN }],
      ['migrate_batch', { plan: PLAN }],
      ['migrate_entity', { plan: PLAN, entity: '100' }],
      ['rollback_entity', { plan: PLAN, entity: '1' }],
    ] as const) {
      const error = await refusal(call(sql, name, args));
      expect(error).toMatchObject({
        code: 'IM076',
        message: expect.stringContaining('public.items.n was dropped'),
        hint: expect.stringContaining(`select give_up_column('trial', 'public.items', 'n')`),
      });
    }
    expect(await value(sql, 'select count(*)::int from public.items where a is null')).toBe(12);
    expect(
      await refusal(call(sql, 'give_up_column', { plan: PLAN, relation: 'public.items', column_name: 'a' })),
    ).toMatchObject({ code: 'IM077' });
    const [given] = await sql<
      { answer: Record<string, unknown> }[]
    >`select give_up_column('trial', 'public.items', 'n') as answer`;
    expect(given?.answer).toMatchObject({ rows: 12, entities: 12, whole_table: false });
    await goesBack(sql);
    expect(await back(sql, 'public.items', 'a, id, mood, short')).toBe(12);
    expect(await value(sql, 'select count(*)::int from public.copies')).toBe(0);
  });

  test('values that do not cast to the new type are not cut off: it stops, and says how many', async () => {
    const sql = await moved();
    await sql.unsafe('alter table public.items alter short type varchar(1) using left(short, 1)');
    const error = await refusal(call(sql, 'rollback_batch', { plan: PLAN }));
    expect(error).toMatchObject({ code: 'IM076' });
    expect(error.message).toContain(
      'public.items.short is of type character varying(1) now; 12 journaled values',
    );
    expect(
      await call(sql, 'give_up_column', { plan: PLAN, relation: 'public.items', column_name: 'short' }),
    ).toMatchObject({ rows: 12 });
    await goesBack(sql);
    expect(
      await value(sql, `select count(*)::int from public.items where a = 'a' || id and short = 'd'`),
    ).toBe(12);
  });

  test('a dropped table, or one in the place of another, stops; given up, all else goes back', async () => {
    const sql = await moved();
    await sql.unsafe('drop table public.copies');
    expect(await refusal(call(sql, 'rollback_batch', { plan: PLAN }))).toMatchObject({
      code: 'IM076',
      message: expect.stringContaining('public.copies was dropped'),
    });
    await sql`create table public.copies (id int primary key, item int, note text)`;
    expect(await refusal(call(sql, 'rollback_batch', { plan: PLAN }))).toMatchObject({
      code: 'IM076',
      message: expect.stringContaining('public.copies is another table now'),
    });
    expect(await call(sql, 'give_up_column', { plan: PLAN, relation: 'public.copies' })).toMatchObject({
      rows: 12,
      entities: 12,
      whole_table: true,
    });
    await goesBack(sql);
    expect(await back(sql)).toBe(12);
  });

  test('the walked table cannot be given up', async () => {
    const sql = await moved();
    await sql.unsafe('drop table public.items cascade');
    expect(await refusal(call(sql, 'rollback_batch', { plan: PLAN }))).toMatchObject({ code: 'IM076' });
    expect(
      await refusal(call(sql, 'give_up_column', { plan: PLAN, relation: 'public.items' })),
    ).toMatchObject({ code: 'IM077' });
  });
});
