/** What belongs together across tables and columns comes back together: all of it, or the version is refused. */
import { describe, expect, test } from 'vitest';
import { readCatalog } from '../../scripts/db/catalog.ts';
import { rowsOf, started, type VersionedProject } from '../support/versions.ts';

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
