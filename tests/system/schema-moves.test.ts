import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { contents, createPlan, forward, PLAN, type Sync } from '../support/plan.ts';

const databases: TestDatabase[] = [];

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Items of which three columns are written, and copies that are inserted; all moved. */
async function moved(syncs: readonly Sync[] = []): Promise<Sql> {
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
    syncs,
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
  test('a dump and its restore: what is called as it always was is not said to be renamed', async () => {
    const sql = await moved();
    // As a restore leaves it: all objects have other numbers.
    await sql`update imago.declared set noted_in = 1, relation_id = relation_id::bigint + 100000`;
    for (const step of [1001, -1000])
      await sql`update imago.declared set number = number + ${step} where number > 0`;
    await sql`select imago.followed_plan(${PLAN})`;
    expect(await value(sql, 'select imago.renames($1)', [PLAN])).toBeNull();
    await goesBack(sql);
  });

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

  test.each([
    [
      'a domain whose check refuses journaled values',
      'create domain public.small as int check (value < 0); alter table public.items alter n type public.small',
      'public.items.n is of type public.small now; journaled values cannot be cast to public.small',
      'n',
    ],
    [
      'another enum of the same name without a journaled label',
      `alter type public.mood rename to old_mood; create type public.mood as enum ('odd');
       alter table public.items alter mood type public.mood using mood::text::public.mood`,
      'public.items.mood is of type public.mood now; journaled values cannot be cast to public.mood',
      'mood',
    ],
  ])(
    '%s: it stops, named, and nothing is touched; given up, all else goes back',
    async (_, statement, message, column) => {
      const sql = await moved();
      await sql.unsafe(statement);
      const before = await contents(sql, ['public.items', 'public.copies']);
      const error = await refusal(call(sql, 'rollback_batch', { plan: PLAN }));
      expect(error).toMatchObject({ code: 'IM076', message: expect.stringContaining(message) });
      expect(await contents(sql, ['public.items', 'public.copies'])).toEqual(before);
      await call(sql, 'give_up_column', { plan: PLAN, relation: 'public.items', column_name: column });
      await goesBack(sql);
      expect(
        await value(sql, `select count(*)::int from public.items where a = 'a' || id and short = 's' || id`),
      ).toBe(12);
    },
  );

  test('another enum of the same name with all its labels is followed', async () => {
    const sql = await moved();
    await sql.unsafe(`
      alter type public.mood rename to old_mood; create type public.mood as enum ('new', 'odd', 'good', 'bad');
      alter table public.items alter mood type public.mood using mood::text::public.mood`);
    await goesBack(sql);
    expect(await back(sql)).toBe(12);
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

describe('renamed labels in arrays, domains and keys', () => {
  const LISTS = `
    create type public.mood as enum ('good', 'bad', 'odd', 'so, so');
    create domain public.moods as public.mood[];
    create domain public.one as public.mood;
    create table public.lists (id int primary key, done boolean);
    create table public.things (
      list int, kind public.mood, flat public.mood[], deep public.mood[][], named public.moods, one public.one, version public.mood, primary key (list, kind));
    create table public.copies (list int, kind public.mood, flat public.mood[], one public.one, primary key (list, kind));
    insert into public.lists select i from generate_series(1, 6) i;
    insert into public.things
    select l, k, array[k, null, 'bad', 'so, so']::public.mood[], array[[k, 'good'], ['odd', k]]::public.mood[], array[k], k, k
    from generate_series(1, 6) l, unnest(enum_range(null::public.mood)) k;
    create function public.worsen() returns trigger language plpgsql as $$ begin new.version := 'bad'; return new; end $$;
    create trigger worsen before update on public.things for each row execute function public.worsen();`;

  test.each([
    ['one', `alter type public.mood rename value 'so, so' to 'so "so"'`],
    [
      'two that changed places',
      `alter type public.mood rename value 'good' to 'x'; alter type public.mood rename value 'bad' to 'good'; alter type public.mood rename value 'x' to 'bad'`,
    ],
  ])('%s: all goes back', async (_, change) => {
    const [db, control] = await Promise.all([freshDatabase({}), freshDatabase({})]);
    databases.push(db, control);
    await Promise.all([db.sql.unsafe(LISTS), control.sql.unsafe(LISTS)]);
    await createPlan(db.sql, {
      table: 'lists',
      key: 'id',
      keyType: 'integer',
      pending: 's.done is null',
      apply: `
        insert into public.copies select t.list, t.kind, t.flat, t.one from public.things t where t.list = any (keys);
        update public.things set flat = '{odd,good}', deep = '{{bad,NULL}}', named = null, one = 'good' where list = any (keys);
        update public.lists set done = true where id = any (keys);`,
      writes: [
        { relation: 'public.copies', entity: 'list', inserts: true },
        { relation: 'public.things', entity: 'list', columns: ['flat', 'deep', 'named', 'one'] },
        { relation: 'public.lists', entity: 'id', columns: ['done'] },
      ],
    });
    await forward(db.sql, 4);
    await db.sql`update public.copies set flat = array['odd'::mood] where list = 6`;
    await Promise.all([db.sql.unsafe(change), control.sql.unsafe(change)]);
    const last = (await rollbackAll(db.sql, { plan: PLAN })).at(-1);
    expect([...(await db.sql`select distinct entity, kind, reason from imago.failure`)]).toEqual([
      { entity: '6', kind: 'conflict', reason: 'edited' },
    ]);
    expect(last).toMatchObject({ state: 'failed', conflicts: 1 });
    expect((await rollbackAll(db.sql, { plan: PLAN, force: true })).at(-1)).toMatchObject({
      state: 'succeeded',
    });
    const tables = ['public.lists', 'public.things', 'public.copies'];
    expect(await contents(db.sql, tables)).toEqual(await contents(control.sql, tables));
  });
});

describe('a journal that is too large to follow within a call', () => {
  test.each([
    ['a new type', 'alter table public.items alter n type bigint', 'public.items.n is bigint now'],
    [
      'a renamed label',
      `alter type public.mood rename value 'good' to 'fine'`,
      `public.items.mood label 'good' is 'fine' now`,
    ],
    [
      'a new type of the walked key',
      'drop view trial.pending; alter table public.items alter id type bigint; create view trial.pending as select id as entity from public.items where a is not null',
      'public.items.id is bigint now',
    ],
  ])('%s: refused with IM069, and followed where nothing ends the statement', async (_, change, what) => {
    const sql = await moved();
    await sql`update imago.setting set value = '0' where name = 'direct_mb'`;
    await sql.unsafe(change);
    const refused = sql.begin(async (tx) => {
      await tx`set local statement_timeout = '8s'`;
      await tx`select public.rollback_batch(plan => ${PLAN})`;
    });
    const error = await refused.catch((met) => met);
    expect(error).toMatchObject({ code: 'IM069', message: expect.stringContaining(what) });
    const [typed = ''] = /set statement_timeout = 0; select [^;]*/.exec(error.hint) ?? [];
    expect(await value(sql, 'select count(*)::int from public.items where a is null')).toBe(12);
    await sql.unsafe(typed);
    await sql.begin(async (tx) => {
      await tx`set local statement_timeout = '8s'`;
      await goesBack(tx as unknown as Sql);
    });
    expect(await back(sql)).toBe(12);
  });
});

describe('functions of the plan that name what was renamed', () => {
  test.each([
    [
      'a column',
      'alter table public.items rename a to title',
      'public.items.a is public.items.title now',
      `perform from public.items where id = any (keys); update public.items set title = null where id = any (keys);`,
    ],
    [
      'a table that is written second',
      'alter table public.items rename to things',
      'public.items is public.things now',
      `update public.things set a = null where id = any (keys);`,
    ],
  ])(
    '%s: the run stops with IM070 before anything is kept; after the change it goes on',
    async (_, change, what, apply) => {
      const sql = await moved();
      await sql`insert into public.items (id, a, n, mood, short) values (100, 'a100', 100, 'bad', 's100')`;
      await sql.unsafe(change);
      expect(await refusal(call(sql, 'migrate_entity', { plan: PLAN, entity: '100' }))).toMatchObject({
        code: 'IM070',
        message: expect.stringContaining(what),
      });
      const last = (await migrateAll(sql, { plan: PLAN })).at(-1);
      expect(last).toMatchObject({ state: 'failed', error: { code: 'IM070' } });
      expect(last?.error?.message).toContain(what);
      expect(last?.error?.hint).toContain('trial.apply');
      expect(await value(sql, 'select count(*)::int from public.copies')).toBe(12);
      await sql.unsafe(
        `create or replace function trial.apply(keys integer[]) returns void language plpgsql as $$ begin ${apply} end $$`,
      );
      await call(sql, 'retry_failed_migrations', { plan: PLAN });
      expect((await migrateAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ state: 'succeeded' });
    },
  );
});

describe('a sync whose columns were renamed or dropped', () => {
  const sync: Sync = {
    name: 'notes',
    relation: 'public.items',
    entity: 'id',
    columns: ['other'],
    events: ['insert', 'update', 'delete'],
    statement: 'update public.copies c set note = n.other from new_rows n where c.id = n.id',
  };

  test.each([
    ['a renamed column', 'alter table public.items rename other to "The other"'],
    ['a dropped column', 'alter table public.items drop other'],
    [
      'a renamed entity column and table',
      'alter table public.items rename id to number; alter table public.items rename to things',
    ],
    ['a dropped column of the other side', 'alter table public.copies drop note'],
    ['a dropped other side', 'drop table public.copies'],
  ])('%s: no write of the app fails; the log says which entities it missed', async (_, change) => {
    const sql = await moved([sync]);
    await sql.unsafe(change);
    const [table, key] = change.includes('things') ? ['things', 'number'] : ['items', 'id'];
    const column = change.includes('The other')
      ? '"The other"'
      : change.includes('drop other')
        ? 'short'
        : 'other';
    await sql.unsafe(`
      insert into public.${table} (${key}, short) values (100, 'new');
      update public.${table} set ${column} = 'x' where ${key} in (3, 4);
      delete from public.${table} where ${key} = 5;`);
    expect(
      await value(sql, `select count(*)::int from public.${table} where ${column} = 'x' or ${key} = 100`),
    ).toBe(3);
    const missed = await sql`select entity from imago.sync_failure order by entity::int`;
    expect(missed.map(({ entity }) => entity)).toEqual(expect.arrayContaining(['3', '4', '100']));
    expect(
      await value(sql, `select count(*)::int from imago.log where event = 'sync_failed'`),
    ).toBeGreaterThan(0);
  });

  test('a strict one fails the write of the app, as it was declared to', async () => {
    const sql = await moved([{ ...sync, strict: true }]);
    await sql`alter table public.items rename other to otherwise`;
    await expect(sql`update public.items set otherwise = 'x' where id = 3`).rejects.toMatchObject({
      code: '42703',
    });
  });
});
