import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { createPlan } from '../../scripts/plan/create.ts';
import type { KindOptions } from '../../scripts/plan/kinds/kind.ts';
import { readAction } from '../../scripts/plan/options.ts';
import { readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { cleanUpAll, finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { projectFolder } from '../support/project.ts';

/** Ready-made plans: `imago plan new --kind`, each on a table with names and values that are hard to keep. */

const plan = 'made';
const table = 'public."Items"';

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** The table as an app has it. */
async function app(): Promise<Sql> {
  const db = await freshDatabase();
  databases.push(db);
  await db.sql.unsafe(`
    create table ${table} (
      id integer primary key,
      full_name text,
      first_name text,
      last_name text,
      "Price" text not null default '0',
      status text default 'draft',
      data jsonb,
      note varchar(40)
    );
    insert into ${table}
    select i, 'First' || i || ' von Last', case when i % 5 > 0 then 'F' || i end, 'L' || i, i || '.50',
      (array['draft', 'old one'])[1 + i % 2], jsonb_build_object('city', 'C' || i, 'zip', i, 'more', true), case when i % 3 = 0 then 'n' || i end
    from generate_series(1, 20) i;
    insert into ${table} (id) values (21);`);
  return db.sql;
}

/** Writes the plan of a kind into a project and runs its migration. */
async function make(sql: Sql, name: string, options: KindOptions): Promise<void> {
  const folder = await projectFolder();
  await createPlan(sql, readProject(folder), {
    plan,
    source: 'public.Items',
    key: 'id',
    column: options.column,
    kind: { name, options },
  });
  const { sources } = readPlan(readProject(folder), plan);
  await sql.begin((tx) => tx.unsafe(`set local check_function_bodies = off;\n${wholeText(sources)}`));
}

const rows = async (sql: Sql, where: string) =>
  await value<string>(sql, `select count(*)::text from ${table} s where ${where}`);

/** What the app had in the table before. */
const original = async (sql: Sql) =>
  await value<string>(
    sql,
    `select string_agg(row(id, full_name, first_name, last_name, "Price", status, data, note)::text, ',' order by id) from ${table}`,
  );

/** What each kind makes of the app's table. */
const cases: {
  kind: string;
  options: KindOptions;
  /** How many rows it moves, and a condition for all rows once it has. */
  moved: number;
  right: string;
  /** What the app writes on each side, of row 7, and a condition for that row then. */
  old?: [set: string, right: string];
  fresh?: [set: string, right: string];
  /** What empties the old side of row 6, and a condition for that row then. */
  emptied?: [set: string, right: string];
  /** A condition for all rows, and the table's columns, once the plan is finalized and cleaned up. */
  end?: [right: string, columns: string];
}[] = [
  {
    kind: 'backfill',
    options: { column: 'label', value: "coalesce(s.note, 'nothing')" },
    moved: 21,
    right: "label = coalesce(note, 'nothing')",
  },
  {
    kind: 'not-null',
    options: { column: 'note', value: "'none'" },
    moved: 15,
    right: "note = case when id % 3 = 0 and id < 21 then 'n' || id else 'none' end",
    end: ['note is not null', 'note character varying(40) not null'],
  },
  {
    kind: 'rename-column',
    options: { column: 'note', to: 'Re mark' },
    moved: 6,
    right: '"Re mark" is not distinct from note',
    old: ["note = 'o'", '"Re mark" = \'o\''],
    fresh: ['"Re mark" = null', 'note is null'],
    emptied: ['note = null', '"Re mark" is null'],
    end: ['true', '"Re mark" character varying(40)'],
  },
  {
    kind: 'type-change',
    options: { column: 'Price', type: 'numeric(10,2)' },
    moved: 21,
    right: '"Price_new" = "Price"::numeric',
    old: ['"Price" = \'007\'', '"Price_new" = 7'],
    fresh: ['"Price_new" = 9.9', '"Price" = \'9.90\''],
    end: ['"Price" >= 0', '"Price" numeric(10,2) not null default (\'0\'::text)::numeric(10,2)'],
  },
  {
    kind: 'text-to-enum',
    options: { column: 'status', enum: 'public.Status', labels: 'draft,old one,"x"' },
    moved: 21,
    right: 'status_new::text = status',
    old: ["status = 'old one'", "status_new = 'old one'"],
    fresh: ["status_new = 'draft'", "status = 'draft'"],
    emptied: ['status = null', 'status_new is null'],
    end: ["status::text ~ '^(draft|old one)$'", 'status "Status" default'],
  },
  {
    kind: 'split-column',
    options: {
      column: 'full_name',
      into: [
        "given=split_part(s.full_name, ' ', 1)",
        "family:varchar(80)=nullif(substr(s.full_name, strpos(s.full_name || ' ', ' ') + 1), '')",
      ],
      back: ["concat_ws(' ', s.given, s.family)"],
    },
    moved: 20,
    right: "full_name is null or given || ' ' || family = full_name",
    old: ["full_name = 'Cher'", "given = 'Cher' and family is null"],
    // Does not come back by the way forward, and stays.
    fresh: ["given = 'Mary Ann'", "full_name like 'Mary Ann%' and given = 'Mary Ann'"],
    emptied: ['full_name = null', 'given is null and family is null'],
  },
  {
    kind: 'merge-columns',
    options: {
      into: ["name=nullif(concat_ws('|', s.first_name, s.last_name), '')"],
      back: [
        "first_name=nullif(split_part(s.name, '|', 1), '')",
        "last_name=nullif(split_part(s.name, '|', 2), '')",
      ],
    },
    moved: 20,
    right: "name is not distinct from nullif(concat_ws('|', first_name, last_name), '')",
    old: ["last_name = 'New'", "name = 'F7|New'"],
    fresh: ["name = 'A|B'", "first_name = 'A' and last_name = 'B'"],
    emptied: ['first_name = null, last_name = null', 'name is null'],
  },
  {
    kind: 'json-to-columns',
    options: { column: 'data', fields: 'city,zip:integer' },
    moved: 20,
    right: "city is not distinct from data ->> 'city' and zip is not distinct from (data ->> 'zip')::integer",
    old: ['data = data || \'{"zip": 99}\'', 'zip = 99'],
    fresh: ["city = 'Rome'", "data ->> 'city' = 'Rome' and data -> 'more' = 'true'"],
    emptied: ['data = null', 'city is null and zip is null'],
  },
];

describe('a ready-made plan', () => {
  test.each(cases)('$kind: there, beside the app, back to the byte, and to its end', async (made) => {
    const sql = await app();
    await make(sql, made.kind, made.options);
    const [before, shape] = [await original(sql), await columns(sql)];
    const first = await migrateAll(sql, { plan });
    expect(first.at(-1)).toMatchObject({ state: 'succeeded' });
    expect(first.reduce((sum, { migrated }) => sum + migrated, 0)).toBe(made.moved);
    expect(await rows(sql, `not (${made.right})`)).toBe('0');
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);

    // What the app makes while nothing is moved any more stays as it was made.
    await call(sql, 'rollback_batch', { plan, max_ms: 1 });
    await sql.unsafe(
      `insert into ${table} (id, full_name, first_name, "Price", status, note) values (40, 'N N', 'N', '5', 'draft', 'n')`,
    );
    expect(
      await rows(
        sql,
        `row(id, full_name, first_name, "Price", status, note)::text = '(40,"N N",N,5,draft,n)'`,
      ),
    ).toBe('1');
    await sql.unsafe(`delete from ${table} where id = 40`);
    expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await original(sql)).toBe(before);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect([await columns(sql), await value(sql, `select to_regtype('public."Status"')::text`)]).toEqual([
      shape,
      null,
    ]);

    await migrateAll(sql, { plan });
    for (const [set, right] of [made.old, made.fresh].filter((side) => side !== undefined)) {
      await sql.unsafe(`update ${table} set ${set} where id = 7`);
      expect(await rows(sql, `id = 7 and (${right})`), set).toBe('1');
    }
    if (made.emptied) {
      const [set, right] = made.emptied;
      await sql.unsafe(`update ${table} set ${set} where id = 6`);
      expect(await rows(sql, `id = 6 and (${right})`), set).toBe('1');
    }
    await sql.unsafe(
      `insert into ${table} (id, full_name, first_name, data) values (30, 'Late One', 'Late', '{"city": "L"}')`,
    );
    expect(await rows(sql, `id = 30 and not (${made.right})`)).toBe('0');
    expect(await value(sql, `select count(*)::int from ${plan}.pending`)).toBe(0);

    await finalizeAll(sql, { plan });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    await cleanUpAll(sql, { plan, older_than: '0 s' });
    expect((await call(sql, 'validate_migration', { plan })).healthy).toBe(true);
    if (made.end) {
      expect(await rows(sql, `not (${made.end[0]})`)).toBe('0');
      expect(await columns(sql)).toContain(made.end[1]);
    }
  });
});

/** The table's columns as create table would have them. */
async function columns(sql: Sql): Promise<string> {
  return await value<string>(
    sql,
    `select string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
       || case when a.attnotnull then ' not null' else '' end || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''), ', ' order by a.attname)
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped`,
    [table],
  );
}

test('type-change converts the default as it converts values, and counts no row that has none', async () => {
  const sql = await app();
  await sql.unsafe(`alter table ${table} alter column "Price" set default '2.5'`);
  await make(sql, 'type-change', {
    column: 'Price',
    type: 'bigint',
    value: 'round(s."Price"::numeric * 100)',
    back: ['s."Price_new" / 100.0'],
  });
  await migrateAll(sql, { plan });
  await finalizeAll(sql, { plan });
  await sql.unsafe(`insert into ${table} (id) values (50)`);
  expect(await value(sql, `select "Price"::text from ${table} where id = 50`)).toBe('250');
});

test('an app that empties the old side and fills the new one in one statement keeps what it has filled in', async () => {
  const sql = await app();
  await make(sql, 'rename-column', { column: 'note', to: 'remark' });
  await migrateAll(sql, { plan });
  await sql.unsafe(`update ${table} set note = null, remark = 'mine' where id in (6, 7)`);
  expect(await rows(sql, `id in (6, 7) and note = 'mine' and remark = 'mine'`)).toBe('2');
});

describe.each([
  {
    kind: 'split-column',
    set: "full_name = 'Ada Lovelace'",
    writes: "given = 'Mary'",
    right: "full_name = 'Mary Lovelace' and given = 'Mary'",
    both: "family = 'Lovelace'",
    unmoved: "full_name = 'Mary von Last' and given = 'Mary' and coalesce(family, 'von Last') = 'von Last'",
  },
  {
    kind: 'json-to-columns',
    set: `data = '{"city": "Bath", "zip": 99, "more": true}'`,
    writes: "city = 'Rome'",
    right: `data = '{"city": "Rome", "zip": 99, "more": true}' and city = 'Rome'`,
    both: 'zip = 99',
    unmoved: `data = '{"city": "Rome", "zip": 20, "more": true}' and city = 'Rome' and coalesce(zip, 20) = 20`,
  },
])(
  '$kind: what the old side alone has stays when the app writes one column of the new side',
  ({ kind, set, writes, right, both, unmoved }) => {
    const options = cases.find((one) => one.kind === kind)?.options ?? {};

    async function prepared(): Promise<Sql> {
      const sql = await app();
      await make(sql, kind, options);
      // A table of the app keeps syncs from writing, for as long as it holds a row.
      await sql.unsafe(`
      create table public.gate (shut boolean);
      create function public.guard() returns trigger language plpgsql as $$
      begin if exists (select from public.gate) then raise 'shut'; end if; return new; end $$`);
      return sql;
    }

    const target = () => both.split(' ')[0] ?? '';

    test('after a sync that has failed', async () => {
      const sql = await prepared();
      await migrateAll(sql, { plan });
      await sql.unsafe(
        `create trigger guard before update of ${target()} on ${table} for each row execute function public.guard()`,
      );
      await sql`insert into public.gate values (true)`;
      await sql.unsafe(`update ${table} set ${set} where id = 7`);
      await sql`delete from public.gate`;
      expect(await value(sql, `select count(*)::int from ${plan}.pending`)).toBe(1);
      await sql.unsafe(`update ${table} set ${writes} where id = 7`);
      expect(await rows(sql, `id = 7 and (${right})`)).toBe('1');
      await migrateAll(sql, { plan });
      expect(await rows(sql, `id = 7 and (${right}) and ${both}`)).toBe('1');
      expect(await value(sql, `select count(*)::int from ${plan}.pending`)).toBe(0);
      expect((await rollbackAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded' });
    });

    test('of a row that is not moved yet', async () => {
      const sql = await prepared();
      let answer = await call(sql, 'migrate_batch', { plan, max_ms: 1 });
      while (answer.migrated === 0)
        answer = await call(sql, 'migrate_batch', { plan, max_ms: 1, batch_size: 2 });
      expect(await rows(sql, `id = 20 and ${target()} is null`)).toBe('1');
      await sql.unsafe(`update ${table} set ${writes} where id = 20`);
      expect(await rows(sql, `id = 20 and ${target()} is null and ${unmoved}`)).toBe('1');
      await migrateAll(sql, { plan });
      expect(await rows(sql, `id = 20 and ${target()} is not null and ${unmoved}`)).toBe('1');
    });
  },
);

test('what the app makes on the new side stays as it made it, though the old one has a default', async () => {
  const sql = await app();
  await make(sql, 'text-to-enum', { column: 'status', enum: 'public.Status', labels: 'draft,old one' });
  await migrateAll(sql, { plan });
  await sql.unsafe(`insert into ${table} (id, status_new) values (31, 'old one')`);
  expect(await rows(sql, `id = 31 and status = 'old one' and status_new = 'old one'`)).toBe('1');
});

test('backfill leaves a row alone for which there is no value, and does not count it', async () => {
  const sql = await app();
  await make(sql, 'backfill', { column: 'label', value: 'upper(s.note)' });
  await migrateAll(sql, { plan });
  const [figures] = await sql`
    select total::int, migrated::int from imago.stage_figures(imago.find_plan(${plan}), true)`;
  expect(figures).toEqual({ total: 6, migrated: 6 });
});

describe('a ready-made plan refuses to start', () => {
  test('where values do not fit the new type, with the keys of the first', async () => {
    const sql = await app();
    await sql.unsafe(`update ${table} set "Price" = 'a lot' where id in (3, 5, 8, 13)`);
    await make(sql, 'type-change', { column: 'Price', type: 'integer', value: 'ceil(s."Price"::numeric)' });
    const error = await refusal(call(sql, 'migrate_batch', { plan }));
    expect(error.code).toBe('IM006');
    expect(error.message).toContain('(3, 5, 8');
    expect(error.message).not.toContain('a lot');
    const checks = (await call(sql, 'validate_migration', { plan, detailed: true })).checks;
    expect(checks.find(({ name }: { name: string }) => name === 'unfit_values')).toMatchObject({ found: 4 });
    await sql.unsafe(`update ${table} set "Price" = '1' where "Price" = 'a lot'`);
    expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test.each([
    ['a view', `create view public.prices as select "Price" from ${table}`],
    ['a check', `alter table ${table} add constraint priced check ("Price" <> '')`],
    [
      'a generated column',
      `alter table ${table} add column shown text generated always as ("Price" || ' EUR') stored`,
    ],
    ['a policy', `create policy cheap on ${table} using ("Price" = '0')`],
  ])('where %s hangs on the column whose place another takes', async (_, statement) => {
    const sql = await app();
    await sql.unsafe(statement);
    await make(sql, 'type-change', { column: 'Price', type: 'numeric' });
    expect((await refusal(call(sql, 'migrate_batch', { plan }))).message).toContain('depends on');
  });
});

describe('plan new --kind refuses', () => {
  const typed = (...words: string[]) =>
    readAction(['new', plan, '--source', 'public.Items', '--key', 'id', ...words], 'plan');

  test.each([
    ['a kind that is none', ['--kind', 'toString'], 'There is no kind toString.'],
    ['an option that is missing', ['--kind', 'type-change', '--column', 'Price'], '--type is missing.'],
    [
      'an option of another kind',
      ['--kind', 'rename-column', '--column', 'note', '--to', 'x', '--type', 'text'],
      '--type is not for rename-column.',
    ],
    ['an option without a kind', ['--type', 'text'], '--type is for a ready-made plan.'],
  ])('%s', (_, words, message) => {
    expect(() => typed(...words)).toThrow(message);
  });

  test('columns, types and expressions that do not fit the table', async () => {
    const sql = await app();
    const refused = async (kind: string, options: KindOptions) =>
      await make(sql, kind, options).then(
        () => 'made',
        ({ code }) => code,
      );
    expect(await refused('type-change', { column: 'gone', type: 'text' })).toBe('no-column');
    expect(await refused('type-change', { column: 'id', type: 'bigint' })).toBe('no-column');
    expect(await refused('type-change', { column: 'Price', type: 'nothing' })).toBe('bad-value');
    expect(await refused('backfill', { column: 'label', value: 's.gone' })).toBe('bad-value');
    expect(await refused('backfill', { column: 'label', value: "'a'); drop table x; --" })).toBe('bad-value');
    expect(await refused('backfill', { column: 'label', value: '$$x$$' })).toBe('bad-value');
    expect(await refused('rename-column', { column: 'note', to: 'status' })).toBe('name-taken');
    expect(await refused('rename-column', { column: 'note', to: 'x'.repeat(64) })).toBe('bad-name');
    expect(await refused('rename-column', { column: 'note', to: 'ctid' })).toBe('bad-name');
    expect(await refused('json-to-columns', { column: 'data', fields: 'city,city' })).toBe('name-taken');
    expect(await refused('text-to-enum', { column: 'status', enum: 'public.status' })).toBe('bad-value');
    expect(await refused('split-column', { column: 'full_name', into: ['given'], back: ['s.given'] })).toBe(
      'bad-value',
    );
    expect(await refused('json-to-columns', { column: 'note', fields: 'city' })).toBe('bad-value');
    expect(await value(sql, `select to_regnamespace($1) is null`, [plan])).toBe(true);
  });
});
