/** What a version says of its own database is said of the one that it runs in. */
import { expect, test } from 'vitest';
import { inDatabase } from '../../scripts/db/own-database.ts';
import { Problem } from '../../scripts/db/problem.ts';
import { readScript } from '../../scripts/db/running.ts';

function here(text: string): string {
  const script = readScript({ file: 'a.sql', text });
  const { statements } = inDatabase(script, { name: 'shadow', called: new Set(['postgres', 'In "it"']) });
  return statements.map((statement) => statement.text).join(';\n');
}

test('its name becomes the name that the database has here, and nothing else changes', () => {
  const written = [
    `alter database POSTGRES set search_path to postgres, "database postgres"`,
    'alter database /* database postgres */ postgres connection limit 3',
    'alter database postgres refresh collation version',
    'alter role database in database postgres set work_mem to 5',
    'alter role all in database "In ""it""" reset all',
    'alter user postgres in database "postgres" reset all',
    'grant connect, create on database postgres, "In ""it""" to postgres',
    'revoke all on database postgres from public',
    `comment on database postgres is 'database postgres'`,
    'security label for database on database postgres is null',
    'alter database postgres owner to postgres',
    'reindex (verbose) database concurrently postgres',
    'reindex system postgres',
    'reindex database',
    `comment on table postgres is 'on database postgres'`,
    `create table postgres (database text)`,
  ];
  expect(written.map(here)).toEqual([
    `alter database "shadow" set search_path to postgres, "database postgres"`,
    'alter database /* database postgres */ "shadow" connection limit 3',
    'alter database "shadow" refresh collation version',
    'alter role database in database "shadow" set work_mem to 5',
    'alter role all in database "shadow" reset all',
    'alter user postgres in database "shadow" reset all',
    'grant connect, create on database "shadow", "shadow" to postgres',
    'revoke all on database "shadow" from public',
    `comment on database "shadow" is 'database postgres'`,
    'security label for database on database "shadow" is null',
    'alter database "shadow" owner to postgres',
    'reindex (verbose) database concurrently "shadow"',
    'reindex system "shadow"',
    ...written.slice(-3),
  ]);
});

test.each([
  ['alter database other set work_mem to 5', 'names the database other'],
  ['grant connect on database postgres, other to anon', 'names the database other'],
  ['alter role anon in database "Other" reset all', 'names the database "Other"'],
  ['create database postgres', 'makes a database'],
  ['drop database other', 'drops a database'],
  ['alter database postgres rename to other', 'renames a database'],
  [`comment on database U&"postgr\\0065s" is 'it'`, 'cannot be told from the other words'],
])('%s is refused, with the place and the reason', (statement, reason) => {
  const refused = () => here(`\n${statement}`);
  expect(refused).toThrow(Problem);
  expect(refused).toThrow(
    `a.sql:2 ${reason}`.replace('cannot be', 'names its database in a way that cannot be'),
  );
});
