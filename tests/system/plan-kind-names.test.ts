/** Ready-made plans on tables whose columns are called like what the plans' own SQL is made of. */
import type { Sql } from 'postgres';
import { afterEach, expect, test } from 'vitest';
import { createPlan } from '../../scripts/plan/create.ts';
import type { KindOptions } from '../../scripts/plan/kinds/kind.ts';
import { readPlan, readProject, wholeText } from '../../scripts/plan/project.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { finalizeAll } from '../support/finalize.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { projectFolder } from '../support/project.ts';

const plan = 'names';
const schema = '"My App-x"';
const table = `${schema}."Order Séléct -- x"`;
const other = `${schema}."from"`;
const rows = 60;

const everyKey = `'{${Array.from({ length: rows }, (_, n) => n + 1)}}'`;

/** Columns of the app beside those that a plan is about. With keys taken for the parameter each row would be in each batch. */
const beside = {
  keys: `integer[] default ${everyKey}`,
  going: `integer[] default ${everyKey}`,
  results: `jsonb default '{}'`,
  ...Object.fromEntries(
    ['entity', 'key', 'batch', 's', 'k', 'm', 'd', 'r', 'n', 'f', 'value', 'old', 'new', 'row', 'own'].map(
      (name) => [`"${name}"`, `text default 'app'`],
    ),
  ),
  '"by%s\'st""ander $$\\"': `text generated always as ('it''s') stored`,
  '"and this %I"': 'integer generated always as identity',
};

interface Case {
  /** Columns that the plan is about, and the expressions that fill them. */
  columns: Record<string, { type: string; filled: string }>;
  options: KindOptions;
  /** Further tables of the app. */
  more?: string;
  /** How many are moved. */
  moved?: number;
}

const referring = `
  create table ${other} (id integer primary key, "the -- ref" integer references ${table}, keys integer[]);
  insert into ${other} select n, n, array(select generate_series(1, ${rows})) from generate_series(1, ${rows}) n;
  create index on ${other} ("the -- ref");`;

const cases: Record<string, Case> = {
  backfill: { columns: {}, options: { column: 'select', value: 's.keys::text || s.value' } },
  external: { columns: {}, options: { column: 'select', value: "s.key || ' it''s %'" } },
  'not-null': {
    columns: { '"no --t"': { type: 'text', filled: 'null' } },
    options: { column: 'no --t', value: "'it''s %'" },
  },
  'type-change': {
    columns: { '"old -- s"': { type: "text default '7'", filled: 'n' } },
    options: { column: 'old -- s', type: 'integer' },
  },
  'rename-column': {
    columns: { '"na-me "': { type: "text not null default 'it''s %'", filled: 'n' } },
    options: { column: 'na-me ', to: 'user' },
  },
  'text-to-enum': {
    columns: {
      '"st-atus -- "': {
        type: 'text',
        filled: `(array['a b', 'c''d', 'e"f', E'g\\\\h', 'é %s'])[1 + n % 5]`,
      },
    },
    options: { column: 'st-atus -- ', enum: 'My App-x.Enum -- s', labels: `a b,c'd,e"f,g\\h,é %s` },
  },
  'split-column': {
    columns: { '"na-me x"': { type: 'text', filled: "'F' || n || ' L' || n" } },
    options: {
      column: 'na-me x',
      into: [`fi -- rst=split_part(s."na-me x", ' ', 1)`, `order=split_part(s."na-me x", ' ', 2)`],
      back: [`s."fi -- rst" || ' ' || s."order"`],
    },
  },
  'merge-columns': {
    columns: { '"f--"': { type: 'text', filled: "'F' || n" }, '"group"': { type: 'text', filled: 'n' } },
    options: {
      into: [`where=s."f--" || ',' || s."group"`],
      back: [`f--=split_part(s."where", ',', 1)`, `group=split_part(s."where", ',', 2)`],
    },
  },
  'json-to-columns': {
    columns: { '"da--ta"': { type: 'jsonb', filled: "jsonb_build_object('ci--ty', 'x' || n, 'zi--p', n)" } },
    options: { column: 'da--ta', fields: 'ci--ty,zi--p:integer' },
  },
  'extract-table': {
    columns: { '"a--"': { type: 'text', filled: "'F' || n" }, '"end"': { type: 'text', filled: 'n' } },
    options: { columns: 'a--,end', to: 'My App-x.table' },
  },
  dedupe: {
    columns: {
      '"e--mail"': { type: 'text', filled: "'m' || n / 3" },
      '"at --"': { type: 'timestamptz', filled: "now() + n * interval '1 s'" },
    },
    options: { columns: 'e--mail', by: 'at --', keep: 'oldest' },
    more: referring,
    moved: rows / 3,
  },
  'fk-add': {
    columns: { '"re--f"': { type: 'integer', filled: 'n' } },
    options: { column: 're--f', references: `${other} ("i--d") on delete cascade`, orphans: 'null' },
    more: `
      create table ${other} ("i--d" integer primary key, keys integer[]);
      insert into ${other} select n from generate_series(1, 20) n;`,
    moved: rows - 20,
  },
  'int-to-bigint': { columns: {}, options: { column: 'Key -- id' }, more: referring },
};

const databases: TestDatabase[] = [];
afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

async function app({ columns, more = '' }: Case): Promise<Sql> {
  const db = await freshDatabase();
  databases.push(db);
  const own = Object.entries(columns);
  const all = [
    ...own.map(([name, { type }]) => `${name} ${type}`),
    ...Object.entries(beside).map(([name, type]) => `${name} ${type}`),
  ];
  const plain = [...own.map(([name]) => name)];
  await db.sql.unsafe(`
    create schema ${schema};
    create table ${table} ("Key -- id" integer primary key, ${all.join(', ')});
    insert into ${table} (${['"Key -- id"', ...plain].join(', ')})
    select ${['n', ...own.map(([, { filled }]) => filled)].join(', ')} from generate_series(1, ${rows}) n;
    ${more}`);
  return db.sql;
}

for (const [kind, given] of Object.entries(cases)) {
  test(`${kind} moves its batches, and no other row, whatever columns are called`, async () => {
    const sql = await app(given);
    const folder = await projectFolder();
    const source = 'My App-x.Order Séléct -- x';
    await createPlan(sql, readProject(folder), {
      ...{ plan, source, key: 'Key -- id', column: given.options.column },
      kind: { name: kind, options: given.options },
    });
    const { sources } = readPlan(readProject(folder), plan);
    await sql.begin((tx) => tx.unsafe(`set local check_function_bodies = off;\n${wholeText(sources)}`));
    if (kind === 'external') {
      expect(
        await value(
          sql,
          `select ${plan}.read('{3}') = jsonb_build_object('3', jsonb_build_object('value', 'app it''s %'))`,
        ),
      ).toBe(true);
      await prepareAll(sql);
      await sql.unsafe(`select ${plan}.apply('{3,4}', '{"3": {"made": "x"}, "4": {"made": "y"}}')`);
      expect(await value(sql, `select string_agg("select", ',' order by "Key -- id") from ${table}`)).toBe(
        'x,y',
      );
      return;
    }
    const columns = ['"Key -- id"', ...Object.keys(given.columns), ...Object.keys(beside)].map(
      (name) => `t.${name}`,
    );
    const contents = async () => [
      ...(await sql.unsafe(`select ${columns.join(', ')} from ${table} t order by 1`)),
    ];
    const before = await contents();
    await prepareAll(sql);
    const pending = () => value<number>(sql, `select count(*)::int from ${plan}.pending`);
    const all = given.moved ?? rows;
    expect(await pending()).toBe(all);
    for (let migrated = 0; migrated === 0; ) {
      const answer = await call(sql, 'migrate_batch', { plan, batch_size: 5, max_ms: 1 });
      expect(answer).toMatchObject({ status: 'working', failed: 0 });
      migrated = answer.migrated;
    }
    expect(await pending()).toBeGreaterThanOrEqual(all - 5);
    await migrateAll(sql, { plan });
    expect(await pending()).toBe(0);
    expect(await call(sql, 'validate_migration', { plan })).toMatchObject({ healthy: true });
    await rollbackAll(sql, { plan });
    expect(await contents()).toEqual(before);
    await migrateAll(sql, { plan });
    await finalizeAll(sql, { plan });
    expect(
      await value(
        sql,
        `select count(distinct beside.*)::int from (select keys, going, results, value, own from ${table}) beside`,
      ),
    ).toBe(1);
  });
}

async function prepareAll(sql: Sql): Promise<void> {
  while ((await call(sql, 'prepare_migration', { plan })).has_more);
}
