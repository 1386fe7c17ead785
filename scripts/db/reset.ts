/** `db reset`: drops everything and applies all versions; for databases that can be lost. */
import type { Sql, TransactionSql } from 'postgres';
import { answerOf } from '../command/ask.ts';
import { UsageError } from '../command/usage.ts';
import { scriptIn } from './apply.ts';
import { readDatabase, withoutOwnSettings } from './catalog.ts';
import { type Context, Declined, type Ending } from './context.ts';
import { quote } from './names.ts';
import { Problem } from './problem.ts';
import { readProject } from './project.ts';
import { Shadow } from './shadow.ts';
import { stepsBetween } from './supplement.ts';
import { databaseName, otherMachine } from './target.ts';
import { applyAll } from './upgrade.ts';

export async function reset(context: Context): Promise<Ending> {
  const { target, folder, options } = context;
  const elsewhere = target.kind === 'database' ? otherMachine(target.url) : undefined;
  if (target.kind === 'database' && (target.linked || elsewhere)) {
    throw new Problem(
      'reset-refused',
      `Reset drops all data, and ${target.linked ? `${target.linked} is a linked project` : `${elsewhere} is not this machine`}.`,
      'It is for the embedded database and for loopback addresses only. Nothing was changed.',
    );
  }
  if (target.kind === 'embedded' && options.confirm !== undefined) {
    throw new UsageError(
      '--confirm names a database, and DATABASE_URL names none: the embedded one is what would be dropped.',
      'Set DATABASE_URL, or leave --confirm out.',
    );
  }
  const project = await readProject(folder);
  for (const version of project.versions) scriptIn(context, version);
  if (target.kind === 'database') await expectName(context, databaseName(target.url));
  else await context.confirm('Drop everything in the embedded database?', { grave: true });
  const { sql } = await context.connect();
  await clearDatabase(context, sql);
  await dropEverything(sql);
  return await applyAll(context, project.versions, null);
}

/** Another database than the embedded one goes only when somebody has typed its name. */
async function expectName({ options, terminal, signal }: Context, name: string): Promise<void> {
  const question = `All data of ${name} will be lost. Type its name to go on: `;
  const typed =
    options.confirm ?? (process.stdin.isTTY ? await answerOf(question, terminal, signal) : undefined);
  if (signal.aborted) throw new Declined();
  if (typed === name) return;
  if (typed === undefined) {
    throw new Problem(
      'wrong-name',
      'Reset wants the name of the database typed, and nobody is here to type it.',
      `Where you mean it: --confirm ${name}`,
    );
  }
  throw new Problem('wrong-name', `The database is called ${name}.`, 'Nothing was changed.');
}

/** Schemas that come with the platform stay, without what was put into them; `public` is made again, closed as it was. */
async function dropEverything(sql: Sql): Promise<void> {
  const schemas = await sql<{ name: string }[]>`
    select n.nspname as name from pg_namespace n
    where n.nspname !~ '^pg_' and pg_has_role(n.nspowner, 'usage') and n.nspname <> all (${platformSchemas})
      and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')`;
  await sql.begin(async (tx) => {
    for (const { name } of schemas) await tx.unsafe(`drop schema ${quote(name)} cascade`);
    await emptyPlatform(tx);
    await tx.unsafe('create schema if not exists public; grant usage on schema public to public');
    const roles = await tx<{ name: string }[]>`
      select rolname as name from pg_roles where rolname in ('anon', 'authenticated', 'service_role')`;
    for (const { name } of roles) await tx.unsafe(`grant usage on schema public to ${quote(name)}`);
  });
}

/** What versions have said of the database itself is as nobody had said anything. */
async function clearDatabase(context: Context, sql: Sql): Promise<void> {
  const shadow = await Shadow.create(await context.shadows());
  try {
    const empty = await readDatabase(shadow.sql);
    const { catalog: is } = withoutOwnSettings(await readDatabase(sql), empty);
    for (const step of stepsBetween(is, empty)) await sql.unsafe(step.join(';\n'));
  } finally {
    await shadow.drop();
  }
}

/** What versions leave in the platform's schemas: policies, extensions, publications, and rows that they would insert again. */
async function emptyPlatform(tx: TransactionSql): Promise<void> {
  const statements = await tx<{ text: string }[]>`
    select format('drop policy %I on %I.%I', policyname, schemaname, tablename) as text, 0 as place
    from pg_policies where schemaname in ('auth', 'storage', 'realtime')
    union all
    -- A superuser's are the platform's own.
    select format('drop extension %I cascade', e.extname), 1
    from pg_extension e join pg_roles r on r.oid = e.extowner where r.rolname = current_user and not r.rolsuper
    union all
    select format('drop publication %I', pubname), 2
    from pg_publication where pubowner = current_user::regrole and pubname <> 'supabase_realtime'
    union all
    select format('delete from %s where true', name), 2 + place
    from unnest(array['storage.objects', 'storage.buckets', 'vault.secrets', 'auth.users']) with ordinality as platform (name, place)
    where has_table_privilege(to_regclass(name), 'delete')
    order by place`;
  await tx`select set_config('storage.allow_delete_query', 'true', true)`;
  for (const { text } of statements) await tx.unsafe(text);
}

const platformSchemas = [
  ...[
    'information_schema',
    'auth',
    'storage',
    'realtime',
    'extensions',
    'graphql',
    'graphql_public',
    'vault',
    'pgbouncer',
  ],
  ...[
    'supabase_functions',
    '_realtime',
    '_analytics',
    '_supavisor',
    'net',
    'cron',
    'pgsodium',
    'pgsodium_masks',
  ],
];
