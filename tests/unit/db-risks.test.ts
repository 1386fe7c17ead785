/** What statements keep locked while rows are there, as far as it can be told from how they are written. */
import { expect, test } from 'vitest';
import { risksOf } from '../../scripts/db/risks.ts';
import type { Relation, Structure } from '../../scripts/db/structure.ts';
import { splitStatements } from '../../scripts/sql/statements.ts';

const table = (schema: string, name: string): Relation => ({
  oid: `${schema} ${name}`,
  schema,
  name,
  kind: 'r',
  file: '1',
  parent: null,
  key: ['id'],
  columns: [],
});
const before: Structure = new Map(
  [table('public', 't'), table('s', 'On "t"')].map((relation) => [relation.oid, relation]),
);
const risks = (sql: string): string[] =>
  splitStatements(sql).flatMap((statement) =>
    risksOf({ statement, effects: [] }, before).map(({ text }) => text),
  );

const writing = 'nobody can write to the table while the index is built';
const using = 'nobody can use the table while the index is built';
const reading = 'the whole table is read while it is locked';

test.each([
  ['create index on t (a)', `public.t: ${writing}`],
  ['create unique index i on only s."On ""t""" (a) where b > 0', `s."On ""t""": ${writing}`],
  ['alter table t alter column a set not null', `public.t: ${reading}`],
  ['alter table public.t add constraint c check (a > 0)', `public.t: ${reading}`],
  ['alter table t add foreign key (a) references u', `public.t: ${reading}`],
  ['alter table t drop column b, add constraint c unique (a)', `public.t: ${using}`],
  ['alter table t add exclude using gist (a with =)', `public.t: ${using}`],
  ['alter table t add column b int unique', `public.t: ${using}`],
  ['alter table t add column b int default 1 check (b > 0)', `public.t: ${reading}`],
])('npm run db warns of the lock that %j keeps', (sql, risk) => {
  expect(risks(sql)).toEqual([risk]);
});

test.each([
  'create index concurrently i on t (a)',
  'create index on u (a)',
  "create index on u (a) where b = ' on t'",
  'alter table t add constraint c check (a > 0) not valid',
  'alter table t add constraint c unique using index i',
  'alter table t add column b int',
  "comment on table t is ' add constraint c check (a > 0)'",
  'alter table s.t alter column a set not null',
  'alter tabel t alter column a set not null',
])('npm run db gives no warning of locks for %j', (sql) => {
  expect(risks(sql)).toEqual([]);
});
