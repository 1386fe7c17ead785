/** Statements, their checksums and the names of objects: what the versions of a schema are told apart by. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { literal, nameParts, qualified, readable } from '../../scripts/db/names.ts';
import { problems } from '../../scripts/db/problem.ts';
import { nextVersion, slug } from '../../scripts/db/project.ts';
import { readScript } from '../../scripts/db/running.ts';
import { checksum, splitStatements } from '../../scripts/db/statements.ts';
import { cliPush, versionedProject } from '../support/versions.ts';

/** Everything that hides a semicolon. */
const tricky = `-- first; comment
create table "T;x" (id int primary key, a text default 'it''s; fine', b text default E'a\\'; b'); -- behind; it
/* block; /* nested; */ still; */
create function f() returns int language plpgsql as $fn$ begin /* c; */ return 1; end $fn$;
create function g(x int) returns int language sql begin atomic select case when x > 0 then 1 else 2 end; select 3; end;
create table "begin" ("end" int, "case;" text);
create rule r as on insert to "begin" do also (select 1; select 2);
insert into "T;x" values (1, 'plain', $$dollar; $x$ quoted$$);
comment on table "T;x" is U&'\\0441; x'`;

describe('statements', () => {
  test('end at semicolons, and only at those', () => {
    const statements = splitStatements(tricky);
    expect(statements.map(({ words, line }) => [line, words.slice(0, 2).join(' ')])).toEqual([
      [2, 'create table'],
      [4, 'create function'],
      [5, 'create function'],
      [6, 'create table'],
      [7, 'create rule'],
      [8, 'insert into'],
      [9, 'comment on'],
    ]);
    expect(splitStatements('-- nothing;\n/* at; all */ ;;')).toEqual([]);
    expect(splitStatements("select 'open; end").map(({ text }) => text)).toEqual(["select 'open; end"]);
  });

  test('have a checksum that comments and white space do not change, and anything else does', () => {
    const sum = checksum('create table a (b int default 1);\nselect 2;');
    expect(checksum('-- new\r\ncreate   table a (b int /* x */\n default 1) ; select 2')).toBe(sum);
    expect(checksum('create table a (b int default 2);\nselect 2;')).not.toBe(sum);
    expect(checksum("select 'a  b'")).not.toBe(checksum("select 'a b'"));
    expect(checksum('create table a (b int default 1 select 2);')).not.toBe(sum);
  });

  test('have the same checksum in the file and in the history of the CLI, however that splits them', async () => {
    const project = await versionedProject();
    await project.version('20260101000000', tricky);
    await cliPush(project);
    expect((await project.run('status')).data).toMatchObject({ applied: ['20260101000000'], edited: [] });
    await project.version('20260101000000', tricky.replace('return 1', 'return 2'));
    expect((await project.run('status')).data).toMatchObject({ edited: ['20260101000000'] });
  });

  test.each([
    ['begin; create table a (); commit;', true, 1],
    ['start transaction; select 1; end', true, 1],
    ['-- c\ncreate unique index concurrently i on a (b)', false, 1],
    ['reindex table concurrently a', false, 1],
    ['create index concurrently_x on a (b); select 1', true, 2],
  ])('%j is run in a transaction: %s', (text, inTransaction, count) => {
    const script = readScript({ file: 'f.sql', text });
    expect([script.inTransaction, script.statements.length]).toEqual([inTransaction, count]);
  });

  test.each([
    ['create table a (); commit; create table b ()', 'transaction-control'],
    ['select 1; rollback', 'transaction-control'],
    ['begin; select 1; commit; select 2', 'transaction-control'],
    ['create index concurrently i on a (b); select 1', 'alone-only'],
    ['vacuum; vacuum', 'alone-only'],
  ])('%j is refused as %s', (text, code) => {
    expect(() => readScript({ file: 'f.sql', text })).toThrow(expect.objectContaining({ code }));
  });
});

test('docs/schema-versions.md has every problem with its cause', async () => {
  const page = await readFile(new URL('../../docs/schema-versions.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)].map(([, code, cause]) => [code, cause]);
  expect(rows.filter(([code = '']) => code in problems)).toEqual(Object.entries(problems));
});

describe('names', () => {
  test.each([
    ['public.gigs.title', ['public', 'gigs', 'title']],
    ['public."Or.der"."Mixed ""x"""', ['public', 'Or.der', 'Mixed "x"']],
    ['select', ['select']],
    ['Mixed', ['Mixed']],
    ['a..b', undefined],
    ['a.', undefined],
    ['"open', undefined],
    ['', undefined],
  ])('%j has the parts %j', (text, parts) => {
    expect(nameParts(text)).toEqual(parts);
    if (parts) expect(nameParts(readable(...parts))).toEqual(parts);
  });

  test('are quoted where SQL wants it', () => {
    expect(qualified('a', 'B"c')).toBe('"a"."B""c"');
    expect(readable('public', 'Order')).toBe('public."Order"');
    expect(literal("it's \\")).toBe(" E'it''s \\\\'");
  });

  test('of versions are the time, later than the newest, and the message', () => {
    const now = new Date('2026-03-04T05:06:07.890Z');
    expect(nextVersion([], now)).toBe('20260304050607');
    expect(nextVersion([{ version: '20260304050607' }], now)).toBe('20260304050608');
    expect(nextVersion([{ version: '20991231235959' }], now)).toBe('20991231235960');
    expect(slug('Add “Certificates” & more!')).toBe('add_certificates_more');
    expect(slug('???')).toBe('version');
  });
});
