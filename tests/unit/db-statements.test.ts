/** How the statements of a version are run, and the names of objects. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';

import { literal, nameParts, qualified, readable } from '../../scripts/db/names.ts';
import { problems } from '../../scripts/db/problem.ts';
import { nextVersion, slug } from '../../scripts/db/project.ts';
import { readScript } from '../../scripts/db/running.ts';

describe('SQL statements of a file', () => {
  test.each([
    ['begin; create table a (); commit;', true, 1],
    ['start transaction; select 1; end', true, 1],
    ['-- c\ncreate unique index concurrently i on a (b)', false, 1],
    ['reindex table concurrently a', false, 1],
    ['create index concurrently_x on a (b); select 1', true, 2],
  ])('in %j are run in a transaction: %s', (text, inTransaction, count) => {
    const script = readScript({ file: 'f.sql', text });
    expect([script.inTransaction, script.statements.length]).toEqual([inTransaction, count]);
  });

  test.each([
    ['create table a (); commit; create table b ()', 'transaction-control'],
    ['select 1; rollback', 'transaction-control'],
    ['begin; select 1; commit; select 2', 'transaction-control'],
    ['begin; select 1; commit and chain', 'transaction-control'],
    ["select 1; commit prepared 'a'", 'transaction-control'],
    ['create index concurrently i on a (b); select 1', 'alone-only'],
    ['vacuum; vacuum', 'alone-only'],
    ['select 1; alter table a detach partition b concurrently', 'alone-only'],
  ])('in %j are refused as %s', (text, code) => {
    expect(() => readScript({ file: 'f.sql', text })).toThrow(expect.objectContaining({ code }));
  });
});

test('docs/schema-versions.md has every problem of npm run db with its cause', async () => {
  const page = await readFile(new URL('../../docs/schema-versions.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)].map(([, code, cause]) => [code, cause]);
  expect(rows.filter(([code = '']) => code in problems)).toEqual(Object.entries(problems));
});

describe('names of database objects', () => {
  test.each([
    ['public.gigs.title', ['public', 'gigs', 'title']],
    ['public."Or.der"."Mixed ""x"""', ['public', 'Or.der', 'Mixed "x"']],
    ['select', ['select']],
    ['Mixed', ['Mixed']],
    ['a..b', undefined],
    ['a.', undefined],
    ['"open', undefined],
    ['', undefined],
  ])('%j have the parts %j', (text, parts) => {
    expect(nameParts(text)).toEqual(parts);
    if (parts) expect(nameParts(readable(...parts))).toEqual(parts);
  });

  test('are quoted where SQL wants it', () => {
    expect(qualified('a', 'B"c')).toBe('"a"."B""c"');
    expect(readable('public', 'Order')).toBe('public."Order"');
    expect(literal("it's \\")).toBe(" E'it''s \\\\'");
  });

  test('a version is named by the time, later than the newest, and the message', () => {
    const now = new Date('2026-03-04T05:06:07.890Z');
    expect(nextVersion([], now)).toBe('20260304050607');
    expect(nextVersion([{ version: '20260304050607' }], now)).toBe('20260304050608');
    expect(nextVersion([{ version: '20991231235959' }], now)).toBe('20991231235960');
    expect(slug('Add “Certificates” & more!')).toBe('add_certificates_more');
    expect(slug('???')).toBe('version');
  });
});
