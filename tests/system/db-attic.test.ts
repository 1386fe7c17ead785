/** What belongs together across tables and columns comes back together: all of it, or the version is refused. */
import { describe, expect, test } from 'vitest';
import { readCatalog } from '../../scripts/db/catalog.ts';
import { current, rowsOf, started, V1, V2, type VersionedProject } from '../support/versions.ts';

/** Takes version 2 back and applies it again, and expects every row and object to be as it was. */
async function expectWhole({ sql, run }: VersionedProject, ...tables: string[]): Promise<void> {
  const before = [await rowsOf(sql, ...tables), await readCatalog(sql)];
  await run('downgrade');
  await run('upgrade');
  expect([await rowsOf(sql, ...tables), await readCatalog(sql)]).toEqual(before);
  expect(await sql`select from pg_namespace where nspname = 'imago_attic'`).toHaveLength(0);
}

describe('comes back as one', () => {
  test('tables that refer to each other in a circle, to columns that come back, and to themselves', async () => {
    const project = await started(
      `create table public.a (id int primary key, b int);
       create table public.b (id int primary key, a int not null references public.a);
       alter table public.a add constraint "A; b" foreign key (b) references public.b;
       comment on constraint "A; b" on public.a is 'it''s kept';
       alter table public.t add code text unique, add b int references public.b, add partner int unique references public.t;
       create table public.r (id int primary key, code text not null references public.t (code), up int references public.r deferrable initially deferred);`,
      `drop table public.r; alter table public.t drop code, drop b, drop partner; alter table public.a drop constraint "A; b"; drop table public.b; drop table public.a;`,
    );
    await project.run('upgrade');
    await project.sql.unsafe(`
      insert into a values (1, null), (2, null);
      insert into b values (10, 1), (20, 2);
      update a set b = id * 10;
      update t set code = 'c' || id, b = 10 where id < 5;
      update t set partner = 11 - id;
      insert into r values (1, 'c1', 2), (2, 'c2', 1);`);
    await expectWhole(project, 'a', 'b', 'r', 't');
  });

  test('columns that are checked together, are never null, are numbered, or are unique in another order', async () => {
    const project = await started(
      `create domain public.code as text not null default '' check (value <> 'bad');
       create table public.pair (a int, b int, primary key (a, b));
       alter table public.t
         add finished timestamptz, add status text not null default 'open', add nr bigint generated always as identity unique,
         add place int not null, add span int4range, add constraint "no; overlap" exclude using gist (span with &&),
         add x int, add y int, add code public.code,
         add constraint fits check ((status = 'done') = (finished is not null)),
         add foreign key (x, y) references public.pair match full;
       create unique index "by; place" on public.t (place) where place > 0;
       comment on index public."by; place" is 'one each';`,
      `alter table public.t drop constraint fits, drop finished, drop status, drop nr, drop place, drop span, drop x, drop y, drop code; drop table public.pair; drop domain public.code;`,
    );
    const { sql, run } = project;
    await sql`delete from t`;
    await run('upgrade');
    await sql.unsafe(`
      insert into pair values (1, 2);
      insert into t (id, place) select i, 11 - i from generate_series(1, 10) i;
      update t set status = 'done', finished = 'epoch', span = int4range(id, id + 1), x = 1, y = 2 where id < 5;
      update t set status = 'done', finished = 'epoch', code = 'good' where id > 7;
      delete from t where id = 3;
      insert into t (id, place) values (3, 8);`);
    await expectWhole(project, 'pair', 't');
    expect(await sql`select nextval(pg_get_serial_sequence('t', 'nr'))::int as nr`).toEqual([{ nr: 12 }]);
  });

  test('children, partitions, tables without a key that the version fills, and what is computed from them', async () => {
    const project = await started(
      `create table public.parent (id int primary key, x text);
       create table public.child (y int) inherits (public.parent);
       create table public.part (k text, n int) partition by list (k);
       create table public.part_a partition of public.part for values in ('a') partition by range (n);
       create table public.part_a1 partition of public.part_a default;
       create table public.part_x partition of public.part default;
       create table public.filled (id int, a text);
       insert into public.filled select id, a from public.t;
       create materialized view public.first as select * from public.part;
       create materialized view public.second as select count(*)::int as count from public.first;
       alter table public.part enable row level security, force row level security;`,
      `drop materialized view public.second; drop materialized view public.first; drop table public.filled; drop table public.part; drop table public.child; drop table public.parent;`,
    );
    const { sql, run } = project;
    await run('upgrade');
    await sql.unsafe(`
      insert into parent values (1, 'p'); insert into child values (2, 'c', 3), (3, 'd', 4);
      insert into part values ('a', 1), ('a', 1), ('b', 2);
      delete from filled where id > 8; update filled set a = 'mine' where id = 1; insert into filled values (2, 'row 2');
      refresh materialized view first; refresh materialized view second;`);
    const tables = ['only parent', 'child', 'part_a1', 'part_x', 'filled', 'second'];
    await expectWhole(project, ...tables);
  });
});

test('a domain that is never null, a check that looks into another table, a view that was filled later; triggers look away', async () => {
  const project = await started(
    `create domain public.code as text not null;
     create table public.allowed (nr int primary key);
     create function public.is_allowed(nr int) returns boolean language sql stable as 'select exists (select from public.allowed a where a.nr = is_allowed.nr)';
     create table public.aaa (id int primary key, nr int check (public.is_allowed(nr)));
     alter table public.t add code public.code, add seen int default 0;
     create materialized view public.later as select count(*)::int as count from public.t with no data;
     create function public.see() returns trigger language plpgsql as $$ begin new.seen := new.seen + 1; return new; end $$;
     create trigger see before update on public.t for each row execute function public.see();`,
    `drop trigger see on public.t; drop function public.see(); drop materialized view public.later; alter table public.t drop code, drop seen; drop table public.aaa; drop function public.is_allowed(int); drop table public.allowed; drop domain public.code;`,
  );
  const { sql, run } = project;
  await sql`delete from t`;
  await run('upgrade');
  await sql.unsafe(`
    insert into t (id, code) values (1, 'one'), (2, 'two'); insert into allowed values (1); insert into aaa values (1, 1);
    refresh materialized view later;`);
  await expectWhole(project, 't', 'allowed', 'aaa', 'later');
  await run('downgrade');
  const { lines } = await run('upgrade', '--fire-triggers');
  expect(lines).toContain('Computed anew public.later.');
  expect(await sql`select seen from t`).toEqual([{ seen: 1 }, { seen: 1 }]);
  await run('downgrade');
  await sql`insert into t values (3)`;
  expect(await project.refusal('upgrade')).toMatchObject({ code: 'rows-do-not-fit' });
});

describe('beside what people wrote meanwhile', () => {
  test('rows and values that the version brings again stay as they were kept; what is new in them comes', async () => {
    const project = await started(
      `create table public.detail (t int primary key references public.t on delete cascade, a text, at timestamptz default clock_timestamp());
       insert into public.detail (t, a) select id, a from public.t;
       create table public.note (nr serial primary key, about int references public.detail, text text);
       insert into public.note (about, text) select id, a from public.t order by id;
       create table public.log (a text); insert into public.log select a from public.t;
       alter table public.t add loud text; update public.t set loud = upper(a);`,
      `drop table public.log; drop table public.note; drop table public.detail; alter table public.t drop loud;`,
    );
    const { sql, run } = project;
    await run('upgrade');
    await sql.unsafe(`
      update detail set a = 'mine' where t = 1; delete from note where about in (2, 9); delete from detail where t = 2;
      insert into note (about, text) values (1, 'more'); delete from log where a = 'row 3'; update t set loud = null where id = 3;`);
    await run('downgrade');
    await sql.unsafe(
      `update t set a = 'newer' where id = 4; insert into t values (11, 'eleven'); delete from t where id = 5;`,
    );
    const { data } = await run('upgrade');
    expect(data?.put_back).toEqual([
      { object: 'table public.detail', rows: 8, left: 1, newer: 1 },
      { object: 'table public.note', rows: 8, left: 1, newer: 0 },
      { object: 'table public.log', rows: 9, left: 0, newer: 0 },
      { object: 'column public.t.loud', rows: 8, left: 0, newer: 1 },
    ]);
    const lists = await sql.unsafe(`
      select string_agg(concat(t.id, d.a, ':', loud), ' ' order by t.id) from t left join detail d on d.t = t.id
      union all select string_agg(concat(nr, ':', about, text), ' ' order by nr) from note
      union all select string_agg(a, ' ' order by a) from log`);
    expect(lists.map(({ string_agg }) => string_agg)).toEqual([
      '1mine:ROW 1 2:ROW 2 3row 3: 4newer:NEWER 6row 6:ROW 6 7row 7:ROW 7 8row 8:ROW 8 9row 9:ROW 9 10row 10:ROW 10 11eleven:ELEVEN',
      '1:1row 1 3:3row 3 4:4row 4 6:6row 6 7:7row 7 8:8row 8 10:10row 10 11:1more 12:4newer 13:11eleven',
      'eleven newer row 1 row 10 row 2 row 4 row 5 row 6 row 7 row 8 row 9',
    ]);
  });
});

describe('what cannot come back whole is refused', () => {
  test('before it is taken back, with what would stay behind; and before it is applied, with what is in its way', async () => {
    const project = await started(
      `alter table public.t add status text, add constraint "done; said" check (status <> 'done' or a is not null);
       alter table public.t add code text; create unique index once on public.t (code);`,
      'alter table public.t drop status, drop code, drop changed;',
    );
    const { sql, run } = project;
    await run('upgrade');
    await sql`update t set status = 'done', code = id where id < 4`;
    const before = [await rowsOf(sql, 't'), await readCatalog(sql)];
    const early = await project.refusal('downgrade');
    expect(early).toMatchObject({
      code: 'would-not-come-back',
      hint: expect.stringContaining('--allow-data-loss'),
    });
    expect(early.message).toContain('the version does not make column public.t.changed');
    expect([await rowsOf(sql, 't'), await readCatalog(sql)]).toEqual(before);

    await project.version(
      V2,
      await project.read(`migrations/${V2}_by_hand.sql`),
      'alter table public.t drop status, drop code;',
    );
    await run('downgrade');
    await sql`update t set a = null where id = 1`;
    const { code, message, hint = '' } = await project.refusal('upgrade');
    expect({ code, message }).toEqual({
      code: 'kept-does-not-fit',
      message: `What was kept of version ${V2} cannot come back whole: a row breaks a check: table t, constraint done; said (23514).`,
    });
    expect(await current(project)).toBe(V1);
    expect((await run('status')).data?.aside).toMatchObject([{ rows: 3 }, { rows: 3 }]);
    await sql.unsafe(/update imago_attic.*;/.exec(hint)?.[0] ?? '');
    await run('upgrade');
    expect(await sql`select status from t where id = 1`).toEqual([{ status: null }]);
  });
});
