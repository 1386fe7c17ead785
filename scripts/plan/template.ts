/** The files of a new plan: one nullable column, filled in batches. It runs as it is; what the column gets is the user's to write. */
import { plansFolder } from './project.ts';
import { sampleRows, sampleSchema } from './sample.ts';
import { plainName, type Source } from './source.ts';

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
    source.key.name,
  ];
  return `select imago.create_plan(${args.map(literal).join(', ')});\n`;
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
    select s.${source.key.quoted} as entity from ${source.relation} s where s.${column.quoted} is null;
  comment on view ${plan}.pending is ${literal(`Rows that have yet to get their ${column.name}.`)};
$$;
comment on function ${plan}.prepare() is ${literal(`Prepare step: ${source.relation}.${column.quoted}, nullable, so that no row is written, and the view pending.`)};
`;
}

function apply({ plan, source, column }: Draft): string {
  const { quoted } = source.key;
  return `create or replace function ${plan}.apply(keys ${source.keyType}[])
returns void
language sql
volatile
set search_path = ''
as $$
  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  update ${source.relation} s
  set ${column.quoted} = s.${quoted}::text
  where s.${quoted} = any (keys) and s.${column.quoted} is null
$$;
comment on function ${plan}.apply(${source.keyType}[]) is ${literal(`Gives exactly these rows their ${column.name}, where they have none.`)};
`;
}

function registration({ plan, source, column }: Draft): string {
  const { relation, key } = source;
  return `insert into imago.plan_step (plan, position, name, routine) values
  ('${plan}', 1, ${literal(`column ${column.name}, view pending`)}, 'prepare');

insert into imago.plan_write (plan, position, relation, entity_column, columns) values
  ('${plan}', 1, ${literal(relation)}, ${literal(key.name)}, array[${literal(column.name)}]);

insert into imago.plan_sync (plan, position, name, relation, events, entity_column, creates, statement) values
  ('${plan}', 1, 'new rows', ${literal(relation)}, '{insert}', ${literal(key.name)}, true,
   ${literal(`select ${plan}.apply(array(select n.${key.quoted} from new_rows n))`)});

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, fix, meaning, remedy) values
  ('${plan}', 1, 'rows_without_value', 'error', 'after', ${literal(relation)}, ${literal(key.name)},
   ${literal(`select s.${key.quoted} as key, s.${key.quoted} as entity from ${relation} s where s.${column.quoted} is null`)},
   'apply',
   ${literal(`A row has no ${column.name}: it came later, failed, or is held.`)},
   'Call migrate_batch, or retry_failed_migrations for what has failed.');

select imago.revoke_plan_functions('${plan}');
`;
}

function conformance({ plan, source, column }: Draft): string {
  const { relation, key, columns } = source;
  const touched =
    columns.find(
      ({ name, generated, numbered }) => name !== key.name && !generated && !numbered && plainName.test(name),
    ) ?? key;
  const update = (set: string) =>
    `update ${relation} set ${set}\nwhere ${key.quoted} = (select ${key.quoted} from ${relation} order by ${key.quoted} offset :n % 50 limit 1)`;
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
select s.${key.quoted} as entity from ${relation} s where s.${column.quoted} is null
'''

# What the plan is to do: SQL that lists the rows where it has not.
[[expect]]
name = 'each row gets its value'
wrong = '''
select ${key.quoted} from ${relation} where ${column.quoted} is distinct from ${key.quoted}::text
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
