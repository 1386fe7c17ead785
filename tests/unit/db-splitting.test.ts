/** An `alter table` in parts: columns first, what is asked of rows after them. */
import { expect, test } from 'vitest';
import { inParts } from '../../scripts/db/splitting.ts';
import { splitStatements } from '../../scripts/sql/statements.ts';
import { inOneLine } from '../../scripts/sql/tokens.ts';

function partsOf(sql: string, presets?: ReadonlyMap<string, string>) {
  const [, statement] = splitStatements(`select 'é';\n${sql}`);
  const parts = statement && inParts(statement, presets);
  return (
    parts && {
      ...parts,
      columns: inOneLine(parts.columns).replaceAll(' ,', ','),
      demands: parts.demands.map(inOneLine),
    }
  );
}

test('what a column or a table demands becomes a statement of its own, with names, marks and commas in it', () => {
  expect(
    partsOf(`-- a comment, too
      alter table if exists only "S"."T; 1" /* here */ add column a int[] default '{1,2}' -- why
      not null constraint "c, 1" check (a <> '{1,2}' or (a is null)),
      add if not exists b text collate "C" unique nulls not distinct deferrable initially deferred, drop column z,
      add id bigint generated always as identity (start 5) primary key, add c int constraint fk references u (x, y) on delete set null,
      add constraint k check (a = '{}'), alter b set not null`),
  ).toEqual({
    columns: `alter table only "S"."T; 1" add column a int[] default '{1,2}', add if not exists b text collate "C", drop column z, add id bigint generated always as identity (start 5), add c int`,
    demands: [
      'alter column "a" set not null',
      `add constraint "c, 1" check (a <> '{1,2}' or (a is null))`,
      'add unique nulls not distinct ("b") deferrable initially deferred',
      'add primary key ("id")',
      'add constraint "fk" foreign key ("c") references u (x, y) on delete set null',
      `add constraint k check (a = '{}')`,
      'alter b set not null',
    ].map((action) => `alter table only "S"."T; 1" ${action}`),
    preset: [],
  });
});

test('a column whose type asks for a value has a preset for a moment; where nothing is asked, there are no parts', () => {
  expect(
    partsOf(
      'alter table t add c code, add d code default 1, add e bigserial',
      new Map([
        ['c', `it's`],
        ['d', 'x'],
        ['e', '1'],
      ]),
    ),
  ).toEqual({
    columns: `alter table "t" add c code default 'it''s', add d code default 1, add e bigserial`,
    demands: ['alter table "t" alter column "c" drop default'],
    preset: ['c'],
  });
  for (const sql of [
    'alter table t add c int',
    'create table t (a int not null)',
    'alter view v rename to w',
    'alter table t set not null',
  ])
    expect(partsOf(sql)).toBeUndefined();
});
