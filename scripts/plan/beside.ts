/** The files of a new plan on a table of somebody else: a table of one's own beside it, a row there for each row here. */
import { literal, planFolder, routine, stepRows, writer } from './kinds/pieces.ts';
import { sampleRows, sampleSchema } from './sample.ts';
import { plainName, type Source } from './source.ts';
import type { Files } from './template.ts';
import { walkOf } from './walk.ts';

/** What such a plan is made of. */
export interface Beside {
  plan: string;
  source: Source;
  /** The table that it makes, as SQL writes it. */
  made: string;
}

export function besideFiles(draft: Beside): Files {
  const { plan, source, made } = draft;
  const { relation } = source;
  const walk = walkOf(plan, source);
  const title = `a row of ${made} for each row of ${relation}`;
  return planFolder(plan, {
    schema: `select imago.create_plan(${[plan, title, source.schema, source.table, walk.column].map(literal).join(', ')});\n${walk.made}`,
    functions: {
      apply: routine(
        `${plan}.apply(keys ${walk.type}[])`,
        'void',
        `Gives exactly these rows their row of ${made}, where they have none.`,
        `  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  insert into ${made} (${walk.list()}, value)
  select ${walk.list('s')}, ${walk.text('s')}
  from ${relation} s
  where ${walk.among('s')}
  on conflict (${walk.list()}) do nothing`,
      ),
      prepare: prepare(draft),
      clean: routine(
        `${plan}.clean()`,
        'jsonb',
        `Clean-up step after a complete rollback: drops ${made} if prepare made it and it is empty.`,
        `  -- Prepare makes it again.
  drop view if exists ${plan}.pending;
  select imago.drop_empty_table('${plan}', ${literal(made)})`,
      ),
    },
    registration: registration(draft),
    rows: sampleRows(source),
    conformance: conformance(draft),
  });
}

/** SQL: rows s of the source without a row of their own. */
const pending = ({ plan, source, made }: Beside): string =>
  `${source.relation} s where not exists (select from ${made} n where ${walkOf(plan, source).same('n', 's')})`;

function prepare(draft: Beside): string {
  const { plan, source, made } = draft;
  const { relation, keys, foreign } = source;
  const walk = walkOf(plan, source);
  const references = foreign?.mayRefer
    ? ` references ${relation} (${walk.list()}) on update cascade on delete cascade`
    : '';
  const [key] = keys;
  const columns =
    keys.length === 1 && key
      ? `${key.quoted} ${key.type} primary key${references},
      value text`
      : `${keys.map(({ quoted, type }) => `${quoted} ${type},`).join('\n      ')}
      value text,
      primary key (${walk.list()})${references && `,\n      foreign key (${walk.list()})${references}`}`;
  return routine(
    `${plan}.prepare()`,
    'void',
    `Prepare step: the table ${made} and the view pending.`,
    `begin
  if to_regclass(${literal(made)}) is null then
    create table ${made} (
      ${columns}
    );
    -- Open to nobody: who may read it is for you to say, in a migration of the app.
    alter table ${made} enable row level security;
    perform imago.close_table(${literal(made)});
    perform imago.note_added('${plan}', ${literal(made)});
  end if;
  -- Does the plan not concern all rows? Then list the others, moved or not, in a view ${plan}.concerned: progress counts these.
  create or replace view ${plan}.pending as
    select ${walk.of('s')} as entity from ${pending(draft)};
  comment on view ${plan}.pending is ${literal(`Rows of ${relation} that have yet to get their row of ${made}.`)};
end`,
    'plpgsql',
  );
}

function registration(draft: Beside): string {
  const { plan, source, made } = draft;
  const { relation, foreign } = source;
  const walk = walkOf(plan, source);
  const sync = `
insert into imago.plan_sync (plan, position, name, relation, events, entity_column, creates, statement) values
  ('${plan}', 1, 'new rows', ${literal(relation)}, '{insert}', ${literal(walk.column)}, true,
   ${literal(`select ${plan}.apply(array(select ${walk.of('n')} from new_rows n))`)});
`;
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, 'new table, view pending', 'prepare');
${stepRows(plan, [{ name: 'new table, if empty', phase: 'cleanup', routine: 'clean', onlyAfter: 'rollback' }])}
insert into imago.plan_write (plan, position, relation, entity_column, inserts) values
  ('${plan}', 1, ${literal(made)}, ${literal(walk.column)}, true);
${foreign?.mayFollow ? sync : ''}
insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, fix, meaning, remedy) values
  ('${plan}', 1, 'rows_without_row', 'error', 'after', ${literal(relation)}, ${literal(walk.column)},
   ${literal(`select ${walk.of('s')} as key, ${walk.of('s')} as entity from ${pending(draft)}`)},
   'apply',
   ${literal(`A row has no row of ${made}: it came later, failed, or is held.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed.');

select imago.revoke_plan_functions('${plan}');
`;
}

function conformance(draft: Beside): string {
  const { plan, source, made } = draft;
  const { relation, key, keys, columns } = source;
  const walk = walkOf(plan, source);
  const touched =
    columns.find(
      ({ name, generated, numbered }) =>
        !keys.some((one) => one.name === name) && !generated && !numbered && plainName.test(name),
    ) ?? key;
  const update = (table: string, set: string) =>
    `update ${table} set ${set}\nwhere ${walk.tuple()} = (select ${walk.list()} from ${table} order by ${walk.list()} offset :n % 50 limit 1)`;
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select ${walk.of('s')} as entity from ${pending(draft)}
'''

# What the plan is to do: SQL that lists the rows where it has not.
[[expect]]
name = 'each row gets its row'
wrong = '''
select ${walk.list('s')} from ${relation} s left join ${made} n on ${walk.same('n', 's')}
where n.value is distinct from ${walk.text('s')}
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${[
  writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart(),
  writer('updates', 'old', update(relation, `${touched.quoted} = ${touched.quoted}`)),
  `
# A rollback has to report this as a conflict, instead of taking it back.${writer('values of people', 'new', update(made, "value = 'own :n'"), 'conflicts = true\n')}`,
].join('')}`;
}
