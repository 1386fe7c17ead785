create or replace function imago.installed_schemas()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_agg(jsonb_build_object(
    'name', n.nspname,
    'owner', n.nspowner::pg_catalog.regrole::text,
    'open_to', imago.open_to(n.nspacl)) order by n.nspname)
  from pg_catalog.pg_namespace n
  where n.nspname = any ((select imago.own_schemas())::name[])
$$;
comment on function imago.installed_schemas() is 'Our schemas: owner, and who of everybody may use them.';
