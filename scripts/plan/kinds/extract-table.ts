/**
 * Columns move to a table of their own: one row there for each row here, under the same key. Both sides are equal until
 * finalize drops the columns.
 */
import { Problem } from '../problem.ts';
import { sampleRows, sampleSchema } from '../sample.ts';
import { type Column, type Source, tableName } from '../source.ts';
import type { Files } from '../template.ts';
import { columnsOf, type Given, type Kind, option } from './kind.ts';
import { comparable, row } from './mirror.ts';
import {
  checkQuery,
  literal,
  missingColumn,
  planFolder,
  preflight,
  routine,
  type Step,
  stepRows,
  writer,
} from './pieces.ts';
import { dependents } from './succession.ts';

/** What the plan is made of. */
interface Extraction {
  plan: string;
  source: Source;
  columns: readonly Column[];
  /** The new table, as SQL writes it. */
  made: string;
  /** Whether it is shown as the source is; otherwise to nobody who is held by row level security. */
  isShown: boolean;
}

export const extractTable: Kind = {
  about: 'columns move to a table of their own, a row there for each row here',
  needs: ['columns', 'to'],
  may: ['grants'],
  async files(given) {
    const extraction = await readExtraction(given);
    return { source: extraction.source, files: filesOf(extraction) };
  },
};

async function readExtraction({ plan, source, options, sql }: Given): Promise<Extraction> {
  const columns = columnsOf(source, option(options, 'columns'), 'columns');
  const { schema, table } = tableName(option(options, 'to'), 'to');
  const [found] = await sql<[{ made: string; hasSchema: boolean; isTaken: boolean }]>`
    select format('%I.%I', ${schema}::text, ${table}::text) as made,
      exists (select from pg_namespace n where n.nspname = ${schema}) as "hasSchema",
      to_regclass(format('%I.%I', ${schema}::text, ${table}::text)) is not null
        or to_regtype(format('%I.%I', ${schema}::text, ${table}::text)) is not null as "isTaken"`;
  if (!found.hasSchema || found.isTaken) {
    throw new Problem(
      found.isTaken ? 'name-taken' : 'no-table',
      `--to: ${found.isTaken ? `there is ${found.made} already` : `there is no schema ${schema}`}.`,
      'The plan makes this table: name another one.',
    );
  }
  const { grants = 'none' } = options;
  if (grants !== 'none' && grants !== 'source') {
    throw new Problem(
      'bad-value',
      `--grants: ${grants} is none of none, source.`,
      'Others are for a migration of your own.',
    );
  }
  return { plan, source, columns, made: found.made, isShown: grants === 'source' };
}

const json = (value: object) => literal(JSON.stringify(value));

/** Arguments of show_as and visibility. */
function shown({ source, columns, made }: Extraction): string {
  const { name } = source.key;
  const origins = Object.fromEntries(columns.map((column) => [column.name, [column.name]]));
  return `${literal(made)}, ${literal(source.relation)}, ${json({ [name]: name })}, ${json(origins)}`;
}

/** SQL: whether the columns of two rows differ. */
const differ = (columns: readonly Column[], one: string, other: string): string =>
  [one, other]
    .map((alias) => row(columns.map(({ quoted, type }) => comparable(`${alias}.${quoted}`, type))))
    .join(' is distinct from ');

const list = (columns: readonly Column[], alias: string): string =>
  columns.map(({ quoted }) => `${alias}.${quoted}`).join(', ');

/** SQL that sets the columns of one row to those of another. */
const sets = (columns: readonly Column[], alias: string): string =>
  columns.map(({ quoted }) => `${quoted} = ${alias}.${quoted}`).join(', ');

/** SQL: rows s of the source that differ from their row n. */
const pending = ({ source: { relation, key }, columns, made }: Extraction): string =>
  `${relation} s left join ${made} n on n.${key.quoted} = s.${key.quoted}
    where n.${key.quoted} is null or ${differ(columns, 'n', 's')}`;

function filesOf(extraction: Extraction): Files {
  const { plan, source, columns, made } = extraction;
  const { relation, key } = source;
  const names = columns.map(({ quoted }) => quoted).join(', ');
  const title = `${columns.map(({ name }) => name).join(', ')} of ${source.schema}.${source.table} move to ${made}`;
  const steps: Step[] = [
    { name: 'columns dropped', phase: 'finalize', routine: 'drop_columns' },
    { name: 'new table, if empty', phase: 'cleanup', routine: 'clean', onlyAfter: 'rollback' },
  ];
  return planFolder(plan, {
    schema: `select imago.create_plan(${[plan, title, source.schema, source.table, key.name].map(literal).join(', ')});\n`,
    functions: {
      apply: routine(
        `${plan}.apply(keys ${source.keyType}[])`,
        'void',
        `Gives exactly these rows their row of ${made}, where it is missing or differs.`,
        `  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  update ${made} n set ${sets(columns, 's')}
  from ${relation} s
  where s.${key.quoted} = any (apply.keys) and n.${key.quoted} = any (apply.keys) and n.${key.quoted} = s.${key.quoted}
    and ${differ(columns, 'n', 's')};
  insert into ${made} (${key.quoted}, ${names})
  select s.${key.quoted}, ${list(columns, 's')} from ${relation} s where s.${key.quoted} = any (apply.keys)
  on conflict (${key.quoted}) do nothing`,
      ),
      check_query: checkQuery(plan, {
        sides_differ: `select s.${source.key.quoted} as key, s.${source.key.quoted} as entity from ${pending(extraction)}`,
      }),
      prepare: prepare(extraction),
      drop_columns: routine(
        `${plan}.drop_columns()`,
        'void',
        `Finalize step that closes the way back: drops ${names} of ${relation}. Nothing that stands on them is dropped along.`,
        `  -- It reads them. From now on the table is the app's own.
  drop view if exists ${plan}.pending;
  alter table ${relation} ${columns.map(({ quoted }) => `drop column if exists ${quoted}`).join(', ')};
  select imago.forget_added('${plan}', ${literal(made)})`,
      ),
      clean: routine(
        `${plan}.clean()`,
        'jsonb',
        `Clean-up step after a complete rollback: drops ${made} if prepare made it and it is empty.`,
        `  -- Prepare makes it again.
  drop view if exists ${plan}.pending;
  select imago.drop_empty_table('${plan}', ${literal(made)})`,
      ),
      preflight: preflight(plan, problems(extraction)),
    },
    registration: registration(extraction, steps),
    rows: sampleRows(source),
    conformance: conformance(extraction),
  });
}

function prepare(extraction: Extraction): string {
  const { plan, source, columns, made, isShown } = extraction;
  const { relation, key } = source;
  const required = columns.filter(({ notNull }) => notNull);
  const opening = isShown
    ? `    -- As the source is shown, and to nobody else.
    perform imago.show_as(${shown(extraction)});
    alter table ${made} enable row level security;
`
    : `    -- Nobody who is held by row level security sees a row of it. Roles that bypass it may do here what they may do there.
    perform imago.close_table(${literal(made)});
    alter table ${made} enable row level security;
    for allowed in
      select quote_ident(r.rolname) as role, string_agg(a.name, ', ') as rights
      from pg_catalog.pg_roles r cross join unnest(array['select', 'insert', 'update', 'delete']) a(name)
      where r.rolbypassrls and not r.rolsuper and r.rolname <> current_user
        and pg_catalog.has_table_privilege(r.oid, ${literal(relation)}, a.name)
      group by 1
    loop
      execute format('grant %s on table ${made.replaceAll('%', '%%').replaceAll("'", "''")} to %s', allowed.rights, allowed.role);
    end loop;
`;
  return routine(
    `${plan}.prepare()`,
    'void',
    `Prepare step: table ${made}, and the view pending.`,
    `declare
  preset record;${isShown ? '' : '\n  allowed record;'}
begin
  if pg_catalog.to_regclass(${literal(made)}) is null then
    -- Types with all that belongs to them, and no row.
    create table ${made} as select s.${key.quoted}, ${list(columns, 's')} from ${relation} s with no data;
    alter table ${made} add primary key (${key.quoted})${required.map(({ quoted }) => `, alter column ${quoted} set not null`).join('')};
    alter table ${made} add foreign key (${key.quoted}) references ${relation} (${key.quoted}) on delete cascade on update cascade;
    for preset in
      select a.attname as name, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression
      from pg_catalog.pg_attribute a join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = ${literal(relation)}::pg_catalog.regclass and a.attname = any (array[${columns.map(({ name }) => literal(name)).join(', ')}])
    loop
      execute format(${literal(`alter table ${made.replaceAll('%', '%%')} alter column %I set default %s`)}, preset.name, preset.expression);
    end loop;
${opening}    perform imago.note_added('${plan}', ${literal(made)});
  end if;
  create or replace view ${plan}.pending as
    select s.${key.quoted} as entity from ${pending(extraction)};
  comment on view ${plan}.pending is ${literal(`Rows that have no row of ${made} yet, or another one.`)};
end`,
    'plpgsql',
  );
}

function problems(extraction: Extraction): string[] {
  const { plan, source, columns, made, isShown } = extraction;
  return [
    `  select 'error', 'name_taken', ${literal(made)}, 'is there already, and not made by this plan', 'Rename it, or write the plan again with another --to.'
  where pg_catalog.to_regclass(${literal(made)}) is not null and not imago.is_added('${plan}', ${literal(made)})`,
    ...columns.flatMap((former) => [
      `  ${missingColumn(source.relation, former)}`,
      dependents({ plan, source, former }),
    ]),
    ...(isShown ? [`  select * from imago.visibility('${plan}', ${shown(extraction)})`] : []),
  ];
}

function registration(extraction: Extraction, steps: readonly Step[]): string {
  const { plan, source, columns, made } = extraction;
  const { relation, key } = source;
  const names = `array[${columns.map(({ name }) => literal(name)).join(', ')}]`;
  const applied = literal(`select ${plan}.apply(array(select n.${key.quoted} from new_rows n))`);
  // Only what a statement has changed: another column of the old side may be ahead, where its sync has failed.
  const changes = columns.map(({ quoted, type }) => {
    const [now, before] = ['n', 'o'].map((alias) => comparable(`${alias}.${quoted}`, type));
    return `${quoted} = case when o.${key.quoted} is null or ${now} is distinct from ${before} then n.${quoted} else s.${quoted} end`;
  });
  const back = literal(`update ${relation} s set ${changes.join(',\n      ')}
    from new_rows n left join old_rows o on o.${key.quoted} = n.${key.quoted}
    where s.${key.quoted} = n.${key.quoted} and ${differ(columns, 's', 'n')}`);
  // Where the row itself goes, there is nothing left to empty.
  const emptied =
    literal(`update ${relation} s set ${columns.map(({ quoted }) => `${quoted} = null`).join(', ')} from old_rows o
    where s.${key.quoted} = o.${key.quoted} and (${columns.map(({ quoted }) => `s.${quoted} is not null`).join(' or ')})`);
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, 'new table, view', 'prepare');
${stepRows(plan, steps)}
insert into imago.plan_write (plan, position, relation, entity_column, inserts, columns) values
  ('${plan}', 1, ${literal(made)}, ${literal(key.name)}, true, ${names});

insert into imago.plan_sync (plan, position, name, relation, events, columns, entity_column, direction, creates, strict, statement) values
  ('${plan}', 1, 'new rows', ${literal(relation)}, '{insert}', null, ${literal(key.name)}, 'forward', true, false,
   ${applied}),
  ('${plan}', 2, 'changes of the old side', ${literal(relation)}, '{update}', ${names}, ${literal(key.name)}, 'forward', true, false,
   ${applied}),
  ('${plan}', 3, 'changes of the new side', ${literal(made)}, '{insert,update}', ${names}, ${literal(key.name)}, 'back', false, true,
   ${back}),
  ('${plan}', 4, 'rows that go on the new side', ${literal(made)}, '{delete}', null, ${literal(key.name)}, 'back', false, true,
   ${emptied});

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, fix, meaning, remedy) values
  ('${plan}', 1, 'sides_differ', 'error', 'after', ${literal(relation)}, ${literal(key.name)}, 'apply',
   ${literal(`A row has no row of ${made}, or another one: it came later, failed, is held, or the app has deleted it there.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed.');

select imago.revoke_plan_functions('${plan}');
`;
}

function conformance(extraction: Extraction): string {
  const { plan, source, columns, made } = extraction;
  const { relation, key } = source;
  const [first] = columns;
  /** Gives one row what another has. */
  const copied = (table: string) => `update ${table} s set ${first?.quoted} = o.${first?.quoted}
from (select ${first?.quoted} from ${table} where ${first?.quoted} is not null order by ${key.quoted} offset :n % 7 limit 1) o
where s.${key.quoted} = (select ${key.quoted} from ${table} order by ${key.quoted} offset :n % 50 limit 1)`;
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select s.${key.quoted} as entity from ${pending(extraction)}
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${[
  writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart(),
  writer('updates', 'old', copied(relation)),
  writer('updates of the new side', 'new', copied(made)),
].join('')}`;
}
