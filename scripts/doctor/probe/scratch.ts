/** The scratch schemas of a probe: one with a table of made-up rows, and one with a plan that walks it. */
import { randomBytes } from 'node:crypto';
import type { Sql } from 'postgres';

/** Rows of the table. */
export const rows = 300;

/** The name says when it was made, so that what a killed probe has left is known by its age. */
const named = /^imago_probe_([0-9a-f]{8})[0-9a-f]{4}$/;

/** A name that nothing else has: of the plan and its schema, and, with _app behind it, of the schema of the table. */
export function scratchName(now = Date.now()): string {
  return `imago_probe_${Math.floor(now / 1000)
    .toString(16)
    .padStart(8, '0')}${randomBytes(2).toString('hex')}`;
}

/** Makes the two schemas: both or none. */
export async function makeScratch(sql: Sql, name: string): Promise<void> {
  const table = `${name}_app.people`;
  await sql.begin((tx) =>
    tx.unsafe(`
      -- The functions name what the prepare step adds.
      set local check_function_bodies = off;
      create schema ${name}_app;
      comment on schema ${name}_app is 'Scratch schema of imago doctor --probe. It is dropped when that ends.';
      create table ${table} (id integer primary key, first_name text not null, last_name text not null);
      insert into ${table} select n, 'First ' || n, 'Last ' || n from generate_series(1, ${rows}) n;
      select imago.create_plan('${name}', 'Probe', '${name}_app', 'people', 'id', 'row', 'rows');
      comment on schema ${name} is 'Scratch schema of imago doctor --probe. It is dropped when that ends.';
      create function ${name}.prepare() returns void language sql set search_path = '' as $$
        alter table ${table} add column if not exists full_name text;
        create or replace view ${name}.pending as select p.id as entity from ${table} p where p.full_name is null;
      $$;
      create function ${name}.apply(keys integer[]) returns void language sql set search_path = '' as $$
        update ${table} p set full_name = p.first_name || ' ' || p.last_name where p.id = any (keys) and p.full_name is null
      $$;
      create function ${name}.finish() returns void language sql set search_path = '' as $$
        alter table ${table} alter column full_name set not null
      $$;
      insert into imago.plan_step (plan, position, name, routine, phase) values
        ('${name}', 1, 'column full_name', 'prepare', 'prepare'), ('${name}', 2, 'full_name not null', 'finish', 'finalize');
      insert into imago.plan_write (plan, position, relation, entity_column, columns)
        values ('${name}', 1, '${table}', 'id', '{full_name}');
      select imago.revoke_plan_functions('${name}');`),
  );
}

/** Removes all of it, in one transaction. Where there is nothing it does nothing. */
export async function removeScratch(sql: Sql, name: string): Promise<void> {
  // A session of this probe that is still at work holds what is to be dropped.
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = ${name} and pid <> pg_backend_pid() and usename = current_user`;
  await sql.begin(async (tx) => {
    await tx`set local lock_timeout = '10s'`;
    await tx.unsafe(`drop schema if exists ${name}_app cascade`);
    const [installed] = await tx`select from pg_namespace where nspname = 'imago'`;
    if (installed) {
      await tx`select imago.drop_undo(${name})`;
      await tx`delete from imago.plan where name = ${name}`;
      for (const table of ['batch', 'log', 'sync_failure']) {
        await tx`delete from imago.${tx(table)} where plan = ${name}`;
      }
    }
    await tx.unsafe(`drop schema if exists ${name} cascade`);
  });
}

/** What is there of a probe: as many things as are left. */
export async function countScratch(sql: Sql, name: string): Promise<number> {
  const [found] = await sql<{ objects: number }[]>`
    select (
      (select count(*) from pg_namespace where nspname in (${name}, ${`${name}_app`}))
      + (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'imago_undo' and starts_with(c.relname, ${name}))
      + (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'imago_undo' and starts_with(p.proname, ${name}))
    )::int as objects`;
  const [installed] = await sql`select from pg_namespace where nspname = 'imago'`;
  if (!installed) return found?.objects ?? 0;
  const [lines] = await sql<{ rows: number }[]>`
    select ((select count(*) from imago.plan where name = ${name}) + (select count(*) from imago.log where plan = ${name})
      + (select count(*) from imago.batch where plan = ${name}))::int as rows`;
  return (found?.objects ?? 0) + (lines?.rows ?? 0);
}

/** Names of probes that were killed: older than any that is still at work. */
export async function findLeftovers(sql: Sql, now = Date.now()): Promise<string[]> {
  const found = await sql<{ name: string }[]>`
    select distinct regexp_replace(nspname, '_app$', '') as name from pg_namespace where starts_with(nspname, 'imago_probe_')`;
  return found
    .map(({ name }) => name)
    .filter((name) => Number.parseInt(named.exec(name)?.[1] ?? 'f'.repeat(12), 16) * 1000 < now - 3_600_000);
}
