/** `db migrate`: what the models say becomes versions with ways back; the real CLI pushes them, and agrees. */
import { describe, expect, test } from 'vitest';
import { readCatalog } from '../../scripts/db/catalog.ts';
import { cliPush, rowsOf, versionedProject } from '../support/versions.ts';

/** Every kind of object, with names that need care. */
const first = `
create schema "Sales";
create type public.mood as enum ('bad', 'it''s ok', 'good');
create domain public.percent as int check (value between 0 and 100);
create table public."Order" (
  "select" bigint generated always as identity primary key,
  "Mixed Case" text not null default 'a "quoted" one',
  languages text[] not null default '{}',
  moods public.mood[],
  mood public.mood not null default 'good',
  share public.percent,
  price numeric(10, 2) not null check (price >= 0),
  doubled numeric generated always as (price * 2) stored
);
comment on table public."Order" is 'It''s a table; with a semicolon';
comment on column public."Order"."Mixed Case" is 'mixed';
create table "Sales"."user" (id serial primary key, "order" bigint references public."Order" on delete cascade, unique ("order"));
create index "by; mood" on public."Order" (mood) where price > 1;
create view public.cheap with (security_invoker = true) as select "select", "Mixed Case" from public."Order" where price < 10;
create function public.total(m public.mood) returns numeric language plpgsql stable set search_path = '' as $body$
begin
  return (select sum(o.price) from public."Order" o where o.mood = m); -- with; a semicolon
end
$body$;
create function public.touch() returns trigger language plpgsql as $$ begin new."Mixed Case" := new."Mixed Case"; return new; end $$;
create trigger "Touch" before update on public."Order" for each row execute function public.touch();
alter table public."Order" enable row level security;
create policy "own; ones" on public."Order" for select to authenticated using (price > 0);
grant select, insert ("Mixed Case") on public."Order" to authenticated;
grant execute on function public.total(public.mood) to service_role;`;

/** The same, with something of each kind changed. */
const second = first
  .replace("'good');", "'good', 'best');")
  .replace('between 0 and 100', 'between 0 and 1000')
  .replace(
    "languages text[] not null default '{}',",
    "languages text[] not null default '{en}',\n  certifications text[] not null default '{}',",
  )
  .replace(
    'comment on column public."Order"."Mixed Case" is \'mixed\'',
    'comment on column public."Order".languages is \'spoken\'',
  )
  .replace('where price > 1', 'where price > 2')
  .replace('where price < 10', 'where price < 20')
  .replace('select sum(o.price)', 'select max(o.price)')
  .replace('before update', 'before insert or update')
  .replace('using (price > 0)', 'using (price > 1)')
  .replace('grant select, insert', 'grant select, update')
  .concat(
    '\ncreate table public.reviews (id uuid primary key default gen_random_uuid(), "order" bigint not null references public."Order", body text);',
  );

describe('from models to versions', () => {
  test('and back: objects of every kind, pushed by the CLI, which agrees after the way back, no row lost', async () => {
    const project = await versionedProject();
    const { sql, run } = project;
    await project.write({ 'schemas/all.sql': first });
    const wrote = await run('migrate', 'Everything');
    expect(wrote.data?.files).toHaveLength(2);
    expect(await project.files('ways-back')).toEqual(await project.files('migrations'));
    await cliPush(project);
    expect(await project.list()).toMatchObject([{ local: true, remote: true }]);
    expect(await run('check')).toMatchObject({ status: 'done' });
    await sql.unsafe(`
      insert into public."Order" ("Mixed Case", languages, moods, mood, share, price)
      select 'row ' || i, '{de,"a, b"}', '{bad,"it''s ok"}', 'it''s ok', i % 100, i from generate_series(1, 30) i;
      insert into "Sales"."user" ("order") select "select" from public."Order" limit 10`);
    const before = await readCatalog(sql);

    await project.write({ 'schemas/all.sql': second });
    expect(await run('check')).toMatchObject({ status: 'drift' });
    const { data, lines } = await run('migrate', 'Something of each kind');
    expect(lines?.join('\n')).toContain('added column public."Order".certifications');
    const [, file = ''] = await project.files('migrations');
    const text = await project.read(`migrations/${file}`);
    expect(text).toMatch(/ALTER TYPE "public"."mood" ADD VALUE 'best' AFTER 'good'/);
    expect(text).not.toContain('DROP TABLE');
    // An index is made again; nothing is lost or rewritten.
    expect(data?.risks).toMatchObject([{ kind: 'keeps locks', object: 'public."Order"' }]);

    await run('upgrade');
    expect(await run('check')).toMatchObject({ status: 'done' });
    await sql.unsafe(`
      update public."Order" set certifications = array['c' || "select", null, 'x "y"'] where "select" % 3 > 0;
      insert into public.reviews ("order", body) select "select", 'body' from public."Order"`);
    const [rows, after] = [await rowsOf(sql, '"Order"', '"Sales"."user"', 'reviews'), await readCatalog(sql)];

    await run('downgrade');
    expect(await project.list()).toMatchObject([{ remote: true }, { remote: false }]);
    expect(await readCatalog(sql)).toEqual(before);
    expect((await run('status')).data?.aside).toMatchObject([
      { object: 'column public."Order".certifications', rows: 30, left: false },
      { object: 'table public.reviews', rows: 30, left: false },
    ]);
    await run('upgrade');
    expect(await rowsOf(sql, '"Order"', '"Sales"."user"', 'reviews')).toEqual(rows);
    expect(await readCatalog(sql)).toEqual(after);
    expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
  });

  test('an enum value that the same models use becomes two versions, each with its way back', async () => {
    const project = await versionedProject();
    const model = (values: string, preset: string) => ({
      'schemas/a.sql': `create type public.mood as enum (${values}); create table public.t (id int primary key, m public.mood default '${preset}');`,
    });
    await project.startWith(model("'a'", 'a'));
    await project.write(model("'a', 'b'", 'b'));
    await project.run('migrate', 'use it');
    expect((await project.files('migrations')).map((file) => file.replace(/^\d+/, ''))).toEqual([
      '_by_hand.sql',
      '_use_it_1.sql',
      '_use_it_2.sql',
    ]);
    await project.run('upgrade');
    expect(await project.run('check')).toMatchObject({ status: 'done' });
    await project.run('downgrade', '-1');
    expect((await project.run('check')).data?.drift).toEqual([]);
    await project.run('downgrade', '-1');
    expect((await project.run('check')).data?.drift).toEqual([]);
  });
});

describe('renames', () => {
  const before = `
    create type public.mood as enum ('happy', 'sad');
    create table public.people (id serial primary key, name text not null unique, born date, mood public.mood not null);
    create index people_born_idx on public.people (born);
    create table public.pets (id int primary key, owner int references public.people);`;
  const after = `
    create type public.mood as enum ('glad', 'sad');
    create table public.persons (id serial primary key, full_name text not null unique, born date, mood public.mood not null);
    create index persons_born_idx on public.persons (born);
    create table public.pets (id int primary key, owner int references public.persons);`;

  test('that somebody confirms are renames: rows, indexes and keys stay, down and up again', async () => {
    const asked: string[] = [];
    const project = await versionedProject({ answers: (question) => asked.push(question) > 0 });
    const { sql, run } = project;
    await project.startWith({ 'schemas/a.sql': before });
    await run('upgrade');
    await sql.unsafe(`
      insert into people (name, born, mood) select 'n' || i, '2000-01-01'::date + i, 'happy' from generate_series(1, 20) i;
      insert into pets select id, id from people`);
    const files = () =>
      sql`select relfilenode from pg_class where relname ~ '^(people|persons|pets)' order by 1`;
    const onDisk = await files();
    await project.write({ 'schemas/a.sql': after });
    const { data } = await run('migrate', 'rename');
    expect(asked).toHaveLength(3);
    expect(asked[0]).toBe(
      'Was table public.people renamed to public.persons (75 % of their columns are the same)?',
    );
    expect(data).toMatchObject({
      risks: [],
      renames: [{ kind: 'table' }, { kind: 'column' }, { kind: 'enum value' }],
    });
    await run('upgrade');
    expect(await run('check')).toMatchObject({ status: 'done' });
    expect(await files()).toEqual(onDisk);
    expect(await sql`select full_name, mood from persons where id = 7`).toEqual([
      { full_name: 'n7', mood: 'glad' },
    ]);
    await run('downgrade');
    expect((await run('check')).data?.drift).toMatchObject({ length: expect.any(Number) });
    expect(await sql`select name, mood from people where id = 7`).toEqual([{ name: 'n7', mood: 'happy' }]);
    await run('upgrade');
    expect(await run('check')).toMatchObject({ status: 'done' });
    expect(await sql`select count(*)::int from persons join pets on owner = persons.id`).toEqual([
      { count: 20 },
    ]);
  });

  test('that nobody confirms are refused as losses, with the flag that would tell', async () => {
    const project = await versionedProject();
    await project.startWith({ 'schemas/a.sql': before });
    await project.write({ 'schemas/a.sql': after });
    const { code, message, hint } = await project.refusal('migrate', 'rename');
    expect(code).toBe('data-loss');
    expect(message).toContain('public.people is dropped with its rows');
    expect(hint).toContain('--rename public.people=public.persons');
    expect(hint).toMatch(/imago plan new people --source public\.people --key id/);
    expect(await project.files('migrations')).toHaveLength(1);
    expect(await project.refusal('migrate', 'rename', '--rename', 'people=nobody')).toMatchObject({
      code: 'bad-rename',
    });
  });

  test('that flags tell are done without asking, into another schema, which may be a new one, too; rows come along, and back', async () => {
    const project = await versionedProject();
    const { run, sql } = project;
    const model = (people: string, pets: string, name: string, mood: string) => ({
      'schemas/a.sql': `
        ${people.startsWith('app.') ? 'create schema app;' : ''}
        create type public.mood as enum ('${mood}', 'sad');
        create table ${people} (id serial primary key, ${name} text not null, mood public.mood);
        create table ${pets} (id int primary key, owner int references ${people});
        alter table ${pets} enable row level security;`,
    });
    await project.startWith(model('public.people', 'public.pets', 'name', 'happy'));
    await run('upgrade');
    await sql.unsafe(
      `insert into people (name, mood) values ('a', 'happy'), ('b', null); insert into pets select id, id from people`,
    );
    const before = [await rowsOf(sql, 'public.people', 'public.pets'), await readCatalog(sql)];
    await project.write(model('app.persons', 'app.pets', 'full_name', 'glad'));
    const moves = [
      'public.people=app.persons',
      'public.pets=app.pets',
      'name=full_name',
      'public.mood.happy=public.mood.glad',
    ].flatMap((move) => ['--rename', move]);
    expect((await run('migrate', 'move', ...moves)).data?.risks).toEqual([]);
    await run('upgrade');
    expect(await run('check')).toMatchObject({ status: 'done' });
    const [people, pets] = Object.values(before[0] as Record<string, string[]>);
    expect(Object.values(await rowsOf(sql, 'app.persons', 'app.pets'))).toEqual([
      people?.map((row) => row.replace('"happy"', '"glad"').replace('"name"', '"full_name"')),
      pets,
    ]);
    await run('downgrade');
    expect([await rowsOf(sql, 'public.people', 'public.pets'), await readCatalog(sql)]).toEqual(before);
  });
});

describe('statements that lose data or rewrite a table', () => {
  test('are marked, and come with the plan that would do it', async () => {
    const project = await versionedProject();
    await project.startWith({
      'schemas/a.sql': `
        create type public.mood as enum ('a', 'b', 'c');
        create table public.t (id int primary key, gone text, cut text, wide int, m public.mood, n numeric(12,4), v varchar(10));
        create table public.lost (id int primary key, entirely text, other text);`,
    });
    await project.write({
      'schemas/a.sql': `
        create type public.mood as enum ('a', 'b');
        create table public.t (id int primary key, cut varchar(5), wide bigint, m public.mood, n numeric(8,2), v varchar(20),
          token uuid not null default gen_random_uuid(), needed int not null, computed int generated always as (id * 2) stored);
        create index on public.t (cut);`,
    });
    const { data, lines = [] } = await project.run('migrate', 'risky', '--allow-data-loss');
    for (const text of [
      'public.lost is dropped with its rows',
      'public.t.gone is dropped with its values',
      'public.t.cut goes from text to character varying(5): values that do not fit fail or are cut',
      'public.t.wide goes from integer to bigint: every row is rewritten',
      'public.t.n goes from numeric(12,4) to numeric(8,2): values that do not fit',
      'public.t.m gets other values of type mood, without c: rows that hold one fail',
    ]) {
      expect(lines.find((line) => line.includes(`: ${text}`))).toMatch(/^(loses data|rewrites the table): /);
    }
    // Longer, and nothing else: neither lost nor rewritten.
    expect(data?.risks).not.toContainEqual(expect.objectContaining({ object: 'public.t.v' }));
    expect(lines.join('\n')).toContain('imago plan new t_wide --source public.t --key id');
    expect(data?.risks).toContainEqual(
      expect.objectContaining({ kind: 'fails on rows', object: 'public.t.needed' }),
    );
    expect(data?.risks).toContainEqual(expect.objectContaining({ kind: 'keeps locks', object: 'public.t' }));
    const [, file = ''] = await project.files('migrations');
    const text = await project.read(`migrations/${file}`);
    expect(text).toMatch(
      /-- LOSES DATA: public\.lost is dropped with its rows\nDROP TABLE "public"\."lost";/,
    );
    expect(text).toMatch(/-- REWRITES THE TABLE: .*\nALTER TABLE "public"\."t"\n {2}ADD COLUMN "token"/);
  });

  test('say what is true: of enums in another order, of null, of keys, of what stands on a column whose type changes', async () => {
    const project = await versionedProject();
    const { run, sql } = project;
    const model = (values: string, a: string, isPositive: string, name: string) => ({
      'schemas/a.sql': `
        create type public.mood as enum (${values});
        create table public."Order" ("Key" int primary key, mood public.mood, a ${a}, name text ${name},
          twice text generated always as (name || name) stored);
        create table public.pair (x int, y int, a ${a}, primary key (x, y));
        create view public.v as select a, name from public."Order" where a is not null;
        create policy "p; q" on public."Order" for select to authenticated using (${isPositive});
        comment on policy "p; q" on public."Order" is 'stays';`,
    });
    await project.startWith(model("'a', 'b', 'c'", 'int', 'a > 0', ''));
    await run('upgrade');
    await sql.unsafe(
      `insert into "Order" select i, 'b', i, 'n' from generate_series(1, 5) i; insert into pair values (1, 2, 3)`,
    );
    const before = await readCatalog(sql);
    await project.write(model("'c', 'b', 'a'", 'bigint', 'a > 0', 'not null'));
    const { data, lines = [] } = await run('migrate', 'second', '--allow-data-loss');
    const said = (start: string) => lines.find((line) => line.includes(start));
    expect(said('public."Order".mood gets other values of type mood: every row is rewritten')).toBeDefined();
    expect(said('public."Order".a goes from')).toMatch(
      /imago plan new order_a --source 'public."Order"' --key Key$/,
    );
    // A plan walks a table by one column.
    expect(said('public.pair.a goes from')).toMatch(
      /every row is rewritten, and nobody can read public\.pair meanwhile$/,
    );
    expect(data?.risks).not.toContainEqual(expect.objectContaining({ kind: 'loses data' }));
    expect(data?.risks).toContainEqual(
      expect.objectContaining({ kind: 'fails on rows', object: 'public."Order".name' }),
    );
    await run('upgrade');
    expect(await run('check')).toMatchObject({ status: 'done' });
    await run('downgrade');
    expect(await readCatalog(sql)).toEqual(before);
    await sql`update "Order" set name = null where "Key" = 1`;
    expect(await project.refusal('upgrade')).toMatchObject({ code: 'rows-do-not-fit' });
  });
});

test('an attribute that a composite type loses is a loss: refused without --allow-data-loss, as a rewrite is; moved aside on the way back', async () => {
  const project = await versionedProject();
  const { run, sql } = project;
  const model = (attributes: string, wide = 'int') => ({
    'schemas/a.sql': `create type public.size as (x int${attributes}); create table public.t (id int primary key, s public.size, "All" public.size[], wide ${wide});`,
  });
  await project.startWith(model(''));
  await project.write(model(', "Unit; u" text'));
  await run('migrate', 'second');
  await run('upgrade');
  await sql.unsafe(
    `insert into t values (1, '(1,cm)', '{"(1,cm)","(2,)"}'), (2, null, '{}'), (3, '(3,)', null)`,
  );
  const before = await rowsOf(sql, 't');
  expect((await run('downgrade')).data?.moved_aside).toMatchObject([
    { object: 'values of public.t.s' },
    { object: 'values of public.t."All"' },
  ]);
  await run('upgrade');
  expect(await rowsOf(sql, 't')).toEqual(before);
  await project.write(model('', 'bigint'));
  const { code, message, hint } = await project.refusal('migrate', 'third');
  expect(code).toBe('data-loss');
  expect(message).toContain('public.t.wide goes from integer to bigint: every row is rewritten');
  expect(hint).toContain('imago plan new t_wide --source public.t --key id');
  expect(hint).toContain('--allow-data-loss');
  expect(await project.files('migrations')).toHaveLength(2);
  expect(message).toContain('public.t.s is of type size, which loses Unit; u text with its values');
});

describe('models', () => {
  test('of 80 tables stand in any order of files, and one that fails is named with its line', async () => {
    const project = await versionedProject();
    const tables = Array.from(
      { length: 80 },
      (
        _,
        i,
      ) => `create table public.t${i} (id bigint generated always as identity primary key, a text not null, b int[],
        parent bigint ${i > 0 ? `references public.t${i - 1}` : ''}, c timestamptz default now());
        create index on public.t${i} (a); alter table public.t${i} enable row level security;
        create policy p on public.t${i} for select using (a <> ''); comment on table public.t${i} is 'table ${i}';`,
    );
    await project.write({
      'schemas/tables.sql': tables.join('\n'),
      'schemas/a_child.sql':
        'create table public.child (id int primary key, parent int references public.parent);',
      'schemas/sub/b_parent.sql': 'create table public.parent (id int primary key, m public.mood);',
      'schemas/z.sql': "create type public.mood as enum ('a');",
    });
    expect((await project.run('migrate', 'any order')).data?.files).toHaveLength(2);
    await project.write({ 'schemas/wrong.sql': '\n\ncreate table public.wrong (id nothing);' });
    const problem = await project.refusal('migrate', 'wrong');
    expect(problem).toMatchObject({
      code: 'model-fails',
      message: expect.stringContaining('schemas/wrong.sql:3'),
    });
    expect(await project.files('migrations')).toHaveLength(1);
  });

  test('that are not there are missed; an empty version needs none', async () => {
    const project = await versionedProject();
    expect(await project.refusal('migrate', 'x')).toMatchObject({ code: 'no-models' });
    expect((await project.run('migrate', 'By hand', '--empty')).data?.files).toHaveLength(2);
  });
});
