/** How SQL is split and understood: by PostgreSQL's parser, and by our tokens where it refuses. */
import { describe, expect, test } from 'vitest';
import { withLateNotNull } from '../../scripts/db/writing.ts';
import { checksum } from '../../scripts/sql/checksum.ts';
import { leavesTables, runsAlone, transactionStep } from '../../scripts/sql/kinds.ts';
import { madeAndGone, type Name } from '../../scripts/sql/objects.ts';
import { placeOf, type Statement, splitStatements } from '../../scripts/sql/statements.ts';
import { splitByTokens } from '../../scripts/sql/tokens.ts';

const kindOf = ({ tree }: Statement): string => Object.keys(tree)[0] ?? 'unknown';
const only = (sql: string): Statement => {
  const [statement, ...others] = splitStatements(sql);
  if (!statement || others.length > 0) throw new Error(`not one statement: ${sql}`);
  return statement;
};

/** Everything that hides a semicolon, and letters of two to four bytes before what follows. */
const hostile = `-- fïrst; comment
create table "Tä;x" (id int primary key, a text default 'it''s; fine', b text default E'a\\'; b'); -- behind; it
/* block; /* nested; */ still 😀; */
create function f() returns int language plpgsql as $fn$ begin execute $q$ select 1; $q$; return 1; end $fn$;
create function g(x int) returns int language sql begin atomic select case when x > 0 then 1 else 2 end; select 3; end;
create table "begin" ("end" int, "case;" text);
create rule r as on insert to "begin" do also (select 1; select 2);
insert into "Tä;x" values (1, 'plain', $$dollar; $x$ quoted$$);
copy "Tä;x" from stdin;
comment on table "Tä;x" is U&'\\0441; x'`;

const hostileKinds: [number, string][] = [
  [2, 'CreateStmt'],
  [4, 'CreateFunctionStmt'],
  [5, 'CreateFunctionStmt'],
  [6, 'CreateStmt'],
  [7, 'RuleStmt'],
  [8, 'InsertStmt'],
  [9, 'CopyStmt'],
  [10, 'CommentStmt'],
];

describe('SQL statements', () => {
  test('end at semicolons, and only at those, with the line and the comments of each', () => {
    const statements = splitStatements(hostile);
    expect(statements.map((statement) => [statement.line, kindOf(statement)])).toEqual(hostileKinds);
    expect(statements[1]?.text).toMatch(/^-- behind; it\n.*nested.*end \$fn\$$/s);
    expect(splitStatements('-- nothing;\n/* at; all */ ;;')).toEqual([]);
    expect(splitStatements('')).toEqual([]);
    expect(splitStatements("select 'open; end").map(({ text }) => text)).toEqual(["select 'open; end"]);
  });

  test('are split alike by the parser and by tokens', () => {
    const byTokens = splitByTokens(hostile).map(({ start, end }) => hostile.slice(start, end).trim());
    expect(splitStatements(hostile).map(({ text }) => text)).toEqual(byTokens);
  });

  test.each([
    ['a syntax of another version', 'create tabel t ()'],
    ['a command of psql', '\\restrict abc'],
    ['a variable of psql', 'create table :name ()'],
    ['rows of copy', '1\t2\n\\.'],
    ['a literal of another dialect', "select 'a\\'; b'"],
    ['a nesting that is too deep', `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`],
    ['a sum that is too long', `select ${'1+'.repeat(20_000)}1`],
    ['a character that ends the parser’s text', 'select \0'],
  ])('beside one that is refused, %s, keep their place and are understood', (_, refused) => {
    const text = `${hostile};\n${refused};\nvacuum`;
    const statements = splitStatements(text);
    const found = statements.map((statement) => [statement.line, kindOf(statement)]);
    expect(found.slice(0, hostileKinds.length)).toEqual(hostileKinds);
    expect(found).toContainEqual([11, 'unknown']);
    if (!refused.includes("\\'")) expect(found.at(-1)).toEqual([statements.at(-1)?.line, 'VacuumStmt']);
    expect(statements.slice(0, hostileKinds.length)).toEqual(
      splitStatements(hostile).map((statement) => expect.objectContaining({ text: statement.text })),
    );
  });

  test('between begin and commit are understood beside one that is refused', () => {
    expect(splitStatements('begin; create tabel a (); vacuum; commit').map(kindOf)).toEqual([
      'TransactionStmt',
      'unknown',
      'VacuumStmt',
      'TransactionStmt',
    ]);
  });

  test('have the place of a location, whatever stands before it, and whether or not another one is refused', () => {
    for (const refused of ['', 'create tabel t ();']) {
      const text = `select '😀ä';${refused} /* é */ alter table "ü" add column "ö" int not null`;
      const statement = splitStatements(text).at(-1) as Statement;
      const [cmd] = statement.tree.AlterTableStmt?.cmds ?? [];
      expect(cmd).toBeDefined();
      const location = statement.tree.AlterTableStmt?.relation?.location ?? 0;
      expect(statement.text.slice(placeOf(statement, location))).toMatch(/^"ü" add/);
    }
  });

  test('of a file with a byte order mark and line ends of Windows are the same as without', () => {
    const text = 'create table a ();\r\n\r\nselect 1;\r\n';
    expect(splitStatements(`\uFEFF${text}`)).toEqual(splitStatements(text));
    expect(splitStatements(text).map(({ line }) => line)).toEqual([1, 3]);
  });

  test('have a checksum that comments and white space do not change, and anything else does', () => {
    const sum = checksum('create table a (b int default 1);\nselect 2;');
    expect(checksum('-- new\r\ncreate   table a (b int /* x */\n default 1) ; select 2')).toBe(sum);
    expect(checksum('create table a (b int default 2);\nselect 2;')).not.toBe(sum);
    expect(checksum("select 'a  b'")).not.toBe(checksum("select 'a b'"));
    expect(checksum('create table a (b int default 1 select 2);')).not.toBe(sum);
  });
});

describe('an SQL statement', () => {
  test.each([
    ['begin', 'opens'],
    ['/* x */ start transaction isolation level serializable', 'opens'],
    ['commit work', 'closes'],
    ['end', 'closes'],
    ['commit and chain', 'steers'],
    ['rollback', 'steers'],
    ['abort', 'steers'],
    ['savepoint a', 'steers'],
    ['release a', 'steers'],
    ['rollback to a', 'steers'],
    ["prepare transaction 'a'", 'steers'],
    ["commit prepared 'a'", 'steers'],
    ['set transaction read only', undefined],
    ['prepare transaction_of_mine as select 1', undefined],
    ['do $$ begin commit; end $$', undefined],
  ])('what %j does to its transaction: %s', (sql, step) => {
    expect(transactionStep(only(sql))).toBe(step);
  });

  test.each([
    'create unique index concurrently i on a (b)',
    'drop index concurrently if exists a.i',
    'reindex (verbose) table concurrently a',
    'reindex (concurrently) index a',
    'reindex schema a',
    'vacuum analyze a',
    'cluster',
    'alter system set a = 1',
    'create database a',
    'drop database a',
    'alter database a set tablespace b',
    "create tablespace a location '/b'",
    'alter table a detach partition b concurrently',
    "create subscription s connection 'host=b' publication p",
    'alter subscription s refresh publication',
  ])('%j is run outside of transactions', (sql) => {
    expect(runsAlone(only(sql))).toBe(true);
  });

  test.each([
    'create index concurrently_x on a (b)',
    'create index i on a (b)',
    'reindex (concurrently false) table a',
    'analyze a',
    'cluster a',
    'alter database a set work_mem = 1',
    'alter table a detach partition b',
    "create subscription s connection 'host=b' publication p with (connect = false)",
    'alter subscription s set publication p with (refresh = false)',
    "comment on table a is 'create index concurrently'",
  ])('%j is run in a transaction', (sql) => {
    expect(runsAlone(only(sql))).toBe(false);
  });

  test.each([
    'create table a (b int references c on delete cascade)',
    'alter table a drop constraint b, enable row level security',
    'alter table a add constraint b check (c > 0)',
    'alter table a rename constraint b to c',
    'alter index a rename to b',
    'alter view a set (security_invoker = on)',
    'drop function a(), b',
    'grant select on a to b',
    "comment on table a is 'cascade'",
    'alter function a() owner to b',
    'drop policy a on b',
  ])('%j leaves the tables that are there', (sql) => {
    expect(leavesTables(only(sql))).toBe(true);
  });

  test.each([
    'drop function a() cascade',
    'alter table a add constraint b check (c > 0), drop column d',
    'alter table a drop constraint b cascade',
    'alter table a add primary key (b)',
    'alter table a rename to b',
    'alter table a rename column b to c',
    'alter table a set schema b',
    'drop table a',
    'drop type a',
    'truncate a',
    'do $$ begin end $$',
    'alter tabel a enable row level security',
  ])('%j may touch the tables that are there', (sql) => {
    expect(leavesTables(only(sql))).toBe(false);
  });

  test.each([
    ['create table a ()', ['public.a'], []],
    ['create temp table a ()', [], []],
    ['create or replace view "B"."c.d" as select 1', ['B.c.d'], []],
    ['create unlogged table if not exists s.a as select 1', ['s.a'], []],
    ['create procedure f() language sql as $$ $$', ['public.f'], []],
    ['create aggregate f(int) (sfunc = a, stype = int)', ['public.f'], []],
    ['create type t as enum ()', ['public.t'], []],
    ['create domain s.d as int', ['s.d'], []],
    ['create index on s.a (b)', [], []],
    ['create index i on s.a (b)', ['s.i'], []],
    ['create schema authorization bob', ['bob'], []],
    ['drop schema a, b cascade', [], ['a', 'b']],
    ['drop function f(int), s.g', [], ['public.f', 's.g']],
    ['drop type if exists t', [], ['public.t']],
    ['drop view s.v', [], ['s.v']],
    ['drop trigger t on a', [], []],
    ['alter table s.a rename to b', ['s.b'], ['s.a']],
    ['alter table s.a rename column b to c', [], []],
    ['alter function f(int) rename to g', ['public.g'], ['public.f']],
    ['alter schema a rename to b', ['b'], ['a']],
    ['alter table a set schema s', ['s.a'], ['public.a']],
    ["select 'create table a ()'", [], []],
  ])('%j makes %j and takes %j away', (sql, made, gone) => {
    const found = madeAndGone(only(sql));
    const dotted = (names: readonly Name[]) =>
      names.map((name) => name.filter((part) => part !== undefined).join('.'));
    expect([dotted(found.made), dotted(found.gone)]).toEqual([made, gone]);
  });

  test.each([
    [
      'ALTER TABLE "s"."ä"\n  ADD COLUMN "ö" text COLLATE "C" NOT NULL',
      [
        'ALTER TABLE "s"."ä"\n  ADD COLUMN "ö" text COLLATE "C"',
        'ALTER TABLE "s"."ä"\n  ALTER COLUMN "ö" SET NOT NULL',
      ],
    ],
    [
      "alter table a add b text not null check (b <> 'not null')",
      [
        "alter table a add b text check (b <> 'not null')",
        'ALTER TABLE "a"\n  ALTER COLUMN "b" SET NOT NULL',
      ],
    ],
    ['alter table a add b int default 1 not null', undefined],
    ['alter table a add b int generated always as identity not null', undefined],
    ['alter table a add b int not null generated always as (1) stored', undefined],
    ['alter table a add b int', undefined],
    ['alter table a add b int not null, add c int', undefined],
    ["comment on table a is 'ADD COLUMN b int NOT NULL'", undefined],
  ])('%j is split to get its not null afterwards: %j', (sql, parts) => {
    expect(withLateNotNull([only(sql)]).map(({ text }) => text)).toEqual(parts ?? [sql]);
  });
});
