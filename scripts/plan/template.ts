/** The files of a new plan: one nullable column, filled in batches. It runs as it is; what the column gets is the user's to write. */
import { plansFolder } from './project.ts';
import { sampleRows, sampleSchema } from './sample.ts';
import { plainName, type Source } from './source.ts';
import { walkOf } from './walk.ts';

/** What a new plan is made of. */
export interface Draft {
  plan: string;
  source: Source;
  /** The column that it adds, as SQL writes it, and as it is. */
  column: { quoted: string; name: string };
}

/** Paths from the project's folder, with their texts; those of the plan in the order of its migration. */
export type Files = Record<string, string>;

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** The plan itself. */
export function planFiles(draft: Draft): Files {
  const folder = `${plansFolder}/${draft.plan}`;
  return {
    [`${folder}/schema.sql`]: schema(draft),
    [`${folder}/functions/apply.sql`]: apply(draft),
    [`${folder}/functions/prepare.sql`]: prepare(draft),
    [`${folder}/registration.sql`]: registration(draft),
  };
}

/** What it is tried by: rows, and what the app does meanwhile. */
export function testFiles(draft: Draft): Files {
  const folder = `${plansFolder}/${draft.plan}/test`;
  return {
    [`${folder}/rows.sql`]: sampleRows(draft.source),
    [`${folder}/conformance.toml`]: conformance(draft),
  };
}

function schema({ plan, source, column }: Draft): string {
  const args = [
    plan,
    `${column.name} for all rows of ${source.schema}.${source.table}`,
    source.schema,
    source.table,
    walkOf(plan, source).column,
  ];
  return `select imago.create_plan(${args.map(literal).join(', ')});\n${walkOf(plan, source).made}`;
}

function prepare({ plan, source, column }: Draft): string {
  return `create or replace function ${plan}.prepare()
returns void
language sql
volatile
set search_path = ''
as $$
  alter table ${source.relation} add column if not exists ${column.quoted} text;
  -- Does the plan not concern all rows? Then list the others, moved or not, in a view ${plan}.concerned: progress counts these.
  create or replace view ${plan}.pending as
    select ${walkOf(plan, source).of('s')} as entity from ${source.relation} s where s.${column.quoted} is null;
  comment on view ${plan}.pending is ${literal(`Rows that have yet to get their ${column.name}.`)};
$$;
comment on function ${plan}.prepare() is ${literal(`Prepare step: ${source.relation}.${column.quoted}, nullable, so that no row is written, and the view pending.`)};
`;
}

function apply({ plan, source, column }: Draft): string {
  const walk = walkOf(plan, source);
  return `create or replace function ${plan}.apply(keys ${walk.type}[])
returns void
language sql
volatile
set search_path = ''
as $$
  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  update ${source.relation} s
  set ${column.quoted} = ${walk.text('s')}
  where ${walk.among('s')} and s.${column.quoted} is null
$$;
comment on function ${plan}.apply(${walk.type}[]) is ${literal(`Gives exactly these rows their ${column.name}, where they have none.`)};
`;
}

function registration({ plan, source, column }: Draft): string {
  const { relation } = source;
  const walk = walkOf(plan, source);
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, ${literal(`column ${column.name}, view pending`)}, 'prepare');

insert into imago.plan_write (plan, position, relation, entity_column, columns) values
  ('${plan}', 1, ${literal(relation)}, ${literal(walk.column)}, array[${literal(column.name)}]);

insert into imago.plan_sync (plan, position, name, relation, events, entity_column, creates, statement) values
  ('${plan}', 1, 'new rows', ${literal(relation)}, '{insert}', ${literal(walk.column)}, true,
   ${literal(`select ${plan}.apply(array(select ${walk.of('n')} from new_rows n))`)});

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, fix, meaning, remedy) values
  ('${plan}', 1, 'rows_without_value', 'error', 'after', ${literal(relation)}, ${literal(walk.column)},
   ${literal(`select ${walk.of('s')} as key, ${walk.of('s')} as entity from ${relation} s where s.${column.quoted} is null`)},
   'apply',
   ${literal(`A row has no ${column.name}: it came later, failed, or is held.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed.');

select imago.revoke_plan_functions('${plan}');
`;
}

function conformance({ plan, source, column }: Draft): string {
  const { relation, key, keys, columns } = source;
  const walk = walkOf(plan, source);
  const touched =
    columns.find(
      ({ name, generated, numbered }) =>
        !keys.some((one) => one.name === name) && !generated && !numbered && plainName.test(name),
    ) ?? key;
  const update = (set: string) =>
    `update ${relation} set ${set}\nwhere ${walk.tuple()} = (select ${walk.list()} from ${relation} order by ${walk.list()} offset :n % 50 limit 1)`;
  const writer = (name: string, side: string, sql: string) => `
[[writers]]
name = '${name}'
side = '${side}'
sql = '''
${sql}
'''
`;
  return `# What imago plan test ${plan} tries, besides what holds for every plan.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select ${walk.of('s')} as entity from ${relation} s where s.${column.quoted} is null
'''

# What the plan is to do: SQL that lists the rows where it has not.
[[expect]]
name = 'each row gets its value'
wrong = '''
select from ${relation} s where s.${column.quoted} is distinct from ${walk.text('s')}
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
${[
  writer('new rows', 'old', `select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)`).trimStart(),
  writer('updates', 'old', update(`${touched.quoted} = ${touched.quoted}`)),
  `
# A rollback has to report this as a conflict, instead of taking it back.${writer('values of people', 'new', update(`${column.quoted} = 'own :n'`))}conflicts = true
`,
].join('')}`;
}
