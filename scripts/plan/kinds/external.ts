import { literal } from '../../db/names.ts';
import { plansFolder } from '../project.ts';
import { sampleRows, sampleSchema } from '../sample.ts';
import type { Source } from '../source.ts';
import type { Files } from '../template.ts';
import { walkOf } from '../walk.ts';
import { expectFitting, expectNew, type Kind, option, quoted } from './kind.ts';

/** A new column gets what a function in TypeScript makes of each row. */
export const external: Kind = {
  about: 'a new column gets what a function of yours in TypeScript makes of each row',
  needs: ['column'],
  may: ['value'],
  oneColumn: 'rows are handed out by it',
  async files(given) {
    const { plan, source, options, sql } = given;
    const name = option(options, 'column');
    expectNew(source, '--column', name);
    const value = `(${options.value ?? `s.${source.key.quoted}`})::text`;
    await expectFitting(given, [], [{ flag: '--value', sql: value }]);
    const [identifier = name] = await quoted(sql, [name]);
    return { source, files: filesOf({ plan, source, name, quoted: identifier, value }) };
  },
};

interface Draft {
  plan: string;
  source: Source;
  /** The column that it adds, and as SQL writes it. */
  name: string;
  quoted: string;
  /** SQL: what is handed out of the row s. */
  value: string;
}

function filesOf(draft: Draft): Files {
  const folder = `${plansFolder}/${draft.plan}`;
  return {
    [`${folder}/schema.sql`]: schema(draft),
    [`${folder}/functions/apply.sql`]: apply(draft),
    [`${folder}/functions/clean.sql`]: clean(draft),
    [`${folder}/functions/prepare.sql`]: prepare(draft),
    [`${folder}/functions/read.sql`]: read(draft),
    [`${folder}/registration.sql`]: registration(draft),
    [`${folder}/external.ts`]: typescript,
    [`${folder}/test/rows.sql`]: sampleRows(draft.source),
    [`${folder}/test/conformance.toml`]: conformance(draft),
  };
}

function schema({ plan, source, name }: Draft): string {
  const title = `${name} for all rows of ${source.schema}.${source.table}`;
  const args = [plan, title, source.schema, source.table, source.key.name].map(literal).join(', ');
  return `select imago.create_plan(${args});\nupdate imago.plan set external = true where name = '${plan}';\n`;
}

function prepare({ plan, source, name, quoted: column }: Draft): string {
  const relation = literal(source.relation);
  return `create or replace function ${plan}.prepare()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if not exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = ${relation}::pg_catalog.regclass and a.attname = ${literal(name)} and not a.attisdropped)
  then
    alter table ${source.relation} add column ${column} text;
    -- By this clean-up knows it from a column of the app's own.
    perform imago.note_added('${plan}', ${relation}, ${literal(name)});
  end if;
  -- Does the plan not concern all rows? Then list the others, moved or not, in a view ${plan}.concerned: progress counts these.
  create or replace view ${plan}.pending as
    select s.${source.key.quoted} as entity from ${source.relation} s where s.${column} is null;
  comment on view ${plan}.pending is ${literal(`Rows that have yet to get their ${name}.`)};
end
$$;
comment on function ${plan}.prepare() is ${literal(`Prepare step: ${source.relation}.${column}, nullable, so that no row is written, and the view pending.`)};
`;
}

function clean({ plan, source, name, quoted: column }: Draft): string {
  return `create or replace function ${plan}.clean()
returns void
language sql
volatile
set search_path = ''
as $$
  -- Prepare makes it again.
  drop view if exists ${plan}.concerned, ${plan}.pending;
  select imago.drop_empty_column('${plan}', ${literal(source.relation)}, ${literal(name)})
$$;
comment on function ${plan}.clean() is ${literal(`Clean-up once all is taken back: ${source.relation}.${column}, where it is empty.`)};
`;
}

function read({ plan, source, value }: Draft): string {
  const { type } = walkOf(plan, source);
  return `create or replace function ${plan}.read(keys ${type}[])
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_object_agg(s.${source.key.quoted}::text, jsonb_build_object('value', ${value}))
  from ${source.relation} s where s.${source.key.quoted} = any (read.keys)
$$;
comment on function ${plan}.read(${type}[]) is 'What external.ts is handed of each of these rows, by key.';
`;
}

function apply({ plan, source, name, quoted: column }: Draft): string {
  const { type } = walkOf(plan, source);
  const key = source.key.quoted;
  return `create or replace function ${plan}.apply(keys ${type}[], results jsonb)
returns void
language sql
volatile
set search_path = ''
as $$
  -- Triggers of the app that this fires find their names as they do at home.
  select set_config('search_path', imago.app_search_path(), true);
  update ${source.relation} s
  set ${column} = apply.results #>> array[s.${key}::text, 'made']
  where s.${key} = any (apply.keys) and s.${column} is null
$$;
comment on function ${plan}.apply(${type}[], jsonb) is ${literal(`Writes what external.ts has made into ${name} of exactly these rows, where they have none.`)};
`;
}

function registration({ plan, source, name, quoted: column }: Draft): string {
  const relation = literal(source.relation);
  const key = literal(source.key.name);
  return `insert into imago.plan_step (plan, position, name, phase, routine, only_after) values
  ('${plan}', 1, ${literal(`column ${name}, view pending`)}, 'prepare', 'prepare', null),
  ('${plan}', 2, ${literal(`column ${name}, if empty`)}, 'cleanup', 'clean', 'rollback');

insert into imago.plan_write (plan, position, relation, entity_column, columns) values
  ('${plan}', 1, ${relation}, ${key}, array[${literal(name)}]);

insert into imago.plan_check (plan, position, name, severity, phase, source, key_column, query, meaning, remedy) values
  ('${plan}', 1, 'rows_without_value', 'error', 'after', ${relation}, ${key},
   ${literal(`select s.${source.key.quoted} as key, s.${source.key.quoted} as entity from ${source.relation} s where s.${column} is null`)},
   ${literal(`A row has no ${name}: it came later, failed, or is held.`)},
   ${literal(`Run imago migrate --plan ${plan} in the project, or call retry_failed_migrations for what has failed.`)});

select imago.revoke_plan_functions('${plan}');
`;
}

/** It runs as it is: what stands in apply is the user's to write. */
const typescript = `import { createHash } from 'node:crypto';
import { z } from 'zod';

/** What functions/read.sql hands out of a row. */
export const row = z.object({ value: z.string().nullable() });

/** What functions/apply.sql writes into it. */
export const result = z.object({ made: z.string() });

/** So many rows a call, and calls at once. */
export const options = { batchSize: 50, concurrency: 4 };

/** One result for each row, in their order; an Error for a row that fails alone. It may be called twice for a row. */
export async function apply(
  rows: z.infer<typeof row>[],
  _context: { keys: string[]; signal: AbortSignal },
): Promise<(z.infer<typeof result> | Error)[]> {
  // Call your service here, and give its signal to fetch: it is aborted when a call takes too long.
  return rows.map(({ value }) => ({ made: createHash('sha256').update(value ?? '').digest('hex') }));
}
`;

function conformance({ plan, source, quoted: column, value }: Draft): string {
  const { relation, key } = source;
  const row = `where ${key.quoted} = (select ${key.quoted} from ${relation} order by ${key.quoted} offset :n % 50 limit 1)`;
  return `# What imago plan test ${plan} tries, besides what holds for every plan. It calls apply of external.ts.

# So many rows, made up by rows.sql.
entities = 60

# SQL that lists, as entity, the key of each row whose two sides differ. Rows that have yet to be moved may be listed.
differing = '''
select s.${key.quoted} as entity from ${relation} s where s.${column} is null
'''

# What the plan is to do: SQL that lists the rows where it has not.
[[expect]]
name = 'each row gets what the function makes of it'
wrong = '''
select from ${relation} s
where s.${column} is distinct from encode(sha256(convert_to(coalesce(${value}, ''), 'UTF8')), 'hex')
'''

# What the app does while the plan is under way; :n is a number that grows. It must never fail. A side is old, what the
# app had before the plan, or new, what the plan has made.
[[writers]]
name = 'new rows'
side = 'old'
sql = '''
select ${sampleSchema}.rows(1000000 + :n, 1000000 + :n)
'''

# A rollback has to report this as a conflict, instead of taking it back.
[[writers]]
name = 'values of people'
side = 'new'
sql = '''
update ${relation} set ${column} = 'own :n'
${row}
'''
conflicts = true
`;
}
