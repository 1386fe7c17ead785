/** The journal of every type of value, and of rows of every kind of table: to the byte, there and back. */
import { afterEach, describe, expect, test } from 'vitest';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { rollbackAll } from '../support/imago.ts';
import { back, contents, createPlan, forward, journal, PLAN } from '../support/plan.ts';

const databases: TestDatabase[] = [];

async function database(app: 'none' | 'sample' = 'none', users = 0): Promise<TestDatabase> {
  const db = await freshDatabase({ app, users });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Ten items, to be moved from stage to stage; number six has been beyond the first for long. */
const ITEMS = `
  create table public.items (
    id int primary key, stage int, label text, note text, updated_at timestamptz not null default '2020-01-01');
  insert into public.items select i, nullif(i % 3, 0), 'item ' || i, null from generate_series(1, 10) i;`;

const items = { table: 'items', key: 'id', keyType: 'integer' } as const;

describe('a value of every type', () => {
  /** Type, value before, value after: each pair differs, some only in ways that the type's own equality does not see. */
  const VALUES: [type: string, before: string | null, after: string | null][] = [
    ['json', '{"b": 1,  "a": [1, 2]}', '{"b":1,"a":[1,2]}'],
    ['json', null, '{}'],
    ['jsonb', '{"a": 1.0}', '{"a": 1.00}'],
    ['numeric', '1.0', '1.00'],
    ['numeric(10,2)', '1.5', 'NaN'],
    ['double precision', '-0', '0'],
    ['double precision', '0.1', '0.30000000000000004'],
    ['real', '0.1', 'Infinity'],
    ['interval', '1 day', '24:00:00'],
    ['timestamptz', '2026-02-03 04:05:06.789012+00', 'infinity'],
    ['timestamp(0)', '2026-02-03 04:05:06', null],
    ['time', '04:05:06', '24:00:00'],
    ['timetz', '04:05:06+02', '03:05:06+01'],
    ['date', '2026-02-03', '-infinity'],
    ['char(5)', 'ab', 'abc'],
    ['"char"', 'x', 'y'],
    ['varchar(3)', 'ab', ''],
    ['name', 'ab', 'AB'],
    ['text', '\u00e9', 'e\u0301'],
    ['text collate "C"', 'ß', 'ss'],
    ['text collate public.case_insensitive', 'Bob', 'bob'],
    ['bytea', '\\x00ff', '\\x'],
    ['boolean', 'true', null],
    ['uuid', '00000000-0000-0000-0000-000000000001', null],
    ['inet', '10.0.0.1', '10.0.0.1/24'],
    ['macaddr', '08:00:2b:01:02:03', null],
    ['point', '(1,2)', '(1,3)'],
    ['box', '(2,2),(1,1)', null],
    ['xid8', '5', '6'],
    ['bit(3)', '101', '111'],
    ['bit varying', '1', '10'],
    ['tsvector', "'a':1 'b':2", "'a':1"],
    ['int4range', '[1,3)', '[1,4)'],
    ['int4multirange', '{[1,3)}', '{}'],
    ['money', '$1.00', '$2.00'],
    ['regclass', 'pg_class', 'pg_type'],
    ['integer[]', '{1,NULL,3}', '{}'],
    ['text[]', '{a,"b,c",NULL}', '{{a},{b}}'],
    ['numeric[]', '{1.0}', '{1.00}'],
    ['jsonb[]', '{"{\\"a\\": 1}"}', null],
    ['json[]', '{"{}"}', '{"{ }"}'],
    ['public.mood', 'so so', 'good'],
    ['public.mood[]', '{good,"so so"}', '{}'],
    ['public.mood_domain', 'good', null],
    ['public.email', 'A@example.com', 'a@example.com'],
    ['public.email[]', '{a@example.com}', '{b@example.com,NULL}'],
    ['public.short', 'ab', 'b'],
    ['public.numbers', '{1,2}', '{2}'],
    ['public.pair', '(1,"a b")', '(,)'],
    ['public.pair[]', '{"(1,a)"}', '{"(1,b)","(2,)"}'],
    ['public.span', '[a,c)', '[a,d)'],
  ];

  const TYPES = `
    create collation public.case_insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    create type public.mood as enum ('good', 'so so');
    create domain public.mood_domain as public.mood;
    create domain public.email as text check (value like '%@%');
    create domain public.short as varchar(2) not null default 'x';
    create domain public.numbers as int[];
    create type public.pair as (a int, b text);
    create type public.span as range (subtype = text);`;

  const literal = (text: string | null) => (text === null ? 'null' : `'${text.replaceAll("'", "''")}'`);

  test('is kept as it was, to the byte', async () => {
    const { sql } = await database();
    const column = (i: number) => `c${i}`;
    const columns = VALUES.map((_, i) => column(i));
    await sql.unsafe(`${TYPES}
      create table public.things (
        id int primary key,
        ${VALUES.map(([type], i) => `${column(i)} ${type}`).join(', ')},
        moved boolean not null default false,
        doubled text generated always as (c0::text || c0::text) stored
      );
      insert into public.things (id, ${columns.join(', ')}) values
        (1, ${VALUES.map(([, before]) => literal(before)).join(', ')}),
        (2, ${VALUES.map(([, before]) => literal(before)).join(', ')});
      create table public.copies (like public.things including generated including constraints including defaults);
      alter table public.copies add primary key (id);`);
    await createPlan(sql, {
      table: 'things',
      key: 'id',
      keyType: 'integer',
      pending: 'not s.moved',
      apply: `
        insert into public.copies (id, ${columns.join(', ')}) select id, ${columns.join(', ')} from public.things where id = any (keys);
        update public.things set moved = true, ${VALUES.map(([, , after], i) => `${column(i)} = ${literal(after)}`).join(', ')}
        where id = any (keys);`,
      writes: [
        { relation: 'public.things', entity: 'id', columns: ['moved', ...columns] },
        { relation: 'public.copies', entity: 'id', inserts: true, columns },
      ],
    });
    const tables = ['public.things', 'public.copies'];
    const original = await contents(sql, tables);
    await forward(sql);
    expect(await contents(sql, tables)).not.toEqual(original);
    // Settings of a session do not make a conflict.
    await sql.unsafe(`
      set timezone = 'Asia/Kathmandu'; set datestyle = 'German'; set intervalstyle = 'iso_8601';
      set extra_float_digits = -5; set bytea_output = 'escape';`);
    await back(sql);
    const settings = ['timezone', 'datestyle', 'intervalstyle', 'extra_float_digits', 'bytea_output'];
    await sql.unsafe(settings.map((name) => `reset ${name};`).join(' '));
    expect(await contents(sql, tables)).toEqual(original);
  });

  test('is compared to the byte: each one changed alone, by the plan or since, is noticed', async () => {
    const { sql } = await database();
    await sql.unsafe(`${TYPES} create table public.rows (id int primary key, number int);`);
    for (const [i, [type, before]] of VALUES.entries()) {
      await sql.unsafe(`
        create table public.one_${i} (id int primary key, c ${type});
        insert into public.one_${i} values (${i}, ${literal(before)});
        insert into public.rows values (${i}, null);`);
    }
    await createPlan(sql, {
      table: 'rows',
      key: 'id',
      keyType: 'integer',
      pending: 's.number is null',
      apply: `
        update public.rows set number = id where id = any (keys);
        ${VALUES.map(([, , after], i) => `update public.one_${i} set c = ${literal(after)} where id = any (keys);`).join('\n')}`,
      writes: [
        { relation: 'public.rows', entity: 'id', columns: ['number'] },
        ...VALUES.map((_, i) => ({ relation: `public.one_${i}`, entity: 'id', columns: ['c'] })),
      ],
    });
    const tables = VALUES.map((_, i) => `public.one_${i}`);
    const original = await contents(sql, tables);
    await forward(sql, 100);
    for (const [i, [type]] of VALUES.entries()) {
      expect({ type, journaled: (await journal(sql, `public.one_${i}`)).length }).toEqual({
        type,
        journaled: 1,
      });
    }
    await back(sql);
    expect(await contents(sql, tables)).toEqual(original);
  });
});

describe('the journal takes back rows of', () => {
  test('a primary key that includes other columns, which plan and app change', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      alter table public.items drop constraint items_pkey, add primary key (id) include (stage, label);`);
    await createPlan(sql, {
      ...items,
      pending: 's.stage is distinct from 10',
      apply: 'update public.items set stage = 10 where id = any (keys);',
      writes: [{ relation: 'public.items', entity: 'id', columns: ['stage'] }],
    });
    await forward(sql);
    await sql`update public.items set label = 'mine' where id = 2`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({
      state: 'succeeded',
      conflicts: 0,
    });
    expect(
      await value(
        sql,
        `select string_agg(coalesce(stage, 0) || label, ',' order by id) from public.items where id < 4`,
      ),
    ).toBe('1item 1,2mine,0item 3');
  });

  test('composite primary keys', async () => {
    const { sql } = await database();
    await sql.unsafe(`${ITEMS}
      create table public.lines (item int, part text collate "C", at date, amount numeric, primary key (item, part, at));
      insert into public.lines select i, p, '2026-01-01'::date + d, 1.50
        from generate_series(1, 10) i, unnest('{a,B,"c,d"}'::text[]) p, generate_series(0, 1) d where (i, p, d) <> (4, 'a', 0);`);
    await createPlan(sql, {
      ...items,
      pending: 's.stage is distinct from 10',
      apply: `
        update public.items set stage = 10 where id = any (keys);
        insert into public.lines select k, 'a', '2026-01-01', 9 from unnest(keys) k
          on conflict (item, part, at) do update set amount = public.lines.amount * 2;
        update public.lines set amount = amount + 1 where item = any (keys) and part <> 'a';`,
      writes: [
        { relation: 'public.items', entity: 'id', columns: ['stage'] },
        { relation: 'public.lines', entity: 'item', inserts: true, columns: ['amount'] },
      ],
    });
    const tables = ['public.items', 'public.lines'];
    const original = await contents(sql, tables);
    await forward(sql);
    const rows = await journal(sql, 'public.lines');
    expect(rows.filter((row) => row.op === 'i')).toHaveLength(1);
    expect(rows.filter((row) => row.op === 'u')).toHaveLength(49);
    await sql`update public.lines set amount = 77 where (item, part, at) = (2, 'c,d', '2026-01-02')`;
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ conflicts: 1 });
    expect([...(await sql`select entity, table_name, row_key, reason from imago.failure`)]).toEqual([
      { entity: '2', table_name: 'public.lines', row_key: '2,c,d,2026-01-02', reason: 'changed' },
    ]);
    await rollbackAll(sql, { plan: PLAN, force: true });
    expect(await contents(sql, tables)).toEqual(original);
  });

  const LONG = `L${'o'.repeat(60)}ng`;
  const HOSTILE = [
    { schema: 'public', table: 'Items', key: 'Id', column: 'Done', copy: 'items' },
    { schema: 'my schema', table: 'a.b', key: 'c.d', column: 'e.f', copy: 'a.c' },
    { schema: `o'clock "x"`, table: `"; drop table x; --`, key: `k'"`, column: `'; select 1`, copy: `it''s` },
    { schema: '100%s', table: '%1$s %I', key: '%L%%', column: '%2$I', copy: '%' },
    { schema: '$1', table: '$$', key: '$2', column: '$imago$', copy: '$a$' },
    { schema: LONG, table: LONG, key: LONG, column: `${LONG.slice(0, 62)}2`, copy: `${LONG.slice(0, 62)}3` },
    { schema: 'ünïcode', table: '表', key: 'ключ', column: '🎨', copy: '表 2' },
    { schema: 'select', table: 'table', key: 'user', column: 'order', copy: 'group' },
    { schema: 'a\\b', table: 'new_rows', key: 'entity', column: 'batch', copy: 'old_rows' },
  ];

  test.each(HOSTILE)('a table named $table', async ({ schema, table, key, column, copy }) => {
    const { sql } = await database();
    const q = (name: string) => `"${name.replaceAll('"', '""')}"`;
    const source = `${q(schema)}.${q(table)}`;
    const target = `${q(schema)}.${q(copy)}`;
    await sql.unsafe(`
      create schema if not exists ${q(schema)};
      create table ${source} (${q(key)} int primary key, ${q(column)} text, updated_at timestamptz default '2020-01-01');
      create function public.touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
      create trigger touch before update on ${source} for each row execute function public.touch();
      create table ${target} (${q(key)} int references ${source}, ${q(column)} text, primary key (${q(column)}, ${q(key)}));
      insert into ${source} select i, 'x' from generate_series(1, 7) i;
      insert into ${target} select i, 'own' from generate_series(1, 7) i;
      analyze ${source};`);
    await createPlan(sql, {
      schema,
      table,
      key,
      keyType: 'integer',
      pending: `s.${q(column)} = 'x'`,
      apply: `
        update ${source} set ${q(column)} = 'y' where ${q(key)} = any (keys);
        insert into ${target} select k, 'new' from unnest(keys) k;`,
      writes: [
        { relation: source, entity: key, columns: [column] },
        { relation: target, entity: key, inserts: true },
      ],
    });
    const original = await contents(sql, [source, target]);
    await forward(sql, 2);
    expect(await value(sql, `select count(*)::int from ${target}`)).toBe(14);
    const undo = await sql<{ name: string }[]>`
      select undo_table as name from imago.plan_write where plan = ${PLAN} order by position`;
    expect(new Set(undo.map(({ name }) => name)).size).toBe(2);
    for (const { name } of undo) expect(name).toMatch(/^[a-z0-9_]{1,50}$/);
    // What refers to a new row, by a table that is called as badly.
    await sql.unsafe(`
      create table ${q(schema)}."ref's %s" (a text, b int, foreign key (a, b) references ${target} (${q(column)}, ${q(key)}) on delete cascade);
      insert into ${q(schema)}."ref's %s" values ('new', 3);`);
    await sql.unsafe(`update ${source} set ${q(column)} = 'edited' where ${q(key)} = 5`);
    expect((await rollbackAll(sql, { plan: PLAN })).at(-1)).toMatchObject({ conflicts: 2 });
    expect([
      ...(await sql`select entity, table_name, row_key from imago.failure order by entity`),
    ]).toMatchObject([
      { entity: '3', row_key: 'new,3' },
      { entity: '5', row_key: '5' },
    ]);
    await sql.unsafe(`drop table ${q(schema)}."ref's %s"`);
    await rollbackAll(sql, { plan: PLAN, force: true });
    expect((await contents(sql, [target]))[target]).toEqual(original[target]);
    expect(await value(sql, `select count(*)::int from ${source} where ${q(column)} = 'x'`)).toBe(7);
    expect(
      await value(
        sql,
        `select count(*)::int from ${source} where updated_at = '2020-01-01' and ${q(key)} <> 5`,
      ),
    ).toBe(6);
  });

  // A few rows and many: capture has a query for either.
  test.each([40, 150])('columns that look like SQL of ours, %i rows a batch', async (count) => {
    const { sql } = await database();
    const names = [
      '100%s',
      "it's",
      '"quoted"',
      'select $1',
      ' $1, $2, ',
      '$imago$',
      'n',
      'o',
      'imago_batch',
      'imago_kind',
    ];
    const q = (name: string) => `"${name.replaceAll('"', '""')}"`;
    const list = names.map(q).join(', ');
    const values = names.map((_, at) => `'${at} of ' || i`).join(', ');
    const source = 'public."from $1, $2,"';
    const target = 'public."to $1 "';
    const tables = [source, target];
    const touched = q('updated $1, at');
    await sql.unsafe(`
      create table ${source} (
        "a $1, b" int primary key, "x $2,y" int not null, ${names.map((name) => `${q(name)} text`).join(', ')},
        ${touched} timestamptz default '2020-01-01');
      create function public.touch() returns trigger language plpgsql as $$ begin new.${touched} := now(); return new; end $$;
      create trigger touch before update on ${source} for each row execute function public.touch();
      create table ${target} (
        "a $1, b" int references ${source}, "x $2,y" int, ${names.map((name) => `${q(name)} text`).join(', ')},
        primary key ("x $2,y", "a $1, b"));
      insert into ${source} ("a $1, b", "x $2,y", ${list}) select i, i, ${values} from generate_series(1, ${count}) i;
      insert into ${target} ("a $1, b", "x $2,y", ${list}) select i, 0, ${values} from generate_series(1, ${count}) i;
      analyze ${source};`);
    const change = names.map((name) => `${q(name)} = ${q(name)} || '!'`).join(', ');
    await createPlan(sql, {
      schema: 'public',
      table: 'from $1, $2,',
      key: 'a $1, b',
      keyType: 'integer',
      pending: `s."x $2,y" > 0`,
      apply: `
        insert into ${target} ("a $1, b", "x $2,y", ${list})
          select "a $1, b", "x $2,y", ${list} from ${source} where "a $1, b" = any (keys);
        update ${target} set ${change} where "a $1, b" = any (keys);
        update ${source} set "x $2,y" = 0, ${change} where "a $1, b" = any (keys);`,
      writes: [
        { relation: source, entity: 'a $1, b', columns: ['x $2,y', ...names] },
        { relation: target, entity: 'a $1, b', inserts: true, columns: names },
      ],
    });
    const original = await contents(sql, tables);
    expect(
      await call(sql, 'dry_run_migration', { plan: PLAN, mode: 'full', batch_size: count }),
    ).toMatchObject({ status: 'done', migrated: count, failed: 0, undeclared: [], error: null });
    expect(await contents(sql, tables)).toEqual(original);
    await forward(sql, count);
    expect(new Set((await journal(sql, source)).map((row) => row.batch)).size).toBe(1);
    const rows = await journal(sql, target);
    expect(rows.filter((row) => row.op === 'i')).toHaveLength(count);
    expect(rows.filter((row) => row.op === 'u')).toHaveLength(count);
    await back(sql);
    expect(await contents(sql, tables)).toEqual(original);
  });

  const KEYS = [
    { type: 'integer', keyType: 'integer', keys: ['-2147483648', '-1', '0', '7', '10', '2147483647'] },
    { type: 'bigint', keyType: 'bigint', keys: ['-9223372036854775808', '9', '10', '9223372036854775807'] },
    {
      type: 'text',
      keyType: 'text',
      keys: ['', 'a', 'B', 'b', "o'k", '%s', '{x,"y"}', 'ü', '表', 'NULL', ' '],
    },
    { type: 'text collate "C"', keyType: 'text', keys: ['a', 'B', 'b', 'Z', '_', '~', 'é'] },
    { type: 'text collate "en-x-icu"', keyType: 'text', keys: ['a', 'B', 'b', 'Z', '_', '~', 'é'] },
    { type: 'varchar(20)', keyType: 'text', keys: ['a', 'B', 'b', 'Z', '_', '~', 'é'] },
    {
      type: 'uuid',
      keyType: 'uuid',
      keys: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
    },
  ] as const;

  test.each(KEYS)('keys of type $type', async ({ type, keyType, keys }) => {
    const { sql } = await database();
    await sql.unsafe(`
      create table public.things (id ${type} primary key, done boolean);
      create table public.parts (thing ${type} references public.things, n int, primary key (thing, n));`);
    await sql.unsafe(
      `insert into public.things select k::${type.replace(/ collate .*/, '')} from unnest($1::text[]) k`,
      [[...keys]] as never[],
    );
    await sql`analyze public.things`;
    await createPlan(sql, {
      table: 'things',
      key: 'id',
      keyType,
      pending: 's.done is null',
      apply: `
        update public.things set done = true where id = any (keys);
        insert into public.parts select k, 1 from unnest(keys) k;`,
      writes: [
        { relation: 'public.things', entity: 'id', columns: ['done'] },
        { relation: 'public.parts', entity: 'thing', inserts: true },
      ],
    });
    const tables = ['public.things', 'public.parts'];
    const original = await contents(sql, tables);
    for (const batchSize of [1, 2]) {
      await forward(sql, batchSize);
      expect(await value(sql, 'select count(*)::int from public.parts')).toBe(keys.length);
      for (const key of keys.slice(0, 3)) {
        expect(await value(sql, 'select imago.rollback_entity($1, $2, false)', [PLAN, key])).toMatchObject({
          rolled_back: true,
          restored: { 'public.things': 1 },
          removed: { 'public.parts': 1 },
        });
      }
      await back(sql);
      expect(await contents(sql, tables)).toEqual(original);
    }
  });
});
