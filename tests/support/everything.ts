import type { Sql } from 'postgres';
import { value } from './call.ts';

/** All that a call could leave behind: the app's rows, Imago's rows, and the catalog. What belongs to the platform is left out. */
export async function everything(sql: Sql): Promise<Record<string, unknown>> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'auth', 'storage', 'realtime', 'vault', 'supabase_functions')
    order by 1`;
  const rows: Record<string, string> = {};
  for (const { name } of tables) {
    rows[name] = await value(
      sql,
      `select count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n' order by t::text), '')) from ${name} t`,
    );
  }
  const [catalog] = await sql`
    select
      (select md5(string_agg(format('%s %s %s %s', attrelid, attnum, attname, attisdropped), ' ' order by attrelid, attnum))
       from pg_attribute where attrelid >= 16384) as columns,
      (select md5(string_agg(t::text, ' ' order by t.oid)) from pg_trigger t) as triggers,
      (select md5(string_agg(p::text, ' ' order by p.oid)) from pg_proc p where p.oid >= 16384) as functions,
      (select md5(string_agg(k::text, ' ' order by k.oid)) from pg_constraint k) as constraints,
      (select string_agg(c.oid::regclass::text, ' ' order by c.oid) from pg_class c
       where c.oid >= 16384 and c.relnamespace <> 'pg_toast'::regnamespace) as relations`;
  return { rows, catalog };
}
