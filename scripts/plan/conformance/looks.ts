/** What the checks of the suite look at: rows, the journal, what is left behind, and who may use what. */
import assert from 'node:assert/strict';
import type { Sql } from 'postgres';
import type { Answer } from '../act.ts';
import { appColumns, type Columns, type Rows, rowsOf, value } from './rows.ts';

/** These fields of an answer; others do not matter. */
export function expectFields(answer: Answer | undefined, fields: Answer): void {
  const told = Object.fromEntries(Object.keys(fields).map((field) => [field, answer?.[field]]));
  assert.deepEqual(told, fields);
}

/** How many rows each table of the app has. */
export async function rowCounts(sql: Sql): Promise<Record<string, number>> {
  const rows = await rowsOf(sql, await appColumns(sql));
  return Object.fromEntries(Object.entries(rows).map(([table, { length }]) => [table, length]));
}

/** The columns that are in one and not in the other; tables of which none is left out. */
export function without(columns: Columns, others: Columns): Columns {
  const rest = Object.entries(columns).map(([table, names]): [string, string[]] => [
    table,
    names.filter((name) => !others[table]?.includes(name)),
  ]);
  return Object.fromEntries(rest.filter(([, names]) => names.length > 0));
}

/** What the plan has added holds nothing that it did not hold when it was prepared. */
export async function expectBlank(sql: Sql, added: Columns, blank: Rows): Promise<void> {
  const left: Rows = {};
  for (const [table, rows] of Object.entries(await rowsOf(sql, added))) {
    const foreign = rows.filter((row) => !blank[table]?.includes(row));
    if (foreign.length > 0) left[table] = foreign;
  }
  assert.deepEqual(left, {}, 'what the plan has added is empty');
}

/** SQL: the entities that are still to be moved, of all stages. */
export async function pendingQuery(sql: Sql, plan: string): Promise<string> {
  return await value(
    sql,
    `select string_agg(format('select entity::text from %s', imago.plan_object(s, 'pending')), ' union all ')
     from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = '${plan}'`,
  );
}

/** Whether all tables that a plan walks are there. */
export async function hasSources(sql: Sql, plan: string): Promise<boolean> {
  return await value(
    sql,
    `select bool_and(to_regclass(s.source) is not null) from imago.plan p cross join lateral imago.plan_stages(p) s where p.name = '${plan}'`,
  );
}

/** How many entities are still to be moved. */
export async function pendingOf(sql: Sql, plan: string): Promise<number> {
  return await value(sql, `select count(*)::int from (${await pendingQuery(sql, plan)}) left_over`);
}

/** Who is set aside, and why. */
export async function setAside(sql: Sql, plan: string): Promise<{ entity: string; kind: string }[]> {
  return [
    ...(await sql<{ entity: string; kind: string }[]>`
      select entity, kind from imago.failure where plan = ${plan} order by entity`),
  ];
}

/** What a whole run did: rows per relation, and entities moved and set aside. */
export function totals(answers: Answer[]): { migrated: number; failed: number; rows: object } {
  const rows: Record<string, number> = {};
  for (const answer of answers) {
    for (const [relation, count] of Object.entries<number>(answer.rows)) {
      rows[relation] = (rows[relation] ?? 0) + count;
    }
  }
  const sum = (field: string) => answers.reduce((so, answer) => so + Number(answer[field] ?? 0), 0);
  return { migrated: sum('migrated'), failed: sum('failed'), rows };
}

/** The undo tables of a plan. */
async function undoTables(sql: Sql, plan: string): Promise<{ undo: string; keys: string }[]> {
  return [
    ...(await sql<{ undo: string; keys: string }[]>`
      select undo_table as undo, (select string_agg('key_' || n, ', ') from generate_series(1, cardinality(key_columns)) n) as keys
      from imago.plan_write where plan = ${plan} and undo_table is not null`),
  ];
}

/** The journal holds one row for each row that a batch wrote, and nothing that is not settled. */
export async function expectOneRowEach(sql: Sql, plan: string): Promise<void> {
  const tables = await undoTables(sql, plan);
  assert.ok(tables.length > 0, 'the plan has a journal');
  for (const { undo, keys } of tables) {
    const wrong = await sql`
      select batch from imago_undo.${sql(undo)}
      group by batch, ${sql.unsafe(keys)} having count(*) > 1 or bool_or(op not in ('i', 'u', 'd'))`;
    assert.deepEqual([...wrong], [], `the journal ${undo} has one settled row for each row that was written`);
  }
}

/** Nothing is journaled any more and no trigger of ours is left on a table of the app. */
export async function expectNoTraces(sql: Sql, plan: string): Promise<void> {
  for (const { undo } of await undoTables(sql, plan)) {
    assert.equal(await value(sql, `select count(*)::int from imago_undo."${undo}"`), 0, `${undo} is empty`);
  }
  const triggers = await sql`
    select t.tgrelid::regclass::text, t.tgname from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where p.pronamespace in ('imago'::regnamespace, 'imago_undo'::regnamespace)`;
  assert.deepEqual([...triggers], [], 'no trigger is left');
}

/** Objects of a plan without a comment, functions without an empty search path, and what the API's roles may use. */
export async function careless(sql: Sql, plan: string): Promise<string[]> {
  const rows = await sql<{ fault: string }[]>`
    with routines as (
      select p.oid, p.oid::regprocedure::text as name,
        -- An expression that is to be inlined can have no settings, and looks nothing up.
        'search_path=""' = any (p.proconfig) or p.provolatile = 'i' and l.lanname = 'sql' as closed
      from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = ${plan}::regnamespace
    ), relations as (
      select c.oid, c.oid::regclass::text as name
      from pg_class c
      where c.relnamespace = ${plan}::regnamespace and c.relkind in ('r', 'v', 'm')
         or c.oid in (select to_regclass(format('imago_undo.%I', w.undo_table)) from imago.plan_write w where w.plan = ${plan})
    ), roles as (
      select unnest(array['anon', 'authenticated']) as role
    )
    select name || ' has no comment' as fault from routines where obj_description(oid, 'pg_proc') is null
    union all select name || ' has no empty search_path' from routines where closed is not true
    union all select format('%s may execute %s', role, name) from routines, roles where has_function_privilege(role, oid, 'execute')
    union all select name || ' has no comment' from relations where obj_description(oid, 'pg_class') is null
    union all select format('%s may read %s', role, name) from relations, roles where has_table_privilege(role, oid, 'select')
    union all select format('schema %s has no comment', ${plan}::text) where obj_description(${plan}::regnamespace, 'pg_namespace') is null
    union all select format('%s may use schema %s', role, ${plan}::text) from roles where has_schema_privilege(role, ${plan}, 'usage')
    order by 1`;
  return rows.map(({ fault }) => fault);
}
