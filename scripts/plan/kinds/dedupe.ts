/**
 * Rows that are equal by given columns become one. The row that stays is the entity of all that becomes of its doubles: they
 * go, and what refers to them refers to it. At the end a unique index keeps it so.
 */
import { Problem } from '../problem.ts';
import { insertion, neededOf, sampleRows, sampleSchema, valueFor } from '../sample.ts';
import type { Column, Source } from '../source.ts';
import type { Files } from '../template.ts';
import { columnsOf, expectFitting, type Given, type Kind, option, quoted } from './kind.ts';
import {
  literal,
  missingColumn,
  planFolder,
  preflight,
  routine,
  type Step,
  stepRows,
  writer,
} from './pieces.ts';
import { type Referrer, readReferrers, type UniqueIndex } from './referrers.ts';

/** What the plan is made of. */
interface Merging {
  plan: string;
  source: Source;
  /** By which rows are equal, each with its operator: that of citext is in no path. */
  columns: readonly (Column & { equals: string })[];
  keep: 'oldest' | 'newest';
  by: Column;
  referrers: readonly Referrer[];
  /** The unique index of the end, and the one by which doubles are found, as SQL writes them. */
  unique: { name: string; full: string };
  helper: { name: string; full: string };
}

export const dedupe: Kind = {
  about: 'rows that are equal by given columns become one, and what refers to them refers to that',
  needs: ['columns', 'keep', 'by'],
  async files(given) {
    const merging = await readMerging(given);
    return { source: merging.source, files: filesOf(merging) };
  },
};

async function readMerging(given: Given): Promise<Merging> {
  const { plan, source, options, sql } = given;
  const chosen = columnsOf(source, option(options, 'columns'), 'columns');
  const by = source.columns.find(({ name }) => name === option(options, 'by'));
  if (!by) {
    throw new Problem(
      'no-column',
      `--by: ${source.relation} has no column ${option(options, 'by')}.`,
      `It has: ${source.columns.map(({ name }) => name).join(', ')}.`,
    );
  }
  const keep = option(options, 'keep');
  if (keep !== 'oldest' && keep !== 'newest') {
    throw new Problem('bad-value', `--keep: ${keep} is none of oldest, newest.`, 'Say which row stays.');
  }
  await expectFitting(
    given,
    [],
    [
      { flag: '--by', sql: `s.${by.quoted} < s.${by.quoted}` },
      ...chosen.map((column) => ({ flag: '--columns', sql: `s.${column.quoted} < s.${column.quoted}` })),
    ],
  );
  const columns: Merging['columns'][number][] = [];
  for (const column of chosen) {
    const [row] = await sql<{ schema: string }[]>`
      select quote_ident(o.oprnamespace::regnamespace::text) as schema
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
      join pg_opclass c on c.opcintype = case when t.typtype = 'd' then t.typbasetype else t.oid end and c.opcdefault
      join pg_am m on m.oid = c.opcmethod and m.amname = 'btree'
      join pg_amop p on p.amopfamily = c.opcfamily and p.amopstrategy = 3 and p.amoplefttype = c.opcintype and p.amoprighttype = c.opcintype
      join pg_operator o on o.oid = p.amopopr
      where a.attrelid = ${source.relation}::regclass and a.attname = ${column.name}`;
    columns.push({ ...column, equals: row ? `operator(${row.schema}.=)` : '=' });
  }
  const names = [`${plan}_key`, `${plan}_doubles`];
  const identifiers = await quoted(sql, [source.schema, ...names]);
  const index = (n: number) => ({
    name: identifiers[n] ?? '',
    full: `${identifiers[0]}.${identifiers[n]}`,
  });
  const referrers = await readReferrers(sql, source);
  return { plan, source, columns, keep, by, referrers, unique: index(1), helper: index(2) };
}

/** SQL: whether two rows are equal. Rows with a null are equal to none. */
const equal = ({ columns }: Merging, one: string, other: string): string =>
  columns.map(({ quoted: name, equals }) => `${one}.${name} ${equals} ${other}.${name}`).join(' and ');

/** SQL: whether a row k stays rather than its equal s. Who has stayed once stays. */
function precedes({ plan, source, keep, by }: Merging): string {
  const stayed = (alias: string) =>
    `exists (select from ${plan}.merged m where m.kept = ${alias}.${source.key.quoted})`;
  const before = keep === 'oldest' ? '<' : '>';
  return `case
        when ${stayed('k')} <> ${stayed('s')} then ${stayed('k')}
        when k.${by.quoted} is distinct from s.${by.quoted} then coalesce(k.${by.quoted} ${before} s.${by.quoted}, s.${by.quoted} is null)
        else k.${source.key.quoted} ${before} s.${source.key.quoted} end`;
}

/** SQL: whether a row s stays and has doubles. For few rows each is looked up by index, whatever the planner thinks of the table. */
function pending(merging: Merging, isForFew = false): string {
  const { relation, key } = merging.source;
  const fence = isForFew ? ' offset 0' : '';
  return `exists (select from ${relation} d where ${equal(merging, 'd', 's')} and d.${key.quoted} <> s.${key.quoted}${fence})
      and not exists (
        select from ${relation} k where ${equal(merging, 'k', 's')} and k.${key.quoted} <> s.${key.quoted}
          and ${precedes(merging)}${fence})`;
}

function filesOf(merging: Merging): Files {
  const { plan, source, columns, unique, helper } = merging;
  const { relation, key } = source;
  const names = columns.map(({ quoted: name }) => name).join(', ');
  const title = `One row of ${source.schema}.${source.table} for each ${columns.map(({ name }) => name).join(', ')}`;
  const steps: Step[] = [
    {
      name: 'index of doubles',
      phase: 'prepare',
      routine: 'index_doubles',
      statement: `create index concurrently ${helper.name} on ${relation} (${names})`,
    },
    {
      name: 'unique index',
      phase: 'finalize',
      routine: 'index_key',
      statement: `create unique index concurrently ${unique.name} on ${relation} (${names})`,
    },
    { name: 'index of doubles dropped', phase: 'cleanup', routine: 'clean_index' },
    { name: 'views dropped', phase: 'cleanup', routine: 'clean' },
  ];
  return planFolder(plan, {
    schema: `select imago.create_plan(${[plan, title, source.schema, source.table, key.name].map(literal).join(', ')});\n`,
    functions: {
      apply: apply(merging),
      prepare: routine(
        `${plan}.prepare()`,
        'void',
        'Prepare step: the list of rows that were merged, and the views.',
        `begin
  create table if not exists ${plan}.merged (gone ${source.keyType} primary key, kept ${source.keyType} not null);
  comment on table ${plan}.merged is 'Rows that have gone, each with the row that was kept.';
  create index if not exists merged_kept on ${plan}.merged (kept);
  create or replace view ${plan}.pending as
    select s.${key.quoted} as entity from ${relation} s
    where ${pending(merging)};
  comment on view ${plan}.pending is 'Rows that stay, and have doubles.';
  create or replace view ${plan}.concerned as
    select s.${key.quoted} as entity from ${relation} s
    where (${pending(merging)})
      or exists (select from ${plan}.merged m where m.kept = s.${key.quoted});
  comment on view ${plan}.concerned is 'Rows that stay, and have doubles or had some.';
end`,
        'plpgsql',
      ),
      index_doubles: indexStep(merging, {
        name: 'index_doubles',
        comment:
          'Direct prepare step: the index by which doubles are found, where none begins with the first column.',
        index: helper,
        create: `create index ${helper.name} on ${relation} (${names});
  perform imago.note_added('${plan}', ${literal(helper.full)})`,
        unless: `not exists (select from imago.index_warning(${literal(relation)}, ${literal(columns[0]?.name ?? '')}, ''))`,
        noted: true,
      }),
      index_key: indexStep(merging, {
        name: 'index_key',
        comment: `Direct step: the unique index that keeps ${relation} free of doubles.`,
        index: unique,
        create: `create unique index ${unique.name} on ${relation} (${names})`,
        unless: undefined,
        noted: false,
      }),
      clean_index: routine(
        `${plan}.clean_index()`,
        'void',
        `Clean-up step: drops ${helper.full} if the plan has made it.`,
        `begin
  if imago.is_added('${plan}', ${literal(helper.full)}) then
    perform imago.forget_added('${plan}', ${literal(helper.full)});
    drop index if exists ${helper.full};
  end if;
end`,
        'plpgsql',
      ),
      clean: routine(
        `${plan}.clean()`,
        'void',
        'Clean-up step: the views, and the list of rows that were merged.',
        `  -- Prepare makes them again.
  drop view if exists ${plan}.concerned, ${plan}.pending;
  drop table if exists ${plan}.merged;`,
      ),
      unknown_references: unknownReferences(merging),
      collisions: collisions(merging),
      preflight: preflight(plan, problems(merging)),
    },
    registration: registration(merging, steps),
    rows: sample(merging),
    conformance: conformance(merging),
  });
}

function indexStep(
  { plan, source }: Merging,
  {
    name,
    comment,
    index,
    create,
    unless,
    noted,
  }: {
    name: string;
    comment: string;
    index: Merging['unique'];
    create: string;
    unless: string | undefined;
    noted: boolean;
  },
): string {
  return routine(
    `${plan}.${name}()`,
    'boolean',
    comment,
    `begin
  if exists (select from pg_catalog.pg_index i where i.indexrelid = pg_catalog.to_regclass(${literal(index.full)}) and i.indisvalid) then
${
  noted
    ? `    if not imago.is_added('${plan}', ${literal(index.full)}) then
      perform imago.note_added('${plan}', ${literal(index.full)});
    end if;
`
    : ''
}    return true;
  end if;
${unless === undefined ? '' : `  if ${unless} then\n    return true;\n  end if;\n`}  -- The table is read once for it, while its writers wait.
  if not imago.may_hold(${literal(source.relation)}) then
    return false;
  end if;
  -- What a concurrent build that failed has left behind.
  drop index if exists ${index.full};
  ${create};
  return true;
end`,
    'plpgsql',
  );
}

function apply(merging: Merging): string {
  const { plan, source, referrers } = merging;
  const { relation, key } = source;
  const moves = referrers.flatMap(({ relation: referring, columns, references, isKey }) =>
    references.map(({ column }) => {
      if (!isKey) {
        return `  update ${referring} r set ${column.quoted} = m.kept
  from ${plan}.merged m
  where r.${column.quoted} = any (merging.going) and m.gone = any (merging.going) and m.gone = r.${column.quoted};`;
      }
      const kept = columns.filter(({ generated }) => !generated);
      const overriding = kept.some(({ numbered }) => numbered) ? ' overriding system value' : '';
      return `  -- The reference is part of the key, by which the journal names rows: other rows take their place.
  insert into ${referring} (${kept.map(({ quoted: name }) => name).join(', ')})${overriding}
  select ${kept.map(({ name, quoted: own }) => (name === column.name ? 'm.kept' : `r.${own}`)).join(', ')}
  from ${referring} r join ${plan}.merged m on m.gone = r.${column.quoted}
  where r.${column.quoted} = any (merging.going) and m.gone = any (merging.going);
  delete from ${referring} r where r.${column.quoted} = any (merging.going);`;
    }),
  );
  return routine(
    `${plan}.apply(keys ${source.keyType}[])`,
    'void',
    'Merges the doubles of exactly these rows into them.',
    `<<merging>>
declare
  going ${source.keyType}[];
begin
  -- Triggers of the app that this fires find their names as they do at home.
  perform set_config('search_path', imago.app_search_path(), true);
  -- Who wants to refer to a double waits from here on, and then finds it gone: no reference is lost.
  perform from ${relation} s cross join lateral (
    select from ${relation} d where ${equal(merging, 'd', 's')} and d.${key.quoted} <> s.${key.quoted}
    order by d.${key.quoted} for update) d
  where s.${key.quoted} = any (apply.keys);
  with merged as (
    insert into ${plan}.merged (gone, kept)
    select d.${key.quoted}, s.${key.quoted}
    from ${relation} s cross join lateral (
      select d.${key.quoted} from ${relation} d where ${equal(merging, 'd', 's')} and d.${key.quoted} <> s.${key.quoted} offset 0) d
    where s.${key.quoted} = any (apply.keys) and ${pending(merging, true)}
    returning gone
  )
  select coalesce(array_agg(m.gone), '{}') into going from merged m;
  if going = '{}' then
    return;
  end if;
  -- Its doubles would have to come back before it does, and to it.
  if exists (select from ${plan}.merged m where m.kept = any (merging.going)) then
    raise exception using errcode = 'restrict_violation', message = 'a double has doubles merged into it';
  end if;
${moves.map((move) => `${move}\n`).join('')}  delete from ${relation} d where d.${key.quoted} = any (merging.going);
end`,
    'plpgsql',
  );
}

/** Foreign keys that have come since the plan was written. */
function unknownReferences({ plan, source, referrers }: Merging): string {
  const known = referrers.flatMap(({ relation, references }) =>
    references.map(({ column }) => `(pg_catalog.to_regclass(${literal(relation)}), ${literal(column.name)})`),
  );
  return routine(
    `${plan}.unknown_references()`,
    'table (relation text, constraint_name text)',
    'Foreign keys to the table that the plan does not know.',
    `  select c.conrelid::pg_catalog.regclass::text, c.conname::text
  from pg_catalog.pg_constraint c
  join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
  where c.contype = 'f' and c.conparentid = 0 and c.confrelid = pg_catalog.to_regclass(${literal(source.relation)})${
    known.length === 0
      ? ''
      : `
    and not exists (
      select from (values ${known.join(', ')}) k (relation, name)
      where k.relation = c.conrelid and k.name = a.attname and cardinality(c.conkey) = 1)`
  }`,
    'sql',
    'stable',
  );
}

/** Rows that would be the same in a unique index once they refer to one row. */
function collisions(merging: Merging): string {
  const { plan, source, columns, keep, by, referrers } = merging;
  const { relation, key } = source;
  const direction = keep === 'oldest' ? 'asc' : 'desc';
  const looks = referrers.flatMap(({ relation: referring, references }) =>
    references.flatMap(({ column, unique }) => unique.map((index) => collisionsIn(referring, column, index))),
  );
  const tables = [relation, ...referrers.map((one) => one.relation)];
  const ranks = `with ranked as (
      select s.${key.quoted} as key, first_value(s.${key.quoted}) over same as kept, count(*) over (partition by ${columns.map(({ quoted: name }) => `s.${name}`).join(', ')}) as amount
      from ${relation} s
      where ${columns.map(({ quoted: name }) => `s.${name} is not null`).join(' and ')}
      window same as (
        partition by ${columns.map(({ quoted: name }) => `s.${name}`).join(', ')}
        order by s.${by.quoted} ${direction} nulls last, s.${key.quoted} ${direction})
    )`;
  return routine(
    `${plan}.collisions()`,
    'table (relation text, index_name text, amount bigint, keys text[])',
    'Unique indexes in which rows would collide once they refer to the row that stays; how many rows stay for which they do, and the keys of the first. None where a table is not there, or too large to be read as a whole.',
    looks.length === 0
      ? 'begin\n  return;\nend'
      : `begin
  if ${tables.map((table) => `pg_catalog.to_regclass(${literal(table)}) is null`).join(' or ')} then
    return;
  end if;
  if ${tables.map((table) => `imago.is_large(${literal(table)})`).join(' or ')} then
    return;
  end if;
${looks.map((look) => `  return query\n    ${ranks}\n    ${look};`).join('\n')}
end`,
    'plpgsql',
    'stable',
  );
}

function collisionsIn(referring: string, column: Column, index: UniqueIndex): string {
  const parts = index.others.map((part, n) => `${part} as part_${n + 1}`);
  const names = index.others.map((_, n) => `r.part_${n + 1}`);
  const valued = index.nullsEqual ? [] : names.map((name) => `${name} is not null`);
  return `select ${literal(referring)}, ${literal(index.name)}, count(*), (array_agg(g.kept::text order by g.kept))[:3]
    from (
      select distinct k.kept
      from (select ${[`${column.quoted} as referred`, ...parts].join(', ')} from ${referring}${index.condition === null ? '' : ` where ${index.condition}`}) r
      join ranked k on k.key = r.referred and k.amount > 1${valued.length > 0 ? `\n      where ${valued.join(' and ')}` : ''}
      group by ${['k.kept', ...names].join(', ')}
      having count(*) > 1
    ) g
    having count(*) > 0`;
}

function problems({ plan, source, columns, by, referrers }: Merging): string[] {
  return [
    ...[...new Set([...columns, by])].map((column) => `  ${missingColumn(source.relation, column)}`),
    `  select * from imago.partition_problems(${literal(source.relation)}, 'It may not get the unique index.')`,
    `  select 'error', 'unknown_reference', u.relation, format('has the foreign key %s, which the plan does not know', u.constraint_name), 'Write the plan again: it looks foreign keys up.'
  from ${plan}.unknown_references() u`,
    ...referrers.flatMap(({ relation, references }) => [
      `  select * from imago.relation_problems(${literal(relation)})`,
      ...references.flatMap(({ column }) => [
        `  ${missingColumn(relation, column)}`,
        `  select * from imago.index_warning(${literal(relation)}, ${literal(column.name)}, 'repointing it')`,
      ]),
    ]),
    `  select 'error', 'collision', c.relation,
    format('has rows that would collide in %s once they refer to the row that stays: those of %s rows%s', c.index_name, c.amount, imago.sample_keys_text(c.keys, c.amount)),
    'Delete or change all but one of them: which one counts is yours to say.'
  from ${plan}.collisions() c`,
  ];
}

function registration(merging: Merging, steps: readonly Step[]): string {
  const { plan, source, columns, referrers } = merging;
  const { relation, key } = source;
  const entity = (column: string) => `(select m.kept from ${plan}.merged m where m.gone = deleted.${column})`;
  const writes = [
    [literal(`${plan}.merged`), "'kept'", true, "'{}'", false, 'null'],
    ...referrers.map(({ relation: referring, references, isKey }) => {
      const [only] = references;
      const isOne = references.length === 1;
      const deletes = isKey || references.some(({ cascades }) => cascades);
      const names = isKey
        ? "'{}'"
        : `array[${references.map(({ column }) => literal(column.name)).join(', ')}]`;
      return [
        literal(referring),
        isOne && only ? literal(only.column.name) : 'null',
        isKey,
        names,
        isOne && deletes,
        isOne && deletes && only ? literal(entity(only.column.quoted)) : 'null',
      ];
    }),
    [literal(relation), literal(key.name), false, "'{}'", true, literal(entity(key.quoted))],
  ];
  /** What the app deletes, having it from the plan, does not come back with a double. */
  const kept = (from: string, column: string, rowKey: string) =>
    literal(`select imago.keep_deleted('${plan}', ${literal(from)}, array_agg(m.kept::text), array_agg(${rowKey}))
    from old_rows o join ${plan}.merged m on m.kept = o.${column} having count(*) > 0`);
  const syncs = [
    [
      literal('a row that stays is deleted'),
      literal(relation),
      literal(key.name),
      kept(relation, key.quoted, 'm.gone::text'),
    ],
    ...referrers.flatMap(({ relation: referring, primaryKey, references: [only], isKey }) =>
      isKey && only
        ? [
            [
              literal(`a row of ${referring} is deleted`),
              literal(referring),
              literal(only.column.name),
              kept(
                referring,
                only.column.quoted,
                `concat_ws(',', ${primaryKey.map((name) => (name === only.column.quoted ? 'm.gone' : `o.${name}`)).join(', ')})`,
              ),
            ],
          ]
        : [],
    ),
  ];
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, 'views', 'prepare');
${stepRows(plan, steps)}
insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns, deletes, deleted_entity) values
${writes.map((values, n) => `  ('${plan}', ${n + 1}, ${values.join(', ')})`).join(',\n')};

insert into imago.plan_sync (plan, position, name, relation, events, entity_column, direction, statement) values
${syncs.map(([name, on, entityColumn, statement], n) => `  ('${plan}', ${n + 1}, ${name}, ${on}, '{delete}', ${entityColumn}, 'back',\n   ${statement})`).join(',\n')};

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, fix, meaning, remedy) values
  ('${plan}', 1, 'doubles', 'error', 'after', ${literal(relation)}, ${literal(key.name)},
   ${literal(`select s.${key.quoted} as key, s.${key.quoted} as entity from ${relation} s where ${pending(merging)}`)},
   'apply',
   ${literal(`A row has doubles by ${columns.map(({ name }) => name).join(', ')}: one came later, or its merge has failed or is held.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed. Have the app make no more.');

select imago.revoke_plan_functions('${plan}');
`;
}

/** Threes of equal rows, with what refers to them; those that the app makes meanwhile are equal to none. */
function sample({ source, columns, referrers }: Merging): string {
  const given = Object.fromEntries(
    columns.flatMap((column) => {
      const value = valueFor(column, source);
      return value === undefined
        ? []
        : [
            [
              column.name,
              `(select ${value} from (select case when i < 1000000 then i - i % 3 else i end) o (i))`,
            ],
          ];
    }),
  );
  const { key, relation } = source;
  const some = 'first, least(last, 999999)';
  const more = referrers.flatMap(({ relation: referring, columns: own, parents, references }) => {
    const child = { ...source, relation: referring, columns: own, parents };
    const referred = Object.fromEntries(
      references.map(({ column }, n) => [
        column.name,
        `(select k.${key.quoted} from ${relation} k order by k.${key.quoted} offset (i + ${n}) % 50 limit 1)`,
      ]),
    );
    return [
      ...parents.map((parent) => insertion(parent.relation, neededOf(parent, child), child, {}, some)),
      insertion(
        referring,
        own.filter(({ generated, numbered }) => !generated && !numbered),
        child,
        referred,
        some,
      ),
    ];
  });
  return sampleRows(source, given, more);
}

function conformance(merging: Merging): string {
  const { plan, source } = merging;
  const { relation, key } = source;
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select s.${key.quoted} as entity from ${relation} s
where ${pending(merging)}
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart()}`;
}
