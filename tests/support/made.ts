import type { Sql } from 'postgres';

/**
 * What is wrong with what Imago has made so far, whatever made it: functions without a comment or an empty search path, or that
 * somebody may call; tables without a comment, without an identity that a publication needs, or that somebody may use.
 */
export async function faultsOfMade(sql: Sql): Promise<string[]> {
  const rows = await sql<{ fault: string }[]>`
    with roles as (
      select unnest(array['public', 'anon', 'authenticated', 'service_role']) as role
    ), schemas as (
      select oid, nspname as name from pg_namespace where nspname = any ((select imago.own_schemas())::name[])
    ), routines as (
      select p.*, p.oid::regprocedure::text as name, l.lanname
      from pg_proc p join pg_language l on l.oid = p.prolang
      where p.pronamespace in (select oid from schemas) or p.oid = any ((select imago.public_functions())::oid[])
        or p.pronamespace <> 'pg_catalog'::regnamespace and imago.is_ours(p.oid)
    ), relations as (
      select c.*, c.oid::regclass::text as name from pg_class c
      where c.relnamespace in (select oid from schemas) and c.relkind in ('r', 'p', 'v', 'm', 'S')
    ), tables as (
      select c.oid, c.relreplident, c.oid::regclass::text as name from pg_class c
      where c.relkind in ('r', 'p') and c.relnamespace <> 'pg_catalog'::regnamespace and (c.relnamespace in (select oid from schemas)
        or exists (select from imago.added_object('pg_class'::regclass, c.oid, 0)))
    )
    select name || ' has no comment' as fault from routines where obj_description(oid, 'pg_proc') is null
    -- An expression that is to be inlined can have no settings, and looks nothing up.
    union all select name || ' has no empty search_path' from routines
      where not (coalesce('search_path=""' = any (proconfig), false) or provolatile = 'i' and lanname = 'sql')
    union all select format('%s may execute %s', role, name) from routines, roles
      where has_function_privilege(role, oid, 'execute')
        -- service_role calls what is published, and may use what triggers of its own writes rest on.
        -- Everybody may ask in_batch, and so use its schema.
        and oid <> 'imago.in_batch()'::regprocedure
        and not (role = 'service_role' and (pronamespace = 'imago'::regnamespace or oid = any ((select imago.public_functions())::oid[])))
    union all select name || ' has no comment' from relations
      where obj_description(oid, 'pg_class') is null and not (relkind = 'S' and exists (
        select from pg_depend d where d.objid = relations.oid and d.deptype = 'i'))
    union all select format('%s may use %s', role, name) from relations, roles
      where relkind <> 'S' and has_any_column_privilege(role, oid, 'select, insert, update')
        and not (role = 'service_role' and relnamespace = 'imago'::regnamespace)
    union all select name || ' has neither primary key nor replica identity' from tables t
      where t.relreplident <> 'f' and not exists (select from pg_index i where i.indrelid = t.oid and (i.indisprimary or i.indisreplident))
    union all select format('%s may use schema %s', role, name) from schemas, roles
      where has_schema_privilege(role, oid, 'usage') and name <> 'imago'
    order by 1`;
  return rows.map(({ fault }) => fault);
}
