/**
 * Plans that bring columns of a table into other columns of the same table, and keep both equal until finalize: what all
 * kinds of them have in common. In each expression the row is called s.
 */

import { sampleRows, sampleSchema } from '../sample.ts';
import type { Column, Source } from '../source.ts';
import type { Files } from '../template.ts';
import { walkOf } from '../walk.ts';
import {
  checkQuery,
  literal,
  planFolder,
  preflight,
  routine,
  type Step,
  stepRows,
  writer,
} from './pieces.ts';

/** A column and what it gets. */
export interface Filled {
  name: string;
  /** As SQL writes it. */
  quoted: string;
  type: string;
  /** SQL of the value, of the column's type; fails for a row that can have none. */
  value: string;
  /** The same, null where it would fail: for views and conditions, which must not. */
  safe: string;
}

/** What a plan is made of whose entities are rows and whose work is columns. */
export interface Mirror {
  plan: string;
  title: string;
  source: Source;
  /** What the plan fills. */
  targets: readonly (Filled & { isAdded: boolean })[];
  /** What the values come from, and what it gets where the app writes the targets. None: the targets are written once. */
  origins: readonly Filled[];
  /** SQL for a row s of which no value can be made: it is set aside. */
  unfit?: string;
  /** Statements of PL/pgSQL with which prepare begins. */
  before?: string;
  /** Functions of the plan, by name. */
  functions?: Readonly<Record<string, string>>;
  /** What finalize and clean-up do. */
  steps?: readonly Step[];
  /** Steps after those that clean up the columns. */
  lastSteps?: readonly Step[];
  /** SQL of rows of imago.problem, for preflight(). */
  preflight?: readonly string[];
  /** SQL of values by number i for made-up rows, by column: for what cannot be made up by type. */
  samples?: Readonly<Record<string, string>>;
}

/** Types of which equal values are the same value; others (citext, circle, json) are compared as text. */
const exact =
  /^(boolean|bool|smallint|integer|int\d?|bigint|oid|uuid|date|bytea|text|(character varying|varchar)(\(\d+\))?|timestamp( with(out)? time zone)?|timestamptz)$/;

/** SQL of a value, so that two of them are distinct where they are not the same. */
export const comparable = (sql: string, type: string): string => (exact.test(type) ? sql : `(${sql})::text`);

/** SQL of one value, or of several as one. */
export const row = (parts: readonly string[]): string =>
  parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(', ')})`;

const differ = (filled: readonly Filled[]): string =>
  `${row(filled.map(({ quoted, type }) => comparable(`s.${quoted}`, type)))} is distinct from ${row(
    filled.map(({ safe, type }) => comparable(safe, type)),
  )}`;

const allNull = (filled: readonly Filled[]): string =>
  filled.map(({ quoted }) => `s.${quoted} is null`).join(' and ');

const anyValue = (filled: readonly Filled[]): string =>
  filled.map(({ quoted }) => `s.${quoted} is not null`).join(' or ');

/** SQL: whether a row s has yet to be moved. Both sides are equal where either follows from the other. */
export function pending({ targets, origins, unfit }: Mirror): string {
  if (origins.length === 0) {
    return `${allNull(targets)} and (${targets.map(({ safe }) => `${safe} is not null`).join(' or ')})`;
  }
  const apart = `${differ(targets)} and ${differ(origins)}
      and not (${allNull(origins)} and (${anyValue(targets)}))`;
  return unfit === undefined ? apart : `(${apart} or ${unfit})`;
}

/** SQL: whether the plan has to do with a row s, moved or not. Rows with values of their own do not count as moved. */
function concerned(mirror: Mirror): string {
  const { targets, origins } = mirror;
  return `(${pending(mirror)})
      or ${origins.length > 0 ? anyValue(targets) : `(${anyValue(targets)}) and not (${differ(targets)})`}`;
}

/** All files of the plan, and what it is tried by. */
export function mirrorFiles(mirror: Mirror): Files {
  return planFolder(mirror.plan, {
    schema: schema(mirror),
    functions: {
      apply: apply(mirror),
      ...cleaning(mirror),
      check_query: checkQuery(mirror.plan, {
        sides_differ: found(mirror, pending(mirror)),
        ...(mirror.unfit !== undefined && { unfit_values: found(mirror, mirror.unfit) }),
      }),
      prepare: prepare(mirror),
      ...(mirror.preflight && { preflight: preflight(mirror.plan, mirror.preflight) }),
      ...mirror.functions,
    },
    registration: registration(mirror),
    rows: sampleRows(mirror.source, mirror.samples),
    conformance: conformance(mirror),
  });
}

/** SQL of a check for rows s of which a condition is true. */
const found = ({ plan, source }: Mirror, condition: string): string => {
  const key = walkOf(plan, source).of('s');
  return `select ${key} as key, ${key} as entity from ${source.relation} s where ${condition}`;
};

function schema({ plan, title, source }: Mirror): string {
  const walk = walkOf(plan, source);
  const args = [plan, title, source.schema, source.table, walk.column];
  return `select imago.create_plan(${args.map(literal).join(', ')});\n${walk.made}`;
}

function prepare(mirror: Mirror): string {
  const { plan, source, targets } = mirror;
  const added = targets.filter(({ isAdded }) => isAdded);
  const additions = added.map(
    ({ name, quoted, type }) => `  if not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = ${literal(source.relation)}::pg_catalog.regclass and a.attname = ${literal(name)} and not a.attisdropped) then
    alter table ${source.relation} add column ${quoted} ${type};
    -- By this clean-up knows it from a column of the app's own.
    perform imago.note_added('${plan}', ${literal(source.relation)}, ${literal(name)});
  end if;
`,
  );
  const columns = added.map(({ quoted }) => quoted).join(', ');
  return routine(
    `${plan}.prepare()`,
    'void',
    `Prepare step: ${columns ? `columns ${columns} of ${source.relation}, nullable, so that no row is written, and ` : ''}the views.`,
    `begin
${mirror.before ?? ''}${additions.join('')}  create or replace view ${plan}.pending as
    select ${walkOf(plan, source).of('s')} as entity from ${source.relation} s
    where ${pending(mirror)};
  comment on view ${plan}.pending is 'Rows that have yet to be moved.';
  create or replace view ${plan}.concerned as
    select ${walkOf(plan, source).of('s')} as entity from ${source.relation} s
    where ${concerned(mirror)};
  comment on view ${plan}.concerned is 'Rows that the plan has to do with, moved or not.';
end`,
    'plpgsql',
  );
}

function apply(mirror: Mirror): string {
  const { plan, source, targets } = mirror;
  const walk = walkOf(plan, source);
  const sets = targets.map(({ quoted, value }) => `${quoted} = ${value}`).join(',\n    ');
  return routine(
    `${plan}.apply(keys ${walk.type}[])`,
    'void',
    'Moves exactly these rows, where their sides differ.',
    `  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  update ${source.relation} s
  set ${sets}
  where ${walk.among('s')}
    and ${pending(mirror)}`,
  );
}

/** After a complete rollback, columns that prepare has added go where they are empty. */
function cleaning({ plan, source, targets }: Mirror): Record<string, string> {
  return Object.fromEntries(
    targets
      .filter(({ isAdded }) => isAdded)
      .map(({ name, quoted }, n) => [
        `clean_${n + 1}`,
        routine(
          `${plan}.clean_${n + 1}()`,
          'jsonb',
          `Clean-up step after a complete rollback: drops ${source.relation}.${quoted} if prepare added it and it is empty.`,
          `  -- Prepare makes it again.
  drop view if exists ${plan}.concerned, ${plan}.pending;
  select imago.drop_empty_column('${plan}', ${literal(source.relation)}, ${literal(name)})`,
        ),
      ]),
  );
}

function steps({ targets, steps: own = [], lastSteps = [] }: Mirror): Step[] {
  const cleaned: Step[] = targets
    .filter(({ isAdded }) => isAdded)
    .map(({ name }, n) => ({
      name: `column ${name}, if empty`,
      phase: 'cleanup',
      routine: `clean_${n + 1}`,
      onlyAfter: 'rollback',
    }));
  return [...own, ...cleaned, ...lastSteps];
}

/**
 * SQL to put before a statement of a sync. A value of the new side beside an old side without any is left alone by apply; where
 * the old side has just been emptied, and the new one was not written, it follows.
 */
function emptying({ plan, source, targets, origins }: Mirror): string {
  const { relation } = source;
  const walk = walkOf(plan, source);
  const values = (of: string) => row(targets.map(({ quoted, type }) => comparable(`${of}.${quoted}`, type)));
  return `with emptied as (
      update ${relation} s set ${targets.map(({ quoted, value }) => `${quoted} = ${value}`).join(', ')}
      from new_rows n join old_rows o on ${walk.same('o', 'n')}
      where ${walk.same('s', 'n')} and ${allNull(origins)} and (${anyValue(targets)})
        and ${values('n')} is not distinct from ${values('o')})`;
}

/**
 * SQL that writes the new side back to the old one. Where the old side was ahead, for a row that was not moved yet or whose
 * sync had failed, only what the app has just written of the new side counts: the rest is taken from the old one.
 */
function goingBack(mirror: Mirror, isKnownBefore: boolean): string {
  const { plan, source, targets, origins } = mirror;
  const { relation } = source;
  const walk = walkOf(plan, source);
  const apart = `${differ(targets)} and ${differ(origins)}`;
  if (!isKnownBefore) {
    const sets = origins.map(({ quoted, value }) => `${quoted} = ${value}`).join(', ');
    return `update ${relation} s set ${sets} from new_rows n
    where ${walk.same('s', 'n')} and ${apart}`;
  }
  const keys = walk.list('s');
  const were = targets.map(({ quoted }) => `s.${quoted}`).join(', ');
  const merged = targets.map(({ quoted, type, safe }) => {
    const kept = `${comparable(`s.${quoted}`, type)} is not distinct from ${comparable(`o.${quoted}`, type)}`;
    return `case when o.is_behind and ${kept} then ${safe} else s.${quoted} end as ${quoted}`;
  });
  const rest = readColumns(mirror).map(({ quoted }) => `, s.${quoted}`);
  return `update ${relation} s set ${origins.map(({ quoted }) => `${quoted} = w.${quoted}`).join(', ')}
    from (
      select ${keys}, ${origins.map(({ quoted, value }) => `${value} as ${quoted}`).join(', ')}
      from (
        select ${keys}${rest.join('')}, ${merged.join(', ')}
        from new_rows s
        join (select ${keys}, ${were}, ${pending(mirror)} as is_behind from old_rows s) o on ${walk.same('s', 'o')}
      ) s
    ) w
    where ${walk.same('s', 'w')} and ${apart}`;
}

/** Columns of the table, without key and targets, that the way back reads: all, where it reads whole rows. */
function readColumns({ source, targets, origins }: Mirror): Column[] {
  const { keys, columns } = source;
  const text = origins.map(({ value }) => value).join('\n');
  const named = [...text.matchAll(/\bs\s*\.\s*(?:"((?:[^"]|"")+)"|(\w+))/gi)];
  const names = new Set(
    named.map(([, exact, folded = '']) => exact?.replaceAll('""', '"') ?? folded.toLowerCase()),
  );
  const readsRows = /\bs\b(?!\s*\.\s*["\w])/i.test(text);
  return columns.filter(
    ({ name }) =>
      (readsRows || names.has(name)) && ![...keys, ...targets].some((other) => other.name === name),
  );
}

function registration(mirror: Mirror): string {
  const { plan, source, targets, origins } = mirror;
  const { relation } = source;
  const walk = walkOf(plan, source);
  const names = (filled: readonly Filled[]) => `array[${filled.map(({ name }) => literal(name)).join(', ')}]`;
  const applying = `select ${plan}.apply(array(select ${walk.of('n')} from new_rows n))`;
  const sync = (
    name: string,
    event: 'insert' | 'update',
    direction: 'forward' | 'back',
    statement: string,
  ): string => {
    const columns = event === 'insert' ? 'null' : names(direction === 'back' ? targets : origins);
    const flags = direction === 'back' ? 'false, true' : 'true, false';
    return `${literal(name)}, ${literal(relation)}, '{${event}}', ${columns}, ${literal(walk.column)}, '${direction}', ${flags},
   ${literal(statement)})`;
  };
  const forward = [sync('new rows', 'insert', 'forward', applying)];
  const back: string[] = [];
  if (origins.length > 0) {
    forward.push(
      sync('changes of the old side', 'update', 'forward', `${emptying(mirror)}\n    ${applying}`),
    );
    back.push(
      sync('changes of the new side', 'update', 'back', goingBack(mirror, targets.length > 1)),
      // A row that the app makes as before has nothing on the new side yet, which is no wish to empty the old one.
      sync(
        'new rows of the new side',
        'insert',
        'back',
        `${goingBack(mirror, false)} and (${anyValue(targets)})`,
      ),
    );
  }
  // The new side first: nobody fills a column that the plan has added but an app that means it, and the old one may hold a default.
  const syncs = [...back, ...forward].map((row, n) => `  ('${plan}', ${n + 1}, ${row}`);
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, 'columns, views', 'prepare');
${stepRows(plan, steps(mirror))}
insert into imago.plan_write (plan, position, relation, entity_column, columns) values
  ('${plan}', 1, ${literal(relation)}, ${literal(walk.column)}, ${names(targets)});

insert into imago.plan_sync (plan, position, name, relation, events, columns, entity_column, direction, creates, strict, statement) values
${syncs.join(',\n')};

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, fix, meaning, remedy) values
  ('${plan}', 1, 'sides_differ', 'error', 'after', ${literal(relation)}, ${literal(walk.column)}, 'apply',
   ${literal(`A row has not got ${targets.map(({ name }) => name).join(', ')}: it came later, failed, or is held.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed.')${unfitCheck(mirror)};

select imago.revoke_plan_functions('${plan}');
`;
}

function unfitCheck({ plan, source, unfit }: Mirror): string {
  if (unfit === undefined) return '';
  const { relation } = source;
  const walk = walkOf(plan, source);
  return `,
  ('${plan}', 2, 'unfit_values', 'error', 'before', ${literal(relation)}, ${literal(walk.column)}, null,
   'A row holds a value that the new side cannot have.',
   'Change the value. A run would set the row aside.')`;
}

function conformance(mirror: Mirror): string {
  const { plan, source, targets, origins } = mirror;
  const { relation, keys, columns } = source;
  const walk = walkOf(plan, source);
  /** Gives one row what another has. On the new side one that is moved: what the app makes there besides stays its own. */
  const copied = (
    { quoted }: Pick<Column, 'quoted'>,
    isNew = false,
  ) => `update ${relation} s set ${quoted} = o.${quoted}
from (select ${quoted} from ${relation} where ${quoted} is not null order by ${walk.list()} offset :n % 7 limit 1) o
where ${walk.tuple('s')} = (select ${walk.list()} from ${relation} order by ${walk.list()} offset :n % 50 limit 1)${isNew ? ` and s.${quoted} is not null` : ''}`;
  /** Gives a row that has what the plan gave it a value that no other has, or another row has. */
  const own = ({ quoted, type }: Pick<Filled, 'quoted' | 'type'>) => {
    const other = `(select o.${quoted} from ${relation} o where o.${quoted}::text <> s.${quoted}::text order by ${walk.list('o')} limit 1)`;
    const value = /^(text|character|varchar|citext)/.test(type)
      ? "'own :n'"
      : /^(smallint|integer|bigint|numeric|real|double)/.test(type)
        ? '1000 + :n % 1000'
        : other;
    return `update ${relation} s set ${quoted} = ${value}
where ${walk.tuple('s')} = (
  select ${walk.list('s')} from ${relation} s where (${anyValue(targets)}) and not (${differ(targets)})
  order by ${walk.list('s')} offset :n % 5 limit 1)`;
  };
  const [target] = targets;
  const first =
    origins[0] ??
    columns.find(
      ({ name, generated, numbered }) => !keys.some((key) => key.name === name) && !generated && !numbered,
    );
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select ${walk.of('s')} as entity from ${relation} s
where ${pending(mirror)}
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${[
  writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart(),
  first ? writer('updates', 'old', copied(first)) : '',
  target
    ? origins.length > 0
      ? writer('updates of the new side', 'new', copied(target, true))
      : // A column that the app had before goes back to what it held: that people's values stay is tried on those added.
        target.isAdded
        ? writer('values of people', 'new', own(target), 'conflicts = true\n')
        : ''
    : '',
].join('')}`;
}
