/** What belongs together across tables and columns comes back together: all of it, or the version is refused. */
import type { TransactionSql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCatalog } from '../../scripts/db/catalog.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { current, rowsOf, started, V1, V2, versionedProject } from '../support/versions.ts';
import { type ByHand, expectWhole } from '../support/walking.ts';

const t =
  'create table s.t (id int primary key, a text); insert into s.t values (1, $$one$$), (2, $$two$$), (3, $$three$$);';

/** In the schema `s`: what belongs together, the version, its way back, and what people write. */
const cases: Record<string, { base: string; up: string; down: string; writes: string }> = {
  'tables that refer to each other in a circle': {
    base: '',
    up: `create table s.a (id int primary key, b int); create table s.b (id int primary key, a int not null references s.a on delete cascade);
      alter table s.a add constraint "A; b" foreign key (b) references s.b on update cascade; comment on constraint "A; b" on s.a is 'it''s kept';`,
    down: 'alter table s.a drop constraint "A; b"; drop table s.b; drop table s.a;',
    writes:
      'insert into s.a values (1, null), (2, null); insert into s.b values (10, 1), (20, 2); update s.a set b = id * 10;',
  },
  'three in a circle that nobody can break, and one that refers to itself': {
    base: '',
    up: `create table s.a (id int primary key, b int not null, up int references s.a);
      create table s.b (id int primary key, c int not null, constraint later foreign key (id) references s.a deferrable);
      create table s.c (id int primary key references s.a deferrable initially deferred);
      alter table s.a add foreign key (b) references s.b deferrable initially deferred; alter table s.b add foreign key (c) references s.c;`,
    down: 'drop table s.a, s.b, s.c cascade;',
    writes:
      'insert into s.a values (1, 1, 2), (2, 1, 1); insert into s.c values (1); insert into s.b values (1, 1); insert into s.c values (2);',
  },
  'a table, and a column, that refer to a column that comes back': {
    base: `${t} create table s.u (id int primary key);`,
    up: `alter table s.t add code text unique; create table s.r (id int primary key, code text not null references s.t (code), r int references s.r);
      alter table s.u add code text references s.t (code) on update cascade, add t int unique references s.t;`,
    down: 'alter table s.u drop code, drop t; drop table s.r; alter table s.t drop code;',
    writes: `update s.t set code = 'c' || id; insert into s.r values (1, 'c1', 1), (2, 'c2', 1); insert into s.u values (1, 'c3', 2), (2, null, null);`,
  },
  'columns that a check sees together, some of them null where there is a default': {
    base: t,
    up: `alter table s.t add finished timestamptz, add status text default 'open', add constraint fits check ((status = 'done') = (finished is not null) or status is null);`,
    down: 'alter table s.t drop finished, drop status;',
    writes: `update s.t set status = 'done', finished = 'epoch' where id = 1; update s.t set status = null where id = 2;`,
  },
  'a key of several columns, in full or not at all': {
    base: t,
    up: `create table s.pair (x int, y text, primary key (x, y)); alter table s.t add x int, add y text, add foreign key (x, y) references s.pair match full;`,
    down: 'alter table s.t drop x, drop y; drop table s.pair;',
    writes: `insert into s.pair values (1, 'a'); update s.t set x = 1, y = 'a' where id < 3;`,
  },
  'values that differ, and came in another order': {
    base: t,
    up: `alter table s.t add place serial, add rank int generated always as identity, add span int4range, add constraint "no; two" exclude using gist (span with &&);
      alter table s.t add unique (rank); create unique index "by; place" on s.t (place) where place > 0; comment on index s."by; place" is 'one each';
      alter table s.t replica identity using index t_pkey; update s.t set span = int4range(id, id + 1);`,
    down: 'alter table s.t replica identity default; alter table s.t drop place, drop rank, drop span;',
    writes: `update s.t set place = place + 10; update s.t set span = null; update s.t set place = 4 - id, span = int4range(4 - id, 5 - id); delete from s.t where id = 2;
      insert into s.t (id, place, rank) overriding system value values (2, 2, 9); select nextval('s.t_place_seq');`,
  },
  'columns that are never null, of a domain, or asked to be something at once': {
    base: `${t} truncate s.t;`,
    up: `create domain s.code as text not null check (value <> 'bad');
      alter table s.t add b int not null check (b > 0) unique, add c s.code, add constraint more check (b > id);
      alter table s.t add d int; alter table s.t alter d set not null; alter table s.t add constraint even check (d % 2 = 0);`,
    down: 'alter table s.t drop b, drop c, drop d; drop domain s.code;',
    writes: `insert into s.t values (1, 'x', 2, 'one', 2), (2, 'y', 3, 'two', 4);`,
  },
  'children with rows of their own, and theirs': {
    base: 'create table s.old (id int primary key); create table s.older (more int, primary key (id)) inherits (s.old);',
    up: `create table s.parent (id int primary key, x text); create table s.child (y int) inherits (s.parent);
      create table s.grandchild (primary key (id)) inherits (s.child); alter table s.old add z int default 1;`,
    down: 'alter table s.old drop z; drop table s.grandchild; drop table s.child; drop table s.parent;',
    writes: `insert into s.parent values (1, 'p'); insert into s.child values (2, 'c', 3), (2, 'c', 3); insert into s.grandchild values (4, 'g', 5);
      insert into s.old values (1, 2); insert into s.older values (1, 3, 4), (2, 3, null);`,
  },
  'partitions without a key, below partitions': {
    base: '',
    up: `create table s.part (k text, n int) partition by list (k); create table s.a partition of s.part for values in ('a') partition by range (n);
      create table s.a1 partition of s.a default; create table s.x partition of s.part default; alter table s.part enable row level security, force row level security;`,
    down: 'drop table s.part;',
    writes: `insert into s.part values ('a', 1), ('a', 1), ('b', 2);`,
  },
  'tables that the version fills, with a key, without one, or with one that is drawn': {
    base: t,
    up: `create table s.keyed as select * from s.t; alter table s.keyed add primary key (id); create table s.loose (id int, a text); insert into s.loose select * from s.t;
      create table s.drawn (nr serial primary key, t int, at timestamptz default clock_timestamp()); insert into s.drawn (t) select id from s.t;
      create table s.timed (id uuid primary key, at timestamptz); insert into s.timed select gen_random_uuid(), now() from s.t;
      alter table s.t add b text; update s.t set b = upper(a);`,
    down: 'drop table s.timed, s.drawn, s.loose, s.keyed; alter table s.t drop b;',
    writes: `update s.keyed set a = 'mine' where id = 1; delete from s.keyed where id = 2; delete from s.loose where id > 2; insert into s.loose values (1, 'one');
      delete from s.drawn where t = 3; insert into s.drawn (t) values (1); delete from s.timed where id in (select id from s.timed limit 1); update s.t set b = null where id = 1;`,
  },
  'a table that the version fills and people have emptied': {
    base: t,
    up: 'create table s.n (id int primary key); insert into s.n select id from s.t;',
    down: 'drop table s.n;',
    writes: 'delete from s.n;',
  },
  'rows of a table that stays, which the way back deletes and the version brings again': {
    base: t,
    up: `alter table s.t add b text default 'x'; insert into s.t values (4, 'four') on conflict do nothing;`,
    down: 'delete from s.t where id = 4; alter table s.t drop b;',
    writes: 'update s.t set b = null;',
  },
  'what is computed, one from the other, at once or later': {
    base: t,
    up: `create table s.a (id int primary key, twice int generated always as (id * 2) stored); alter table s.t add b int;
      create materialized view s.first as select a.twice, t.b from s.a join s.t using (id); create unique index on s.first (twice);
      create materialized view s.second as select count(*) from s.first; create view s.between as select * from s.second;
      create materialized view s.third as select * from s.between with no data; create materialized view s.never as select * from s.t with no data;`,
    down: 'drop materialized view s.never, s.third; drop view s.between; drop materialized view s.second, s.first; alter table s.t drop b; drop table s.a;',
    writes: `insert into s.a values (1), (2); update s.t set b = id; refresh materialized view s.first; refresh materialized view s.second; refresh materialized view s.third;`,
  },
  'checks that hold for new rows only, and one that looks into another table': {
    base: t,
    up: `create table s.allowed (nr int primary key);
      create function s.is_allowed(nr int) returns boolean language sql stable as 'select exists (select from s.allowed a where a.nr = is_allowed.nr)';
      create table s.aaa (id int primary key, nr int check (s.is_allowed(nr))); alter table s.t add nr int check (s.is_allowed(nr) or nr is null);
      alter table s.t add constraint short check (length(a) < 4) not valid, add constraint gone foreign key (id) references s.allowed not valid;
      comment on constraint short on s.t is 'for new ones';`,
    down: 'alter table s.t drop constraint short, drop constraint gone, drop nr; drop table s.aaa; drop function s.is_allowed(int); drop table s.allowed;',
    writes:
      'insert into s.allowed values (1); insert into s.aaa values (1, 1); update s.t set nr = 1 where id = 1;',
  },
  'values that the way back writes over, and the version again': {
    base: `${t} alter table s.t add at timestamptz default 'epoch', add c text; create function s.touch() returns trigger language plpgsql as $$ begin new.at := clock_timestamp(); return new; end $$;
      create trigger touch before update on s.t for each row execute function s.touch();`,
    up: `do $$ begin update s.t set a = upper(a); end $$; update s.t set c = 'new' where c is null; alter table s.t alter a type varchar(9);`,
    down: 'alter table s.t alter a type text; update s.t set a = lower(a);',
    writes: `update s.t set a = 'MiXed', c = null where id = 1; update s.t set a = null, c = 'x' where id = 2;`,
  },
  'columns of a table without a key': {
    base: `create table s.loose (a int, b text, j json); insert into s.loose values (1, 'x', '{}'), (1, null, '{}'), (2, 'x', null), (3, 'z', null), (3, 'z', null);`,
    up: `alter table s.loose add c int, add d text default 'd', add e int generated by default as identity;`,
    down: 'alter table s.loose drop c, drop d, drop e;',
    writes: `update s.loose set e = 0; update s.loose set c = a * 10 where b is not null; update s.loose set d = null where a = 2; update s.loose set e = 5 where a = 3;`,
  },
  'triggers and rules look away, and stay as they are': {
    base: t,
    up: `create function s.spoil() returns trigger language plpgsql as $$ begin raise exception 'fired'; end $$;
      create table s.n (id int primary key); create table s.p (id int) partition by range (id); create table s.p1 partition of s.p default; alter table s.t add b int;
      create trigger on_n before insert or update or delete on s.n for each row execute function s.spoil(); alter table s.n enable always trigger on_n;
      create trigger on_p before insert on s.p for each row execute function s.spoil(); create trigger on_t after update on s.t for each statement execute function s.spoil();
      create constraint trigger late after insert on s.n deferrable initially deferred for each row execute function s.spoil();
      alter table s.t enable replica trigger on_t; create rule nothing as on insert to s.n do instead nothing;`,
    down: 'drop table s.p; drop table s.n; drop trigger on_t on s.t; alter table s.t drop b; drop function s.spoil();',
    writes: `alter table s.n disable trigger all; alter table s.n disable rule nothing; insert into s.n values (1); alter table s.n enable rule nothing; alter table s.n enable trigger late;
      alter table s.n enable always trigger on_n; alter table s.p disable trigger on_p; insert into s.p values (1); alter table s.p enable trigger on_p; update s.t set b = id;`,
  },
};

describe('comes back as one', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await freshDatabase({ migrated: false });
  });
  afterAll(() => db.drop());

  const walk = async (byHand: ByHand) => {
    const sql = db.connect();
    await sql.unsafe('begin');
    await expectWhole(sql as unknown as TransactionSql, byHand).finally(() => sql.unsafe('rollback'));
  };

  test.each(Object.entries(cases))('%s', (_, { base, up, down, writes }) =>
    walk({ base, versions: [{ up, down }], writes }),
  );

  test('one version after the other, over tables that were made again and renamed meanwhile', () =>
    walk({
      base: t,
      versions: [
        {
          up: 'create table s.n (gone int, id int primary key, k text); alter table s.n drop gone; insert into s.n select id, a from s.t;',
          down: 'drop table s.n;',
        },
        {
          up: `alter table s.n rename to m; alter table s.m rename id to nr; alter table s.m add b int default 1, add c int references s.m;
            create table s.o (m int references s.m, b int); alter table s.m alter k type varchar(9);`,
          down: `drop table s.o; alter table s.m alter k type varchar(3) using k::varchar(3); alter table s.m alter k type text; alter table s.m drop b, drop c;
            alter table s.m rename nr to id; alter table s.m rename to n;`,
        },
      ],
      writes: `update s.m set b = null, c = 3 - nr where nr < 3; insert into s.o values (1, 1), (1, 1), (3, 2);`,
    }));
});

test('upgrade says what it computed again, and lets triggers fire where that is asked for', async () => {
  const project = await started(
    `alter table public.t add seen int default 0;
     create materialized view public.later as select count(*)::int as count from public.t with no data;
     create function public.see() returns trigger language plpgsql as $$ begin new.seen := new.seen + 1; return new; end $$;
     create trigger see before update on public.t for each row execute function public.see();`,
    `drop trigger see on public.t; drop function public.see(); drop materialized view public.later; alter table public.t drop seen;`,
  );
  const { sql, run } = project;
  await run('upgrade');
  await sql`refresh materialized view later`;
  await run('downgrade');
  expect(await run('upgrade')).toMatchObject({
    lines: ['Put back column public.t.seen: 10 rows.', 'Computed public.later again.'],
    data: { refreshed: ['public.later'] },
  });
  await run('downgrade');
  await run('upgrade', '--fire-triggers');
  expect(await sql`select distinct seen from t`).toEqual([{ seen: 1 }]);
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
      { object: 'table public.detail', rows: 7, left: 1, newer: 1 },
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

test('beside that: values over which the version writes, and those of a table without a key', async () => {
  const project = await versionedProject();
  const { sql, run } = project;
  await project.version(
    V1,
    'create table public.t (id int primary key, a text); create table public.loose (a int, b text);',
  );
  await project.version(
    V2,
    'alter table public.t add n int; update public.t set a = upper(a); alter table public.loose add c int;',
    'alter table public.loose drop c; update public.t set a = lower(a); alter table public.t drop n;',
  );
  await run('upgrade', V1);
  await sql.unsafe(`insert into t select i, 'row ' || i from generate_series(1, 4) i;
    insert into loose values (1, 'x'), (2, 'y'), (3, 'z'), (3, 'z')`);
  await run('upgrade');
  await sql.unsafe(`update t set a = 'Mine' where id = 1; update loose set c = a * 10`);
  await run('downgrade');
  await sql.unsafe(`update t set a = 'newer' where id = 2; update loose set b = 'changed' where a = 1`);
  expect((await run('upgrade')).data?.put_back).toEqual([
    { object: 'column public.t.n', rows: 4, left: 0, newer: 0 },
    { object: 'column public.loose.c', rows: 3, left: 1, newer: 0 },
    { object: 'values of public.t.a', rows: 3, left: 0, newer: 1 },
  ]);
  expect(await sql`select string_agg(a, ' ' order by id) as t from t`).toEqual([
    { t: 'Mine NEWER ROW 3 ROW 4' },
  ]);
  expect(await sql`select c from loose order by a`).toEqual([null, 20, 30, 30].map((c) => ({ c })));
  await sql`update loose set c = 7 where ctid = (select min(ctid) from loose where a = 3)`;
  expect(await project.refusal('downgrade')).toMatchObject({
    code: 'no-key',
    message: expect.stringContaining('2 of its rows are the same but for them'),
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
      'alter table public.t drop status, drop code; delete from public.t where id > 8;',
    );
    expect((await project.refusal('downgrade')).message).toContain(
      '2 rows of public.t, which the way back or the version deletes, would not come back',
    );
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
