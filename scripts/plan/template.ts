/** The files of a new plan: one nullable column, filled in batches. It runs as it is; what the column gets is the user's to write. */
import { sampleApp } from './sample.ts';
import { plainName, type Source } from './source.ts';

/** What a new plan is made of. */
export interface Draft {
  plan: string;
  source: Source;
  /** The column that it adds, as SQL writes it, and as it is. */
  column: { quoted: string; name: string };
}

/** Paths from the root, with their texts; those under sql/ in the order of the migration. */
export type Files = Record<string, string>;

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Entries of sql/manifest.json for a plan. */
export function manifestEntries(plan: string): string[] {
  return ['schema.sql', 'functions/', 'registration.sql'].map((file) => `plans/${plan}/${file}`);
}

/** The plan itself. */
export function planFiles(draft: Draft): Files {
  const { plan } = draft;
  return {
    [`sql/plans/${plan}/schema.sql`]: schema(draft),
    [`sql/plans/${plan}/functions/apply.sql`]: apply(draft),
    [`sql/plans/${plan}/functions/prepare.sql`]: prepare(draft),
    [`sql/plans/${plan}/registration.sql`]: registration(draft),
  };
}

/** What it is tried by: an app, what that app does meanwhile, and a test. */
export function testFiles(draft: Draft): Files {
  const { plan, source } = draft;
  return {
    [`tests/support/${plan}.sql`]: sampleApp(source),
    [`tests/support/conformance/${plan}.ts`]: fixture(draft),
    [`tests/sql/plan-${plan}.test.ts`]: test(draft),
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

/** A string between back quotes. */
const template = (text: string) => `\`${text}\``;

function fixture({ plan, source, column }: Draft): string {
  const { relation, key, columns } = source;
  const touched =
    columns.find(
      ({ name, generated, numbered }) => name !== key.name && !generated && !numbered && plainName.test(name),
    ) ?? key;
  const update = (set: string) => `update ${relation} set ${set} where ${key.quoted} = \${row(n)}`;
  return `import type { Fixture } from './fixture.ts';

/** The key of one of the rows. */
const row = (n: number) => ${template(`(select ${key.quoted} from ${relation} order by ${key.quoted} offset \${n % 50} limit 1)`)};

export default {
  app: 'tests/support/${plan}.sql',
  writers: [
    {
      name: 'new rows',
      side: 'old',
      write: (sql, n) => sql.unsafe(${template(`select public.sample_rows(\${1000000 + n}, \${1000000 + n})`)}),
    },
    {
      name: 'updates',
      side: 'old',
      write: (sql, n) => sql.unsafe(${template(update(`${touched.quoted} = ${touched.quoted}`))}),
    },
    {
      name: 'values of people',
      side: 'new',
      conflicts: true,
      write: (sql, n) => sql.unsafe(${template(update(`${column.quoted} = 'own \${n}'`))}),
    },
  ],
  differing: ${template(`select s.${key.quoted} as entity from ${relation} s where s.${column.quoted} is null`)},
} satisfies Fixture;
`;
}

function test({ plan, source, column }: Draft): string {
  const { relation, key } = source;
  return `import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../support/conformance/app.ts';
import fixture from '../support/conformance/${plan}.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';

/** What the plan ${plan} does. That it does so safely is tried by tests/system/conformance.test.ts. */

let db: TestDatabase;
beforeAll(async () => {
  db = await freshDatabase();
  await createApp(db.sql, fixture.app, 60);
});
afterAll(() => db.drop());

test('each row gets its value', async () => {
  const last = (await migrateAll(db.sql, { plan: '${plan}' })).at(-1);
  expect(last).toMatchObject({ status: 'done', state: 'succeeded' });
  const wrong = await db.sql.unsafe(
    ${template(`select ${key.quoted} from ${relation} where ${column.quoted} is distinct from ${key.quoted}::text`)},
  );
  expect([...wrong]).toEqual([]);
});
`;
}
