create or replace function imago.installed_relations()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', format('%I.%I', n.nspname, c.relname),
    'comment', md5(pg_catalog.obj_description(c.oid, 'pg_class')),
    'open_to', imago.open_to(c.relacl),
    'for_service_role', has_table_privilege('service_role', c.oid, 'select')) order by n.nspname, c.relname), '[]')
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v')
    and (n.nspname = any ((select imago.own_schemas())::name[]) or c.oid = pg_catalog.to_regclass('public.migration_log'))
$$;
comment on function imago.installed_relations() is 'Our tables and views, and who of everybody may read or write them.';
