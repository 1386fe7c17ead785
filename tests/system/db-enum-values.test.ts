/** A value that a version adds to an enum, taken back while rows hold it, and put back by the next upgrade. */
import { describe, expect, test } from 'vitest';
import { readCatalog } from '../../scripts/db/catalog.ts';
import { hanging, rowsOf, type VersionedProject, versionedProject } from '../support/versions.ts';

const V1 = '20260101000000';
const V2 = '20260102000000';

/** Everything that can stand on an enum, with names that need quotes. */
const model = (values: string) => ({
  'schemas/all.sql': `
    create schema "Sales";
    create type "Sales"."Mood" as enum (${values});
    create table "Sales"."Order" (
      "Id" int primary key,
      "Mood" "Sales"."Mood" not null default 'it''s ok',
      last "Sales"."Mood",
      "select" "Sales"."Mood"[] not null default '{}',
      "all" "Sales"."Mood"[],
      is_bad boolean generated always as ("Mood" = 'bad') stored,
      changed int not null default 0,
      check (last <> 'bad')
    );
    create index "by; Mood" on "Sales"."Order" ("Mood") where last = 'it''s ok';
    create view "Sales"."View" with (security_invoker = true) as select "Id", "Mood" from "Sales"."Order" where "Mood" <> 'bad';
    create function "Sales".of(m "Sales"."Mood") returns setof "Sales"."Mood" language sql stable begin atomic
      select "Mood" from "Sales"."Order" where "Mood" = m; end;
    create function "Sales".touch() returns trigger language plpgsql as $$ begin new.changed := old.changed + 1; return new; end $$;
    create trigger "Touch" before update of "Mood" on "Sales"."Order" for each row execute function "Sales".touch();
    alter table "Sales"."Order" enable row level security;
    create policy "not; bad" on "Sales"."Order" for select to authenticated using ("Mood" = any ("select"));`,
});

/** Gives models the value `best`, applied, and six rows of which five hold it. */
async function withValue(project: VersionedProject): Promise<void> {
  const { run, sql } = project;
  await project.startWith(model("'bad', 'it''s ok'"));
  await run('upgrade');
  await project.write(model("'bad', 'b;est', 'it''s ok'"));
  expect((await run('migrate', 'second')).data).toMatchObject({ risks: [] });
  await run('upgrade');
  await sql.unsafe(`
    insert into "Sales"."Order" ("Id", "Mood", last, "select", "all") values
      (1, 'b;est', 'b;est', '{bad,b;est}', '{b;est}'), (2, 'b;est', null, '{}', null), (3, 'bad', 'b;est', '{}', '{bad}'),
      (4, 'bad', null, '{bad,NULL}', '{{bad,bad},{bad,b;est}}'), (5, 'b;est', 'it''s ok', '{it''s ok}', null),
      (6, 'bad', null, '{}', '{}')`);
}

const order = '"Sales"."Order"';

describe('an enum value that goes', () => {
  test('leaves rows with their default, else null, and comes back to each of them; not to what was changed since, which is said, nor to what was deleted', async () => {
    const project = await versionedProject();
    await withValue(project);
    const { run, sql } = project;
    const [rows, catalog] = [await rowsOf(sql, order), await readCatalog(sql)];
    expect((await run('downgrade')).data?.moved_aside).toEqual([
      { object: 'values of "Sales"."Order"."Mood"', rows: 3 },
      { object: 'values of "Sales"."Order".last', rows: 2 },
      { object: 'values of "Sales"."Order".select', rows: 1 },
      { object: 'values of "Sales"."Order".all', rows: 2 },
    ]);
    expect((await run('check')).data).toMatchObject({ drift: [], pending: { length: 1 } });
    expect(
      await sql.unsafe(
        `select "Mood"::text, last::text, "select"::text, "all"::text, changed from ${order} where "Id" in (1, 4) order by "Id"`,
      ),
    ).toEqual([
      { Mood: "it's ok", last: null, select: '{}', all: null, changed: 0 },
      { Mood: 'bad', last: null, select: '{bad,NULL}', all: null, changed: 0 },
    ]);
    expect((await run('upgrade')).data?.put_back).toHaveLength(4);
    expect(await rowsOf(sql, order)).toEqual(rows);
    expect(await readCatalog(sql)).toEqual(catalog);
    expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
    expect(await run('check')).toMatchObject({ status: 'done' });

    await run('downgrade');
    await sql.unsafe(
      `update ${order} set "Mood" = 'bad' where "Id" = 1; delete from ${order} where "Id" = 5`,
    );
    const { data, lines } = await run('upgrade');
    expect(data?.put_back).toContainEqual({
      object: 'values of "Sales"."Order"."Mood"',
      rows: 1,
      left: 0,
      newer: 1,
    });
    expect(lines).toContain(
      'Put back values of "Sales"."Order"."Mood": 1 row; 1 changed since, which stay as they are.',
    );
    expect(await sql.unsafe(`select "Id" as id, "Mood"::text as mood from ${order} order by 1`)).toEqual([
      { id: 1, mood: 'bad' },
      { id: 2, mood: 'b;est' },
      { id: 3, mood: 'bad' },
      { id: 4, mood: 'bad' },
      { id: 6, mood: 'bad' },
    ]);
  });

  /** A table of which column m has the enum, the value `c` taken back by a rebuild of the type. */
  async function byHand(table: string, { using = 'm::text::public.mood', first = '' } = {}) {
    const project = await versionedProject();
    await project.version(V1, `create type public.mood as enum ('a', 'b'); ${table}`, 'select 1');
    await project.version(
      V2,
      "alter type public.mood add value 'c';",
      `${first} alter table public."T" alter column m drop default; alter type public.mood rename to old;
       create type public.mood as enum ('a', 'b');
       alter table public."T" alter column m type public.mood using ${using}; drop type public.old;`,
    );
    await project.run('upgrade');
    return project;
  }

  test.each([
    [
      'must have a value and has no default',
      'create table public."T" (id int primary key, m public.mood not null);',
      'value-held',
    ],
    [
      'is part of the primary key',
      'create table public."T" (id int, m public.mood, primary key (m, id));',
      'value-held',
    ],
    ['is unique', 'create table public."T" (id int primary key, m public.mood unique);', 'value-held'],
    ['is of a table without a key', 'create table public."T" (id int, m public.mood);', 'no-key'],
  ])('is refused with table, column and count where a column that holds it %s', async (_, table, code) => {
    const project = await byHand(table);
    const { sql, run } = project;
    await sql.unsafe(`insert into public."T" (id, m) values (1, 'a'), (2, 'c')`);
    const before = [await rowsOf(sql, '"T"'), await readCatalog(sql)];
    const problem = await project.refusal('downgrade');
    expect(problem.code).toBe(code);
    expect(problem.message).toMatch(/^1 (row|value) of public\."T"/);
    expect(problem.message).toContain('public."T".m');
    expect([await rowsOf(sql, '"T"'), await readCatalog(sql)]).toEqual(before);
    expect((await run('status')).data).toMatchObject({ current: V2, aside: [] });
    await sql.unsafe(`update public."T" set m = 'b' where m = 'c'`);
    await run('downgrade');
    expect((await run('status')).data).toMatchObject({ current: V1 });
  });

  test('becomes what the way back says, where it says so', async () => {
    const { run, sql } = await byHand(
      'create table public."T" (id int primary key, m public.mood not null);',
      {
        using: "(case m::text when 'c' then 'b' else m::text end)::public.mood",
      },
    );
    await sql.unsafe(`insert into public."T" values (1, 'a'), (2, 'c')`);
    await run('downgrade');
    expect(await sql.unsafe('select m::text from public."T" order by id')).toEqual([{ m: 'a' }, { m: 'b' }]);
    await run('upgrade');
    expect(await sql.unsafe('select m::text from public."T" order by id')).toEqual([{ m: 'a' }, { m: 'c' }]);
  });

  test('is told from values that were renamed, and from a default that goes, too', async () => {
    const project = await versionedProject();
    const { run, sql } = project;
    const models = (values: string, preset: string) => ({
      'schemas/a.sql': `create type public.mood as enum (${values}); create table public.t (id int primary key, m public.mood default '${preset}', n int);`,
    });
    await project.startWith(models("'happy', 'sad'", 'sad'));
    await project.write(models("'glad', 'sad', 'new'", 'new'));
    await run('migrate', 'second', '--rename', 'public.mood.happy=public.mood.glad');
    await run('upgrade');
    await sql.unsafe(`insert into t values (1, 'glad'), (2, 'new'), (3, 'sad')`);
    const before = await rowsOf(sql, 't');
    await run('downgrade', '-2');
    expect(await sql`select m::text from t order by id`).toEqual([
      { m: 'happy' },
      { m: 'sad' },
      { m: 'sad' },
    ]);
    await run('upgrade');
    expect(await rowsOf(sql, 't')).toEqual(before);
  });

  test('comes back with a table, and a column, of the version that adds it', async () => {
    const project = await versionedProject();
    const { run, sql } = project;
    await project.version(
      V1,
      "create type public.mood as enum ('a'); create table public.t (id int primary key, a public.mood);",
    );
    await project.version(
      V2,
      `alter type public.mood add value 'c'; alter table public.t add column b public.mood;
       create table public.u (id int primary key, m public.mood not null);`,
      `drop table public.u; alter table public.t drop column b;
       alter type public.mood rename to old; create type public.mood as enum ('a');
       alter table public.t alter column a type public.mood using a::text::public.mood; drop type public.old;`,
    );
    await run('upgrade');
    await sql.unsafe(
      `insert into t values (1, 'c', 'c'), (2, 'a', 'a'); insert into u values (1, 'c'), (2, 'a')`,
    );
    const before = await rowsOf(sql, 't', 'u');
    await run('downgrade');
    await run('upgrade');
    expect(await rowsOf(sql, 't', 'u')).toEqual(before);
    expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
  });

  test('of a partitioned table is kept once', async () => {
    const { run, sql } = await byHand(`
      create table public."T" (id int primary key, m public.mood) partition by range (id);
      create table public.t1 partition of public."T" for values from (0) to (10);
      create table public.t2 partition of public."T" default;`);
    await sql.unsafe(`insert into public."T" values (1, 'c'), (20, 'c')`);
    expect((await run('downgrade')).data?.moved_aside).toEqual([
      { object: 'values of public."T".m', rows: 2 },
    ]);
    await run('upgrade');
    expect(await sql.unsafe('select m::text from public."T"')).toEqual([{ m: 'c' }, { m: 'c' }]);
  });

  test('is put back by the next upgrade, or before the next downgrade, when it was interrupted between the version and that', async () => {
    const project = await byHand(`
      create function public.slow(m text) returns boolean language plpgsql as $$ begin
        if m = 'c' then perform pg_advisory_xact_lock_shared(4711); end if; return true; end $$;
      create table public."T" (id int primary key, m public.mood, check (public.slow(m::text)));`);
    const { run, sql } = project;
    await sql.unsafe(`insert into public."T" values (1, 'a'), (2, 'c')`);
    const before = await rowsOf(sql, '"T"');
    for (const next of ['upgrade', 'downgrade'] as const) {
      await run('downgrade');
      const interrupted = await hanging(project, 'select pg_advisory_xact_lock(4711)', 'upgrade');
      interrupted.running.child.kill('SIGKILL');
      await interrupted.running.finished;
      await sql`select pg_terminate_backend(${interrupted.pid})`;
      await interrupted.end();
      expect(await sql.unsafe('select m::text from public."T" order by id')).toEqual([
        { m: 'a' },
        { m: null },
      ]);
      const status = await run('status');
      expect(status.data).toMatchObject({ current: V2, aside: [{ rows: 1, postponed: true }] });
      expect(status.lines).toContain(
        'Aside     values of public."T".m: 1 rows, not put back yet: upgrade goes on there',
      );
      await run(next);
      if (next === 'downgrade') await run('upgrade');
      expect(await rowsOf(sql, '"T"')).toEqual(before);
      expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
    }
  });
});
