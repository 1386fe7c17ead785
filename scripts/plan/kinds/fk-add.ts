/**
 * A column gets a foreign key. The rows are walked whose value has no target. Until the key is there a sync refuses what it
 * would refuse; it comes when no such row is left, and goes before their values come back.
 */
import { Problem } from '../problem.ts';
import { insertion, neededOf, sampleRows, sampleSchema, valueFor } from '../sample.ts';
import { type Column, type Referred, readReferred, referring, type Source } from '../source.ts';
import type { Files } from '../template.ts';
import { columnOf, expectFitting, type Given, type Kind, option, quoted } from './kind.ts';
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

/** What the plan is made of. */
interface Addition {
  plan: string;
  source: Source;
  column: Column;
  target: Referred;
  /** SQL: what is to happen when a target goes or gets another key. */
  actions: string;
  /** As SQL writes it. */
  constraint: string;
  constraintName: string;
  /** SQL of the value that rows without a target get; undefined where they are refused. */
  remedy: string | undefined;
  /** The same as typed, where it is a key of the target. */
  placeholder: string | undefined;
}

export const fkAdd: Kind = {
  about: 'a column gets a foreign key; rows without a target are listed first, and may be fixed',
  needs: ['column', 'references'],
  may: ['orphans', 'placeholder'],
  async files(given) {
    const addition = await readAddition(given);
    return { source: addition.source, files: filesOf(addition) };
  },
};

async function readAddition(given: Given): Promise<Addition> {
  const { plan, source, options, sql } = given;
  const column = columnOf(source, option(options, 'column'), 'column');
  if (column.refers !== null) {
    throw new Problem(
      'bad-value',
      `--column: ${source.relation}.${column.quoted} has a foreign key already.`,
      'Drop it first, in a migration of your own, if it is to refer to something else.',
    );
  }
  const { target, actions } = await readClause(given);
  await expectComparable(given, column, target);
  const { remedy, placeholder } = await readRemedy(given, column);
  const constraintName = await freeConstraint(given, column);
  const [constraint = constraintName] = await quoted(sql, [constraintName]);
  const referringSource = await referring(sql, source, column.name, target);
  return {
    ...{ plan, source: referringSource, column, target, actions },
    ...{ constraint, constraintName, remedy, placeholder },
  };
}

/** `public.users (id) on delete cascade`, as in create table. */
async function readClause({ options, sql }: Given): Promise<Pick<Addition, 'target' | 'actions'>> {
  const typed = option(options, 'references').trim();
  const action = String.raw`\s+on\s+(?:delete|update)\s+(?:no\s+action|restrict|cascade|set\s+null|set\s+default)`;
  const [, name, key, actions = ''] =
    new RegExp(String.raw`^([^()]+?)\s*(?:\(\s*"?([^()"]+?)"?\s*\))?((?:${action})*)$`, 'i').exec(typed) ??
    [];
  if (name === undefined) {
    throw new Problem(
      'bad-value',
      `--references: ${typed} cannot be read.`,
      'Write it as in create table: --references "public.users (id) on delete cascade"',
    );
  }
  const target = await readReferred(sql, name, key);
  if (!target) {
    throw new Problem(
      'bad-value',
      `--references: ${name} has no ${key === undefined ? 'primary key of one column' : `column ${key} that is unique alone`}.`,
      'Name a column with a unique index of its own: --references "public.users (id)"',
    );
  }
  return { target, actions: actions.toLowerCase().replaceAll(/\s+/g, ' ') };
}

/** Refuses two columns between which PostgreSQL has no foreign key: tried on temporary tables, which do not stay. */
async function expectComparable({ source, sql }: Given, column: Column, target: Referred): Promise<void> {
  const isRefused = new Error('taken back');
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(`
        create temporary table imago_target on commit drop as select ${target.column.quoted} as key from ${target.relation} limit 0;
        alter table imago_target add primary key (key);
        create temporary table imago_source on commit drop as select ${column.quoted} as value from ${source.relation} limit 0;
        alter table imago_source add foreign key (value) references imago_target (key)`);
      throw isRefused;
    });
  } catch (cause) {
    if (cause === isRefused) return;
    throw new Problem(
      'bad-value',
      `--references: ${source.relation}.${column.quoted} cannot refer to ${target.relation}.${target.column.quoted} (${(cause as Error).message}).`,
      'Both need the same type: --kind type-change first, or another column.',
      { cause },
    );
  }
}

/** What is to become of rows without a target. */
async function readRemedy(given: Given, column: Column): Promise<Pick<Addition, 'remedy' | 'placeholder'>> {
  const { orphans, placeholder } = given.options;
  if (orphans !== undefined && placeholder !== undefined) {
    throw new Problem('bad-value', '--orphans and --placeholder exclude each other.', 'Give one of them.');
  }
  if (placeholder !== undefined) {
    const remedy = `${literal(placeholder)}::${column.type}`;
    await expectFitting(given, [], [{ flag: '--placeholder', sql: remedy }]);
    return { remedy, placeholder };
  }
  if (orphans === 'null') {
    if (column.notNull) {
      throw new Problem(
        'bad-value',
        `--orphans: ${given.source.relation}.${column.quoted} cannot be null.`,
        'Name a key of the target that takes the place: --placeholder KEY',
      );
    }
    return { remedy: 'null', placeholder: undefined };
  }
  if (orphans !== undefined && orphans !== 'refuse') {
    throw new Problem(
      'bad-value',
      `--orphans: ${orphans} is none of refuse, null.`,
      'For a key of the target write --placeholder KEY.',
    );
  }
  return { remedy: undefined, placeholder: undefined };
}

/** The name that PostgreSQL would give it, or one of the plan's. */
async function freeConstraint({ plan, source, sql }: Given, column: Column): Promise<string> {
  const name = `${source.table}_${column.name}_fkey`;
  const [row] = await sql<{ taken: boolean }[]>`
    select exists (
      select from pg_constraint c where c.conrelid = ${source.relation}::regclass and c.conname = ${name}) as taken`;
  return row?.taken || Buffer.byteLength(name) > 63 ? `${plan}_fkey` : name;
}

const place = ({ source, column }: Addition) => `${source.relation}.${column.quoted}`;

/** SQL: whether the value of a row s has no target. */
const isOrphan = ({ column, target }: Addition): string =>
  `s.${column.quoted} is not null
      and not exists (select from ${target.relation} t where t.${target.column.quoted} = s.${column.quoted})`;

/** The same for few rows: each looks its target up, whatever the planner thinks of both tables. */
const isSingleOrphan = ({ column, target }: Addition): string =>
  `s.${column.quoted} is not null
      and (select t.${target.column.quoted} from ${target.relation} t where t.${target.column.quoted} = s.${column.quoted}) is null`;

function filesOf(addition: Addition): Files {
  const { plan, source, column, target, constraint, constraintName, remedy, placeholder } = addition;
  const { relation, key } = source;
  const mended = `${plan}.mended`;
  const orphan = isOrphan(addition);
  const mark = literal(`Added by Imago plan ${plan}.`);
  const found = `from pg_catalog.pg_constraint c where c.conrelid = ${literal(relation)}::pg_catalog.regclass and c.conname = ${literal(constraintName)}`;
  const steps: Step[] = [
    {
      name: 'foreign key proved',
      phase: 'finalize',
      routine: 'is_valid',
      statement: `alter table ${relation} validate constraint ${constraint}`,
    },
    { name: 'views dropped', phase: 'cleanup', routine: 'clean' },
  ];
  return planFolder(plan, {
    schema: `select imago.create_plan(${[plan, `${source.schema}.${source.table}.${column.name} refers to ${target.relation}`, source.schema, source.table, key.name].map(literal).join(', ')});
select imago.add_once('${plan}', 2, 'foreign key');
`,
    functions: {
      apply: apply(addition),
      prepare: routine(
        `${plan}.prepare()`,
        'void',
        `Prepare step: ${remedy === undefined ? '' : 'the list of rows that the plan has fixed, and '}the views.`,
        `begin
${
  remedy === undefined
    ? ''
    : `  create table if not exists ${mended} (entity ${source.keyType} primary key);
  comment on table ${mended} is 'Rows that the plan has fixed: their values do not tell any more.';
`
}  create or replace view ${plan}.pending as
    select s.${key.quoted} as entity from ${relation} s
    where ${orphan};
  comment on view ${plan}.pending is 'Rows whose value has no target.';
  create or replace view ${plan}.concerned as
    select s.${key.quoted} as entity from ${relation} s
    where (${orphan})${remedy === undefined ? '' : `\n      or exists (select from ${mended} m where m.entity = s.${key.quoted})`};
  comment on view ${plan}.concerned is 'Rows whose value has no target, or had none.';
end`,
        'plpgsql',
      ),
      do_2: routine(
        `${plan}.do_2()`,
        'void',
        `Adds the foreign key of ${place(addition)}, not valid: no row is read for it.`,
        `begin
  if not exists (select ${found}) then
    alter table ${relation} add constraint ${constraint}
      foreign key (${column.quoted}) references ${target.relation} (${target.column.quoted})${addition.actions} not valid;
    -- By this it is told from one of the app's own.
    comment on constraint ${constraint} on ${relation} is ${mark};
  end if;
end`,
        'plpgsql',
      ),
      undo_2: routine(
        `${plan}.undo_2()`,
        'void',
        `Drops the foreign key of ${place(addition)}, if the plan has added it: it would refuse the values that come back.`,
        `begin
  if exists (select ${found} and pg_catalog.obj_description(c.oid, 'pg_constraint') = ${mark}) then
    alter table ${relation} drop constraint ${constraint};
  end if;
end`,
        'plpgsql',
      ),
      expect_targets: routine(
        `${plan}.expect_targets(keys ${source.keyType}[])`,
        'void',
        'Refuses what the foreign key will refuse, with its words, as long as it is not there.',
        `begin
  if exists (
    select from ${relation} s
    where s.${key.quoted} = any (expect_targets.keys) and ${isSingleOrphan(addition)}) then
    raise exception using errcode = 'foreign_key_violation', constraint = ${literal(constraintName)},
      message = ${literal(`insert or update on table "${source.table}" violates foreign key constraint "${constraintName}"`)};
  end if;
end`,
        'plpgsql',
        'stable',
      ),
      is_valid: routine(
        `${plan}.is_valid()`,
        'boolean',
        'Direct step: whether all rows are proved to have their target.',
        `  select imago.validate_constraint(${literal(relation)}, ${literal(constraintName)})`,
      ),
      clean: routine(
        `${plan}.clean()`,
        'void',
        `Clean-up step: the views${remedy === undefined ? '' : ', and the list of rows that the plan has fixed'}.`,
        `  -- Prepare makes them again.
  drop view if exists ${plan}.concerned, ${plan}.pending;${remedy === undefined ? '' : `\n  drop table if exists ${mended};`}`,
      ),
      orphans: orphans(addition),
      ...(placeholder !== undefined && {
        placeholder_is_missing: routine(
          `${plan}.placeholder_is_missing()`,
          'boolean',
          'Whether the target is there, without a row that has the placeholder as its key.',
          `begin
  if pg_catalog.to_regclass(${literal(target.relation)}) is null
    or exists (${missingColumn(target.relation, target.column)}) then
    return false;
  end if;
  return not ${placeholderIsThere(addition, '')};
end`,
          'plpgsql',
          'stable',
        ),
      }),
      preflight: preflight(plan, problems(addition)),
    },
    registration: registration(addition, steps),
    rows: sample(addition),
    conformance: conformance(addition),
  });
}

function apply(addition: Addition): string {
  const { plan, source, column, remedy } = addition;
  const signature = `${plan}.apply(keys ${source.keyType}[])`;
  if (remedy === undefined) {
    return routine(
      signature,
      'void',
      'Refuses these rows, where their value has no target: somebody has to give them one.',
      `  select ${plan}.expect_targets(keys)`,
    );
  }
  return routine(
    signature,
    'void',
    `Gives exactly these rows ${remedy === 'null' ? 'null' : 'the placeholder'}, where their value has no target.`,
    `  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  with fixed as (
    update ${source.relation} s set ${column.quoted} = ${remedy}
    where s.${source.key.quoted} = any (apply.keys)
      and ${isSingleOrphan(addition)}${placeholderIsThere(addition, '\n      and ')}
    returning s.${source.key.quoted} as entity
  )
  insert into ${plan}.mended select f.entity from fixed f on conflict do nothing`,
  );
}

/** SQL: whether the placeholder has a row; nothing where there is none. */
function placeholderIsThere({ target, remedy, placeholder }: Addition, before: string): string {
  return placeholder === undefined
    ? ''
    : `${before}exists (select from ${target.relation} p where p.${target.column.quoted} = ${remedy})`;
}

/** Asked by preflight, which may be called where the tables are not there. */
function orphans(addition: Addition): string {
  const { plan, source, column, target } = addition;
  const { relation, key } = source;
  return routine(
    `${plan}.orphans()`,
    'table (amount bigint, keys text[])',
    'How many rows have a value without a target, and the keys of the first. Null where a table or column is not there, or too large to be read as a whole.',
    `begin
  if pg_catalog.to_regclass(${literal(relation)}) is not null and pg_catalog.to_regclass(${literal(target.relation)}) is not null
    and not imago.is_large(${literal(relation)})
    and not exists (${missingColumn(relation, column)})
    and not exists (${missingColumn(target.relation, target.column)}) then
    return query
    select count(*), (array_agg(s.${key.quoted}::text order by s.${key.quoted}))[:3] from ${relation} s
    where ${isOrphan(addition)};
  end if;
end`,
    'plpgsql',
    'stable',
  );
}

function problems(addition: Addition): string[] {
  const { plan, source, column, target, remedy, placeholder } = addition;
  const [relation, referred] = [literal(source.relation), literal(target.relation)];
  const at = literal(place(addition));
  const asked = (sql: string) => `  select * from ${sql}`;
  const fate =
    remedy === undefined
      ? `'Give them a target, or null; imago validate lists all of them. Or have the plan do it: plan new with --orphans null, or --placeholder.'`
      : literal(
          `They get ${placeholder === undefined ? 'null' : 'the placeholder'}; a rollback brings their values back.`,
        );
  return [
    `  ${missingColumn(source.relation, column)}`,
    asked(`imago.partition_problems(${relation}, 'It can have no foreign key that is not valid.')`),
    `  select 'error', 'missing_relation', ${referred}, 'table is missing', 'Create it: ${place(addition).replaceAll("'", "''")} is to refer to it.'
  where pg_catalog.to_regclass(${referred}) is null`,
    `  ${missingColumn(target.relation, target.column)}`,
    asked(
      `imago.unique_problems(${referred}, ${literal(target.column.name)}, 'The foreign key refers to it.')`,
    ),
    `  select 'error', 'no_right', ${referred}, format('%s has no right to %s', current_user, r.name),
    format('grant %s on %s to %I;', r.name, ${referred}, current_user)
  from unnest(array['select', 'references']) r(name)
  where pg_catalog.to_regclass(${referred}) is not null
    and not pg_catalog.has_table_privilege(pg_catalog.to_regclass(${referred}), r.name)`,
    `  select w.severity, w.kind, w.object, ${literal(`has no index; who deletes rows of ${target.relation} reads all of ${source.relation} each time`)}, w.hint
  from imago.index_warning(${relation}, ${literal(column.name)}, '') w`,
    `  select ${remedy === undefined ? "'error'" : "'notice'"}, 'orphans', ${at},
    format(${literal(`%s rows have a value without a row of ${target.relation.replaceAll('%', '%%')}%s`)}, o.amount, imago.sample_keys_text(o.keys, o.amount)),
    ${fate}
  from ${plan}.orphans() o
  where o.amount > 0`,
    ...(remedy === 'null'
      ? [
          `  select 'error', 'not_null', ${at}, 'must have a value', 'Write the plan again with --placeholder.'
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(${relation}) and a.attname = ${literal(column.name)} and a.attnotnull`,
        ]
      : []),
    ...(placeholder === undefined
      ? []
      : [
          `  select 'error', 'no_placeholder', ${referred}, 'has no row with the placeholder as its key', 'Insert it.'
  where ${plan}.placeholder_is_missing()`,
        ]),
  ];
}

function registration(addition: Addition, steps: readonly Step[]): string {
  const { plan, source, column, remedy } = addition;
  const { relation, key } = source;
  const query = literal(
    `select s.${key.quoted} as key, s.${key.quoted} as entity from ${relation} s where ${isOrphan(addition)}`,
  );
  const writes =
    remedy === undefined
      ? ''
      : `
insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns) values
  ('${plan}', 1, ${literal(relation)}, ${literal(key.name)}, false, array[${literal(column.name)}]),
  ('${plan}', 2, '${plan}.mended', 'entity', true, '{}');
`;
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, 'views', 'prepare');
${stepRows(plan, steps)}${writes}
insert into imago.plan_sync (plan, position, name, relation, events, columns, entity_column, strict, statement) values
  ('${plan}', 1, 'new rows and values have a target', ${literal(relation)}, '{insert,update}', array[${literal(column.name)}], ${literal(key.name)}, true,
   ${literal(`select ${plan}.expect_targets(array(select n.${key.quoted} from new_rows n))`)});

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, fix, meaning, remedy) values
  ('${plan}', 1, 'orphans', 'error', 'after', ${literal(relation)}, ${literal(key.name)},
   ${query},
   ${remedy === undefined ? 'null' : "'apply'"},
   'The value of a row has no target: it has failed, is held, or its target has gone since.',
   ${literal(remedy === undefined ? 'Give the row a target, or null, and call migrate_batch.' : 'Call migrate_batch, or retry_failed_migrations for what has failed.')})${
     remedy === undefined
       ? `,
  ('${plan}', 2, 'orphans_before', 'error', 'before', ${literal(relation)}, ${literal(key.name)},
   ${query},
   null,
   'The value of a row has no target: a run would set the row aside.',
   'Give the row a target, or null.')`
       : ''
   };

select imago.revoke_plan_functions('${plan}');
`;
}

/** Rows of which every third has a value without a target, where that is fixed; those of the app have one. */
function sample({ source, column, target, remedy, placeholder }: Addition): string {
  const own = valueFor(target.column, source);
  if (own === undefined) return sampleRows(source);
  if (remedy === undefined) return sampleRows(source, { [column.name]: own });
  const orphan = `(select ${own} from (select i + 5000000) o (i))`;
  const given = { [column.name]: `case when i < 1000000 and i % 3 = 0 then ${orphan} else ${own} end` };
  if (placeholder === undefined) return sampleRows(source, given);
  const parent = source.parents.find(({ oid }) => oid === target.oid);
  const columns = parent
    ? neededOf(parent, source)
    : source.columns.filter(
        ({ name, generated, numbered }) => name === target.column.name || !(generated || numbered),
      );
  const row = { [target.column.name]: literal(placeholder) };
  return sampleRows(source, given, [insertion(target.relation, columns, source, row, '0, 0')]);
}

function conformance(addition: Addition): string {
  const { plan, source, column, target, remedy } = addition;
  const { relation, key } = source;
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60
${remedy === undefined ? '\n# No row is moved: those without a target are refused.\nstill = true\n' : ''}
# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select s.${key.quoted} as entity from ${relation} s
where ${isOrphan(addition)}
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${[
  writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart(),
  writer(
    'updates',
    'old',
    `update ${relation} s set ${column.quoted} = (
  select t.${target.column.quoted} from ${target.relation} t order by t.${target.column.quoted} desc offset :n % 5 limit 1)
where s.${key.quoted} = (
  select s.${key.quoted} from ${relation} s join ${target.relation} t on t.${target.column.quoted} = s.${column.quoted}
  order by s.${key.quoted} desc offset :n % 10 limit 1)`,
  ),
].join('')}`;
}
