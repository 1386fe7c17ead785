/** What everything else can differ in. */
import { added, type Change, changed, table } from './change.ts';

export const changesOfOthers: Change[] = [
  // Functions.
  ...[
    'volatile',
    'strict',
    'security definer',
    'leakproof',
    'parallel safe',
    'cost 17',
    `set search_path to ''`,
  ]
    .filter((attribute) => attribute !== 'leakproof')
    .map((attribute, index) =>
      changed(
        `function public.f${index}(a integer)`.replace('a integer', 'integer'),
        'definition',
        `create function public.f${index}(a int) returns int language sql stable as $$ select 1 $$;`,
        `alter function public.f${index}(int) ${attribute}`,
      ),
    ),
  changed(
    'function public.f10()',
    'definition',
    `create function public.f10() returns setof int language sql as $$ select 1 $$;`,
    'alter function public.f10() rows 5',
  ),
  changed(
    'function public.f11()',
    'grants to public',
    `create function public.f11() returns int language sql as $$ select 1 $$;`,
    'revoke execute on function public.f11() from public',
  ),
  changed(
    'function public.f12()',
    'revoked from its owner',
    `create function public.f12() returns int language sql as $$ select 1 $$;`,
    'revoke execute on function public.f12() from postgres',
  ),
  changed(
    'procedure public.f13(integer)',
    'comment',
    'create procedure public.f13(a int) language plpgsql as $$ begin end $$;',
    `comment on procedure public.f13(int) is 'one'`,
  ),
  changed(
    'aggregate public.f14(integer)',
    'definition',
    'create aggregate public.f14(int) (sfunc = int4pl, stype = int);',
    `drop aggregate public.f14(int); create aggregate public.f14(int) (sfunc = int4pl, stype = int, initcond = '5', parallel = safe)`,
  ),
  // Types.
  changed(
    'enum public.e01',
    'values',
    `create type public.e01 as enum ('a', 'c');`,
    `alter type public.e01 add value 'b' before 'c'`,
  ),
  changed(
    'domain public.d01',
    'default',
    'create domain public.d01 as int;',
    'alter domain public.d01 set default 7',
  ),
  changed(
    'domain public.d02',
    'not null',
    'create domain public.d02 as int;',
    'alter domain public.d02 set not null',
  ),
  added(
    'constraint d03_c on domain public.d03',
    'create domain public.d03 as int;',
    'alter domain public.d03 add constraint d03_c check (value > 0)',
  ),
  changed(
    'constraint d04_c on domain public.d04',
    'comment',
    'create domain public.d04 as int constraint d04_c check (value > 0);',
    `comment on constraint d04_c on domain public.d04 is 'one'`,
  ),
  changed(
    'domain public.d05',
    'grants to public',
    'create domain public.d05 as int;',
    'revoke usage on domain public.d05 from public',
  ),
  added(
    'column public.y01.b',
    'create type public.y01 as (a int);',
    'alter type public.y01 add attribute b text collate "C"',
  ),
  changed(
    'column public.y02.a',
    'comment',
    'create type public.y02 as (a int);',
    `comment on column public.y02.a is 'one'`,
  ),
  changed(
    'composite type public.y03',
    'comment',
    'create type public.y03 as (a int);',
    `comment on type public.y03 is 'one'`,
  ),
  changed(
    'composite type public.y04',
    'grants to public',
    'create type public.y04 as (a int);',
    'revoke usage on type public.y04 from public',
  ),
  changed(
    'range public.y05',
    'definition',
    'create type public.y05 as range (subtype = float8);',
    'drop type public.y05; create type public.y05 as range (subtype = float8, subtype_diff = float8mi)',
  ),
  // What compares and searches.
  added(
    'collation public.l01',
    '',
    `create collation public.l01 (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
  ),
  added(
    'text search configuration public.x01',
    '',
    'create text search configuration public.x01 (copy = pg_catalog.english)',
  ),
  changed(
    'text search configuration public.x02',
    'mapping for word',
    'create text search configuration public.x02 (copy = pg_catalog.english);',
    'alter text search configuration public.x02 alter mapping for word with simple',
  ),
  changed(
    'text search configuration public.x03',
    'comment',
    'create text search configuration public.x03 (parser = default);',
    `comment on text search configuration public.x03 is 'one'`,
  ),
  added(
    'text search dictionary public.x04',
    '',
    'create text search dictionary public.x04 (template = pg_catalog.simple, stopwords = english)',
  ),
  changed(
    'text search dictionary public.x07',
    'definition',
    `create text search dictionary public.x07 (template = pg_catalog.simple, accept = false); comment on text search dictionary public.x07 is 'one';`,
    'alter text search dictionary public.x07 (accept = true)',
  ),
  changed(
    'statistics public.x08',
    'definition',
    `${table('x08_t', 'a int, b int')} create statistics public.x08 on a, b from public.x08_t; comment on statistics public.x08 is 'one';`,
    `drop statistics public.x08; create statistics public.x08 (mcv) on a, b from public.x08_t; comment on statistics public.x08 is 'one'`,
  ),
  added(
    'statistics public.x05',
    table('x05_t', 'a int, b int'),
    'create statistics public.x05 (dependencies) on a, b from public.x05_t',
  ),
  changed(
    'statistics public.x06',
    'target',
    `${table('x06_t', 'a int, b int')} create statistics public.x06 on a, b from public.x06_t;`,
    'alter statistics public.x06 set statistics 77',
  ),
  added(
    'operator public.=== (public.o01, public.o01)',
    'create type public.o01 as (a int); create function public.o01_same(public.o01, public.o01) returns boolean language sql as $$ select true $$;',
    'create operator public.=== (leftarg = public.o01, rightarg = public.o01, function = public.o01_same, commutator = operator(public.===))',
  ),
  added(
    'cast (integer as public.o02)',
    'create type public.o02 as (a int); create function public.o02_of(int) returns public.o02 language sql as $$ select row($1)::public.o02 $$;',
    'create cast (int as public.o02) with function public.o02_of(int) as assignment',
  ),
  added(
    'conversion public.o03',
    '',
    `create conversion public.o03 for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1`,
  ),
  // Without a schema, and schemas.
  added('schema w01', '', 'create schema w01'),
  changed(
    'schema w02',
    'grants to authenticated',
    'create schema w02;',
    'grant usage on schema w02 to authenticated',
  ),
  changed(
    'table w04.t',
    'owned by',
    'create schema w04; grant create on schema w04 to service_role; create table w04.t (id int);',
    'alter table w04.t owner to service_role',
  ),
  changed('schema w03', 'comment', 'create schema w03;', `comment on schema w03 is 'one'`),
  changed(
    'statistics w05.x',
    'owned by',
    'create schema w05; grant create on schema w05 to service_role; create table w05.t (a int, b int); create statistics w05.x on a, b from w05.t;',
    'alter statistics w05.x owner to service_role',
  ),
  changed(
    'collation w06.x',
    'owned by',
    `create schema w06; grant create on schema w06 to service_role; create collation w06.x (provider = icu, locale = 'und');`,
    'alter collation w06.x owner to service_role',
  ),
  changed(
    'function public.f15()',
    'depends on extension pg_trgm',
    'create extension pg_trgm with schema extensions; create function public.f15() returns int language sql as $$ select 1 $$;',
    'alter function public.f15() depends on extension pg_trgm',
  ),
  added('extension citext', '', 'create extension citext with schema extensions'),
  {
    ...changed(
      'extension ltree',
      'definition',
      'create extension ltree with schema public;',
      'drop extension ltree; create extension ltree with schema extensions',
    ),
    unwritten: 'ALTER EXTENSION "ltree" SET SCHEMA "extensions": must be owner of type ltree',
  },
  added(
    'default privileges of postgres in schema public on tables',
    '',
    'alter default privileges in schema public grant select on tables to anon',
  ),
  added(
    'default privileges of service_role in schema public on tables',
    '',
    'alter default privileges for role service_role in schema public grant select on tables to anon',
  ),
  added(
    'default privileges of postgres on functions',
    '',
    'alter default privileges revoke execute on functions from public',
  ),
  added(
    'published table public.b01 in supabase_realtime',
    table('b01'),
    'alter publication supabase_realtime add table public.b01',
  ),
  changed(
    'published table public.b02 in b02_p',
    'definition',
    `${table('b02')} create publication b02_p for table public.b02;`,
    'alter publication b02_p set table public.b02 (id, a) where (id > 0)',
  ),
  changed(
    'publication b03_p',
    'definition',
    'create publication b03_p;',
    `alter publication b03_p set (publish = 'insert', publish_via_partition_root = true)`,
  ),
  added(
    'server b04',
    'create extension postgres_fdw with schema extensions;',
    `create server b04 foreign data wrapper postgres_fdw options (host 'example.org')`,
  ),
  changed(
    'server b05',
    'definition',
    `create server b05 foreign data wrapper postgres_fdw;`,
    `alter server b05 options (add port '5433')`,
  ),
  added(
    'user mapping for postgres server b06',
    `create server b06 foreign data wrapper postgres_fdw;`,
    `create user mapping for postgres server b06 options (user 'reader')`,
  ),
  changed(
    'foreign table public.b07',
    'server',
    `create server b07_s foreign data wrapper postgres_fdw; create foreign table public.b07 (id int) server b07_s;`,
    `alter foreign table public.b07 options (add table_name 'other')`,
  ),
  {
    ...changed(
      'column public.b08.id',
      'foreign options',
      `create extension if not exists postgres_fdw with schema extensions; create server b08_s foreign data wrapper postgres_fdw; create foreign table public.b08 (id int) server b08_s;`,
      `alter foreign table public.b08 alter id options (add column_name 'key')`,
    ),
    unwritten: 'column public.b08.id (foreign options)',
  },
];

/** What only a superuser can change here; on hosted Supabase `postgres` can change some of it. */
export const changesOfSuperusers: Change[] = [
  added(
    'event trigger a01',
    'create function public.a01() returns event_trigger language plpgsql as $$ begin end $$;',
    `create event trigger a01 on ddl_command_end when tag in ('CREATE TABLE', 'ALTER TABLE') execute function public.a01()`,
  ),
  changed(
    'event trigger a02',
    'state',
    'create event trigger a02 on sql_drop execute function public.a01();',
    'alter event trigger a02 disable',
  ),
  added(
    'operator class public.a03 using btree',
    '',
    'create operator class public.a03 for type int using btree as operator 1 <, operator 3 =, function 1 btint4cmp(int, int)',
  ),
  added('foreign data wrapper a04', '', 'create foreign data wrapper a04'),
  added(
    'published schema public in a05',
    'create publication a05;',
    'alter publication a05 add tables in schema public',
  ),
  changed(
    'publication a06',
    'definition',
    'create publication a06 for all tables;',
    'drop publication a06; create publication a06',
  ),
  changed(
    'foreign data wrapper a07',
    'grants to authenticated',
    'create foreign data wrapper a07;',
    'grant usage on foreign data wrapper a07 to authenticated',
  ),
  added('operator family public.a08 using btree', '', 'create operator family public.a08 using btree'),
  changed(
    'operator family public.a09 using btree',
    'definition',
    'create operator family public.a09 using btree;',
    'alter operator family public.a09 using btree add operator 1 < (int4, int8), function 1 btint48cmp(int4, int8)',
  ),
  added(
    'text search parser public.a10',
    '',
    'create text search parser public.a10 (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)',
  ),
  added(
    'text search template public.a11',
    '',
    'create text search template public.a11 (init = dsimple_init, lexize = dsimple_lexize)',
  ),
  added('base type public.a12', '', 'create type public.a12'),
  added(
    'transform for integer language sql',
    '',
    'create transform for int language sql (from sql with function prsd_lextype(internal))',
  ),
  added('language a13', '', 'create language a13 handler plpgsql_call_handler'),
  added('access method a14', '', 'create access method a14 type table handler heap_tableam_handler'),
  changed(
    'table public.a15',
    'access method',
    `create access method a15 type table handler heap_tableam_handler; ${table('a15')}`,
    'alter table public.a15 set access method a15',
  ),
  changed(
    'materialized view public.a16',
    'access method',
    'create access method a16 type table handler heap_tableam_handler; create materialized view public.a16 as select 1 as id;',
    'alter materialized view public.a16 set access method a16',
  ),
  added(
    'subscription a17',
    '',
    `create subscription a17 connection 'dbname=postgres' publication a with (connect = false, slot_name = none)`,
  ),
  changed(
    'subscription a18',
    'definition',
    `create subscription a18 connection 'dbname=postgres' publication a with (connect = false, slot_name = none);`,
    'alter subscription a18 set (disable_on_error = true)',
  ),
  changed(
    'table public.a19',
    'security label of here',
    `${table('a19')} set local allow_system_table_mods = on;`,
    `insert into pg_catalog.pg_seclabel values ('public.a19'::regclass, 'pg_catalog.pg_class'::regclass, 0, 'here', 'secret')`,
  ),
  changed(
    'publication a20',
    'owned by',
    'create publication a20;',
    'alter publication a20 owner to service_role',
  ),
];
